"""The ledger as a whole: how it is, what is new, what was found."""

from __future__ import annotations

from collab_robots.explorer.book.answers.base import Answer, Page
from collab_robots.explorer.book.answers.blocks import Block, State
from collab_robots.explorer.book.answers.splits import Split


class Overview(Answer):
    """
    A ledger at a glance.

    :param source: file or URL.
    :param robot: whose file it is.
    :param at: the time that it is about, s; None: now.
    :param epoch: of the membership.
    :param pruned: how many final blocks the file does not hold any more.
    :param snapshot: index of the stored one; 0: none.
    :param foreign: unsigned data blocks.
    :param first: when the first block was issued, s; as ``last``, the newest.
    :param final_lag: s from the newest final record to the newest one.
    :param state_root: digest of the contracts' state after all records.
    :param final_root: after the final ones.
    :param final_digest: of the final order.
    :param tasks: how many in each state.
    :param calls: how often each was executed.
    :param reverted: how often each did not take effect.
    :param warning: what is wrong with the file; empty if nothing is.
    :param version: grows when anything changes.
    """

    source: str
    at: float | None
    fleet: str
    fleet_id: str
    robot: str
    epoch: int
    robots: tuple[str, ...]
    blocks: int
    pending: int
    accepted: int
    final: int
    pruned: int
    snapshot: int
    foreign: int
    round: int
    first: float
    last: float
    final_lag: float
    state_root: str
    final_root: str
    final_digest: str
    tasks: dict[str, int]
    calls: dict[str, int]
    reverted: dict[str, int]
    convicted: tuple[str, ...]
    equivocators: tuple[str, ...]
    splits: int
    warning: str
    version: int


class Activity(Answer):
    """
    How much happened when, for a time slider.

    :param blocks: of each of equally long intervals, per robot.
    """

    begin: float
    end: float
    blocks: dict[str, tuple[int, ...]]
    splits: tuple[Split, ...]


class News(Answer):
    """
    What changed since a version.

    :param blocks: new ones, oldest first.
    :param states: blocks that were known, and how far they have come now.
    """

    version: int
    overview: Overview
    blocks: tuple[Block, ...]
    states: dict[str, State]


class Hit(Answer):
    """
    Something that was found.

    :param kind: block, robot, task, call, data or time.
    :param id: of the block, robot or task; of a time the second.
    """

    kind: str
    id: str
    title: str
    words: str
    time: float


class Found(Answer):
    """
    What a search found, newest first.

    :param searched: what the query was taken for and looked for in.
    :param accepts: what can be searched for, with examples.
    """

    query: str
    searched: tuple[str, ...]
    accepts: tuple[str, ...]
    hits: Page[Hit]
