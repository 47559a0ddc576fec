"""A whole run that never happened: real keys, records and ledger files, invented sensors."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
from PIL import Image

from collab_robots.contract.calls import maps, tasks
from collab_robots.contract.calls.common import Kind
from collab_robots.core.clock import SECOND
from collab_robots.core.geometry import Grid
from collab_robots.core.identity import PrivateKey
from collab_robots.explorer.ledgers import read_history
from collab_robots.explorer.run import Options, prepare, Run
from collab_robots.explorer.settings import default_world
from collab_robots.explorer.timeline import (
    Answer,
    Coverage,
    LedgerSample,
    RadioSample,
    Seen,
    TaskCounts,
    Waypoint,
)
from collab_robots.explorer.verdict import Effort
from collab_robots.tangle.block import block_id, GENESIS
from collab_robots.tangle.dag import Dag
from collab_robots.tangle.record import encode_record, sign_record
from collab_robots.tangle.store import Row, Store

DELAY = 0.25  # s from one robot to the others
TASK = 12  # s from one proposal of a robot to its next


def fabricate(directory: Path, robots: int = 4, sightings: bool = True) -> Run:
    """Return a run of 120 s in the office, split from 40 s to 80 s, that has ended well."""
    run = prepare(Options(robots, 1, (40.0, 80.0), default_world(), 120.0, out=directory))
    run.ended = 'everything was done'
    run.effort = Effort(real_time=0.98, speed=1.0, memory=2 << 30)
    run.began -= 140.0
    timeline = run.timeline
    timeline.now, timeline.held_at = 121.0, 119.0
    timeline.memory = [(float(t), (1 << 30) + t * 1_000_000) for t in range(0, 120, 5)]
    timeline.note('all ledgers equal 1.2 s after the hold')
    _ledgers(run, sightings)
    first = read_history(run.folder('robot1') / 'ledger.db', run.fleet, 'robot1', (), {})
    _senses(run, first.state_root)
    return run


def _arrival(run: Run, t: float, issuer: str, receiver: str) -> float:
    split = run.timeline.split
    if issuer == receiver:
        return t
    if split and split.start <= t < split.end and split.half_of(issuer) != split.half_of(receiver):
        return split.end + 1.4
    return t + DELAY


def _calls(run: Run, index: int, second: int, sightings: bool) -> tuple[bytes, ...]:
    """Return what a robot does: every TASK s it proposes, bids, is awarded, renews, completes."""
    start, phase = divmod(second - index, TASK)
    if second < index or second > 110:
        return ()
    member = run.fleet.robots[index]
    cell = (40 * index, 7 * start)
    key = tasks.task_key(Kind.EXPLORE, *cell, 0)
    todo = {
        0: (tasks.propose(Kind.EXPLORE, *cell, 0), tasks.bid(key, 2000 + index)),
        2: (tasks.award(key, member.address, second - phase),),
        5: (tasks.renew(key),),
        9: ((tasks.release if start == 3 else tasks.complete)(key),),
    }.get(phase, ())
    if sightings and second == 30 + index:
        todo += tuple(
            maps.report_sighting(282, 930, round(poster.x * 1000), round(poster.y * 1000))
            for poster in run.truth.posters[index :: len(run.names)]
            if 'tiger cat' in poster.labels
        )
    return todo


def _ledgers(run: Run, sightings: bool) -> None:
    keys = [PrivateKey.load(run.folder(robot) / 'key') for robot in run.names]
    newest: list[list[tuple[float, bytes, int]]] = [[] for _ in run.names]
    dag = Dag([1] * len(run.names))
    rows = {robot: [] for robot in run.names}
    for second in range(1, 119):
        for index, robot in enumerate(run.names):
            t = second + 0.1 * index
            parents = {newest[index][-1][1]} if newest[index] else {GENESIS}
            for other, chain in enumerate(newest):
                known = [
                    b for at, b, _ in chain if _arrival(run, at, run.names[other], robot) <= t
                ]
                if known and newest[index]:
                    parents.add(known[-1])
            record = sign_record(
                keys[index],
                run.fleet.id,
                len(newest[index]),
                parents,
                round(t * SECOND),
                _calls(run, index, second, sightings),
            )
            raw = encode_record(record)
            entry = dag.insert(block_id(raw), record, index)
            newest[index].append((t, entry.id, entry.depth))
            for receiver in run.names:
                received = round(_arrival(run, t, robot, receiver) * SECOND)
                rows[receiver].append(
                    Row(entry.id, raw, index, record.seq, record.issued_at, received, entry.depth)
                )
    for robot in run.names:
        store = Store(run.folder(robot) / 'ledger.db', run.fleet, robot)
        for row in rows[robot]:
            store.add(row)
        store.commit()
        store.close()


def _thumbnail(run: Run, index: int) -> bytes:
    buffer = io.BytesIO()
    picture = Image.open(run.world.posters[index].path).convert('RGB')
    picture.thumbnail((160, 120))
    picture.save(buffer, 'JPEG')
    return buffer.getvalue()


def _answer(t: float, robot: str, seq: int, helped: bool) -> Answer:
    """Return how a robot named a picture: with robot2's help, except in every tenth second."""
    late = helped and seq % 10 == 0
    return Answer(
        t,
        robot,
        seq,
        'split@9/4b' if helped else 'local',
        'robot2' if helped else '',
        0.030 if helped else 0.009,
        'robot2' if helped and not late else '',
        5 if not helped and seq % 2 else -1,
        2100 if helped else 0,
        0.125 if late else 0.031 if helped else 0.010,
        int(helped),
        0.0,
        ('robot2: timeout',) if late else (),
    )


def _senses(run: Run, state_root: str) -> None:
    timeline, truth = run.timeline, run.truth.grid
    rng = np.random.default_rng(1)
    for index, robot in enumerate(run.names):
        x, y, yaw = run.starts[index]
        for step in range(600):
            t = step / 5
            yaw += float(rng.normal(0.0, 0.15))
            ahead = np.array([[x + 0.3 * math.cos(yaw), y + 0.3 * math.sin(yaw)]])
            cell = truth.cells(ahead)[0]
            if truth.inside(cell[None])[0] and truth.data[cell[0], cell[1]] == 0:
                x, y = x + 0.08 * math.cos(yaw), y + 0.08 * math.sin(yaw)
            else:
                yaw += 0.8
            timeline.paths[robot].append(Waypoint(t, float(x), float(y), float(yaw)))
        for second in range(1, 121):
            share = min(0.99, 1.0 - math.exp(-second / (24 + 3 * index)))
            timeline.coverage.append(Coverage(float(second), robot, share))
            timeline.tasks[robot].append(TaskCounts(float(second), 3, 2, second // 10, 0, ()))
            timeline.ledgers[robot].append(
                LedgerSample(
                    float(second),
                    4 * second,
                    0,
                    3,
                    4 * second - 3,
                    (second,) * len(run.names),
                    'ab' * 32,
                    state_root,
                    0,
                    run.names,
                    {'signature': 1} if index == 1 else {},
                    1000 * second,
                    3000 * second,
                    '',
                )
            )
        data = np.where(rng.random(truth.data.shape) < 0.003, -1, truth.data).astype(np.int8)
        data[rng.random(truth.data.shape) < 0.0003] = 100
        timeline.maps[robot] = Grid(data, truth.resolution, truth.origin)
    for index, poster in enumerate(run.truth.posters):
        timeline.seen.append(
            Seen(
                20.0 + index,
                run.names[index % len(run.names)],
                282,
                poster.labels[0],
                0.93,
                poster.x + 0.1,
                poster.y,
                _thumbnail(run, index),
            )
        )
    for second in range(1, 119):
        for index, robot in enumerate(run.names):
            timeline.answers.append(_answer(float(second), robot, second, helped=index == 0))
    kinds = {'block': 900, 'have': 150, 'request': 40, 'tile': 5200}
    for second in range(120):
        split = timeline.split is not None and 40 <= second < 80
        hears = tuple(
            tuple(
                not split or timeline.split.half_of(a) == timeline.split.half_of(b)
                for b in run.names
            )
            for a in run.names
        )
        amounts = {k: v * (second + 25 * math.sin(second / 9)) for k, v in kinds.items()}
        timeline.radio.append(
            RadioSample(
                float(second),
                run.names,
                hears,
                {k: int(v) for k, v in amounts.items()},
                {k: int(3 * v * 0.98) for k, v in amounts.items()},
                {k: int(3 * v * 0.02) for k, v in amounts.items()},
            )
        )
