"""Each benchmark runs at its smallest size, and writes a file that a program can read."""

import json
from pathlib import Path
import subprocess
import sys

import pytest

from benchmarks.report import Report, spread, words
from benchmarks.sampling import Sampler
from benchmarks.split import Case
from collab_robots.contract.artifact import suite
from collab_robots.contract.deployment import EPOCH_GAS
from collab_robots.contract.evm import GAS_LIMIT

ROOT = Path(__file__).resolve().parents[2]


def run(name, out, *options):
    """Run a benchmark in small; return what it printed and wrote."""
    command = [sys.executable, '-m', f'benchmarks.{name}', '--quick', '--out', out, *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(out.read_text())


def test_split(tmp_path):
    printed, written = run('split', tmp_path / 'split.json')
    assert 'our own models' in printed
    rows = written['figures']['split']
    assert {(row['first'], row['protocol']) for row in rows if row['protocol'] == 'ledger'} == {
        (2, 'ledger'),
        (3, 'ledger'),
    }
    for row in rows:
        assert 0 <= row['kept'] <= 1
        if row['protocol'] == 'ledger':
            assert row['kept'] == 1
            assert row['withdrawn'] == 0
            assert row['exchanged'] <= 1.5 * row['least']
        if row['protocol'].endswith('dropped'):
            assert row['lost'] == row['total'] - round(row['kept'] * row['total'])
    assert written['options']['seeds'] == [1]
    assert written['machine']['cores'] >= 1
    assert written['date'] < '3'


def test_contract(tmp_path):
    pytest.importorskip('pyrevm', reason='has wheels for x86-64 only')
    _, written = run('contract', tmp_path / 'contract.json', '--calls', '100', '--sequences', '3')
    figures = written['figures']
    assert {name.partition(',')[0] for name in figures['calls']} == set(suite().call_by_name)
    for name, cost in figures['calls'].items():
        limit = EPOCH_GAS if name.startswith('closeEpoch') else GAS_LIMIT
        assert cost['gas_warm'] <= cost['gas_cold'] < 0.7 * limit
    assert all(cost['ms_pyrevm'] < cost['ms_pyevm'] for cost in figures['burn'].values())
    assert set(figures['replay']) == {'PyrevmEvm', 'PyEvm'}
    assert figures['equal']['sequences'] == 3 and figures['equal']['unlike'] == 0


def test_ledger(tmp_path):
    parts = ('pipeline', 'latency', 'throughput', 'traffic', 'week')
    options = [option for part in parts for option in ('--part', part)]
    printed, written = run('ledger', tmp_path / 'ledger.json', *options)
    figures = written['figures']
    assert set(figures) == {'delays', 'ms', *parts} - {'latency'}
    assert figures['pipeline']['records_per_s'] > 0
    assert figures['pipeline']['reverted'] == 0
    assert sum(figures['pipeline']['shares'].values()) == pytest.approx(1)
    for row in figures['delays']:
        for load in ('quiet', 'steady'):
            assert row[load]['accepted']['median'] >= 2  # nobody can hear an answer sooner
            assert row[load]['final']['median'] >= 3
            assert row[load]['not_final'] == 0
    assert figures['throughput'][0]['final_per_s'] > 30
    assert figures['traffic'][0]['idle']['records_per_s'] == 0
    assert figures['week']['curve'][-1]['final'] > 300
    assert figures['week']['refused'] == {}
    assert 'records/s' in printed


def test_the_schedule_is_the_same_for_all_and_follows_the_seed():
    case = Case(robots=4, first=2, cut=10.0, rate=1.0, seed=3)
    assert case.schedule() == case.schedule()
    assert case.schedule() != Case(4, 2, 10.0, 1.0, seed=4).schedule()
    assert len({call for _, _, call in case.schedule()}) == len(case.schedule())
    assert {robot for _, robot, _ in case.schedule()} == {0, 1, 2, 3}


def test_spread():
    assert spread([3.0, 1.0, 2.0]) == {'count': 3, 'median': 2.0, 'p95': 3.0, 'max': 3.0}
    assert spread([])['median'] is None
    assert spread(list(range(100)))['p95'] == 95


def test_words():
    assert [words(value) for value in (None, 1234.5, 0.12345, 1234567, 'x')] == [
        '–',
        '1,234',
        '0.123',
        '1,234,567',
        'x',
    ]


def test_sampler_gives_time_to_who_spent_it():
    def busy(times):
        for _ in range(times):
            sum(range(2_000))

    def idle():
        busy(1_500)

    def work():
        busy(6_000)

    sampler = Sampler({('test_benchmarks.py', 'work'): 'work'})
    with sampler.watch():
        work()
        idle()
    assert 0.5 < sampler.shares()['work'] < 0.98


def test_report_holds_what_it_was_given(tmp_path):
    report = Report('name', {'seed': 7})
    report.table('part', 'title', ('what', 'figure'), [['a', 1.0]], {'a': 1.0})
    path = report.write(tmp_path / 'deep' / 'file.json')
    written = json.loads(path.read_text())
    assert written['figures'] == {'part': {'a': 1.0}}
    assert written['options'] == {'seed': 7}
    assert written['versions']['cbor2']
