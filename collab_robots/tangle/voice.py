"""
Whether a robot may speak, what it may name then, and, in words, why it is silent.

It decides neither when a record is due nor what is in it.
"""

from __future__ import annotations

from collab_robots.core.clock import SECOND
from collab_robots.core.errors import StoreError
from collab_robots.tangle import roots
from collab_robots.tangle.block_store import BlockStore
from collab_robots.tangle.dag import Entry, FOREIGN
from collab_robots.tangle.disk import Disk
from collab_robots.tangle.gossip import Gossip
from collab_robots.tangle.own_history import OwnHistory
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.tangle import Tangle

_NEVER = -(1 << 63)
_NEWEST = SECOND // 2  # ns; a tip that is no older is near the end of the order everywhere


class Voice:
    """Keeps one robot from signing what it should not, as far as what it knows of itself goes."""

    def __init__(
        self, store: BlockStore, disk: Disk, gossip: Gossip, config: LedgerConfig
    ) -> None:
        self._store = store
        self._disk = disk
        self._gossip = gossip
        self._config = config
        self._tangle: Tangle
        self._index = FOREIGN
        self._history: OwnHistory
        self._signed = 0  # own records, also those that are not solid here
        self._asked_at: int | None = None  # when it was first asked what may be named
        self._old_at = _NEVER  # when a record arrived that was issued long before

    def begin(self, tangle: Tangle, index: int) -> None:
        """
        Go on with a tangle, before its records.

        :param index: roster index of the robot; ``FOREIGN`` while it is not in the fleet.
        """
        self._tangle = tangle
        self._index = index
        self._signed = max(self._signed, self._height)

    def recall(self, issuer: int, seq: int) -> None:
        """Take note of a record that was signed, maybe by this robot."""
        if issuer == self._index != FOREIGN:
            self._signed = max(self._signed, seq + 1)

    def wake(self, fresh: bool) -> None:
        """
        Begin, after the records of the store were recalled.

        :param fresh: this robot never issued anything, so an empty store is no sign of a lost one.
        """
        lost = self._store.incomplete or not (self._signed or fresh)
        self._history = OwnHistory(lost, self._config)

    def hear(self, entry: Entry, now: int) -> None:
        """Take note of a record that became solid at ``now`` (ns)."""
        if entry.record.issued_at < now - self._config.active_window * SECOND:
            self._old_at = now
        self.recall(entry.issuer, entry.record.seq)

    def spoke(self) -> None:
        """Take note of an own new record."""
        self._history.spoke()

    def is_free(self, now: int) -> bool:
        """Tell whether the robot may issue a record at ``now`` (ns)."""
        if self._index in self._tangle.unvouched or self._disk.is_resting(now):
            return False
        own = self._height
        if own < self._signed:
            return False
        peers = self._gossip.peers
        if not self._history.is_complete(
            now,
            own,
            peers.claimed(self._index),
            peers.vouched(self._index),
            self._gossip.unheard,
        ):
            return False
        if self._store.incomplete:
            try:
                self._store.mark_complete()
            except StoreError as error:
                self._disk.failed(error, now)
                return False
        return True

    def oldest_to_name(self, now: int) -> int:
        """
        Return since when tips were issued that a record may name, ns.

        Any, unless the robot is catching up. Then a tip may be one only because what follows is
        not here yet: final for long, and pruned by others, who could not read the record. If so
        much is lacking that the last seconds may be among it, only the newest tips are named. So
        it is after the start, as long as nobody tells whether something is lacking.
        """
        tangle = self._tangle
        if self._asked_at is None:
            self._asked_at = now
        begins = now < self._asked_at + round(self._config.silence * SECOND)
        untold = not self._gossip.peers.tell
        lacking = self._gossip.peers.lacking(tangle.dag.heights(), tangle.unvouched)
        if lacking > roots.ROOT_WINDOW // 2 or (untold and begins):
            return now - _NEWEST
        if lacking or untold or now < self._old_at + round(self._config.silence * SECOND):
            return now - round(self._config.active_window * SECOND)
        return 0

    def alarm(self, now: int) -> str:
        """Say why the robot is silent, and what else is wrong; empty if nothing is."""
        tangle = self._tangle
        alarms = [self._disk.alarm and f'not issuing: {self._disk.alarm}']
        own = tangle.dag.newest(self._index)
        if self._index in tangle.proofs:
            alarms.append(
                f'not issuing: two records {tangle.proofs[self._index].seq} are signed with this '
                "robot's key: another process uses it, or its disk was lost; give it a new key"
            )
        elif self._index == FOREIGN:
            alarms.append('not issuing: the fleet has not let this robot in yet')
        elif self._index in tangle.fleet.left:
            alarms.append('not issuing: the fleet has let this robot go')
        elif self._height < self._signed:
            alarms.append('not issuing: own records wait for parents that are fetched')
        elif self._history.is_missing:
            alarms.append('own records are missing here and are fetched from teammates')
        elif self._history.is_lost and self._gossip.unheard:
            alarms.append(
                'not issuing: the ledger here is empty or damaged and own records may be with '
                f'teammates; waiting to hear {self._gossip.unheard} more of them'
            )
        if own and own.record.issued_at > now + self._config.future_tolerance * SECOND:
            alarms.append('the clock is behind the own last record: was it set back?')
        for robot, proof in sorted(tangle.proofs.items()):
            if robot != self._index:
                name = tangle.fleet.robots[robot].name
                alarms.append(f'{name} signed two records with seq {proof.seq}')
        return '; '.join(alarm for alarm in alarms if alarm)

    @property
    def _height(self) -> int:
        """How many own records are solid here."""
        return 0 if self._index == FOREIGN else self._tangle.dag.heights()[self._index]
