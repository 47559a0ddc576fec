"""What all views read: a runner's state, after all records or after the final ones only."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from collab_robots.contract.deployment import Deployment
from collab_robots.contract.facts import Facts
from collab_robots.contract.runner import Runner


class Source:
    """
    One of the two states of a runner.

    :param runner: updated by its owner; every answer is of its present state.
    :param final: the state after the final records only.
    """

    def __init__(self, runner: Runner, final: bool) -> None:
        self.runner = runner
        self._final = final

    @property
    def version(self) -> int:
        """Changes whenever the state may have."""
        return self.runner.final_version if self._final else self.runner.version

    def facts(self) -> Facts:
        """Return everything the contracts know."""
        return self.runner.final_facts() if self._final else self.runner.facts()

    def contracts(self) -> AbstractContextManager[Deployment]:
        """Give the contracts, to ask them; ask everything in one context."""
        return self.runner.final() if self._final else nullcontext(self.runner.tentative())
