"""Who is and was in a fleet, by a robot's ledger file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from collab_robots.contract.runner import Runner
from collab_robots.contract.views.roster import PendingChange, Roster, RosterView
from collab_robots.core.errors import RefusedError, StoreError
from collab_robots.core.fleet import Fleet
from collab_robots.explorer.files import LedgerFile, read_file
from collab_robots.tangle.replay import Replay
from collab_robots.tangle.snapshot import Attested


class Rosters(NamedTuple):
    """
    What one ledger says.

    :param epochs: the roster that each epoch began with, the fleet file's first.
    """

    roster: Roster
    pending: tuple[PendingChange, ...]
    epochs: tuple[Fleet, ...]


def read_rosters(db: Path, fleet: Fleet) -> Rosters:
    """
    Read and execute a ledger file.

    :raises ConfigError: if it is of another fleet.
    :raises StoreError: if it is missing or damaged.
    """
    found, runner = read_file(db, fleet), Runner(fleet)
    replay = Replay(fleet, found, runner)
    runner.update(replay.tangle.order)
    view = RosterView(runner)
    epochs = {known.epoch: known for known in (fleet, *_handed_over(found, fleet))}
    epochs |= {begin.fleet.epoch: begin.fleet for begin in replay.begins}
    return Rosters(view.roster(), view.pending(), tuple(epochs.values()))


def _handed_over(found: LedgerFile, fleet: Fleet) -> Iterator[Fleet]:
    """Yield the rosters that led to the stored snapshot, whose records are pruned."""
    stored = found.snapshot()
    if stored is None:
        return
    try:
        attested, _ = Attested.decode(stored[1], fleet)
        for handover in attested.handovers:
            fleet = handover.follow(fleet)
            yield fleet
    except RefusedError as error:
        raise StoreError(f'the stored snapshot is damaged: {error}') from None


def changes_in_words(before: Fleet, after: Fleet) -> str:
    """Say in words how the roster of an epoch differs from that of the one before."""
    told = []
    for index, robot in enumerate(after.robots):
        old = before.robots[index].weight if index < len(before.robots) else None
        if old is None and robot.name in before.index_by_name:
            told.append(f'{robot.name} has another key')
        elif old is None:
            told.append(f'{robot.name} joins with weight {robot.weight}')
        elif not robot.weight and old and after.index_by_name[robot.name] == index:
            told.append(f'{robot.name} leaves or is expelled')
        elif robot.weight and not old:
            told.append(f'{robot.name} is reinstated')
        elif robot.weight and robot.weight != old:
            told.append(f'{robot.name} has weight {robot.weight}, not {old}')
    return ', '.join(told)


def as_json(roster: Roster, pending: Iterable[PendingChange]) -> dict[str, Any]:
    """Return who is in the fleet, and what is being voted on, as JSON can hold it."""
    return {
        'epoch': roster.epoch,
        'robots': [
            {
                'name': robot.name,
                'weight': robot.weight,
                'standing': robot.standing.value,
                'public_key': robot.key.hex(),
                'reinstated': robot.generation,
            }
            for robot in roster.robots
        ],
        'votes': [item.explain() for item in pending],
    }
