"""
The same cut with real processes: four robots in network namespaces, DDS, and a pulled cable.

Run by itself, it puts one of the robots behind a slow link instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
import time
from typing import Annotated, Any

import typer

from benchmarks.namespaces import missing, Network
from benchmarks.processes import Processes
from benchmarks.report import OutOption, Report
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import SimulationError
from collab_robots.tangle.block_store import Row
from collab_robots.tangle.store import Store

DOMAIN = 62
START_S = 60.0  # until all are there
WARM_UP = 6.0  # s together before the cut
CUT = 30.0  # s
PATIENCE = 60.0  # s after the heal
SIDES = (('robot1', 'robot2'), ('robot3', 'robot4'))
SLOW = 'robot2'  # who is behind the slow link
LINK_RATE, LINK_S = 2.0, 6.0  # calls/s of each robot, and for how long
LINK_PATIENCE = 90.0  # s after the last call


def show(report: Report, rate: float, seed: int) -> None:
    """Cut real processes apart, and print and keep what came of it; see :func:`measure`."""
    with report.console.status('four real processes'):
        found = measure(CUT, rate, seed)
    report.keep('real', found)
    title = f'4 real processes in network namespaces (DDS), 2/2, cut for {CUT:g} s'
    if 'missing' in found:
        report.note(f'{title}: not measured: {found["missing"]}')
        return
    sides = ('issued_in_cut', 'final_in_cut')
    rows = [
        ['records', found['records']],
        *([f'{key.replace("_", " ")}, per side', '/'.join(map(str, found[key]))] for key in sides),
        ['records of before the heal lost', found['lost']],
        ['equal sets after the heal, s', found['sets_after']],
        ['all final everywhere after the heal, s', found['equal_after']],
        ['bytes exchanged, of the least', f'{found["exchanged"] / found["least"]:.2f}x'],
        ['bytes on the cables, DDS included, of the least', found['on_the_wire'] / found['least']],
    ]
    report.table('real', title, ('', 'measured'), rows)


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
    with _robots(seed) as (team, network):
        try:
            with team:
                result, times = _play(team, network, cut, rate)
        except SimulationError as error:
            return {'missing': f'it went wrong: {error}'}
        return {**result, **_bill(team, times, result['sent'])}


@contextmanager
def _robots(seed: int) -> Iterator[tuple[Processes, Network]]:
    names = [robot for side in SIDES for robot in side]
    with TemporaryDirectory() as folder, Network(SIDES) as network:
        yield Processes(Path(folder), names, domain=DOMAIN, network=network, seed=seed), network


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


def settle_over_link(rate: int, seed: int) -> float | None:
    """
    Let four robots work, one of them behind a slow link.

    :param rate: bit/s each way; its queue holds 400 ms.
    :returns: s from the last call until all is final on all four; None: not within 90 s.
    """
    with _robots(seed) as (team, network), team:
        team.start()
        team.wait(lambda: len(team.statuses) == len(team.robots), START_S)
        network.limit(SLOW, rate)
        team.say(LINK_RATE)
        team.watch(LINK_S)
        try:
            return team.settle(LINK_PATIENCE)
        except SimulationError:
            return None


def main(
    links: Annotated[
        list[int] | None, typer.Option('--link', min=1, help='Rate, kbit/s; repeatable.')
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help='Of the calls.')] = 1,
    out: OutOption = None,
) -> None:
    """Put one of four real robots behind a slow link: when is all final? As root, on Linux."""
    if reason := missing():
        raise typer.BadParameter(reason)
    rates = links or [100, 60]
    report = Report('link', {'links_kbit_s': rates, 'rate_per_robot': LINK_RATE, 'seed': seed})
    rows = [(rate, settle_over_link(1000 * rate, seed)) for rate in rates]
    title = f'4 real robots, one behind a link; {LINK_RATE:g} calls/s each for {LINK_S:g} s'
    columns = ('kbit/s', 'last call to all final everywhere, s')
    report.table('link', title, columns, rows, dict(rows))
    report.write(out)


if __name__ == '__main__':
    typer.run(main)
