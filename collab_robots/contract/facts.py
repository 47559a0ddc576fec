"""
A copy of everything the contract knows, kept up to date by reading only what calls touched.

The facts are kept as the contract's views return them, so their digest can be recomputed by
anybody who can ask a node that runs the contract; storage slots could not (pyrevm and the usual
RPC interfaces do not list them).
"""

from __future__ import annotations

import hashlib

from collab_robots.contract.artifact import artifact
from collab_robots.contract.calls import call_name, key_of, WORD
from collab_robots.contract.evm import Evm

PAGE = 64  # list entries per view call
STATE_DOMAIN = b'collab-robots/state/1\0'

_NAMED = 8 * WORD  # where Fleet.TaskFacts.named is in what Fleet.task returns
_LISTS = {'submitTiles': 'tiles', 'reportSighting': 'sightings'}  # the view of what a call adds to
_COUNTS = {'tiles': WORD, 'sightings': 2 * WORD}  # where Fleet.counts has its length


class Facts:
    """
    The contract's facts, read from a machine.

    :param evm: with the contract in it.
    :param members: size of the roster.
    """

    def __init__(self, evm: Evm, members: int) -> None:
        self.tasks: dict[bytes, bytes] = {}
        """What ``Fleet.task`` returns, by key; tasks that anybody named."""
        self.tiles: dict[int, bytes] = {}
        """What ``Fleet.tiles`` returns, all pages without their heads, by roster index."""
        self.sightings: dict[int, bytes] = {}
        """What ``Fleet.sightings`` returns, likewise."""
        self._evm = evm
        self._members = members
        self._keys: set[bytes] = set()
        self._lists: set[tuple[str, int]] = set()

    def touch(self, sender: int, data: bytes) -> None:
        """
        Note that a call was executed or undone: what it is about has to be read again.

        :param sender: roster index.
        """
        key = key_of(data)
        if key is not None:
            self._keys.add(key)
        elif call_name(data) in _LISTS:
            self._lists.add((_LISTS[call_name(data)], sender))

    def refresh(self) -> None:
        """Read what was touched."""
        for key in self._keys:
            raw = self._view('task', key)
            if any(raw[_NAMED : _NAMED + WORD]):
                self.tasks[key] = raw
            else:
                self.tasks.pop(key, None)
        for name, index in self._lists:
            known = self.tiles if name == 'tiles' else self.sightings
            raw = self._list(name, index)
            if raw:
                known[index] = raw
            else:
                known.pop(index, None)
        self._keys.clear()
        self._lists.clear()

    def digest(self, fleet: bytes) -> bytes:
        """
        Return the BLAKE2b-256 of all facts, 32 bytes.

        Tasks go in by key, lists by robot and in that robot's own order. None of these depends on
        the order of execution, so equal sets of calls have equal digests.

        :param fleet: id of the fleet.
        """
        state = hashlib.blake2b(STATE_DOMAIN + fleet, digest_size=32)
        tiles, sightings = _by_robot(self.tiles), _by_robot(self.sightings)
        for group in (sorted(self.tasks.items()), tiles, sightings):
            state.update(len(group).to_bytes(4, 'big'))
            for name, raw in group:
                state.update(name + len(raw).to_bytes(4, 'big') + raw)
        return state.digest()

    def _list(self, name: str, index: int) -> bytes:
        """Read all pages of one robot's list: the entries of static ABI tuples, back to back."""
        member = index.to_bytes(WORD, 'big')
        counts = self._view('counts', member)
        length = int.from_bytes(counts[_COUNTS[name] : _COUNTS[name] + WORD], 'big')
        raw = b''
        for start in range(0, length, PAGE):
            page = self._view(
                name, member + start.to_bytes(WORD, 'big') + PAGE.to_bytes(WORD, 'big')
            )
            raw += page[2 * WORD :]  # after the array's offset and length
        return raw

    def _view(self, name: str, arguments: bytes) -> bytes:
        return self._evm.read(artifact().functions[name].selector + arguments)


def _by_robot(lists: dict[int, bytes]) -> list[tuple[bytes, bytes]]:
    return [(index.to_bytes(4, 'big'), raw) for index, raw in sorted(lists.items())]
