"""The agent in a small kinematic world: explores, does not collide, outlives its teammates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
import time

import numpy as np
import pytest
from scipy import ndimage

from collab_robots.contract.artifact import suite
from collab_robots.contract.calls.common import Kind
from collab_robots.contract.calls.maps import submit_sketch
from collab_robots.contract.calls.tasks import task_key
from collab_robots.contract.calls.words import describe_error
from collab_robots.contract.deployment import Deployment
from collab_robots.contract.evm import make_evm
from collab_robots.contract.facts import Facts
from collab_robots.contract.views.tasks import Task, TaskState, TasksView
from collab_robots.core.clock import SECOND
from collab_robots.core.geometry import (
    Array,
    compose,
    FREE,
    Grid,
    OCCUPIED,
    pose,
    transform,
    UNKNOWN,
)
from collab_robots.tangle.memory import make_team
from collab_robots.tasks.agent import Agent
from collab_robots.tasks.auction import Auction
from collab_robots.tasks.courtesy import Courtesy
from collab_robots.tasks.drive import Driver
from collab_robots.tasks.intents import (
    Award,
    Bid,
    Complete,
    Intent,
    Propose,
    Release,
    Renew,
    to_call,
)
from collab_robots.tasks.places import coarsen
from collab_robots.tasks.planner import Terrain
from collab_robots.tasks.task_view import TaskView

RESOLUTION = 0.05
RADIUS = 0.18
RANGE = 6.0
ANGLES = np.deg2rad(np.arange(-180, 180, 1.0))
STEP = SECOND // 10
DELAY = SECOND // 5  # a call needs so long to reach everybody …
ACCEPTANCE = 2 * SECOND // 5  # … and so much longer to be accepted


def office() -> np.ndarray:
    """Return True where there is wall: 12 x 8 m, a corridor and five rooms with 0.9 m doors."""
    walls = np.zeros((160, 240), dtype=bool)

    def box(x0: float, y0: float, x1: float, y1: float, value: bool = True) -> None:
        rows = slice(round(y0 / RESOLUTION), round(y1 / RESOLUTION))
        walls[rows, round(x0 / RESOLUTION) : round(x1 / RESOLUTION)] = value

    for wall in (
        (0, 0, 12, 0.1),
        (0, 7.9, 12, 8),
        (0, 0, 0.1, 8),
        (11.9, 0, 12, 8),
        (0, 3.2, 12, 3.3),
        (0, 4.7, 12, 4.8),
        (4, 0, 4.1, 3.2),
        (8, 0, 8.1, 3.2),
        (6, 4.8, 6.1, 8),
    ):
        box(*wall)
    for door in (
        (1.5, 3.2, 2.4, 3.3),
        (5.5, 3.2, 6.4, 3.3),
        (9.5, 3.2, 10.4, 3.3),
        (2.5, 4.7, 3.4, 4.8),
        (8.5, 4.7, 9.4, 4.8),
    ):
        box(*door, value=False)
    box(1.0, 1.0, 1.8, 1.6)
    box(6.6, 0.1, 7.4, 0.5)
    box(8.8, 6.2, 9.9, 6.8)
    return walls


class Contract:
    """The fleet's contracts and each robot's auction, for robots that always hear one another."""

    def __init__(self, robots: int) -> None:
        self.fleet, _ = make_team(robots)
        self.version = 0
        self._deployment = Deployment(suite(), self.fleet, make_evm())
        self._facts = Facts()
        self._queue: list[tuple[int, int, Intent]] = []
        self._awarded: dict[tuple[bytes, str], int] = {}
        view = TasksView(self)  # type: ignore[arg-type]  # it asks a runner no more than this
        self._auctions = [Auction(robot.name, view) for robot in self.fleet.robots]
        self.view = view

    def tentative(self) -> Deployment:
        return self._deployment

    def facts(self) -> Facts:
        self._facts.refresh(self._deployment)
        return self._facts

    def submit(self, now: int, robot: int, intent: Intent) -> None:
        self._queue.append((now + DELAY, robot, intent))

    def tick(self, now: int) -> None:
        while self._queue and self._queue[0][0] <= now:
            at, robot, intent = self._queue.pop(0)
            me = self.fleet.robots[robot]
            result = self._deployment.call(me.address, to_call(intent, me.address), at // SECOND)
            assert result.ok, (me.name, intent, describe_error(result.output))
            self._facts.touch(self._deployment.touched(self._deployment.evm.logs()))
            self.version += 1
            if isinstance(intent, Award):
                self._awarded[intent.key, me.name] = at

    def tasks(self, now: int, robot: int) -> list[TaskView]:
        """Return the tasks as a robot's ledger node tells them."""
        assigned = self._auctions[robot].assign(now, None)
        return [self._task(task, assigned.get(task.key), now) for task in self.view.tasks(now)]

    def _task(self, task: Task, assigned: str | None, now: int) -> TaskView:
        awarded = self._awarded.get((task.key, task.holder or ''), now)
        return TaskView(
            task.key,
            task.kind,
            task.cell,
            task.round,
            task.state,
            task.holder,
            assigned,
            accepted=now >= awarded + ACCEPTANCE,
            proposed_at_ns=task.proposed_at,
            award_from_ns=task.award_from,
            bids=task.bids,
            completed_by=list(task.completed),
            priority=task.terms.priority,
            mapped_by=task.mapped_by,
        )

    def dispute(self, now: int, column: int, row: int) -> None:
        """Let the last two robots say the opposite of one region."""
        low, all_ = (1 << 64) - 1, (1 << 256) - 1
        for robot, masks in zip(
            self.fleet.robots[-2:], ((all_, 0), (all_ - low, low)), strict=True
        ):
            call = submit_sketch(column, row, *masks)
            assert self._deployment.call(robot.address, call, now // SECOND).ok
        self._facts.touch(self._deployment.touched(self._deployment.evm.logs()))
        self.version += 1


@dataclass
class Robot:
    agent: Agent
    pose: np.ndarray
    alive: bool = True
    hits: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    travelled: float = 0.0
    idle: float = 0.0
    view: list[TaskView] = field(default_factory=list)


class World:
    """Robots on a wall grid, each with a lidar; one map of all scans, as if ideally merged."""

    def __init__(self, starts: list[tuple[float, float, float]], walls: np.ndarray) -> None:
        self.walls = walls
        self.robots = [
            Robot(Agent(f'robot_{index:02}', index), pose(*start))
            for index, start in enumerate(starts)
        ]
        self.contract = Contract(len(starts))
        self.now = SECOND
        self.odds = np.zeros(walls.shape)
        self.known = np.zeros(walls.shape, dtype=bool)
        self.grid = self._grid()
        self.distance = ndimage.distance_transform_edt(~walls) * RESOLUTION
        self.collisions = 0
        self.decide_ms: list[float] = []
        inside = self.distance > RADIUS + 0.05
        labels, _ = ndimage.label(inside)
        row, column = (int(starts[0][1] / RESOLUTION), int(starts[0][0] / RESOLUTION))
        near = ndimage.binary_dilation(labels == labels[row, column], iterations=6)
        self.reachable = near & ~walls

    def coverage(self) -> float:
        return float(self.known[self.reachable].mean())

    def completed(self, key: bytes) -> list[str]:
        tasks = self.contract.view.tasks(self.now)
        return [robot for task in tasks if task.key == key for robot in task.completed]

    def run(self, seconds: float, until: Callable[[World], bool] = lambda _: False) -> float:
        start = self.now
        while (self.now - start) / SECOND < seconds and not until(self):
            self.step()
        return (self.now - start) / SECOND

    def step(self) -> None:
        self.now += STEP
        tick = self.now // STEP
        self.contract.tick(self.now)
        alive = [robot for robot in self.robots if robot.alive]
        for robot in alive:
            self._scan(robot, update=tick % 5 == 0)
        if tick % 10 == 0:
            self.grid = self._grid()
        for index, robot in enumerate(self.robots):
            if robot.alive and tick % 5 == index % 5:
                view = self.contract.tasks(self.now, index)
                begin = time.thread_time()
                intents = robot.agent.decide(self.now, self.grid, robot.pose, robot.hits, view)
                self.decide_ms.append((time.thread_time() - begin) * 1e3)
                for intent in intents:
                    self.contract.submit(self.now, index, intent)
        for robot in alive:
            self._move(robot, *robot.agent.steer(self.now, robot.pose, robot.hits))

    def _move(self, robot: Robot, v: float, w: float) -> None:
        assert abs(v) <= 0.51 and abs(w) <= 1.51
        dt = STEP / SECOND
        target = compose(robot.pose, pose(v * dt, 0.0, w * dt))
        if not robot.agent.task:
            robot.idle += dt
        if self._touches(robot, target):
            self.collisions += 1
            return
        robot.travelled += abs(v) * dt
        robot.pose = target

    def _touches(self, robot: Robot, target: np.ndarray) -> bool:
        row, column = (target[1::-1] / RESOLUTION).astype(int)
        return bool(self.distance[row, column] < RADIUS - 0.025) or any(
            np.hypot(*(target[:2] - other.pose[:2])) < 2 * RADIUS
            for other in self.robots
            if other is not robot
        )

    def _scan(self, robot: Robot, update: bool) -> None:
        rays = np.stack([np.cos(ANGLES + robot.pose[2]), np.sin(ANGLES + robot.pose[2])], axis=1)
        ends = np.full(len(ANGLES), 0.05)
        for _ in range(40):  # sphere tracing in the distance field
            ends += np.maximum(self._clear(robot.pose[:2] + ends[:, None] * rays) - 0.04, 0.0)
        ends[(ends > RANGE) | (self._clear(robot.pose[:2] + ends[:, None] * rays) > 0.1)] = np.inf
        for other in self.robots:
            if other is not robot:
                offset = other.pose[:2] - robot.pose[:2]
                along = rays @ offset
                aside2 = offset @ offset - along**2
                meets = (along > 0) & (aside2 < RADIUS**2)
                ends[meets] = np.minimum(
                    ends[meets], along[meets] - np.sqrt(RADIUS**2 - aside2[meets])
                )
        hit = np.isfinite(ends)
        local = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
        robot.hits = ends[hit, None] * local[hit]
        if update:
            steps = np.arange(0.0, RANGE, 0.8 * RESOLUTION)
            points = robot.pose[:2] + steps[:, None, None] * rays  # (steps, rays, 2)
            cells = (points[steps[:, None] < ends - RESOLUTION] / RESOLUTION).astype(int)
            cells = cells[(cells >= 0).all(axis=1) & (cells < self.walls.shape[::-1]).all(axis=1)]
            at = robot.pose[:2] + ends[hit, None] * rays[hit] * 1.001 + 0.02 * rays[hit]
            at = (at / RESOLUTION).astype(int)
            self.odds[cells[:, 1], cells[:, 0]] -= 0.4
            self.odds[at[:, 1], at[:, 0]] += 0.85 + 0.4
            self.odds.clip(-3.5, 3.5, out=self.odds)
            self.known[cells[:, 1], cells[:, 0]] = True
            self.known[at[:, 1], at[:, 0]] = True

    def _clear(self, points: np.ndarray) -> np.ndarray:
        column, row = np.clip((points / RESOLUTION).astype(int).T, 0, [[239], [159]])
        return self.distance[row, column]

    def _grid(self) -> Grid:
        data = np.where(self.odds > 0, OCCUPIED, FREE)
        return Grid(np.where(self.known, data, UNKNOWN).astype(np.int8), RESOLUTION, (0.0, 0.0))


STARTS = [(1.0, 4.0, 0.0), (1.8, 4.0, 0.0), (1.0, 3.6, 0.0), (1.8, 4.4, 3.1)]


@pytest.mark.parametrize(('robots', 'limit'), [(1, 110), (2, 80), (4, 60)])
def test_they_cover_the_office(robots: int, limit: float) -> None:
    world = World(STARTS[:robots], office())
    took = world.run(limit, until=lambda world: world.coverage() >= 0.95)
    idle = max(robot.idle for robot in world.robots) / took
    print(
        f'{robots} robots: 95 % in {took:.1f} s, idle {idle:.0%} at most, '
        f'{np.mean(world.decide_ms):.1f} ms a decision'
    )
    assert took < limit, f'only {world.coverage():.0%}'
    assert world.collisions == 0
    assert idle < 0.35
    done = [task.completed for task in world.contract.view.tasks(world.now) if task.completed]
    assert done and all(len(by) == 1 for by in done), 'nothing is done twice'


def test_the_task_of_a_dead_robot_is_done_by_another() -> None:
    """One corner is left; the robot that is near takes it and dies on the way."""
    world = World([(1.0, 4.0, 0.0), (8.0, 4.0, 0.0)], office())
    world.known[:] = True
    world.known[:30, 200:] = False  # seen from inside the room only
    world.odds[:] = np.where(world.walls, 3.5, -3.5)
    world.grid = world._grid()
    world.run(10, until=lambda world: world.robots[1].agent.task is not None)
    victim = world.robots[1]
    key = victim.agent.task
    assert key is not None
    victim.alive = False
    before = world.coverage()
    world.run(90, until=lambda world: bool(world.completed(key)))
    assert world.completed(key) == ['robot_00']
    assert world.coverage() > max(before, 0.99)
    assert world.collisions == 0


def test_those_who_have_not_mapped_a_disputed_region_go_there_first() -> None:
    """The walls of all the office have to be looked at, too."""
    world = World(STARTS, office())
    world.known[:], world.odds[:] = True, np.where(world.walls, 3.5, -3.5)
    world.grid = world._grid()
    world.run(5)
    world.contract.dispute(world.now, 2, 1)
    key = task_key(Kind.VERIFY, 2, 1, 0)
    there = dict.fromkeys(('robot_00', 'robot_01'), 0.0)

    def both_have_looked(world: World) -> bool:
        for robot in world.robots:
            if robot.agent.name in there and np.hypot(*(robot.pose[:2] - (8.0, 4.8))) < 1.0:
                there[robot.agent.name] += STEP / SECOND
        return len(world.completed(key)) == len(there)

    world.run(80, until=both_have_looked)
    assert sorted(world.completed(key)) == sorted(there)
    assert min(there.values()) > 10, 'seconds in the middle of the region'


def open_floor() -> Grid:
    """Return 8 x 4 m of which the right half is unknown."""
    data = np.full((80, 160), FREE, np.int8)
    data[:2] = data[-2:] = OCCUPIED
    data[:, :2] = OCCUPIED
    data[:, 80:] = UNKNOWN
    return Grid(data, RESOLUTION, (0.0, 0.0))


NO_HITS = np.empty((0, 2))


def play(agent: Agent, grid: Grid, tasks: list[TaskView], start: int, ticks: int) -> list[object]:
    """Let an agent decide a few times and return what it asked for."""
    intents: list[object] = []
    for tick in range(ticks):
        intents += agent.decide(start + tick * SECOND // 2, grid, pose(2, 2, 0), NO_HITS, tasks)
    return intents


def lone_robot(start: tuple[float, float]) -> tuple[World, Robot]:
    """Return robot "a" on 8 x 4 m of known floor without walls in it."""
    walls = np.ones((160, 240), dtype=bool)
    walls[1:80, 1:160] = False
    world = World([(*start, 0.0)], walls)
    world.known[:], world.odds[:] = True, np.where(walls, 3.5, -3.5)
    world.grid, world.robots[0].agent = world._grid(), Agent('a', 0)
    return world, world.robots[0]


def live(
    world: World,
    robot: Robot,
    tasks: list[TaskView],
    seconds: float,
    until: Callable[[], bool] = lambda: False,
) -> list[Intent]:
    """Let a lone robot act for a time, whatever it says; return that."""
    said: list[Intent] = []
    for tick in range(round(seconds * SECOND / STEP)):
        if until():
            break
        world.now += STEP
        if tick % 5 == 0:
            said += robot.agent.decide(world.now, world.grid, robot.pose, NO_HITS, tasks)
        world._move(robot, *robot.agent.steer(world.now, robot.pose, NO_HITS))
    return said


def test_it_acts_only_on_an_accepted_award_and_drops_a_lost_one() -> None:
    agent, grid = Agent('a', 0), open_floor()
    (proposal, *_) = [i for i in play(agent, grid, [], SECOND, 1) if isinstance(i, Propose)]
    view = TaskView(b'k', proposal.kind, proposal.cell, 0, TaskState.OPEN)
    (bid,) = [i for i in play(agent, grid, [view], 2 * SECOND, 1) if isinstance(i, Bid)]
    assert bid.key == b'k'
    view = replace(view, bids={'a': bid.cost_m}, assigned='a')
    assert Award(b'k', 0) in play(agent, grid, [view], 4 * SECOND, 1)
    held = replace(view, state=TaskState.HELD, holder='a', assigned=None)
    play(agent, grid, [held], 5 * SECOND, 1)
    assert agent.task is None and len(agent.path) == 0, 'not accepted yet'
    intents = play(agent, grid, [replace(held, accepted=True)], 6 * SECOND, 8)
    assert agent.task == b'k' and len(agent.path) > 5
    assert Renew(b'k') in intents
    assert agent.state.startswith('driving to explore (')
    lost = replace(held, holder='b', bids={'a': bid.cost_m, 'b': 0.5}, accepted=True)
    assert Release(b'k') in play(agent, grid, [lost], 11 * SECOND, 1)
    assert agent.task is None and len(agent.path) == 0
    assert 'went to b' in agent.state


def before_a_wall() -> tuple[Grid, Array]:
    """Return the map of a wall 2 m ahead of (2, 2), and the lidar's hits on it."""
    grid = open_floor()
    grid.data[:, 80:] = OCCUPIED
    bearings = np.deg2rad(np.arange(-60, 60, 1.0))
    hits = (2.0 / np.cos(bearings))[:, None] * np.stack([np.cos(bearings), np.sin(bearings)], 1)
    return grid, hits


def test_a_wall_it_has_seen_is_claimed_without_a_drive() -> None:
    agent = Agent('a', 0)
    grid, hits = before_a_wall()
    view = TaskView(b'w', Kind.INSPECT, (3, 2), 0, TaskState.OPEN)
    first = agent.decide(SECOND, grid, pose(2, 2, 0), hits, [view])
    assert Bid(b'w', 0.001) in first
    view = replace(view, bids={'a': 0.001, 'b': 3.0}, assigned='a')
    assert Award(b'w', 0) in agent.decide(3 * SECOND, grid, pose(2, 2, 0), hits, [view])
    view = replace(view, state=TaskState.HELD, holder='a', assigned=None)
    for second in range(4, 11):
        waited = agent.decide(second * SECOND, grid, pose(2, 2, 0), hits, [view])
        assert not {Complete(b'w'), Release(b'w')} & set(waited)
    assert Complete(b'w') in agent.decide(
        11 * SECOND, grid, pose(2, 2, 0), hits, [replace(view, accepted=True)]
    )


def test_a_claim_that_nobody_accepts_is_given_back_before_its_lease_runs_out() -> None:
    agent = Agent('a', 0)
    grid, hits = before_a_wall()
    view = TaskView(b'w', Kind.INSPECT, (3, 2), 0, TaskState.OPEN)
    agent.decide(SECOND, grid, pose(2, 2, 0), hits, [view])
    view = replace(view, bids={'a': 0.001}, assigned='a')
    assert Award(b'w', 0) in agent.decide(3 * SECOND, grid, pose(2, 2, 0), hits, [view])
    held = replace(view, state=TaskState.HELD, holder='a', assigned=None)
    assert Release(b'w') in agent.decide(12 * SECOND, grid, pose(2, 2, 0), hits, [held])


DISPUTED = TaskView(b'v', Kind.VERIFY, (0, 0), 0, TaskState.OPEN, assigned='a')
"""The region from (0, 0) to (3.2, 3.2)."""


@pytest.mark.parametrize('start', [(6.0, 2.0), (1.6, 1.6)])
def test_it_goes_and_looks_at_a_disputed_region(start: tuple[float, float]) -> None:
    """Where it stands in the middle already, that is no wall it has seen in passing."""
    world, robot = lone_robot(start)
    view = replace(DISPUTED, bids={'a': 0.01})
    said = live(world, robot, [DISPUTED], 2)
    assert next(i.cost_m for i in said if isinstance(i, Bid) and i.key == b'v') >= 0.01
    said = live(world, robot, [view], 2)
    assert said.count(Award(b'v', 0)) == 1
    held = replace(view, state=TaskState.HELD, holder='a', assigned=None, accepted=True)
    said = live(world, robot, [held], 20, until=lambda: 'looking at' in robot.agent.state)
    said += live(world, robot, [held], 8)
    assert not {Complete(b'v'), Release(b'v')} & set(said), 'its map has not settled'
    assert np.hypot(*(robot.pose[:2] - 1.6)) < 0.5, 'not in the middle, where it sees all'
    assert Complete(b'v') in live(world, robot, [held], 6), 'it cannot see more from there'


def test_it_leaves_a_disputed_region_once_the_ledger_has_what_it_found() -> None:
    world, robot = lone_robot((6.0, 2.0))
    live(world, robot, [DISPUTED], 2)
    view = replace(DISPUTED, bids={'a': 5.0})
    live(world, robot, [view], 1)
    held = replace(view, state=TaskState.HELD, holder='a', assigned=None, accepted=True)
    live(world, robot, [held], 1)
    assert robot.agent.state.startswith('driving to verify (0,0)')
    told = replace(held, mapped_by=['a'])
    assert Complete(b'v') in live(world, robot, [told], 6)


@pytest.mark.parametrize('told', [{'mapped_by': ['b', 'a']}, {'completed_by': ['a']}])
def test_it_does_not_bid_where_it_has_told_what_it_found(told: dict[str, list[str]]) -> None:
    agent, grid = Agent('a', 0), open_floor()
    view = replace(DISPUTED, assigned=None, **told)
    said = play(agent, grid, [view], SECOND, 8)
    assert not [i for i in said if getattr(i, 'key', None) == b'v' or i.kind is Kind.VERIFY]


def test_it_says_that_a_dispute_is_urgent_unless_somebody_has() -> None:
    agent, grid = Agent('a', 0), open_floor()
    urgent = Propose(Kind.VERIFY, (0, 0), 0, 1)
    assert play(agent, grid, [DISPUTED], SECOND, 3).count(urgent) == 1
    said = play(agent, grid, [replace(DISPUTED, priority=1)], 4 * SECOND, 9)
    assert urgent not in said


@pytest.mark.parametrize('case', ['hold', 'no map', 'nan'])
def test_without_leave_map_or_pose_it_stands_and_is_silent(case: str) -> None:
    agent = Agent('a', 0)
    grid = None if case == 'no map' else open_floor()
    at = pose(np.nan, 2, 0) if case == 'nan' else pose(2, 2, 0)
    assert agent.decide(SECOND, grid, at, NO_HITS, [], hold=case == 'hold') == []
    assert agent.steer(SECOND, at, NO_HITS) == (0.0, 0.0)
    assert agent.decide(2 * SECOND, open_floor(), pose(2, 2, 0), None, []) != []
    assert agent.steer(2 * SECOND, pose(2, 2, 0), None) == (0.0, 0.0)


def test_it_is_deterministic() -> None:
    runs = []
    for _ in range(2):
        world = World(STARTS[:2], office())
        world.run(8)
        runs.append(np.concatenate([robot.pose for robot in world.robots]))
    assert np.array_equal(*runs)


@pytest.mark.parametrize('width', [0.8, 1.3])
def test_two_that_meet_in_a_corridor_both_get_through(width: float) -> None:
    walls = np.ones((80, 200), dtype=bool)
    walls[2:78, 2:60] = walls[2:78, 140:198] = False
    half = round(width / RESOLUTION / 2)
    walls[40 - half : 40 + half, 60:140] = False
    world = World([(1.5, 2.0, 0.0), (8.5, 2.0, 3.1)], walls)
    world.known[:] = True
    world.odds[:] = np.where(walls, 3.5, -3.5)
    goals = [np.array([8.5, 1.0]), np.array([1.5, 1.0])]
    drivers = [Driver(rank) for rank in (0, 1)]
    courtesies = [Courtesy(driver) for driver in drivers]
    for tick in range(700):
        world.now += STEP
        if tick % 10 == 0:
            terrain = Terrain.of(coarsen(world._grid()))
        for robot in world.robots:
            world._scan(robot, update=tick % 5 == 0)
        for robot, driver, courtesy, goal in zip(
            world.robots, drivers, courtesies, goals, strict=True
        ):
            if tick % 5 == 0:
                hits = transform(robot.pose, robot.hits)
                routes = terrain.costs_from(robot.pose, terrain.unexpected(hits))
                path = routes.path_to(goal)
                if not courtesy.step(world.now, routes, hits, idle=False) and len(path):
                    driver.go(world.now, path)
            motion = driver.step(world.now, robot.pose, robot.hits)
            world._move(robot, motion.v, motion.w)
        arrived = [
            driver.arrived and not courtesy.aside
            for driver, courtesy in zip(drivers, courtesies, strict=True)
        ]
        if all(arrived):
            break
    assert all(arrived)
    assert world.collisions == 0
    print(f'{width} m: both through after {tick / 10:.0f} s')
