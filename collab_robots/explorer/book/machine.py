"""The contracts' states of a ledger's file, now and at any moment: what executes its records."""

from __future__ import annotations

from collections.abc import Sequence

from collab_robots.core.fleet import Fleet
from collab_robots.explorer.book.blocks import Blocks
from collab_robots.explorer.book.follower import Follower
from collab_robots.explorer.book.index import Index
from collab_robots.explorer.book.moments import Moments
from collab_robots.explorer.book.people import People
from collab_robots.explorer.book.reader import Moment, Told
from collab_robots.explorer.book.states import StateView
from collab_robots.inference.labels import load_labels
from collab_robots.tangle.store_reader import StoreReader


class Machine:
    """
    See the module.

    :param fleet: the fleet file.
    :param index: takes what is found out.
    :param told: progress, when much is new.
    :raises StoreError: if the file is damaged.
    """

    def __init__(
        self, fleet: Fleet, store: StoreReader, index: Index, blocks: Blocks, told: Told
    ) -> None:
        self.people = People(index, blocks)
        self._index = index
        self._told = told
        self._labels: Sequence[str] = load_labels()
        self._follower = Follower(fleet, store, index)
        self._moments = Moments(fleet, index, store)
        self._present: StateView | None = None

    @property
    def final_digest(self) -> str:
        """Digest of the final order."""
        return f'0x{self._follower.tangle.order.final_digest.hex()}'

    def catch_up(self) -> None:
        """
        Take what is new in the file.

        :raises StoreError: if the file is damaged.
        """
        self._follower.catch_up(self._told)

    def state(self, at: Moment | None, now: int) -> tuple[StateView, int]:
        """
        Return the state of a moment, and its time, ns.

        :param now: when the newest block was issued.
        :raises ConfigError: if it is before what the file holds, or no moment.
        """
        if at is None:
            if self._follower.is_behind:
                self.catch_up()
            runner = self._follower.runner
            if self._present is None or self._present.runner is not runner:
                self._present = StateView(runner, self._labels)
            return self._present, now
        runner, then = self._moments.at(at, self._index.version)
        return StateView(runner, self._labels), then
