"""The verdict and the report of a run, from invented senses and real ledger files."""

from copy import copy
import json
from pathlib import Path
import re

from fabricated import fabricate
import numpy as np
from PIL import Image
import pytest
from rich.console import Console
import yaml

from collab_robots.core.geometry import Grid
from collab_robots.explorer.inferences import plan_rows
from collab_robots.explorer.live import picture, PlainScreen
from collab_robots.explorer.plots import Line, line_chart, sampled, steps, thin, ticks
from collab_robots.explorer.report import finish, print_verdict
from collab_robots.explorer.run import Kill, Run


def verdicts(summary: dict) -> dict[str, dict]:
    return {check['name']: check for check in summary['checks']}


@pytest.fixture(scope='module')
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, dict]:
    run = fabricate(tmp_path_factory.mktemp('run') / 'it')
    return run, finish(run)


def test_a_good_run_passes_what_it_did_well(finished: tuple[Run, dict]) -> None:
    checks = verdicts(finished[1])
    assert len(checks) == 14
    bad = [name for name, check in checks.items() if check['ok'] is False]
    assert bad == ['posters seen within 4 m and named rightly']  # all are called cats
    assert checks['seconds from heal to equal sets']['value'] == pytest.approx(1.4, abs=1e-6)
    assert checks['blocks lost']['figure'] == '0 of 472'
    assert checks['contract state roots']['figure'] == '1 among 4 robots'


def test_the_page_needs_nothing_from_elsewhere(finished: tuple[Run, dict]) -> None:
    page = (finished[0].directory / 'report.html').read_text()
    resources = re.findall(r'(?:src|href)\s*=\s*"([^"]*)"|url\(([^)]*)\)|@import\s+(\S+)', page)
    links = {found for groups in resources for found in groups if found}
    outside = {link for link in links if not link.startswith('data:')}
    assert all((finished[0].directory / link).is_file() for link in outside), outside
    assert 'http://' not in page and 'https://' not in page and '<script' not in page
    for heading in ('Map beside truth', 'Coverage', 'Tasks', 'Sightings', 'Inference', 'Traffic'):
        assert f'<h2>{heading}</h2>' in page
    assert page.count('class="split"') == 6 and page.count('data:image/jpeg') == 10
    assert 'Undefined' not in page and '{{' not in page and 'nan' not in page.lower().split()


def test_the_map_is_what_map_server_reads(finished: tuple[Run, dict]) -> None:
    run, _ = finished
    described = yaml.safe_load((run.directory / 'map.yaml').read_text())
    assert described['mode'] == 'trinary' and described['resolution'] == 0.05
    assert described['origin'] == [0.0, 0.0, 0.0] and described['image'] == 'map.pgm'
    with Image.open(run.directory / 'map.pgm') as file:
        pixels = np.asarray(file)
    grid = run.timeline.maps['robot1']
    assert pixels.shape == grid.data.shape
    assert (run.directory / 'map.pgm').read_bytes().startswith(b'P5')
    assert pixels[-1 - 2, 10] == {100: 0, 0: 254, -1: 205}[int(grid.data[2, 10])]
    assert set(np.unique(pixels)) == {0, 205, 254}
    assert not list(run.directory.glob('*/ledger.db-*')), 'each ledger is one file'
    assert (run.directory / 'map.png').read_bytes().startswith(b'\x89PNG')


def test_the_summary_says_how_it_was_made(finished: tuple[Run, dict]) -> None:
    run, summary = finished
    assert json.loads((run.directory / 'summary.json').read_text()) == json.loads(
        json.dumps(summary)
    )
    assert summary['arguments']['split'] == (40.0, 80.0) and summary['host']['cores'] >= 1
    assert {'numpy', 'mujoco', 'collab_robots'} <= set(summary['versions'])


def test_how_pictures_were_named_is_told(finished: tuple[Run, dict]) -> None:
    run, summary = finished
    lines = (run.directory / 'inference.jsonl').read_text().splitlines()
    assert len(lines) == 4 * 118
    assert json.loads(lines[9 * 4]) == {
        **run.timeline.answers[9 * 4]._asdict(),
        'events': ['robot2: timeout'],
    }
    slow = summary['inference']['robot1']
    assert (slow['answers'], slow['helped'], slow['median_seconds']) == (118, 107, 0.031)
    assert slow['plans'] == {'split@9/4b': 118} and slow['events'] == {'robot2: timeout': 11}
    assert summary['inference']['robot2']['early'] == 59
    rows = plan_rows(run.timeline)
    assert [(row['robot'], row['helper'], row['count']) for row in rows[:3]] == [
        ('robot1', '', 11),
        ('robot1', 'robot2', 107),
        ('robot2', '', 59),
    ]
    page = (run.directory / 'report.html').read_text()
    assert page.count('<code>split@9/4b</code>') == 2 + 10
    assert page.count('robot2: timeout') == 1


def test_all_probes_beside_a_plan_are_one_row(finished: tuple[Run, dict]) -> None:
    timeline = copy(finished[0].timeline)
    first = timeline.answers[0]
    probed = [first._replace(plan=f'local, probe split@{cut}/2b') for cut in (15, 24)]
    timeline.answers = [first._replace(plan='local'), *probed]
    assert [(row['plan'], row['count']) for row in plan_rows(timeline)] == [
        ('local', 1),
        ('local, probe', 2),
    ]


def test_a_bad_run_fails_each_check_by_itself(tmp_path: Path) -> None:
    run = fabricate(tmp_path / 'run')
    half = run.timeline.maps['robot3'].data.copy()
    half[:, :120] = -1
    half[60:70, 170:180] = 100
    run.timeline.maps['robot3'] = Grid(half, 0.05, (0.0, 0.0))
    (run.folder('robot2') / 'ledger.db').unlink()
    run.effort = run.effort.__class__(0.5, 1.0, 4 << 30)
    run.began -= 60.0
    checks = verdicts(finish(run))
    for name in (
        'free space covered',
        'true walls found',
        'blocks lost',
        'contract state roots',
        'wall time',
        'real-time factor',
        'memory of all processes',
    ):
        assert checks[name]['ok'] is False, name
    assert 'robot3' in checks['free space covered']['figure']


def test_a_run_that_saw_nothing_still_has_a_report(tmp_path: Path) -> None:
    run = fabricate(tmp_path / 'run', robots=2)
    for robot in run.names:
        for file in run.folder(robot).iterdir():
            file.unlink()
    run.timeline = run.timeline.__class__(run.names, run.timeline.split)
    run.ended, run.code = 'sim ended by itself with code 1', 1
    summary = finish(run)
    checks = verdicts(summary)
    assert not summary['passed'] and checks['the run went through']['ok'] is False
    assert checks['free space covered']['figure'] == 'no map from robot1, robot2'
    assert checks['tasks done during the split']['ok'] is False
    assert 'No robot published a map' in (run.directory / 'report.html').read_text()


def test_what_does_not_apply_says_so(tmp_path: Path) -> None:
    run = fabricate(tmp_path / 'run', robots=1)
    run.options = run.options.__class__(**{**vars(run.options), 'cameras': False})
    summary = finish(run)
    checks = verdicts(summary)
    assert checks['tasks done during the split']['limit'] == 'no split in this run'
    assert checks['posters seen within 4 m and named rightly']['limit'] == 'no cameras in this run'
    assert summary['passed']


def test_a_robot_that_was_killed_for_good_is_not_asked(tmp_path: Path) -> None:
    run = fabricate(tmp_path / 'run')
    run.options = run.options.__class__(
        **{**vars(run.options), 'kills': (Kill('robot4', 60.0, None),)}
    )
    run.timeline.killed['robot4'] = [60.0]
    del run.timeline.maps['robot4']
    (run.folder('robot4') / 'ledger.db').unlink()
    checks = verdicts(finish(run))
    assert checks['contract state roots']['figure'] == '1 among 3 robots'
    assert checks['blocks lost']['ok'] and checks['free space covered']['ok']


def test_eight_robots_may_be_slower_than_time(tmp_path: Path) -> None:
    run = fabricate(tmp_path / 'run', robots=8, sightings=False)
    run.effort = run.effort.__class__(0.4, 1.0, 1 << 30)
    run.began -= 260.0
    checks = verdicts(finish(run))
    assert checks['wall time']['ok'] is None and checks['real-time factor']['ok'] is None
    assert 'not enforced' in checks['wall time']['limit']


def test_the_verdict_is_printed(finished: tuple[Run, dict]) -> None:
    console = Console(width=160, record=True, quiet=False, file=open('/dev/null', 'w'))
    with console.file:
        print_verdict(*finished, console)
    text = console.export_text()
    assert 'FAILED' in text and 'everything was done' in text and 'report.html' in text


def test_the_live_view_tells_who_hears_whom(finished: tuple[Run, dict]) -> None:
    timeline = finished[0].timeline
    timeline.radio, everything = timeline.radio[:60], timeline.radio
    timeline.now, now = 59.0, timeline.now
    try:
        console = Console(width=140, color_system=None)
        with console.capture() as captured:
            console.print(picture(timeline, 120.0))
            PlainScreen(console).update(timeline)
    finally:
        timeline.radio, timeline.now = everything, now
    text = captured.get()
    assert 'SPLIT for another 21 s: robot1, robot2 | robot3, robot4' in text
    assert text.count('○') == 8 and text.count('●') == 4
    assert '59.0 s  covered' in text and 'blocks 480/480/480/480' in text


@pytest.mark.parametrize(
    ('top', 'last'), [(0.0, 1.0), (1.0, 1.0), (7.0, 8.0), (95.0, 100.0), (0.003, 0.003)]
)
def test_axes_end_at_round_numbers(top: float, last: float) -> None:
    marks = ticks(top)
    assert marks[0] == 0.0 and marks[-1] == pytest.approx(last) and len(marks) <= 6


def test_curves_keep_their_ends() -> None:
    points = [(float(t), float(t)) for t in range(10_000)]
    assert len(thin(points)) <= 502 and thin(points)[-1] == points[-1]
    assert thin([]) == []
    curve = steps([3.0, 1.0], 10.0)
    assert curve == [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (3.0, 1.0), (3.0, 2.0), (10.0, 2.0)]
    assert sampled(curve, 2.0, 4.0) == [(0.0, 0.0), (2.0, 1.0), (4.0, 2.0)]


def test_names_cannot_break_the_page() -> None:
    svg = line_chart('<x>', [Line('<b>', 'r0', [(0.0, 1.0)])], 1.0, None)
    assert '<b>' not in svg and '&lt;b&gt;' in svg
