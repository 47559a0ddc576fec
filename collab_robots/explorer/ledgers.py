"""Read a robot's ledger file and execute it: what it holds and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from collab_robots.contract.receipt import Receipt
from collab_robots.contract.runner import Runner
from collab_robots.contract.views.maps import MapsView
from collab_robots.contract.views.tasks import TasksView
from collab_robots.core.clock import SECOND
from collab_robots.core.fleet import Fleet
from collab_robots.explorer.acts import acts_of
from collab_robots.explorer.agreement import Act, BlockRow, effective
from collab_robots.explorer.files import LedgerFile, read_file
from collab_robots.explorer.measures import fuse, Sighting
from collab_robots.tangle.replay import Replay

Receipts = dict[bytes, tuple[Receipt, ...]]


@dataclass
class History:
    """
    One robot's ledger, from its file.

    :param rows: every block it holds.
    :param acts: the calls about tasks that took effect, of the blocks it holds.
    :param state_root: of the contract after all records, hex.
    :param sightings: what the robots' cameras named, fused.
    :param calls: how often each call was executed.
    :param reverted: how often each call was reverted.
    """

    robot: str
    rows: list[BlockRow] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    state_root: str = ''
    sightings: list[Sighting] = field(default_factory=list)
    calls: dict[str, int] = field(default_factory=dict)
    reverted: dict[str, int] = field(default_factory=dict)
    tasks: dict[str, str] = field(default_factory=dict)  # id: name for people
    states: dict[str, int] = field(default_factory=dict)  # how many tasks in each state
    convicted: frozenset[str] = frozenset()  # robots that lied, by the contract's verdict


def _execute(found: LedgerFile, fleet: Fleet) -> tuple[Replay, Runner, Receipts]:
    """Order all blocks, as the robot did, and execute their calls."""
    runner, receipts = Runner(fleet), dict[bytes, tuple[Receipt, ...]]()
    replay = Replay(fleet, found, runner, lambda: receipts.update(runner.receipts))
    runner.update(replay.tangle.order)
    return replay, runner, receipts | runner.receipts


def _acts(replay: Replay, runner: Runner, told: Receipts) -> Iterator[Act]:
    """Yield the calls about tasks that were not reverted, proposals and bids included."""
    for entry in replay.entries:
        yield from acts_of(entry, told.get(entry.id, ()), runner.fleet)


Sets = dict[frozenset[bytes], History]


def read_history(
    path: Path, fleet: Fleet, robot: str, labels: tuple[str, ...], known: Sets
) -> History:
    """
    Read and execute one ledger file.

    :param labels: of the picture classes, by class id.
    :param known: histories by their set of blocks; a set that is there is not executed again, a
        new one is added.
    :raises StoreError: if the file is missing or damaged.
    """
    found = read_file(path, fleet)
    rows = [
        BlockRow(row.id, row.issuer, row.seq, row.issued_at / SECOND, row.received_at / SECOND)
        for row in found.rows
    ]
    identity = found.identity
    if identity not in known:
        replay, runner, told = _execute(found, fleet)
        tasks = TasksView(runner).tasks(found.rows[-1].issued_at if found.rows else 0)
        receipts = [receipt for made in told.values() for receipt in made]
        known[identity] = History(
            robot,
            rows,
            effective(list(_acts(replay, runner, told))),
            runner.state_root().hex(),
            fuse(
                (seen.robot, Sighting(*seen.position, labels[seen.class_id], seen.confidence))
                for seen in MapsView(runner).sightings()
                if seen.class_id < len(labels)
            ),
            dict(Counter(receipt.call for receipt in receipts)),
            dict(Counter(receipt.call for receipt in receipts if not receipt.ok)),
            {task.key.hex(): task.words for task in tasks},
            dict(Counter(task.state.name.lower() for task in tasks)),
            MapsView(runner).convicted(),
        )
    return replace(known[identity], robot=robot, rows=rows)
