"""Two whole robots, one of them without what has no aarch64 wheel or what it can do without."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
import platform
import runpy
import sys

from probe import Probe
import pytest
from test_up import speak

from collab_robots.bringup.processes import robot
from collab_robots.contract.calls import fleet as calls
from collab_robots.contract.calls.fleet import Capability
from collab_robots.explorer.fleets import make_fleet
from collab_robots.explorer.processes import Children, environment

DOMAIN = 180
START = 60.0  # s until whole robots are up, on a busy machine
WITHOUT = Path(__file__).resolve().parents[1] / 'core' / 'without.py'
_LISTS = runpy.run_path(str(WITHOUT))
HIDDEN = (*_LISTS['X86_ONLY'], *_LISTS['NO_ROBOT'])


@pytest.mark.skipif(platform.machine() != 'x86_64', reason='has no library to hide')
@pytest.mark.timeout(300)
def test_they_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    fleet = make_fleet(tmp_path, ('robot1', 'robot2'), name='test')
    children = Children(environment(DOMAIN))

    def check() -> None:
        for child in children.failed():
            raise AssertionError(f'{child.name} ended: {child.tail()}')

    with closing(Probe(DOMAIN, check)) as probe:
        try:
            for member in fleet.robots:
                _, _, *command = robot(member.name, tmp_path / 'fleet.yaml').command
                hidden = HIDDEN if member.name == 'robot2' else ('none',)
                command = [sys.executable, str(WITHOUT), ','.join(hidden), *command]
                children.start(member.name, command, tmp_path / f'{member.name}.log')
                probe.hear(member.name)
            probe.wait(lambda: len(probe.statuses) == 2, START)
            for name in ('robot1', 'robot2'):
                speak(probe, name, calls.set_capabilities(Capability.LIDAR))

            def agreed() -> bool:
                one, two = probe.statuses['robot1'], probe.statuses['robot2']
                roots = {bytes(status.final_root) for status in probe.statuses.values()}
                return one.final == two.final >= 2 and len(roots) == 1

            probe.wait(agreed, START)
            assert any(probe.statuses['robot2'].final_root)
            assert not any(status.alarm for status in probe.statuses.values())
        finally:
            assert not children.stop(START)
