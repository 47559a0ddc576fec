"""How much of the team has approved what."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import Enum


class Status(str, Enum):
    """
    How far a record has come.

    ``PENDING``: known here. ``ACCEPTED``: at least 2/3 of the weight heard from lately has it in
    its past; good enough to act on, also inside a partition, but revocable: when the other side
    is heard again, it counts too. ``FINAL``: irrevocable, by at least 2/3 of the *whole*
    roster: it is in the final order.
    """

    PENDING = 'pending'
    ACCEPTED = 'accepted'
    FINAL = 'final'


def accepted_heights(
    seen: Sequence[Sequence[int] | None],
    weights: Sequence[int],
    active: Collection[int],
    forks: Mapping[int, int],
) -> tuple[int, ...]:
    """
    Return, per issuer, how many of its records are accepted.

    A record is approved by every robot whose newest record has it in its past, so the records of
    one issuer are accepted up to some height: the largest that robots of 2/3 of the active weight
    have seen.

    :param seen: per roster index, ``Entry.seen`` of its newest record; None if it has none.
    :param weights: per roster index.
    :param active: roster indexes of the robots heard from lately.
    :param forks: ``Dag.forks``. From its fork on, nothing of an issuer is accepted, because
        ``seen`` does not tell its branches apart.
    """
    needed = 2 * sum(weights[robot] for robot in active)  # compared with 3 x the approving weight
    heights = []
    for issuer in range(len(weights)):
        votes = sorted(
            ((row[issuer] if (row := seen[robot]) else 0, weights[robot]) for robot in active),
            reverse=True,
        )
        approving, height = 0, 0
        for vote, weight in votes:
            approving += weight
            if 3 * approving >= needed:
                height = vote
                break
        heights.append(min(height, forks.get(issuer, height)))
    return tuple(heights)
