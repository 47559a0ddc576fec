"""The same cut with real processes: four robots in network namespaces, DDS, and a pulled cable."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
import time
from typing import Any

from benchmarks.namespaces import missing, Network
from benchmarks.processes import Processes
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import SimulationError
from collab_robots.tangle.block_store import Row
from collab_robots.tangle.store import Store

DOMAIN = 62
START_S = 60.0  # until all are there
WARM_UP = 6.0  # s together before the cut
PATIENCE = 60.0  # s after the heal
SIDES = (('robot1', 'robot2'), ('robot3', 'robot4'))


def measure(cut: float, rate: float, seed: int) -> dict[str, Any]:
    """
    Cut real processes apart and join them again.

    :param cut: s.
    :param rate: calls/s of each robot, up to the heal.
    :returns: records issued in all and in the cut per side, lost ones, those that became final in
        the cut per side, s from the heal to equal sets and to all final (statuses come every 0.2
        s), bytes exchanged for it, the least that could do, and bytes on the robots' cables; or
        under ``missing`` why there are none.
    """
    reason = missing()
    if reason:
        return {'missing': reason}
    names = [robot for side in SIDES for robot in side]
    with TemporaryDirectory() as folder, Network(SIDES) as network:
        team = Processes(Path(folder), names, domain=DOMAIN, network=network, seed=seed)
        try:
            with team:
                result, times = _play(team, network, cut, rate)
        except SimulationError as error:
            return {'missing': f'it went wrong: {error}'}
        return {**result, **_bill(team, times, result['sent'])}


def _play(
    team: Processes, network: Network, cut: float, rate: float
) -> tuple[dict[str, Any], tuple[float, float]]:
    team.start()
    team.wait(lambda: len(team.statuses) == len(team.robots), START_S)
    team.say(rate)
    team.watch(WARM_UP)
    network.split()
    cut_at = time.time()
    team.watch(0.5)  # what was under way
    final = {robot: team.statuses[robot]['final'] for robot in team.robots}
    team.watch(cut - 0.5)
    team.say(0.0)
    team.watch(0.5)
    done = [max(team.statuses[robot]['final'] - final[robot] for robot in side) for side in SIDES]
    sent, wire = _sent(team), sum(map(network.sent, team.robots))
    network.heal()
    heal_at = time.time()
    sets_after = team.wait(team.agree, PATIENCE)
    sent, wire = _sent(team) - sent, sum(map(network.sent, team.robots)) - wire
    equal_after = sets_after + team.wait(team.decided, PATIENCE)
    team.watch(1.0)  # until all of it is on every disk
    return {
        'cut': cut,
        'final_in_cut': done,
        'sets_after': sets_after,
        'equal_after': equal_after,
        'sent': sent,
        'on_the_wire': wire,
    }, (cut_at, heal_at)


def _sent(team: Processes) -> int:
    return sum(int(status['bytes_sent']) for status in team.statuses.values())


def _bill(team: Processes, times: tuple[float, float], sent: int) -> dict[str, Any]:
    """Compare what was sent with what each side lacked, and look for what is lost."""
    cut_at, heal_at = (round(one * SECOND) for one in times)
    rows: dict[bytes, Row] = {}
    held: list[set[bytes]] = []
    for robot in team.robots:
        with closing(Store.read(team.store(robot))) as store:
            here = {row.id: row for row in store.load()}
        held.append(set(here))
        rows |= here
    before = {row.id for row in rows.values() if row.issued_at < heal_at}
    lacked = [row for row in rows.values() if cut_at <= row.issued_at < heal_at]
    sides = [[team.robots.index(robot) for robot in side] for side in SIDES]
    later = sum(len(row.raw) for row in rows.values() if row.issued_at >= heal_at)
    return {
        'records': len(rows),
        'lost': max(len(before - one) for one in held),
        'issued_in_cut': [sum(row.issuer in side for row in lacked) for side in sides],
        'exchanged': sent - later,
        'least': sum(len(row.raw) for row in lacked),
    }
