"""Answers of the contracts' state: one runner, at one time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from collab_robots.contract.calls.common import Kind
from collab_robots.contract.calls.maps import SKETCH_SIDE as SIDE
from collab_robots.contract.calls.tasks import CELL, REGION
from collab_robots.contract.runner import Runner
from collab_robots.contract.views import maps
from collab_robots.contract.views.maps import MapsView, Masks
from collab_robots.contract.views.models import ModelsView
from collab_robots.contract.views.roster import RosterView
from collab_robots.contract.views.tasks import REASON_WORDS, Task, TaskState, TasksView, WHY_WORDS
from collab_robots.core.clock import SECOND
from collab_robots.explorer.book import answers
from collab_robots.explorer.book.ids import shown, task_shown

_CELLS = str.maketrans('0123', ' .##')  # unknown, free, occupied
_HALVES = ('whole', 'head', 'tail')


class StateView:
    """
    See the module.

    :param runner: updated by its owner.
    :param labels: of picture classes, by class id.
    """

    def __init__(self, runner: Runner, labels: Sequence[str]) -> None:
        self.runner = runner
        self.roster = RosterView(runner)
        self._labels = labels
        self._tasks = TasksView(runner)
        self._maps = MapsView(runner)
        self._models = ModelsView(runner)

    def tasks(self, now: int) -> list[answers.Task]:
        """Return all tasks at a time, ns, newest first."""
        return [_answer(task) for task in reversed(self._tasks.tasks(now))]

    def counts(self, now: int) -> dict[str, int]:
        """Return how many tasks are in each state at a time, ns."""
        counts = Counter(task.state for task in self._tasks.tasks(now))
        return {state.name.lower(): counts[state] for state in TaskState}

    def reasons(self, key: bytes, now: int) -> dict[str, str]:
        """Say why each robot has a task or does not at a time, ns."""
        found = next((task for task in self._tasks.tasks(now) if task.key == key), None)
        return {robot: REASON_WORDS[why] for robot, why in found.reasons.items()} if found else {}

    def convicted(self) -> frozenset[str]:
        """Return who lied about a region."""
        return self._maps.convicted()

    def evidence(self, robot: str) -> list[maps.Evidence]:
        """Return what speaks against a robot."""
        return self._maps.evidence(robot)

    def failures(self) -> dict[str, dict[str, dict[str, int]]]:
        """Return the failed audits of each robot and kind, per auditor."""
        return {
            robot: {
                kind.name.lower(): dict(failures.by_auditor)
                for kind, failures in found.items()
                if failures.by_auditor
            }
            for robot, found in self._models.failures().items()
        }

    def disputes(self) -> tuple[answers.Dispute, ...]:
        """Return what has a conflict and too few witnesses."""
        return tuple(
            answers.Dispute(region=one.region, since=one.since / SECOND)
            for one in self._maps.disputes()
        )

    def models(self) -> answers.Models:
        """Return models that robots serve."""
        services = tuple(
            answers.Model(
                id=shown(service.id),
                model=shown(service.part.model) if service.part else '',
                part=f'{_HALVES[service.part.half]} of cut {service.part.cut}'
                if service.part
                else '',
                servers=service.servers,
                permissions={
                    robot: one.explain().removeprefix(f'{robot}: ')
                    for robot, one in service.permissions.items()
                },
            )
            for service in self._models.services()
        )
        return answers.Models(models=services, failures=self.failures())

    def map(self) -> answers.Map:
        """Return the map that the ledger knows."""
        convicted, times = self.convicted(), self._maps.sketched()
        regions: dict[tuple[int, int], list[tuple[int, str, Masks]]] = {}
        for (robot, x, y), masks in self._maps.newest_sketches().items():
            regions.setdefault((x, y), []).append((times[robot, x, y], robot, masks))
        return answers.Map(
            region_size=REGION,
            regions=tuple(
                _region(place, sorted(found), convicted)
                for place, found in sorted(regions.items())
            ),
            sightings=tuple(
                answers.Sighting(
                    time=seen.at / SECOND,
                    robot=seen.robot,
                    place=seen.position,
                    class_id=seen.class_id,
                    label=self._label(seen.class_id),
                    confidence=seen.confidence,
                )
                for seen in self._maps.sightings()
            ),
        )

    def _label(self, class_id: int) -> str:
        return self._labels[class_id] if class_id < len(self._labels) else ''


def sketch_of(masks: Masks) -> answers.Sketch:
    """Return a sketch as rows."""
    digits = int(f'{masks.free:b}', 16) + 2 * int(f'{masks.occupied:b}', 16)  # one a cell
    cells = f'{digits:0{SIDE * SIDE}x}'.translate(_CELLS)[::-1]
    return answers.Sketch(
        rows=tuple(cells[begin : begin + SIDE] for begin in range(0, SIDE * SIDE, SIDE))
    )


def differing(one: Masks, other: Masks) -> tuple[tuple[int, int], ...]:
    """Return (column, row) of the cells that are free in one and occupied in the other."""
    bits = (one.free & other.occupied) | (one.occupied & other.free)
    return tuple((bit % SIDE, bit // SIDE) for bit in range(SIDE * SIDE) if bits >> bit & 1)


def _region(
    place: tuple[int, int], found: list[tuple[int, str, Masks]], convicted: Collection[str]
) -> answers.Region:
    free = occupied = 0
    for _, robot, masks in found:  # of what robots say differently, the newest counts
        if robot not in convicted:
            free = (free | masks.free) & ~masks.occupied
            occupied = (occupied | masks.occupied) & ~masks.free
    return answers.Region(
        region=place,
        merged=sketch_of(Masks(free, occupied)),
        contributions=tuple(
            answers.Contribution(
                robot=robot,
                time=at / SECOND,
                sketch=sketch_of(masks),
                counts=robot not in convicted,
            )
            for at, robot, masks in found
        ),
    )


def _answer(task: Task) -> answers.Task:
    size = REGION if task.kind is Kind.VERIFY else CELL
    x, y = task.cell
    return answers.Task(
        id=task_shown(task.key),
        words=task.words,
        kind=task.kind.name.lower(),
        place=((x + 0.5) * size, (y + 0.5) * size),
        round=task.round,
        state=task.state.name.lower(),
        why=WHY_WORDS[task.why],
        holder=task.holder,
        priority=task.terms.priority,
        deadline=task.terms.deadline,
        proposed=task.proposed_at / SECOND,
        award_from=task.award_from / SECOND,
        lease_until=task.lease_until / SECOND,
        bids=dict(task.bids),
        completed={robot: at / SECOND for robot, at in task.completed.items()},
    )
