"""What to send on a request: bounded, and each block once for all who hear it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from collab_robots.core.budget import Budget
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.tangle.block_store import BlockStore, Row
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.sync import Request

_REQUEST_COST = 1_024  # bytes of budget that a request costs beyond what it brings

MAX_ROWS = 256  # of one answer


class Answerer:
    """Answers requests from the store, within each asking robot's budget."""

    def __init__(self, store: BlockStore, config: LedgerConfig) -> None:
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

    def budget(self, sender: str) -> Budget:
        """Return what a robot of the roster may still ask for."""
        return self._budgets.setdefault(
            sender, Budget(self._config.answer_rate, self._config.answer_burst)
        )

    def answer(self, request: Request, forks: Mapping[int, int], now: int) -> Iterator[Row]:
        """
        Yield the blocks to send, parents before children.

        :param request: a checked one, so that its sender is in the roster.
        :param forks: ``Dag.forks``. Who asks for a block of such an issuer gets its whole branch.
        :param now: ns, local clock.
        :raises RefusedError: FLOOD when the sender's budget is spent.
        :raises StoreError: if the store cannot be read.
        """
        config = self._config
        budget = self.budget(request.sender)
        if not budget.take(now, _REQUEST_COST):
            raise RefusedError(Refusal.FLOOD, f'{request.sender!r} asks too often')
        for row in _select(request, forks, self._store):
            sent_at = self._sent_at.get(row.id)
            if sent_at is not None and now - sent_at < config.resend_interval * SECOND:
                continue
            if not budget.take(now, len(row.raw)):
                raise RefusedError(Refusal.FLOOD, f'{request.sender!r} asks for too much')
            self._sent_at.pop(row.id, None)
            yield row


def _select(request: Request, forks: Mapping[int, int], store: BlockStore) -> list[Row]:
    """Return at most ``MAX_ROWS`` of the blocks that are asked for, parents before children."""
    rows: dict[bytes, Row] = {}
    for issuer, first, last in request.ranges:
        for row in store.chain(issuer, first, min(last, first + MAX_ROWS)):
            rows[row.id] = row
    for identity in request.ids:
        row_or_none = store.get(identity)
        if row_or_none is None:
            continue
        rows[identity] = row_or_none
        issuer, seq = row_or_none.issuer, row_or_none.seq
        if issuer in forks and len(rows) < MAX_ROWS:
            first = max(forks[issuer], seq - MAX_ROWS)
            for row in store.chain(issuer, first, seq - 1):
                rows[row.id] = row
    ordered = sorted(rows.values(), key=lambda row: (row.issued_at, row.depth, row.id))
    return ordered[:MAX_ROWS]
