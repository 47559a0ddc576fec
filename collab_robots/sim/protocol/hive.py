"""What liars know together: every block one of them heard or made, with its place in the DAG."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
import random

from collab_robots.core.errors import RefusedError
from collab_robots.core.fleet import Fleet
from collab_robots.core.identity import PrivateKey
from collab_robots.tangle.block import block_id, decode_block, GENESIS, ID_BYTES, MAX_PARENTS
from collab_robots.tangle.dag import Dag, Entry
from collab_robots.tangle.record import decode_record, encode_record, Record, sign_record

_RECENT = 60  # entries that a new record may name
_LIMIT = 2_000  # blocks that wait for their parents


class Hive:
    """
    A DAG of all branches, their own hidden ones included.

    :param rng: where new records are hung.
    """

    def __init__(self, fleet: Fleet, rng: random.Random) -> None:
        self.dag = Dag([robot.weight for robot in fleet.robots])
        self.raw: dict[bytes, bytes] = {}
        self._fleet = fleet
        self._rng = rng
        self._recent: deque[Entry] = deque(maxlen=_RECENT)
        self._waiting: dict[bytes, Record] = {}

    def take(self, raw: bytes) -> None:
        """Learn a block, if it is one."""
        identity = block_id(raw)
        if identity in self.raw:
            return
        try:
            record = decode_record(decode_block(raw))
        except RefusedError:
            return
        if record.issuer not in self._fleet.index_by_key or len(self._waiting) >= _LIMIT:
            return
        self.raw[identity] = raw
        self._waiting[identity] = record
        self._settle()

    def grow(
        self,
        key: PrivateKey,
        previous: Entry | None,
        issued_at: int,
        calls: tuple[bytes, ...],
        side: int,
    ) -> Entry | None:
        """
        Sign a valid record on top of any earlier own one, so maybe a second with its seq.

        :param previous: own record to go on from; None: begin anew.
        :param issued_at: ns; later if a parent is later.
        :param side: bit mask of the issuers whose records it may name.
        :returns: None if the DAG's rules leave no place for it.
        """
        me = self._fleet.index_by_key[key.public]
        seq = previous.record.seq + 1 if previous is not None else 0
        parents = {previous.id if previous is not None else GENESIS}
        latest = previous.record.issued_at + 1 if previous is not None else issued_at
        wanted = self._rng.randint(1, MAX_PARENTS)
        for candidate in self._candidates(me, side):
            if len(parents) >= wanted:
                break
            later = max(latest, candidate.record.issued_at)
            trial = self._record(key, seq, parents | {candidate.id}, later, calls)
            if self._place(trial, me) is not None:
                parents.add(candidate.id)
                latest = later
        fleet = self._fleet.id
        record = sign_record(key, fleet, seq, parents, max(latest, issued_at), calls)
        raw = encode_record(record)
        identity = block_id(raw)
        if identity in self.raw or self._place(record, me) is None:
            return None
        self.raw[identity] = raw
        entry = self.dag.insert(identity, record, me)
        self._recent.append(entry)
        return entry

    def _candidates(self, me: int, side: int) -> Iterable[Entry]:
        """Return what a record may name: the newest of each issuer and some others, shuffled."""
        issuers = [robot for robot in range(self.dag.members) if side >> robot & 1 and robot != me]
        newest = [self.dag.newest(issuer) for issuer in issuers]
        found = {entry.id: entry for entry in newest if entry is not None}
        others = [entry for entry in self._recent if entry.issuer in issuers]
        for entry in self._rng.sample(others, min(3, len(others))):
            found[entry.id] = entry
        return self._rng.sample(list(found.values()), len(found))

    def _record(
        self, key: PrivateKey, seq: int, parents: set[bytes], at: int, calls: tuple[bytes, ...]
    ) -> Record:
        parents_sorted = tuple(sorted(parents))
        return Record(self._fleet.id, key.public, seq, parents_sorted, at, calls, b'')

    def _place(self, record: Record, issuer: int) -> Entry | None:
        try:
            return self.dag.place(bytes(ID_BYTES), record, issuer)
        except RefusedError:
            return None

    def _settle(self) -> None:
        progress = True
        while progress:
            progress = False
            for identity, record in list(self._waiting.items()):
                if self.dag.missing(record.parents):
                    continue
                del self._waiting[identity]
                issuer = self._fleet.index_by_key[record.issuer]
                try:
                    self._recent.append(self.dag.insert(identity, record, issuer))
                except RefusedError:
                    continue
                progress = True
