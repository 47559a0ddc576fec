"""Blocks of clients that are no records: kept until an own record names them."""

from __future__ import annotations

from collections import deque

from collab_robots.core.budget import Budget
from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.tangle.block import Block
from collab_robots.tangle.dag import FOREIGN, MAX_FOREIGN
from collab_robots.tangle.record import foreign_record
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.solidifier import Item
from collab_robots.tangle.tangle import Tangle


class Postbox:
    """
    Takes foreign blocks, within limits.

    :param me: name of this robot.
    """

    def __init__(self, me: str, config: LedgerConfig) -> None:
        self._me = me
        self._limit = config.max_posted
        self._budget = Budget(config.post_rate, config.max_posted)
        self._items: deque[Item] = deque()

    def __len__(self) -> int:
        return len(self._items)

    def get(self, identity: bytes) -> bytes | None:
        """Return the bytes of a block that waits."""
        return next((item.raw for item in self._items if item.id == identity), None)

    def put(self, block: Block, tangle: Tangle, now: int) -> None:
        """
        Take a block.

        :param now: ns, local clock.
        :raises RefusedError: PARENTS if they are not here or foreign themselves; FLOOD if too
            much is posted.
        """
        if block.id in tangle.dag.entries or self.get(block.id) is not None:
            return
        item = Item(block.id, block.raw, foreign_record(block), FOREIGN, self._me, now)
        if tangle.dag.missing(block.parents):
            raise RefusedError(Refusal.PARENTS, 'a parent is not here: take parents from the tips')
        tangle.dag.place(item.id, item.record, FOREIGN)
        if len(self._items) >= self._limit or not self._budget.take(now, 1):
            raise RefusedError(Refusal.FLOOD, f'{len(self._items)} posted blocks wait already')
        self._items.append(item)

    def take(self, tangle: Tangle) -> list[Item]:
        """Return what the next record shall name; what does not fit any more is dropped."""
        items: list[Item] = []
        while self._items and len(items) < MAX_FOREIGN:
            item = self._items.popleft()
            if item.id not in tangle.dag.entries and not tangle.dag.missing(item.record.parents):
                items.append(item)
        return items
