"""Blocks, and how they hang together."""

from __future__ import annotations

from enum import Enum

from collab_robots.explorer.book.answers.base import Answer


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
