"""Every launch file says what it takes, and refuses in words what it cannot do."""

from __future__ import annotations

from pathlib import Path
import re

from installed import install, launch, ROOT
import pytest

from collab_robots.bringup.tables import OPTIONS, ROBOT, SHARED, SIMULATOR
from collab_robots.explorer.fleets import make_fleet

pytest.importorskip('ros2launch', reason="ROS 2's launch is not installed")

FILES = sorted(path.name for path in (ROOT / 'launch').glob('*.launch.py'))
KNOWN = {
    'robot.launch.py': {*ROBOT, *OPTIONS},
    'fleet.launch.py': {*SHARED, *OPTIONS},
    'sim.launch.py': {*SHARED, *OPTIONS, *SIMULATOR} - {'frame_prefixes'},
}
ARGUMENT = re.compile(r"^    '(\w+)':\n((?:        .*\n)+)", re.MULTILINE)


@pytest.fixture(scope='module')
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return install(tmp_path_factory.mktemp('installed') / 'prefix')


@pytest.mark.parametrize('file', FILES)
def test_every_argument_is_described(file: str, env: dict[str, str], tmp_path: Path) -> None:
    shown = launch(env, tmp_path, file, '--show-args')
    assert (shown.returncode, shown.stderr) == (0, '')
    described = dict(ARGUMENT.findall(shown.stdout))
    assert len(described) == len(re.findall(r"^    '", shown.stdout, re.MULTILINE)) > 0
    assert KNOWN.get(file, set()) <= set(described)
    for name, text in described.items():
        assert 'no description given' not in text, name
        default = re.search(r"\(default: '(.*)'\)", text)
        if default is not None and default[1] in ('true', 'false'):
            assert 'Valid choices are' in text, name
    assert not list(tmp_path.iterdir()), 'nothing is written'


@pytest.mark.parametrize(
    ('words', 'told'),
    [
        ('robot.launch.py', "missing required argument 'name'"),
        ('robot.launch.py name:=robot9 fleet:=FLEET', "robot 'robot9' is not in fleet 'test'"),
        ('robot.launch.py name:=robot1 fleet:=none.yaml', 'none.yaml: cannot be read'),
        ('robot.launch.py name:=robot1 fleet:=FLEET namespace:=1a', "namespace '/1a': expected"),
        (
            'robot.launch.py name:=robot1 fleet:=FLEET params_file:=none.yaml',
            'none.yaml: there is no such parameter file',
        ),
        ('robot.launch.py name:=robot1 fleet:=FLEET slow:=0', "'slow': expected a number from 1"),
        ('robot.launch.py name:=robot1 fleet:=FLEET objective:=best', "'latency', 'energy'"),
        ('robot.launch.py name:=robot1 fleet:=FLEET key:=none', 'the key of robot1 is not here'),
        ('fleet.launch.py', 'which robots?'),
        ('fleet.launch.py robots:=robot1', "robots: cannot read 'robot1'"),
        ('sim.launch.py world:=moon', "no world 'moon' comes with the project"),
        ('sim.launch.py robots:=40', 'robots need'),
        ('sim.launch.py tf:=both', "'namespaced', 'prefixed'"),
    ],
)
def test_wrong_input_is_refused_in_words(
    words: str, told: str, env: dict[str, str], tmp_path: Path
) -> None:
    make_fleet(tmp_path / 'fleet', ('robot1', 'robot2'), name='test')
    refused = launch(env, tmp_path, *words.replace('FLEET', 'fleet/fleet.yaml').split())
    said = refused.stdout + refused.stderr
    assert refused.returncode == 1
    assert told in said and 'Traceback' not in said
    assert [path.name for path in tmp_path.iterdir()] == ['fleet'], 'nothing is written'
