"""
A copy of everything the contract knows, kept up to date by reading only what calls touched.

The facts are kept as the contract's views return them, so their digest can be recomputed by
anybody who can ask a node that runs the contract; storage slots could not (the usual RPC
interfaces do not list them).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
import hashlib
from typing import Any

from collab_robots.contract.artifact import artifact
from collab_robots.contract.calls import SELECTOR_BYTES, task_words, WORD
from collab_robots.contract.evm import Evm
from collab_robots.core.errors import CallError

PAGE = 64  # list entries per view call
STATE_DOMAIN = b'collab-robots/state/1\0'

_TASK_WORDS = 12  # Fleet.TaskFacts
_PROPOSERS, _NAMED = 7, 8  # words of Fleet.TaskFacts, as are those before
_LISTS = {'submitTiles': 'tiles', 'reportSighting': 'sightings'}  # the view of what a call adds to
_COUNTS = {'tasks': 0, 'tiles': 1, 'sightings': 2}  # which word of Fleet.counts is its length

Touched = bytes | tuple[str, int]
"""The key of a task, or the view of a list and the roster index of whose it is."""


def touched_by(sender: int, name: str, data: bytes, output: bytes) -> Touched:
    """
    Return what a successful call may have changed.

    :param sender: roster index.
    :param name: of the call.
    :param output: what it returned.
    """
    if name in _LISTS:
        return _LISTS[name], sender
    return output if name == 'propose' else data[SELECTOR_BYTES : SELECTOR_BYTES + WORD]


class Facts:
    """
    The contract's facts, read from a machine.

    :param members: size of the roster.
    """

    def __init__(self, members: int) -> None:
        self.tasks: dict[bytes, bytes] = {}
        """What ``Fleet.task`` returns, by key; tasks that anybody named."""
        self.tiles: dict[int, bytes] = {}
        """What ``Fleet.tiles`` returns, all pages without their heads, by roster index."""
        self.sightings: dict[int, bytes] = {}
        """What ``Fleet.sightings`` returns, likewise."""
        self._members = members
        self._touched: set[Touched] = set()

    def touch(self, touched: Iterable[Touched]) -> None:
        """Note what was changed or changed back: it has to be read again."""
        self._touched.update(touched)

    def refresh(self, evm: Evm) -> None:
        """Read what was touched."""
        for what in self._touched:
            if isinstance(what, bytes):
                raw = _view(evm, 'task', what)
                _set(self.tasks, what, raw if any(_word(raw, _NAMED)) else b'')
            else:
                name, index = what
                known = self.tiles if name == 'tiles' else self.sightings
                _set(known, index, _list(evm, name, index))
        self._touched.clear()

    def read_all(self, evm: Evm, limit: int) -> None:
        """
        Read everything, of a machine whose calls were not seen.

        :param limit: what no list is longer than.
        :raises CallError: if its storage is not what calls could have made.
        """
        for index in range(self._members):
            self._touched |= {('tiles', index), ('sightings', index)}
            counts = _counts(evm, index)
            if any(_number(counts, word) > limit for word in _COUNTS.values()):
                raise CallError(f'robot {index} has lists longer than the storage')
            for start in range(0, _number(counts, _COUNTS['tasks']), PAGE):
                page = _page(evm, 'tasks', index, start)
                facts = range(3, 3 + _TASK_WORDS * _number(page, 2), _TASK_WORDS)
                self._touched.update(_word(page, word) for word in facts)
        self.refresh(evm)

    def copy(self) -> Facts:
        """Return facts of their own that say the same."""
        other = Facts(self._members)
        other.tasks, other.tiles = self.tasks.copy(), self.tiles.copy()
        other.sightings, other._touched = self.sightings.copy(), self._touched.copy()
        return other

    def proposed(self) -> Iterator[tuple[bytes, str]]:
        """Yield key and name for people of the tasks that anybody proposed."""
        for key, raw in self.tasks.items():
            if any(_word(raw, _PROPOSERS)):
                kind, x, y, round_ = (
                    int.from_bytes(_word(raw, word), 'big', signed=True) for word in range(1, 5)
                )
                yield key, task_words(kind, x, y, round_)

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


def _list(evm: Evm, name: str, index: int) -> bytes:
    """Read all pages of one robot's list: the entries of static ABI tuples, back to back."""
    length = _number(_counts(evm, index), _COUNTS[name])
    pages = (_page(evm, name, index, start) for start in range(0, length, PAGE))
    return b''.join(page[2 * WORD :] for page in pages)  # after the array's offset and length


def _counts(evm: Evm, index: int) -> bytes:
    return _view(evm, 'counts', index.to_bytes(WORD, 'big'))


def _page(evm: Evm, name: str, index: int, start: int) -> bytes:
    values = (index, start, PAGE)
    return _view(evm, name, b''.join(value.to_bytes(WORD, 'big') for value in values))


def _view(evm: Evm, name: str, arguments: bytes) -> bytes:
    return evm.read(artifact().functions[name].selector + arguments)


def _word(raw: bytes, index: int) -> bytes:
    return raw[WORD * index : WORD * (index + 1)]


def _number(raw: bytes, index: int) -> int:
    return int.from_bytes(_word(raw, index), 'big')


def _set(known: dict[Any, bytes], key: Any, raw: bytes) -> None:
    if raw:
        known[key] = raw
    else:
        known.pop(key, None)


def _by_robot(lists: dict[int, bytes]) -> list[tuple[bytes, bytes]]:
    return [(index.to_bytes(4, 'big'), raw) for index, raw in sorted(lists.items())]
