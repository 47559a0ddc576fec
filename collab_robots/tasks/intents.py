"""What a robot wants to say about tasks, before it is encoded as a contract call."""

from __future__ import annotations

from dataclasses import dataclass

from collab_robots.contract.calls import tasks
from collab_robots.contract.calls.common import Kind
from collab_robots.core.clock import SECOND
from collab_robots.tasks.places import Cell


@dataclass(frozen=True)
class Propose:
    """
    Ask the fleet to do something at a cell, for the n-th time.

    :param priority: the highest is assigned first.
    """

    kind: Kind
    cell: Cell
    round: int
    priority: int = 0


@dataclass(frozen=True)
class Bid:
    """Offer to do a task at a cost."""

    key: bytes
    cost_m: float


@dataclass(frozen=True)
class Award:
    """
    Take a task that the auction gives me (award to my own address).

    :param proposed_at_ns: when it was proposed first, as far as I know.
    """

    key: bytes
    proposed_at_ns: int


@dataclass(frozen=True)
class Renew:
    """Say that I am still working on it."""

    key: bytes


@dataclass(frozen=True)
class Complete:
    """Say that it is done."""

    key: bytes


@dataclass(frozen=True)
class Release:
    """Give it back, or take my bid back."""

    key: bytes


Intent = Propose | Bid | Award | Renew | Complete | Release


def to_call(intent: Intent, me: bytes) -> bytes:
    """
    Encode an intent.

    :param me: address of the robot whose intent it is.
    :raises CallError: if a value is out of the contract's range.
    """
    match intent:
        case Propose(kind, cell, round_, priority):
            return tasks.propose(kind, *cell, round_, tasks.Terms(priority))
        case Bid(key, cost_m):
            return tasks.bid(key, round(cost_m * 1000))
        case Award(key, proposed_at_ns):
            return tasks.award(key, me, proposed_at_ns // SECOND)
        case Renew(key):
            return tasks.renew(key)
        case Complete(key):
            return tasks.complete(key)
        case Release(key):
            return tasks.release(key)
