"""
Run the fleet in simulation and watch it.

A mission starts the processes, is followed until its end, and settles: hold, wait for agreement,
stop. It judges nothing; whatever ends it early, what was seen of it is kept.
"""

from __future__ import annotations

from collections.abc import Callable
import math
import time
from typing import Protocol

from collab_robots.bringup import topics
from collab_robots.core.errors import CollabError, SimulationError
from collab_robots.explorer.live import Screen
from collab_robots.explorer.processes import Children, Domain, environment
from collab_robots.explorer.run import Kill, robot_command, Run, simulator_command
from collab_robots.explorer.verdict import COVERAGE, Effort

POLL = 0.25  # s of wall time between two looks
MEMORY_PERIOD = 5.0  # s of wall time
START_LIMIT = 90.0  # s of wall time until every robot has come up
CLOCK_LIMIT = 30.0  # s of wall time without a tick of the simulated clock
SETTLE_LIMIT = 10.0  # s of simulated time for the ledgers to become equal after the hold
SETTLE_WALL = 30.0  # s of wall time for the same, should the simulator hang
CALM = 5.0  # s that everything has to be done for before the mission ends early
AFTER_HEAL = 10.0  # s that a mission goes on at least after a split
GRACE = 8.0  # s between SIGINT and SIGKILL
SIMULATOR = 'sim'


class Eyes(Protocol):
    """What the mission needs of the one who watches the fleet and tells it what to do."""

    def say(self, word: str) -> None:
        """Publish a mission word: run or hold."""
        ...

    def ready(self) -> bool:
        """Tell whether every robot has come up."""
        ...

    def poll(self) -> None:
        """Write what has happened since the last poll into the run's timeline."""
        ...

    def close(self) -> None:
        """Stop watching."""
        ...


Watch = Callable[[Run, int], Eyes]  # a run and its ROS domain


class Mission:
    """
    The processes of a prepared run and the eyes on it.

    :param watch: opens the eyes.
    :param screen: shows how it goes.
    """

    def __init__(self, run: Run, watch: Watch, screen: Screen) -> None:
        self._run = run
        self._screen = screen
        self._timeline = run.timeline
        self._domain = Domain(run.options.domain)
        self._children = Children(environment(self._domain.id))
        self._eyes = watch(run, self._domain.id)
        self._sampled = -math.inf
        self._ticked = time.monotonic()
        self._clock: tuple[float, float] | None = None  # first tick: (simulated, wall)
        self._last: tuple[float, float] = (0.0, self._ticked)
        self._done_since: float | None = None
        self._todo = list(run.options.kills)
        self._down: list[Kill] = []

    def start(self) -> None:
        """
        Start the robots, wait until they are up, then start the simulated time.

        :raises SimulationError: if one dies or takes too long.
        """
        run = self._run
        self._eyes.say(topics.RUN)
        for index in range(len(run.names)):
            self._start_robot(index)
        self._screen.say(f'starting {len(run.names)} robots in ROS domain {self._domain.id}')
        deadline = time.monotonic() + START_LIMIT
        while not self._eyes.ready():
            self._check_children()
            if time.monotonic() > deadline:
                raise SimulationError(f'the robots did not come up within {START_LIMIT:.0f} s')
            time.sleep(POLL)  # topics are polled: nothing wakes us
        self._children.start(SIMULATOR, simulator_command(run), run.directory / 'sim.log')
        self._ticked = time.monotonic()

    def _start_robot(self, index: int) -> None:
        robot = self._run.names[index]
        log = self._run.folder(robot) / 'robot.log'
        self._children.start(robot, robot_command(self._run, index), log)

    def _check_children(self) -> None:
        for child in self._children.failed():
            self._timeline.note(f'the last lines of {child.log}:\n{child.tail() or "(empty)"}')
            raise SimulationError(
                f'{child.name} ended by itself with code {child.process.returncode}'
            )

    def look(self) -> None:
        """
        Wait a moment, take what has arrived, and show it.

        :raises SimulationError: if a process died or the clock stands still.
        """
        time.sleep(POLL)  # how often the screen changes
        before = self._timeline.now
        self._eyes.poll()
        self._check_children()
        wall = time.monotonic()
        if self._timeline.now > before:
            self._ticked = wall
            self._clock = self._clock or (self._timeline.now, wall)
            self._last = (self._timeline.now, wall)
        elif wall - self._ticked > CLOCK_LIMIT:
            raise SimulationError(f'the simulated clock stood still for {CLOCK_LIMIT:.0f} s')
        if wall - self._sampled >= MEMORY_PERIOD:
            self._sampled = wall
            self._timeline.memory.append((self._timeline.now, self._children.memory()))
        self._screen.update(self._timeline)

    def follow(self) -> None:
        """Look until the mission's time is over or everything is done."""
        while True:
            self.look()
            self._switch_power()
            if self._timeline.now >= self._run.options.duration:
                self._run.ended = 'its time was over'
                return
            if self._all_done():
                self._run.ended = 'everything was done'
                return

    def _switch_power(self) -> None:
        now = self._timeline.now
        for kill in [kill for kill in self._todo if kill.start <= now]:
            self._todo.remove(kill)
            self._children.kill(kill.robot)
            self._timeline.killed.setdefault(kill.robot, []).append(now)
            self._timeline.note(f'{kill.robot} was killed')
            self._down.append(kill)
        for kill in [kill for kill in self._down if kill.end is not None and kill.end <= now]:
            self._down.remove(kill)
            self._start_robot(self._run.names.index(kill.robot))
            self._timeline.note(f'{kill.robot} was started again')

    def alive(self) -> tuple[str, ...]:
        """Return the robots that run."""
        return tuple(robot for robot in self._run.names if self._children.alive(robot))

    def _all_done(self) -> bool:
        timeline, split = self._timeline, self._timeline.split
        alive = self.alive()
        covered = timeline.latest_coverage()
        done = (
            not self._todo
            and not self._down
            and (split is None or timeline.now >= split.end + AFTER_HEAL)
            and all(covered[robot] >= COVERAGE for robot in alive)
            and all(
                timeline.tasks[robot] and not (last := timeline.tasks[robot][-1]).open + last.held
                for robot in alive
            )
        )
        if not done:
            self._done_since = None
        elif self._done_since is None:
            self._done_since = timeline.now
        return self._done_since is not None and timeline.now - self._done_since >= CALM

    def settle(self) -> None:
        """Put the mission on hold and wait until all ledgers are equal, not for ever."""
        timeline = self._timeline
        timeline.held_at = held_at = timeline.now
        self._eyes.say(topics.HOLD)
        deadline = time.monotonic() + SETTLE_WALL
        while timeline.now < held_at + SETTLE_LIMIT and time.monotonic() < deadline:
            self.look()
            # What an expelled liar said last, before it knew, need not reach anybody.
            honest = tuple(one for one in self.alive() if one != self._run.options.liar)
            fresh = all(
                timeline.ledgers[robot] and timeline.ledgers[robot][-1].t >= held_at + 1.0
                for robot in honest
            )
            if fresh and timeline.equal(honest):
                timeline.note(f'all ledgers equal {timeline.now - held_at:.1f} s after the hold')
                return
        timeline.note('the ledgers did not become equal after the hold')

    def stop(self) -> None:
        """End all processes and write down what the run cost."""
        self._timeline.memory.append((self._timeline.now, self._children.memory()))
        for name in self._children.stop(GRACE):
            self._timeline.note(f'{name} did not end on SIGINT and was killed')
        self._eyes.close()
        self._domain.close()
        simulated, wall = self._clock or self._last
        self._run.effort = Effort(
            real_time=(self._last[0] - simulated) / max(self._last[1] - wall, 1e-9),
            speed=self._run.options.speed,
            memory=max(size for _, size in self._timeline.memory),
        )


def carry_out(run: Run, watch: Watch, screen: Screen) -> None:
    """Run the mission from start to stop; the run then knows how it ended and what it cost."""
    mission = Mission(run, watch, screen)
    try:
        mission.start()
        mission.follow()
        mission.settle()
    except KeyboardInterrupt:
        run.ended, run.code = 'it was interrupted', 130
    except CollabError as error:
        run.ended, run.code = str(error), 1
    finally:
        mission.stop()
