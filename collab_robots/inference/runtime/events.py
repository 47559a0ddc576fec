"""What goes wrong with helpers: three kinds of events that must not be taken for one another."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum


class Fault(str, Enum):
    """
    What a helper did with an attempt instead of answering it.

    A dead robot, a busy one and a lying one look alike to who only counts failures.
    """

    TIMEOUT = 'timeout'  # no answer in time: it, or the link, is dead or slow
    REFUSED = 'refused'  # it said why it will not
    WRONG = 'wrong'  # it answered what is no answer, or not what an audit computed


@dataclass(frozen=True)
class Event:
    """
    A fault of a helper at a frame.

    :param helper: whose.
    :param fault: which.
    :param detail: reason of the refusal, or what was wrong.
    :param at_ns: when.
    """

    helper: str
    fault: Fault
    detail: str
    at_ns: int


class Faults:
    """Counts of faults, of each helper and kind."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, Fault]] = Counter()

    def add(self, event: Event) -> None:
        """Count one."""
        self._counts[event.helper, event.fault] += 1

    def of(self, helper: str) -> dict[Fault, int]:
        """Return how many of each kind a helper had."""
        return {fault: self._counts[helper, fault] for fault in Fault}

    def all_of(self, fault: Fault) -> int:
        """Return how many of a kind there were."""
        return sum(count for (_, kind), count in self._counts.items() if kind is fault)
