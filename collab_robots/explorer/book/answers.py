"""
Answers about a ledger: the one form that command line, terminal, web pages and JSON show.

Times are s of the fleet's clock, positions m in the map frame, ids ``0x`` and hexadecimal digits
as IOTA writes them. Robots go by their names.
"""

from __future__ import annotations

from enum import Enum
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

Item = TypeVar('Item')


class Answer(BaseModel):
    """What all answers share."""

    # Built when it is used: a command needs few of them, and should answer at once.
    model_config = ConfigDict(frozen=True, allow_inf_nan=False, defer_build=True)


class Page(Answer, Generic[Item]):
    """
    A part of a long list.

    :param total: how many there are on all pages.
    :param next: what to ask with for the next page; None: this is the last.
    """

    items: tuple[Item, ...]
    total: int
    next: str | None = None


class State(str, Enum):
    """How far a block has come; see :class:`collab_robots.tangle.approval.Status`."""

    PENDING = 'pending'
    ACCEPTED = 'accepted'
    FINAL = 'final'


class Call(Answer):
    """
    A contract call and what came of it.

    :param name: in the contract; ``ledger`` for one of the ledger's, ``unknown``.
    :param words: what it does.
    :param ok: whether it took effect.
    :param reason: why it did not, in words.
    :param events: what the contract told, in words.
    :param task: id of the task it is about.
    """

    name: str
    words: str
    ok: bool
    reason: str = ''
    events: tuple[str, ...] = ()
    task: str | None = None


class Block(Answer):
    """
    A block, as lists show it.

    :param robot: who signed it; None for an unsigned data block.
    :param seq: of the robot's records, from 0.
    :param position: in the final order, from 0; None while it is not final.
    :param depth: longest path from genesis.
    :param epoch: of the membership, when it became final.
    :param size: bytes.
    """

    id: str
    robot: str | None
    seq: int
    issued: float
    received: float
    state: State
    position: int | None
    depth: int
    round: int
    epoch: int
    size: int
    parents: tuple[str, ...]
    calls: tuple[Call, ...]


class BlockDetails(Block):
    """
    All about a block.

    :param children: blocks that name it as parent.
    :param heard: per robot how many of its records are in this one's past.
    :param approved_by: robots that have it in the past of their newest record.
    :param witness: it is the first of its robot in its round.
    :param tag: of the tagged data, as text if it is some.
    :param data: of an unsigned block: as text if it is some, else hexadecimal.
    :param raw: the whole block, hexadecimal; empty if the file does not hold it any more.
    """

    children: tuple[str, ...]
    heard: dict[str, int]
    approved_by: tuple[str, ...]
    witness: bool
    tag: str
    data: str
    raw: str


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


class Robot(Answer):
    """
    A robot at a time.

    :param standing: active, expelled or left.
    :param blocks: that the ledger has of it, in all.
    :param final: of these.
    :param last: when it issued its newest, s.
    :param silent: s since then, by the newest record of all.
    :param rate: records a second, of its last minute.
    :param reverted: calls without effect.
    :param tasks_done: in all.
    :param holds: ids of tasks.
    :param behind: per robot, s by which its newest record does not know that one's: how long it
        has not heard it.
    """

    name: str
    key: str
    weight: int
    standing: str
    blocks: int
    final: int
    last: float
    silent: float
    rate: float
    calls: int
    reverted: int
    tasks_done: int
    holds: tuple[str, ...]
    convicted: bool
    equivocated: bool
    behind: dict[str, float]


class Event(Answer):
    """
    Something that happened.

    :param kind: the call's name, or ``superseded``, ``split``, ``joined``, ``equivocation``.
    :param block: where it stands.
    :param ok: whether it took effect.
    """

    time: float
    robot: str
    kind: str
    words: str
    ok: bool = True
    block: str | None = None
    task: str | None = None


class RobotDetails(Answer):
    """A robot with all that it did, newest first."""

    robot: Robot
    history: Page[Event]


class Task(Answer):
    """
    A task at a time.

    :param id: its key without the zeros that all begin with.
    :param kind: explore, inspect, verify or infer.
    :param place: (x, y), m; of the middle of its cell, or to verify of its region.
    :param state: open, held, done, stale or missed.
    :param why: it is in that state, in words.
    :param bids: cost of each bidder, m.
    :param completed: when, per robot that did it.
    """

    id: str
    words: str
    kind: str
    place: tuple[float, float]
    round: int
    state: str
    why: str
    holder: str | None
    priority: int
    deadline: float
    proposed: float
    award_from: float
    lease_until: float
    bids: dict[str, float]
    completed: dict[str, float]


class Lease(Answer):
    """
    When a robot had a task.

    :param end: done, released, lapsed, superseded or held.
    """

    robot: str
    begin: float
    until: float
    end: str


class TaskDetails(Task):
    """
    A task with its whole history.

    :param reasons: per robot why it has the task or does not, in words.
    """

    reasons: dict[str, str]
    leases: tuple[Lease, ...]
    history: tuple[Event, ...]


class Bar(Answer):
    """A lease in the timeline of tasks."""

    task: str
    words: str
    kind: str
    robot: str
    begin: float
    until: float
    end: str


class Sketch(Answer):
    """
    A region as a robot drew it: 16 rows from y's least to greatest, 16 characters each.

    ``.`` is free, ``#`` occupied, a space unknown.
    """

    rows: tuple[str, ...]


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


class Model(Answer):
    """
    A part of a neural network that robots serve.

    :param id: of the part.
    :param model: hash of the whole; empty while there are only offers.
    :param servers: who may and does serve it.
    :param permissions: per robot how it stands, in words.
    """

    id: str
    model: str
    part: str
    servers: tuple[str, ...]
    permissions: dict[str, str]


class Models(Answer):
    """
    Models, and the audits that robots failed.

    :param failures: per robot and kind, how many each auditor found.
    """

    models: tuple[Model, ...]
    failures: dict[str, dict[str, dict[str, int]]]


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


class Contribution(Answer):
    """A robot's sketch of a region, and when it sent it."""

    robot: str
    time: float
    sketch: Sketch
    counts: bool


class Region(Answer):
    """
    A map tile, as sketches show it.

    :param merged: of all that count.
    """

    region: tuple[int, int]
    merged: Sketch
    contributions: tuple[Contribution, ...]


class Sighting(Answer):
    """Something a robot's camera recognised."""

    time: float
    robot: str
    place: tuple[float, float]
    class_id: int
    label: str
    confidence: float


class Map(Answer):
    """
    The map that the ledger knows.

    :param region_size: side of a region, m; region (x, y) begins at (x, y) times that.
    """

    region_size: float
    regions: tuple[Region, ...]
    sightings: tuple[Sighting, ...]


class Dag(Answer):
    """
    A part of the DAG, in columns: one entry a block, oldest first.

    :param robot: index into ``robots``; -1 for an unsigned block.
    :param state: 0 pending, 1 accepted, 2 final.
    :param side: 0 while all hear all; in a split 1, 2, … by the side its robot is on.
    :param edges: child and parent, as indices of blocks, one after the other.
    :param cut: more blocks fit the question than were asked for: these are the newest of them.
    """

    robots: tuple[str, ...]
    id: tuple[str, ...]
    robot: tuple[int, ...]
    seq: tuple[int, ...]
    issued: tuple[float, ...]
    depth: tuple[int, ...]
    round: tuple[int, ...]
    state: tuple[int, ...]
    side: tuple[int, ...]
    calls: tuple[int, ...]
    edges: tuple[int, ...]
    cut: bool


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
