"""What to send on a request: bounded, and each block once for all who hear it."""

from __future__ import annotations

from collections.abc import Iterator

from collab_robots.core.clock import SECOND
from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.store import Row, Store
from collab_robots.tangle.sync import Request

_REQUEST_COST = 1_024  # bytes of budget that a request costs beyond what it brings

MAX_ROWS = 256  # of one answer


class Answerer:
    """Answers requests from the store, within each asking robot's budget."""

    def __init__(self, store: Store, config: LedgerConfig) -> None:
        self._store = store
        self._config = config
        self._budgets: dict[str, Budget] = {}
        self._sent_at: dict[bytes, int] = {}  # oldest first

    def note_sent(self, identity: bytes, now: int) -> None:
        """Take note that a block is sent at ``now`` (ns): it is not sent again at once."""
        before = now - self._config.resend_interval * SECOND
        while self._sent_at and next(iter(self._sent_at.values())) <= before:
            del self._sent_at[next(iter(self._sent_at))]
        self._sent_at[identity] = now

    def answer(self, request: Request, now: int) -> Iterator[Row]:
        """
        Yield the blocks to send, parents before children.

        :param request: a checked one, so that its sender is in the roster.
        :param now: ns, local clock.
        :raises RefusedError: FLOOD when the sender's budget is spent.
        :raises StoreError: if the store cannot be read.
        """
        config = self._config
        budget = self._budgets.setdefault(
            request.sender, Budget(config.answer_rate, config.answer_burst)
        )
        if not budget.take(now, _REQUEST_COST):
            raise RefusedError(Refusal.FLOOD, f'{request.sender!r} asks too often')
        for row in _select(request, self._store):
            sent_at = self._sent_at.get(row.id)
            if sent_at is not None and now - sent_at < config.resend_interval * SECOND:
                continue
            if not budget.take(now, len(row.raw)):
                raise RefusedError(Refusal.FLOOD, f'{request.sender!r} asks for too much')
            self._sent_at.pop(row.id, None)
            yield row


class Budget:
    """
    A token bucket.

    :param rate: bytes/s that come in.
    :param burst: bytes it holds at most, and at first.
    """

    def __init__(self, rate: int, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._left = float(burst)
        self._at = 0

    def take(self, now: int, amount: int) -> bool:
        """Take ``amount`` bytes out at ``now`` (ns); False, and nothing, if they are not there."""
        self._left = min(self._burst, self._left + (now - self._at) * self._rate / SECOND)
        self._at = now
        if amount > self._left:
            return False
        self._left -= amount
        return True


def _select(request: Request, store: Store) -> list[Row]:
    """Return at most ``MAX_ROWS`` of the blocks that are asked for, parents before children."""
    rows: dict[bytes, Row] = {}
    for issuer, first, last in request.ranges:
        for row in store.chain(issuer, first, min(last, first + MAX_ROWS)):
            rows[row.id] = row
    for identity in request.ids:
        row_or_none = store.get(identity)
        if row_or_none is not None:
            rows[identity] = row_or_none
    ordered = sorted(rows.values(), key=lambda row: (row.issued_at, row.depth, row.id))
    return ordered[:MAX_ROWS]
