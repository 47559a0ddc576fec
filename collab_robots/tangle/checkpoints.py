"""
Makes snapshots, has them attested, prunes behind them, and fetches one where blocks are pruned.

When a quorum attests a snapshot, the one before it is stored and served, and what is final there
is dropped. So each robot holds all that came after its stored snapshot, also when it starts again,
and whoever is less than one interval behind still gets blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from collab_robots.core.clock import SECOND
from collab_robots.tangle.attestation import attestation, attestations, digest
from collab_robots.tangle.block_store import BlockStore
from collab_robots.tangle.cut import Cut
from collab_robots.tangle.dag import Entry
from collab_robots.tangle.peers import Peer
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.snapshot import (
    Attested,
    pieces,
    Snapshot,
    snapshot_digest,
    State,
)
from collab_robots.tangle.sync import Chunk, MAX_CHUNKS, Request
from collab_robots.tangle.tangle import Tangle

_KEPT = 3  # own snapshots that wait for attestations


class _Made(NamedTuple):
    cut: Cut
    body: bytes
    digest: bytes


class _Next(NamedTuple):
    cut: Cut
    data: bytes


class _Vote(NamedTuple):
    digest: bytes
    record: bytes


class Checkpoints:
    """
    The snapshots of one robot.

    :param state: gives the contract's state; without it snapshots have an empty one.
    """

    def __init__(self, store: BlockStore, state: State | None, config: LedgerConfig) -> None:
        self._store = store
        self._config = config
        self._state = state
        self._tangle: Tangle
        self._made: dict[int, _Made] = {}
        self._votes: dict[int, dict[int, _Vote]] = {}  # by snapshot, then by issuer
        self._next: _Next | None = None  # the newest attested one
        self.stored = 0
        """Index of the stored snapshot, 0 if there is none."""
        self._data: bytes | None = None  # its bytes, once they were asked for

    def begin(self, tangle: Tangle) -> None:
        """Go on with a tangle, before its records."""
        self._tangle = tangle
        self._made.clear()
        self._votes.clear()
        self._next, self._data = None, None
        self.stored = tangle.cut_index

    def note(self, entry: Entry) -> None:
        """Take note of what a solid record attests."""
        for index, what in attestations(entry.record):
            if self._oldest <= index <= self._tangle.cut_index + _KEPT:
                votes = self._votes.setdefault(index, {})
                votes.setdefault(entry.issuer, _Vote(what, entry.id))

    def make(self) -> list[bytes]:
        """Make the snapshots that are due; return the calls that attest them."""
        calls = []
        while self._tangle.cuts:
            fleet, cut = self._tangle.cuts.pop(0)
            state = self._state.state_at(cut.position) if self._state is not None else b''
            body = Snapshot(fleet, cut, state).encode()
            made = self._made[cut.index] = _Made(cut, body, snapshot_digest(body))
            while len(self._made) > _KEPT:
                del self._made[min(self._made)]
            calls.append(attestation(cut.index, made.digest))
        self._forget_votes()
        return calls

    def prune(self) -> bool:
        """
        If a quorum attests a newer snapshot, store the one before it and drop what is behind that.

        :returns: whether it dropped anything.
        :raises StoreError: if it cannot be stored; the next call tries again.
        """
        before = self.stored
        for index in sorted(self._made):
            cut, body, wanted = self._made[index]
            votes = {
                issuer: vote.record
                for issuer, vote in self._votes.get(index, {}).items()
                if vote.digest == wanted
            }
            if not self._tangle.dag.quorum.reached(sum(1 << issuer for issuer in votes)):
                continue
            rows = [self._store.get(record) for record in votes.values()]
            blocks = tuple(row.raw for row in rows if row is not None)
            data = Attested(body, blocks, self._tangle.handovers).encode()
            if self._next is not None:
                self._keep(self._next)
            self._next = _Next(cut, data)
            if self._tangle.is_over and index == self._tangle.cut_index:  # the next begins with it
                self._keep(self._next)
            self._made = {later: made for later, made in self._made.items() if later > index}
            self._forget_votes()
        return self.stored != before

    def chunks(self, sender: str, request: Request) -> list[Chunk]:
        """
        Return the pieces that a robot asks for, those that there are.

        :raises StoreError: if the snapshot cannot be read.
        """
        if not request.snapshot or request.snapshot != self.stored:
            return []
        if self._data is None:
            stored = self._store.snapshot()
            if stored is None:
                return []
            self._data = stored[1]
        data = self._data
        parts = pieces(data)
        return [
            Chunk(sender, self.stored, number, len(parts), digest(data), parts[number])
            for number in request.chunks
            if number < len(parts)
        ]

    @property
    def ends_epoch(self) -> bool:
        """Tell whether the epoch is over, and the snapshot that ends it is attested and stored."""
        return self._tangle.is_over and self.stored == self._tangle.cut_index

    @property
    def _oldest(self) -> int:
        """Index of the first snapshot that attestations matter of."""
        newest = self._next.cut.index if self._next is not None else self.stored
        return min(self._made, default=newest + 1)

    def _keep(self, snapshot: _Next) -> None:
        cut, data = snapshot
        behind = [] if self._config.archive else self._tangle.behind(cut)
        self._store.save_snapshot(cut.index, data, [entry.id for entry in behind])
        self._tangle.prune(cut)
        self.stored, self._data = cut.index, data

    def _forget_votes(self) -> None:
        oldest = self._oldest
        self._votes = {index: votes for index, votes in self._votes.items() if index >= oldest}


class Catchup:
    """Fetches a snapshot from one robot at a time, for a robot that is too far behind."""

    def __init__(self, name: str, config: LedgerConfig) -> None:
        self._name = name
        self._config = config
        self._target = ''
        self._snapshot = 0
        self._digest = b''
        self._count = 1
        self._pieces: dict[int, bytes] = {}
        self._began_at = 0
        self._asked_at = 0

    def poll(
        self, now: int, peers: dict[str, Peer], needs: Callable[[Peer], bool]
    ) -> Request | None:
        """
        Return the request to send now, if any.

        :param needs: tells whether blocks that are lacking here are pruned at a peer.
        """
        config = self._config
        peer = peers.get(self._target)
        if peer is not None:
            if (
                now - self._asked_at < config.request_timeout * SECOND
                and now - self._began_at < config.snapshot_timeout * SECOND
            ):
                return None
            peer.fail(now, config)
        for name, peer in sorted(peers.items(), key=lambda item: item[1].failures):
            if peer.snapshot and peer.may_be_asked(now, config) and needs(peer):
                if (name, peer.snapshot) != (self._target, self._snapshot):
                    self._pieces.clear()
                    self._count, self._digest = 1, b''
                self._target, self._snapshot, self._began_at = name, peer.snapshot, now
                return self._ask(now)
        self._target = ''
        return None

    def take(self, chunk: Chunk, now: int) -> tuple[bytes | None, Request | None]:
        """
        Take a piece.

        :returns: the whole if it is complete; else the next request if all that was asked came.
        """
        if (chunk.sender, chunk.snapshot) != (self._target, self._snapshot):
            return None, None
        if self._digest and (chunk.digest, chunk.count) != (self._digest, self._count):
            return None, None
        self._digest, self._count = chunk.digest, chunk.count
        if chunk.number in self._pieces:
            return None, None
        self._pieces[chunk.number] = chunk.data
        if len(self._pieces) == self._count:
            data = b''.join(self._pieces[number] for number in range(self._count))
            self._pieces.clear()
            return data, None
        if len(self._pieces) % MAX_CHUNKS == 1:
            return None, self._ask(now)
        self._asked_at = now
        return None, None

    def done(self) -> None:
        """Stop."""
        self._target = ''
        self._pieces.clear()
        self._digest = b''

    def check(self, data: bytes) -> bool:
        """Tell whether the whole is what its pieces said."""
        return digest(data) == self._digest

    def _ask(self, now: int) -> Request:
        self._asked_at = now
        wanted = [number for number in range(self._count) if number not in self._pieces]
        return Request(
            self._name,
            self._target,
            snapshot=self._snapshot,
            chunks=tuple(wanted[:MAX_CHUNKS]),
        )
