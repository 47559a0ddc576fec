"""Whether a ledger file says what its fleet anchored, and if not, from where on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum

from collab_robots.anchor.contract import AnchorContract, Anchored
from collab_robots.anchor.replay import Replay


class Outcome(str, Enum):
    """What came of comparing a ledger with a chain."""

    AGREES = 'agrees'
    ORDER_PARTS = 'order_parts'
    STATE_PARTS = 'state_parts'
    NOTHING_TO_COMPARE = 'nothing_to_compare'


@dataclass(frozen=True)
class Report:
    """
    What came of it.

    :param words: for people, one line each.
    :param latest: the newest anchor on the chain.
    :param agreed: the newest anchor that the ledger is known to agree with.
    :param parted: the oldest that it does not agree with.
    """

    outcome: Outcome
    words: tuple[str, ...]
    latest: Anchored | None = None
    agreed: Anchored | None = None
    parted: Anchored | None = None


def verify(replay: Replay, contract: AnchorContract) -> Report:
    """
    Compare a ledger with the anchors of its fleet.

    The digest of an order holds all before it, so the newest anchor that the ledger reaches
    decides for all older ones. Where two orders part, bisection finds between which anchors.

    :raises ChainError: as reading the chain does.
    """
    reach = f'this ledger reaches from height {replay.first} to {replay.final}'
    latest = contract.latest()
    if latest is None:
        return Report(Outcome.NOTHING_TO_COMPARE, ('the chain has no anchor of this fleet yet',))
    low = contract.count_up_to(replay.first - 1) if replay.first else 0
    high = contract.count_up_to(replay.final) - 1
    if high < low:
        why = f'{reach}; the chain has no anchor there, its newest is at {latest.height}'
        return Report(Outcome.NOTHING_TO_COMPARE, (why,), latest)
    newest = contract.entry(high)
    if newest.order_digest != replay.digest(newest.height):
        agreed, parted = _bisect(
            contract, low, high, lambda one: one.order_digest == replay.digest(one.height)
        )
        words = _told(
            'the orders part',
            (agreed, parted),
            f'order {parted.order_digest.hex()}',
            f'order {replay.digest(parted.height).hex()}',
        )
        return Report(Outcome.ORDER_PARTS, words, latest, agreed, parted)
    if not newest.says(replay.at(newest.height).statement):
        agreed, parted = _bisect(
            contract, low, high, lambda one: one.says(replay.at(one.height).statement)
        )
        own = replay.at(parted.height).statement
        words = _told(
            f'the orders agree up to height {newest.height}, but what came of them parts',
            (agreed, parted),
            f'state {parted.state_root.hex()}, epoch {parted.epoch}',
            f'state {own.state_root.hex()}, epoch {own.epoch}',
        )
        return Report(Outcome.STATE_PARTS, words, latest, agreed, parted)
    words = (f'agrees in order and state at height {newest.height}, anchored {_time(newest)}',)
    if high > low:
        words += (f'so does its order with the older anchors, {high - low}',)
    present, named = contract.signers(), replay.at(replay.final).signers
    if (
        named.weights
        and present.height <= named.height
        and (present.total, present.weights) != (named.total, named.weights)
    ):
        words += (
            f'the chain takes the signers of height {present.height}, and this ledger names '
            f'others at {named.height}: see "contract set-signers"',
        )
    if latest.height > newest.height:
        words += (f'{reach}; the newest anchor, at {latest.height}, is not compared',)
    return Report(Outcome.AGREES, words, latest, newest)


def _bisect(
    contract: AnchorContract, low: int, high: int, agrees: Callable[[Anchored], bool]
) -> tuple[Anchored | None, Anchored]:
    """
    Find where a ledger parts from the chain.

    :param low: number of the oldest anchor that can be compared.
    :param high: of one that does not agree.
    :returns: the last that agrees, None if none is known to, and the first that does not.
    """
    agreed, parted = None, contract.entry(high)
    while low < high:
        middle = (low + high) // 2
        anchor = contract.entry(middle)
        if agrees(anchor):
            agreed, low = anchor, middle + 1
        else:
            parted, high = anchor, middle
    return agreed, parted


def _told(
    what: str, between: tuple[Anchored | None, Anchored], chain: str, ledger: str
) -> tuple[str, ...]:
    agreed, parted = between
    where = (
        f'between heights {agreed.height} and {parted.height}'
        if agreed
        else f'at height {parted.height} or before'
    )
    return (
        f'{what} {where}; at {parted.height}',
        f'  the chain says   {chain}, which two thirds of the fleet signed ({_time(parted)})',
        f'  this ledger says {ledger}',
    )


def _time(anchor: Anchored) -> str:
    return f'{datetime.fromtimestamp(anchor.at, timezone.utc):%Y-%m-%d %H:%M:%S} UTC'
