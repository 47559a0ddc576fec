"""
What one robot does, without ROS: it decides at about 2 Hz and steers at about 10 Hz.

The agent asks for contract calls and wheel speeds. It does not decide who holds a task: it acts
on an award only when the contract's view says that it is the holder and that the award is
accepted.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
import math

import numpy as np

from collab_robots.contract.calls.common import Kind
from collab_robots.contract.views.tasks import TaskState
from collab_robots.core.clock import SECOND
from collab_robots.core.geometry import Array, Grid, transform
from collab_robots.tasks.allocation import RENEW_EVERY, SEEN, task_at
from collab_robots.tasks.bidder import Bidder, Option
from collab_robots.tasks.courtesy import Courtesy
from collab_robots.tasks.coverage import CameraCoverage, viewpoint
from collab_robots.tasks.drive import Driver, MAX_STUCK
from collab_robots.tasks.frontier import frontiers
from collab_robots.tasks.intents import Award, Complete, Intent, Release, Renew
from collab_robots.tasks.job import Job
from collab_robots.tasks.options import options_of, price, stand
from collab_robots.tasks.places import coarsen, Place, region
from collab_robots.tasks.planner import Routes, Terrain
from collab_robots.tasks.remote import Drive
from collab_robots.tasks.task_view import TaskView

NEAR_END = 1.5  # m to go: time to bid for the next task
AT_GOAL = 0.5  # m
ACCEPT_WITHIN = 8 * SECOND  # for an award: those who fell silent count for 5 s; a lease is 10 s
REPLAN_EVERY = SECOND
OUT_OF_REACH = 12 * SECOND  # a teammate may stand in the only door
TASK_LIMIT = 90 * SECOND  # whoever needs longer gives the task back
WORTH_WAITING = 2.0  # m; a place so much cheaper, proposed just now, is worth waiting for …
WAIT_FOR_BETTER = 4 * SECOND  # … for so long at most
MAX_OPEN_INSPECTIONS = 6
THREAT_RANGE = 2.0  # m


class Agent:
    """
    The state machine of one robot.

    :param name: its name in the roster.
    :param rank: its index in the roster; only settles who gives way first.
    :param driver: what drives; None: the agent itself.
    """

    def __init__(self, name: str, rank: int, driver: Drive | None = None) -> None:
        self.name = name
        self.state = 'waiting for a map'
        self._driver: Drive = driver or Driver(rank)
        self._bidder = Bidder(name)
        self._camera = CameraCoverage()
        self._job: Job | None = None
        self._claims: dict[bytes, int] = {}  # awards of places I have seen already, ns
        self._map: Grid | None = None
        self._routes: Routes | None = None
        self._terrain: Terrain | None = None
        self._frontiers: list[Place] = []
        self._places: list[Place] = []
        self._courtesy = Courtesy(self._driver)
        self._free_since = 0
        self._hold = False
        self._turn_rate = 0.0
        self._note = ''

    @property
    def path(self) -> Array:
        """The path it follows now, (n, 2) m, map frame; n = 0: none."""
        return self._driver.path

    @property
    def task(self) -> bytes | None:
        """The key of the task it works on."""
        return self._job.task.key if self._job and self._job.accepted else None

    def halt(self) -> None:
        """Stand still, until the next decision."""
        self._driver.halt()

    def steer(self, now_ns: int, pose: Array, points: Array | None) -> tuple[float, float]:
        """
        Return the wheels' command; call at about 10 Hz.

        :param pose: (3,) map frame; not finite: it stops.
        :param points: (n, 2) latest lidar hits, base frame, m, in the order of their angles;
            None: no fresh scan, then it stops.
        :returns: forward speed (m/s) and turn rate (rad/s).
        """
        if self._hold:
            self._turn_rate = 0.0
            return 0.0, 0.0
        motion = self._driver.step(now_ns, pose, points)
        self._turn_rate = motion.w
        return motion.v, motion.w

    def decide(
        self,
        now_ns: int,
        grid: Grid | None,
        pose: Array,
        points: Array | None,
        tasks: Sequence[TaskView],
        hold: bool = False,
    ) -> list[Intent]:
        """
        Decide; call at about 2 Hz.

        :param grid: the merged map, None as long as there is none; the same object means the same
            map.
        :param pose: (3,) map frame.
        :param points: as for ``steer``.
        :param tasks: the contract's view, finished tasks included.
        :param hold: stand still and be silent.
        :returns: the contract calls to submit, in this order.
        """
        self._hold = hold
        if hold or grid is None or not np.isfinite(pose).all():
            self._driver.halt()
            missing = 'a map' if grid is None else 'a pose'
            self.state = 'on hold' if hold else f'waiting for {missing}'
            return []
        if self._driver.problem:
            return self._stand_by(now_ns, tasks)
        hits = np.empty((0, 2)) if points is None else points[np.isfinite(points).all(axis=1)]
        self._camera.look(pose, hits, self._turn_rate)
        self._bidder.learn(tasks, self._places)
        terrain = self._read(grid, tasks)
        intents = self._follow_up(now_ns, pose, tasks)
        threats = terrain.unexpected(transform(pose, hits))
        threats = threats[np.hypot(*(threats - pose[:2]).T) < THREAT_RANGE]
        if self._needs_routes(now_ns, terrain):
            self._routes = terrain.costs_from(pose, threats)
        assert self._routes is not None
        busy = self._job is not None and not self._ending(now_ns, self._job)
        shuns = partial(self._bidder.shuns, now_ns)
        options = options_of(self._places, self._routes, tasks, shuns, busy)
        intents += self._propose(now_ns, tasks, options)
        intents += self._auction(now_ns, tasks, options)
        intents += self._drive(now_ns, self._routes, transform(pose, hits))
        self._describe(now_ns)
        return intents

    def _stand_by(self, now_ns: int, tasks: Sequence[TaskView]) -> list[Intent]:
        """Leave everything to others as long as nothing can drive this robot."""
        intents: list[Intent] = list(self._bidder.withdraw(now_ns, tasks, ()))
        if self._job is not None:
            intents += self._give_up(now_ns, self._job, self._driver.problem)
        self.state = self._driver.problem
        return intents

    def _read(self, grid: Grid, tasks: Sequence[TaskView]) -> Terrain:
        """Bring what follows from the map up to date."""
        if grid is not self._map or self._terrain is None:
            self._map = grid
            self._terrain = Terrain.of(coarsen(grid))
            self._frontiers = frontiers(self._terrain.grid)
        walls = self._camera.unseen(self._terrain.grid, self._bidder.inspected())
        disputed = [task.cell for task in tasks if self._is_wanted(task)]
        regions = [region(name, self._terrain.grid) for name in disputed]
        self._places = self._frontiers + walls + [place for place in regions if place is not None]
        return self._terrain

    def _is_wanted(self, task: TaskView) -> bool:
        """Tell whether a region is disputed that I could say something new about."""
        told = self.name in task.mapped_by or self.name in task.completed_by
        return task.kind == Kind.VERIFY and task.live and not told

    def _follow_up(self, now_ns: int, pose: Array, tasks: Sequence[TaskView]) -> list[Intent]:
        """Compare my tasks with the contract's view: renew them, or find that they are lost."""
        intents: list[Intent] = []
        by_key = {task.key: task for task in tasks}
        for key, since in list(self._claims.items()):
            task = by_key.get(key)
            if task is not None and task.holder == self.name and task.accepted:
                intents.append(Complete(key))
                del self._claims[key]
            elif now_ns - since > ACCEPT_WITHIN:
                intents.append(Release(key))
                del self._claims[key]
        job = self._job
        if job is None:
            return intents
        task = by_key.get(job.task.key)
        mine = task is not None and task.state == TaskState.HELD and task.holder == self.name
        if mine and task is not None:
            job.accepted = job.accepted or task.accepted
            if now_ns - job.renewed_at >= RENEW_EVERY:
                job.renewed_at = now_ns
                intents.append(Renew(job.task.key))
        elif task is not None and task.state == TaskState.DONE:
            self._drop(f'{job} was done by {", ".join(sorted(task.completed_by))}')
        elif task is not None and task.holder is not None:
            self._drop(f'{job} went to {task.holder}')
            intents.append(Release(job.task.key))
        elif job.accepted or now_ns - job.since > ACCEPT_WITHIN:
            self._drop(f'lost the lease of {job}')
            intents.append(Release(job.task.key))
        if self._job is not None:
            intents += self._progress(now_ns, pose, job)
        return intents

    def _progress(self, now_ns: int, pose: Array, job: Job) -> list[Intent]:
        """Notice that the task is done, or that it cannot be done."""
        if self._place_of(job) is not None:
            job.vanished_at = None
        elif job.vanished_at is None:
            job.vanished_at = now_ns
        if job.goal is not None and job.arrived_at is None and not self._courtesy.aside:
            close = math.dist(job.goal, pose[:2]) < AT_GOAL and job.face is None
            if close or self._driver.arrived:
                job.arrived_at = now_ns
        failed = self._driver.stuck >= MAX_STUCK or now_ns - job.since > TASK_LIMIT
        if failed and not job.over(now_ns):
            return self._give_up(now_ns, job, 'no way through')
        return []

    def _give_up(self, now_ns: int, job: Job, why: str) -> list[Intent]:
        self._bidder.shun(now_ns, job.task.kind, job.task.cell)
        self._drop(f'gave back {job}: {why}')
        return [Release(job.task.key)]

    def _drop(self, note: str) -> None:
        self._job = None
        self._courtesy.end()
        self._driver.halt()
        self._note = note

    def _needs_routes(self, now_ns: int, terrain: Terrain) -> bool:
        job = self._job
        if self._routes is None or job is None or not job.accepted or len(self.path) == 0:
            return True
        due = now_ns - job.planned_at >= REPLAN_EVERY
        return due or self._ending(now_ns, job)

    def _ending(self, now_ns: int, job: Job) -> bool:
        return job.accepted and (job.over(now_ns) or self._driver.left < NEAR_END)

    def _place_of(self, job: Job) -> Place | None:
        return next(
            (
                place
                for place in self._places
                if place.kind == job.task.kind and job.task.cell in place.cells
            ),
            None,
        )

    def _propose(
        self, now_ns: int, tasks: Sequence[TaskView], options: Sequence[Option]
    ) -> list[Intent]:
        new = [option for option in options if task_at(option.place, tasks) is None]
        walls = sorted(
            (option for option in new if option.place.kind == Kind.INSPECT),
            key=lambda option: (option.cost_m, option.place.cell),
        )
        open_walls = sum(
            task.kind == Kind.INSPECT and task.state == TaskState.OPEN for task in tasks
        )
        room = max(0, MAX_OPEN_INSPECTIONS - open_walls)
        chosen = [option.place for option in new if option.place.kind == Kind.EXPLORE]
        chosen += [option.place for option in walls[:room]]
        at_once = self._job is None or self._ending(now_ns, self._job)
        proposals = self._bidder.propose(now_ns, chosen, at_once)
        disputed = [task for task in tasks if self._is_wanted(task)]
        return [*proposals, *self._bidder.urge(now_ns, disputed)]  # we all plan by a wrong map

    def _auction(
        self, now_ns: int, tasks: Sequence[TaskView], options: Sequence[Option]
    ) -> list[Intent]:
        """Bid, and take what the auction gives me."""
        job = self._job
        offers: list[tuple[TaskView, float]] = []
        if job is None or self._ending(now_ns, job):
            for option in options:
                task = task_at(option.place, tasks)
                if task is not None and task.state == TaskState.OPEN:
                    offers.append((task, price(option)))
        intents: list[Intent] = []
        intents += self._bidder.bid(now_ns, offers)
        intents += self._bidder.bid(now_ns, [(task, SEEN) for task in self._seen(tasks)])
        wanted = {task.key: price for task, price in offers}
        if job is None or self._ending(now_ns, job):
            intents += self._bidder.withdraw(now_ns, tasks, wanted)
        for task in self._bidder.claims(now_ns, tasks):
            if task.key not in self._claims:
                self._claims[task.key] = now_ns
                intents.append(Award(task.key, task.proposed_at_ns))
        following = self._bidder.choose(now_ns, tasks, wanted)
        if job is not None and not job.over(now_ns):
            self._free_since = now_ns
        if following is not None and now_ns - self._free_since < WAIT_FOR_BETTER:
            if self._soon(now_ns, tasks, options) + WORTH_WAITING < wanted[following.key]:
                following = None
        if job is not None and job.over(now_ns) and (following or job.overdue(now_ns)):
            intents.append(Complete(job.task.key))
            self._job = job = None
            if following is None:
                self._driver.halt()
        if job is None and following is not None:
            intents.append(Award(following.key, following.proposed_at_ns))
            self._job = Job(following, now_ns, renewed_at=now_ns)
            self._note = ''
        return intents

    def _soon(self, now_ns: int, tasks: Sequence[TaskView], options: Sequence[Option]) -> float:
        """Return the price of the best place that I cannot be awarded yet, but soon."""
        best = math.inf
        for option in options:
            task = task_at(option.place, tasks)
            if task is None:
                soon = self._bidder.is_worth_it(option.place)
            else:
                soon = task.state == TaskState.OPEN and not self._bidder.may(now_ns, task)
            if soon:
                best = min(best, price(option))
        return best

    def _seen(self, tasks: Sequence[TaskView]) -> list[TaskView]:
        """Return the open inspections of walls that my camera has already seen."""
        unseen = {
            cell for place in self._places if place.kind == Kind.INSPECT for cell in place.cells
        }
        return [
            task
            for task in tasks
            if task.kind == Kind.INSPECT
            and task.state == TaskState.OPEN
            and task.cell not in unseen
            and self._camera.saw(task.cell)
        ]

    def _drive(self, now_ns: int, routes: Routes, hits: Array) -> list[Intent]:
        """Set out for the task that is mine, around what stands in the way."""
        job = self._job
        was_aside = self._courtesy.aside
        if self._courtesy.step(now_ns, routes, hits, idle=job is None):
            return []
        if was_aside and job is not None:
            job.planned_at = now_ns
        if job is None or not job.accepted:
            return []
        due = now_ns - job.planned_at >= REPLAN_EVERY
        if job.goal is not None and not due:
            return []
        place = self._place_of(job)
        if place is not None and (job.goal is None or not self._still_good(job, place, routes)):
            if job.task.kind != Kind.INSPECT:
                found = stand(place, routes)
                job.goal, job.face = (found[0], None) if found else (None, None)
            else:
                view = viewpoint(place, routes)
                job.goal, job.face = (view[0], view[1]) if view else (None, None)
        path = routes.path_to(job.goal) if job.goal is not None else np.empty((0, 2))
        if len(path) == 0:
            if job.vanished_at is None and now_ns - max(job.since, job.planned_at) > OUT_OF_REACH:
                return self._give_up(now_ns, job, 'out of reach')
            return []
        job.planned_at = now_ns
        self._driver.go(now_ns, path, job.face)
        return []

    @staticmethod
    def _still_good(job: Job, place: Place, routes: Routes) -> bool:
        """Keep a goal as long as it serves: robots that change their minds get nowhere."""
        assert job.goal is not None
        reachable = math.isfinite(routes.terrain.at(routes.metres, job.goal[None])[0])
        near = float(np.hypot(*(place.points - job.goal).T).min()) < AT_GOAL
        return reachable and (near or job.task.kind == Kind.INSPECT)

    def _describe(self, now_ns: int) -> None:
        job = self._job
        if self._courtesy.aside:
            self.state = f'making way on the way to {job}' if job else 'making way'
        elif job is None:
            self.state = self._note or 'waiting for a task'
        elif not job.accepted:
            self.state = f'won {job}, waiting for acceptance'
        elif self._driver.blocked_for(now_ns) > 0.5:
            self.state = f'blocked on the way to {job}'
        elif job.arrived_at is not None:
            self.state = f'looking at {job}'
        else:
            self.state = f'driving to {job}, {self._driver.left:.1f} m to go'
