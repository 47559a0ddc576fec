"""
How many of the pictures on the walls are still found when camera frames come compressed.

Robots wander through the simulated office, and what is found in their raw frames is looked for in
the same frames compressed.
"""

from __future__ import annotations

from collections.abc import Iterator
import io
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from PIL import Image
from rich.progress import track
import typer

from benchmarks.report import OutOption, Report
from collab_robots.inference.pictures import read_picture, Rgb
from collab_robots.inference.proposals import Proposal, propose
from collab_robots.sim.simulator import Simulator
from collab_robots.sim.world import load_world

WORLD = Path(__file__).parents[1] / 'worlds' / 'office.yaml'
ROBOTS = 4
STEPS = 100  # of 10 ms between two frames of a robot
TURN = 0.7  # rad/s, at most
HELD = 0.03  # m in a second; a robot that got no farther stands before a wall, and …
BACK = (-0.3, 1.5)  # … drives backwards and turns: m/s and rad/s
SAME = 8.0  # pixels between the corners of one picture, found twice
WAYS: dict[str, dict[str, Any]] = {
    'PNG': {'format': 'PNG'},
    **{f'JPEG {quality}': {'format': 'JPEG', 'quality': quality} for quality in (95, 90, 80)},
}


def frames(seconds: int, seed: int) -> Iterator[Rgb]:
    """Yield what wandering robots see, a frame of each a second."""
    simulator = Simulator(load_world(WORLD), ROBOTS, seed)
    random = np.random.default_rng(seed)
    before = np.zeros((ROBOTS, 2))
    for _ in track(range(seconds), 'driving'):
        ways = random.uniform((0.1, -TURN), (0.4, TURN), (ROBOTS, 2))
        here = np.stack([simulator.true_pose(robot)[:2] for robot in range(ROBOTS)])
        held = np.hypot(*(here - before).T) < HELD
        ways[held], before = BACK, here
        for _ in range(STEPS):
            for robot, (v, w) in enumerate(ways):
                simulator.set_command(robot, v, w)
            simulator.step()
        for robot in range(ROBOTS):
            picture = simulator.image(robot)
            assert picture is not None, simulator.camera_problem
            yield picture.copy()
    simulator.close()


def same(a: Proposal, b: Proposal) -> bool:
    """Tell whether two finds are of one picture."""
    return float(np.abs(a.corners - b.corners).max()) <= SAME


def main(
    seconds: Annotated[int, typer.Option(help='How long the robots drive.')] = 600,
    seed: Annotated[int, typer.Option(help='Of everything random.')] = 1,
    out: OutOption = None,
) -> None:
    """Compare what is found in frames raw, as PNG, and as JPEG of several qualities."""
    report = Report('compressed_pictures', {'seconds': seconds, 'seed': seed})
    raw = [(frame, found) for frame in frames(seconds, seed) if (found := propose(frame))]
    total = sum(len(found) for _, found in raw)
    figures: list[dict[str, Any]] = []
    for name, options in WAYS.items():
        size = hits = others = 0
        for frame, found in raw:
            buffer = io.BytesIO()
            Image.fromarray(frame).save(buffer, **options)
            size += buffer.tell()
            again = propose(read_picture(buffer.getvalue()))
            kept = sum(any(same(one, other) for other in again) for one in found)
            hits, others = hits + kept, others + len(again) - kept
        mean = size / len(raw)
        figures.append({'as': name, 'found': hits, 'others': others, 'bytes': round(mean)})
    report.table(
        'compressed',
        f'{total} pictures found in {len(raw)} raw frames, and in the same frames compressed',
        ('as', 'found', 'share', 'other finds', 'kB a frame'),
        [
            (
                one['as'],
                one['found'],
                f'{one["found"] / total:.0%}',
                one['others'],
                f'{one["bytes"] / 1e3:.1f}',
            )
            for one in figures
        ],
        figures,
    )
    report.write(out)


if __name__ == '__main__':
    typer.run(main)
