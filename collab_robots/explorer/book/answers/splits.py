"""When robots did not hear one another."""

from __future__ import annotations

from collab_robots.explorer.book.answers.base import Answer


class Side(Answer):
    """
    What robots did that heard one another, and not the others.

    :param finalised: it could make records final: it had 2/3 of the roster.
    :param done: tasks that it completed.
    """

    robots: tuple[str, ...]
    blocks: int
    calls: int
    done: int
    finalised: bool


class Split(Answer):
    """
    A time when robots did not hear one another.

    :param begin: when the first record was issued that the other side did not get.
    :param end: when all had heard all again; None: not yet.
    :param joined: id of the first record that has both sides in its past.
    :param blocks_lost: records of the time that are not in the final order, though all is healed.
    :param twice: tasks that both sides gave to somebody; the rule named one holder.
    """

    id: str
    begin: float
    end: float | None
    sides: tuple[Side, ...]
    joined: str | None
    blocks_lost: int
    twice: tuple[str, ...]
    words: str
