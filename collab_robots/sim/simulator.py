"""Robots in a MuJoCo world: they drive, bump, scan, count their wheels and take pictures."""

from __future__ import annotations

from dataclasses import dataclass
import math
import os
from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt

from collab_robots.core.clock import SECOND
from collab_robots.core.errors import ConfigError, Refusal, RefusedError, SimulationError
from collab_robots.core.geometry import Array, pose, wrap
from collab_robots.sim.mjcf import (
    assets,
    IMAGE_HEIGHT,
    IMAGE_WIDTH,
    LIDAR_HEIGHT,
    mjcf,
    TIME_STEP,
)
from collab_robots.sim.world import World

STEP_NS = round(TIME_STEP * SECOND)
RAYS = 360
ANGLE_MIN = -math.pi
ANGLE_INCREMENT = 2.0 * math.pi / RAYS
RANGE_MIN, RANGE_MAX, RANGE_NOISE = 0.12, 8.0, 0.01  # m; noise: standard deviation
MAX_SPEED, MAX_TURN = 0.5, 1.5  # m/s, rad/s
MAX_ACCELERATION, MAX_TURN_ACCELERATION = 1.0, 4.0  # m/s², rad/s²
WATCHDOG_NS = SECOND // 2  # a robot that is told nothing for this long stops
NO_EGL = 'EGL is not installed (apt-get install libegl1 libgl1-mesa-dri libglx-mesa0)'
Pose = tuple[float, float, float]
LIDAR_GROUPS = np.array([1, 1, 0, 0, 0, 0], dtype=np.uint8)


@dataclass(frozen=True)
class Drift:
    """
    How odometry errs.

    Each robot's wheels are off by a constant share of the distance and of the turn, drawn once,
    uniform in ± the rate (wrong wheel radius and track); on top comes white noise whose standard
    deviation after a distance d is ``0.2 * distance * sqrt(d * 1 m)``, after a turn a
    ``0.2 * turn * sqrt(a * 1 rad)``. Slip is not modelled: a robot that is stopped by a wall
    counts no distance.

    :param distance: share of the distance.
    :param turn: share of the turn.
    """

    distance: float = 0.01
    turn: float = 0.02

    def scales(self, rng: np.random.Generator) -> tuple[float, float]:
        """Draw by which factors one robot's wheels miscount the distance and the turn."""
        distance, turn = 1.0 + rng.uniform(-1.0, 1.0, 2) * (self.distance, self.turn)
        return float(distance), float(turn)


class _Robot:
    """What the simulator keeps of one robot; plain floats, because this runs in every step."""

    def __init__(self, name: str, start: Array, rng: np.random.Generator, drift: Drift) -> None:
        self.name = name
        self.rng = rng
        self.wanted = (0.0, 0.0)  # v, w
        self.commanded_ns = -WATCHDOG_NS - 1
        self.set_v = self.set_w = 0.0  # what the motors are set to
        self.start = tuple(start.tolist())
        self.true: Pose = self.start
        self.odometry: Pose = (0.0, 0.0, 0.0)
        self.velocity = (0.0, 0.0)  # v, w as the wheels measure them
        self.scale_d, self.scale_a = drift.scales(rng)
        self.noise_d, self.noise_a = 0.2 * drift.distance, 0.2 * drift.turn
        self._white: list[float] = []

    def motors(self, now_ns: int) -> None:
        """Bring the motors closer to the last command, or to a stop when it is too old."""
        v, w = self.wanted if now_ns - self.commanded_ns <= WATCHDOG_NS else (0.0, 0.0)
        dv, dw = MAX_ACCELERATION * TIME_STEP, MAX_TURN_ACCELERATION * TIME_STEP
        self.set_v += min(max(v - self.set_v, -dv), dv)
        self.set_w += min(max(w - self.set_w, -dw), dw)

    def moved_to(self, x: float, y: float, yaw: float) -> None:
        """Take the true pose after a step, and count on the wheels how it was reached."""
        yaw = wrap(yaw)
        turn = wrap(yaw - self.true[2])
        heading = self.true[2] + turn / 2
        way = (x - self.true[0]) * math.cos(heading) + (y - self.true[1]) * math.sin(heading)
        self.true = (x, y, yaw)
        if len(self._white) < 2:
            self._white = self.rng.standard_normal(1000).tolist()
        d = way * self.scale_d + self._white.pop() * self.noise_d * math.sqrt(abs(way))
        a = turn * self.scale_a + self._white.pop() * self.noise_a * math.sqrt(abs(turn))
        self.velocity = (d / TIME_STEP, a / TIME_STEP)
        x, y, yaw = self.odometry
        self.odometry = (
            x + d * math.cos(yaw + a / 2),
            y + d * math.sin(yaw + a / 2),
            wrap(yaw + a),
        )


class Simulator:
    """
    N differential-drive robots in a world; time goes on only by :meth:`step`.

    Not modelled: wheel contact (planar joints are driven with the speed along the heading), slip,
    and motion during a scan. Same world, number, seed and commands: same motion, scans and
    odometry. One thread.

    :param world: where.
    :param robots: how many; they are called robot1, robot2 …
    :param seed: of everything random.
    :param cameras: whether to render; without EGL :attr:`camera_problem` tells why not.
    :raises ConfigError: if the world has too few start poses.
    :raises SimulationError: if MuJoCo refuses the model.
    """

    def __init__(
        self, world: World, robots: int, seed: int, drift: Drift = Drift(), cameras: bool = True
    ) -> None:
        if seed < 0:
            raise ConfigError(f'seed: expected a number from 0 up, got {seed}')
        self.names = [f'robot{index + 1}' for index in range(robots)]
        starts = world.start_poses(robots)
        try:
            self.model = mujoco.MjModel.from_xml_string(mjcf(world, self.names), assets(world))
        except ValueError as error:
            raise SimulationError(f'MuJoCo refused world {world.name}: {error}') from None
        self.data = mujoco.MjData(self.model)
        mujoco.mj_forward(self.model, self.data)
        streams = np.random.default_rng(seed).spawn(robots)
        self._robots = [
            _Robot(name, start, rng, drift)
            for name, start, rng in zip(self.names, starts, streams, strict=True)
        ]
        self._bodies = [self.model.body(name).id for name in self.names]
        self._steps = 0
        angles = ANGLE_MIN + ANGLE_INCREMENT * np.arange(RAYS)
        self._rays = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        self._hit = np.zeros(RAYS, dtype=np.int32)
        self._renderer: Any = None
        self.camera_problem = '' if cameras else 'switched off'

    @property
    def now_ns(self) -> int:
        """Simulated time since the start, ns."""
        return self._steps * STEP_NS

    def set_command(self, robot: int, v: float, w: float) -> None:
        """
        Tell a robot how fast to drive; it obeys for 0.5 s, within its limits.

        :param v: m/s along the heading.
        :param w: rad/s, counter-clockwise.
        :raises RefusedError: if one of them is NaN or infinite.
        """
        if not (math.isfinite(v) and math.isfinite(w)):
            raise RefusedError(Refusal.MALFORMED, f'cmd_vel: expected numbers, got {v}, {w}')
        v = min(max(v, -MAX_SPEED), MAX_SPEED)
        w = min(max(w, -MAX_TURN), MAX_TURN)
        self._robots[robot].wanted = (v, w)
        self._robots[robot].commanded_ns = self.now_ns

    def step(self) -> None:
        """Go on by :data:`TIME_STEP`."""
        control = []
        for robot in self._robots:
            robot.motors(self.now_ns)
            yaw = robot.true[2] + robot.set_w * TIME_STEP / 2  # the step's mean: no sideslip
            control += [robot.set_v * math.cos(yaw), robot.set_v * math.sin(yaw), robot.set_w]
        self.data.ctrl = control
        mujoco.mj_step(self.model, self.data)
        self._steps += 1
        joints = iter(self.data.qpos.tolist())
        for robot in self._robots:
            x, y, yaw = robot.start
            robot.moved_to(x + next(joints), y + next(joints), yaw + next(joints))

    def true_pose(self, robot: int) -> Array:
        """Return where the robot is, (3,) in the map frame."""
        return pose(*self._robots[robot].true)

    def odometry(self, robot: int) -> tuple[Array, tuple[float, float]]:
        """Return the pose (3,) that the wheels tell, from the start, and the velocity (v, w)."""
        return pose(*self._robots[robot].odometry), self._robots[robot].velocity

    def scan(self, robot: int) -> npt.NDArray[np.float32]:
        """
        Return the ranges (360,) in m, counter-clockwise from behind; infinite = nothing in reach.

        The lidar stands in the robot's middle; angles run from :data:`ANGLE_MIN` in steps of
        :data:`ANGLE_INCREMENT`.
        """
        this = self._robots[robot]
        x, y, yaw = this.true
        cos, sin = math.cos(yaw), math.sin(yaw)
        rays = np.zeros((RAYS, 3))
        rays[:, :2] = self._rays @ np.array([[cos, sin], [-sin, cos]])
        distance = np.empty(RAYS)
        mujoco.mj_multiRay(
            self.model,
            self.data,
            np.array([x, y, LIDAR_HEIGHT]),
            rays.ravel(),
            LIDAR_GROUPS,
            1,
            self._bodies[robot],
            self._hit,
            distance,
            None,
            RAYS,
            RANGE_MAX,
        )
        noisy = distance + this.rng.standard_normal(RAYS) * RANGE_NOISE
        far = (distance < 0) | (noisy > RANGE_MAX)
        return np.where(far, np.inf, np.maximum(noisy, RANGE_MIN)).astype(np.float32)

    def image(self, robot: int) -> npt.NDArray[np.uint8] | None:
        """
        Return what the robot's camera sees, (240, 320, 3) RGB, or None without cameras.

        The renderer belongs to the thread that takes the first picture.
        """
        if self.camera_problem:
            return None
        if self._renderer is None:
            try:
                self._renderer = mujoco.Renderer(self.model, IMAGE_HEIGHT, IMAGE_WIDTH)
            except Exception as error:  # whatever the graphics library of this machine raises
                missing = os.environ.get('MUJOCO_GL') == 'disabled'
                self.camera_problem = NO_EGL if missing else f'no rendering: {error}'
                return None
            flags = self._renderer.scene.flags
            for flag in (
                mujoco.mjtRndFlag.mjRND_SHADOW,
                mujoco.mjtRndFlag.mjRND_REFLECTION,
                mujoco.mjtRndFlag.mjRND_HAZE,
            ):
                flags[flag] = 0
        self._renderer.update_scene(self.data, camera=self.names[robot])
        picture: npt.NDArray[np.uint8] = self._renderer.render()
        return picture

    def close(self) -> None:
        """Free the renderer."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None
