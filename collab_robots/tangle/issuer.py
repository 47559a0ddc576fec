"""When a robot speaks, and how: its own records are durable before anybody sees them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Sequence

from collab_robots.core.clock import SECOND
from collab_robots.core.errors import CallError
from collab_robots.core.identity import PrivateKey
from collab_robots.tangle.block import block_id, GENESIS, MAX_PARENTS
from collab_robots.tangle.block_store import BlockStore, Row
from collab_robots.tangle.dag import Entry, FOREIGN
from collab_robots.tangle.order import Key, key_of
from collab_robots.tangle.record import (
    encode_record,
    LEDGER_CALL,
    MAX_CALL_BYTES,
    MAX_CALLS,
    MAX_CALLS_BYTES,
    sign_record,
)
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.tangle import Added, Tangle

_USUAL_LAG = 8  # rounds
_PATIENCE = 0.2  # s to wait for leaders, for each round beyond that
_MOST_PATIENCE = 4.0  # s; records from a clock that is ahead come so late, about


class Calls:
    """
    Where the contract's calls are, as far as the pace needs it.

    :param members: size of the roster.
    """

    def __init__(self, members: int) -> None:
        self.heights = [0] * members
        """Per issuer, the number of its records up to the last one with calls."""
        self.newest_at = -(1 << 63)
        """Issue time of the newest record with calls, ns."""
        self._unfinal: Counter[int] = Counter()  # by issuer
        self.final = 0
        """How long the final order is up to the last of them."""

    def has_unfinal(self, passed_over: Collection[int]) -> bool:
        """
        Tell whether records with calls, or foreign blocks, are not final, and not stale.

        :param passed_over: issuers whose records do not matter.
        """
        return any(count and issuer not in passed_over for issuer, count in self._unfinal.items())

    def take(self, added: Added) -> None:
        """Take note of what came of a new record."""
        for entry in added.vouched:
            self._note(entry)
        for entry in added.final:
            self.drop(entry)

    def drop(self, entry: Entry) -> None:
        """Take note that a record became final, or was taken out of the DAG."""
        if matters(entry):
            self._unfinal[entry.issuer] -= not entry.stale
            self.final = max(self.final, entry.position + 1)

    def _note(self, entry: Entry) -> None:
        if entry.issuer != FOREIGN and matters(entry):
            height = entry.record.seq + 1
            self.heights[entry.issuer] = max(height, self.heights[entry.issuer])
            self.newest_at = max(entry.record.issued_at, self.newest_at)
        self._unfinal[entry.issuer] += matters(entry)


def matters(entry: Entry) -> bool:
    """
    Tell whether the team should not rest before a record is final.

    Attestations are none: if each made others final, there would soon be the next to attest.
    """
    return entry.issuer == FOREIGN or any(
        not call.startswith(LEDGER_CALL) for call in entry.record.calls
    )


class Issuer:
    """
    Makes a robot's own records.

    A record that was signed once is never signed otherwise: if the disk does not take it, the
    very same record is tried again, and nothing else is issued before.
    """

    def __init__(self, key: PrivateKey, store: BlockStore, config: LedgerConfig) -> None:
        self._key = key
        self._store = store
        self._config = config
        self._queue: deque[bytes] = deque()
        self._issued_at: int | None = None  # local clock
        self._signed: tuple[Entry, bytes] | None = None  # not durable yet

    def begin(self, tangle: Tangle) -> None:
        """Go on with a tangle; nothing may be signed that the disk did not take."""
        self._fleet = tangle.fleet
        self._me = tangle.fleet.index_by_key.get(self._key.public, FOREIGN)
        self._tangle = tangle
        self._dag = tangle.dag
        # A large fleet shares the radio: together its heartbeats come no more often than those
        # of four robots.
        self._pace = self._config.heartbeat_interval * max(1.0, tangle.dag.members / 4)

    def submit(self, call: bytes) -> None:
        """
        Queue a call.

        :raises CallError: if it is empty or too long, or the queue is full.
        """
        if not 1 <= len(call) <= MAX_CALL_BYTES:
            raise CallError(f'a call has 1 to {MAX_CALL_BYTES} bytes, not {len(call)}')
        if len(self._queue) >= self._config.max_queue:
            raise CallError(f'{len(self._queue)} calls wait already; the ledger does not issue')
        self._queue.append(call)

    def is_due(
        self,
        now: int,
        calls: Calls,
        accepted: tuple[int, ...],
        posted: bool = False,
        behind: bool = False,
        oldest: int = 0,
    ) -> bool:
        """
        Tell whether it is time for a record.

        Yes if calls wait; if others made calls that no own record has in its past, or a record
        would help to make one final; and, less often, while there are calls that are not accepted
        or that are recent. Otherwise the robot is silent.

        :param now: ns, local clock.
        :param accepted: heights.
        :param posted: clients' blocks wait for a record to name them.
        :param behind: a teammate has fewer final records. It may need help although all is final
            here: records of an equivocator that counted here may be gone.
        :param oldest: ns; tips issued before would not be named.
        """
        if self._signed is not None or self._issued_at is None:
            since = float('inf')
        else:
            self._issued_at = min(self._issued_at, now)  # should the clock ever go back
            since = (now - self._issued_at) / SECOND
        config, dag = self._config, self._dag
        if self._signed is not None:
            return True
        if self._is_patient(since, oldest):
            return False
        if (self._queue or posted) and since >= config.min_interval:
            return True
        if since < self._pace:
            return False
        unvouched = self._tangle.unvouched
        newest = dag.newest(self._me)
        seen = newest.seen if newest is not None else (0,) * dag.members
        tips = self.tips(newest, oldest)
        if any(
            tip.seen[robot] > seen[robot] < calls.heights[robot]
            for tip in tips
            for robot in range(dag.members)
            if robot not in unvouched
        ) or (
            calls.has_unfinal(self._tangle.equivocators)
            and self._tangle.finality.can_help(newest, tips)
        ):
            return True
        return since >= config.keepalive_interval and (
            (behind and self._tangle.finality.can_help(newest, tips))
            or now - calls.newest_at < config.active_window * SECOND
            or any(
                calls.heights[robot] > accepted[robot]
                for robot in range(dag.members)
                if robot not in unvouched
            )
        )

    @property
    def is_stuck(self) -> bool:
        """Tell whether a record is signed that the disk did not take yet."""
        return self._signed is not None

    def _is_patient(self, since: float, oldest: int) -> bool:
        """
        Tell whether to wait for leaders: only while the final order lags, and not for ever.

        :param since: s since the last own record.
        """
        finality, own = self._tangle.finality, self._dag.newest(self._me)
        patience = min(_MOST_PATIENCE, _PATIENCE * (finality.lag - _USUAL_LAG))
        return (
            own is not None
            and since < patience
            and finality.awaits_leaders(own, self.tips(own, oldest))
        )

    def rested(self, now: int) -> bool:
        """Tell whether the last own record is long enough ago for one that answers others."""
        return self._issued_at is None or (now - self._issued_at >= self._pace * SECOND)

    def issue(
        self, now: int, foreign: Sequence[Entry] = (), since: int = 0
    ) -> tuple[Entry, bytes]:
        """
        Make a record of the calls that wait, or none, and write it to the disk.

        :param now: ns, local clock.
        :param foreign: at most ``MAX_FOREIGN`` foreign tips that it shall name.
        :param since: ns; tips issued before are not named.
        :returns: its entry, not attached to the DAG yet, and its block.
        :raises StoreError: if it is not durable; it must not be sent then. Call again later.
        """
        if self._signed is None:
            self._signed = self._sign(now, foreign, since)
        signed, raw = self._signed
        # Placed again: if the disk failed meanwhile, the DAG may have grown.
        entry = self._dag.place(signed.id, signed.record, self._me)
        record = entry.record
        self._store.add(
            Row(entry.id, raw, self._me, record.seq, record.issued_at, now, entry.depth)
        )
        self._store.commit()
        self._signed = None
        self._issued_at = now
        return entry, raw

    def _sign(self, now: int, foreign: Sequence[Entry], since: int) -> tuple[Entry, bytes]:
        own = self._dag.newest(self._me)
        tips = [*foreign, *self.tips(own, since)][: MAX_PARENTS - 1]
        calls: list[bytes] = []
        size = 0
        while self._queue and len(calls) < MAX_CALLS:
            size += len(self._queue[0])
            if size > MAX_CALLS_BYTES:
                break
            calls.append(self._queue.popleft())
        times = [now] + [tip.record.issued_at for tip in tips]
        if own is not None:
            times.append(own.record.issued_at + 1)
        record = sign_record(
            self._key,
            self._fleet.id,
            own.record.seq + 1 if own else 0,
            [own.id if own else GENESIS] + [tip.id for tip in tips],
            max(times),
            tuple(calls),
        )
        raw = encode_record(record)
        return self._dag.place(block_id(raw), record, self._me), raw

    def tips(self, own: Entry | None = None, since: int = 0) -> list[Entry]:
        """
        Return the tips to approve, besides ``own``, the own previous record.

        Whose records wait longest for the robot's approval comes first, so that in large teams
        each gets its turn. What nobody vouches for is left out.

        :param since: ns; tips issued before are left out, too.
        """
        dag, unvouched = self._dag, self._tangle.unvouched

        def waits_since(tip: Entry) -> Key:
            seen = own.seen[tip.issuer] if own is not None else 0
            return key_of(dag.at(tip.issuer, seen) or tip)

        tips = [
            tip
            for tip in dag.tips.values()
            if tip is not own
            and tip.issuer not in unvouched
            and not tip.stale
            and tip.record.issued_at >= since
        ]
        tips.sort(key=waits_since)
        return tips
