"""How far robots are trusted, and the evidence."""

from __future__ import annotations

from collab_robots.explorer.book.answers.base import Answer
from collab_robots.explorer.book.answers.maps import Sketch


class Conflict(Answer):
    """
    Two sketches of a region that cannot both be true.

    :param time: when the accused robot submitted its own.
    :param block: where it stands; None if that is pruned.
    :param cells: (column, row) of those that differ.
    """

    time: float
    sketch: Sketch
    block: str | None
    witness: str
    witness_time: float
    witness_sketch: Sketch
    witness_block: str | None
    cells: tuple[tuple[int, int], ...]


class Evidence(Answer):
    """
    What speaks against a robot in a region.

    :param region: column and row of the map tile.
    :param suffices: it alone convicts: the witnesses are more than liars can be.
    """

    region: tuple[int, int]
    suffices: bool
    witnesses: tuple[str, ...]
    conflicts: tuple[Conflict, ...]


class Verdict(Answer):
    """
    How far a robot is trusted.

    :param equivocated: it signed two records with one number.
    :param proof: ids of these two.
    :param failures: failed audits of each kind, per auditor.
    """

    robot: str
    standing: str
    convicted: bool
    equivocated: bool
    proof: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    failures: dict[str, dict[str, int]]
    words: str


class Dispute(Answer):
    """A region with a conflict, and too few witnesses so far."""

    region: tuple[int, int]
    since: float


class Trust(Answer):
    """
    Who is trusted, and why.

    :param needed: how many witnesses against a robot convict it, of equal weight.
    """

    needed: int
    verdicts: tuple[Verdict, ...]
    disputes: tuple[Dispute, ...]
