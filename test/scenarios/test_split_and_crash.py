"""Three robots, a network split, and a robot that loses its power meanwhile: real processes."""

from __future__ import annotations

import json
from pathlib import Path
import subprocess
import sys

import pytest

from collab_robots.core.fleet import Fleet
from collab_robots.tangle.block import decode_block
from collab_robots.tangle.record import decode_record
from collab_robots.tangle.store import Store

SPLIT = (15, 40)
KILLED, BACK = 22, 28
DURATION = 60


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('run') / 'out'
    done = subprocess.run(
        [
            *(sys.executable, '-m', 'collab_robots.cli', 'demo', '--robots', '3', '--seed', '2'),
            *('--split', f'{SPLIT[0]}:{SPLIT[1]}', '--kill', f'robot2:{KILLED}:{BACK}'),
            *('--duration', str(DURATION), '--no-cameras', '--json', '--out', str(folder)),
        ],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr  # not everything is explored in so short a time
    return folder


@pytest.fixture(scope='module')
def checks(run: Path) -> dict[str, dict[str, object]]:
    summary = json.loads((run / 'summary.json').read_text())
    assert summary['simulated_seconds'] >= DURATION, summary['ended']
    return {check['name']: check for check in summary['checks']}


@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    'name',
    [
        'mapped walls that are true',
        'seconds from heal to equal sets',
        'blocks lost',
        'contract state roots',
        'tasks wrongly done twice',
        'leases lost by a live robot',
    ],
)
def test_the_fleet_comes_together_again(checks: dict[str, dict[str, object]], name: str) -> None:
    assert checks[name]['ok'] is True, checks[name]['figure']


@pytest.mark.timeout(200)
def test_the_robot_that_lost_its_power_goes_on_where_it_was(run: Path) -> None:
    fleet = Fleet.load(run / 'fleet.yaml')
    index = fleet.index_of('robot2')
    seqs: list[int] = []
    times: list[float] = []
    reader = Store.read(run / 'robot1' / 'ledger.db')
    for row in reader.load():
        if row.issuer == index:
            record = decode_record(decode_block(row.raw))
            seqs.append(record.seq)
            times.append(record.issued_at / 1e9)
    reader.close()
    assert sorted(seqs) == list(range(len(seqs)))  # one record a seq: it never spoke twice
    assert not any(KILLED + 0.5 < time < BACK for time in times)
    assert any(time < KILLED for time in times)
    assert any(time > BACK for time in times)


@pytest.mark.timeout(200)
def test_both_sides_issued_while_they_were_apart(run: Path) -> None:
    reader = Store.read(run / 'robot3' / 'ledger.db')
    issuers = {row.issuer for row in reader.load() if SPLIT[0] < row.issued_at / 1e9 < SPLIT[1]}
    late = [
        row.received_at / 1e9 - SPLIT[1]
        for row in reader.load()
        if row.issuer != 2 and SPLIT[0] + 1 < row.issued_at / 1e9 < SPLIT[1] - 1
    ]
    reader.close()
    assert issuers == {0, 1, 2}
    assert late
    assert min(late) > -1.5  # nothing of the other side came through while they were apart
