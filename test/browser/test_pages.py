"""
The pages of ``collab-robots ledger web`` in Debian's Chromium.

What is done and what must be seen is in frontend/browser/scenarios.mjs. The environment variable
``COLLAB_SCREENSHOTS`` names a folder to write pictures of all pages to.
"""

from collections.abc import Iterator
from contextlib import contextmanager, ExitStack
import os
from pathlib import Path
import shutil
import subprocess
import sys

from book_team import add, fill, LIAR, tale, Team, writing
import pytest

from collab_robots.tangle.store import Store

ROOT = Path(__file__).resolve().parents[2]
FRONTEND = ROOT / 'frontend'
BUILD = ROOT / 'scripts' / 'build_frontend.py'
MARKUP = '<script>alert(1)</script><img src=x onerror=alert(2)>'
SCENARIOS = (
    *('light', 'dark', 'phone', 'search', 'time', 'dag', 'paging', 'questions', 'keyboard'),
    *('markup', 'errors', 'live'),
)

pytestmark = pytest.mark.timeout(1800)  # a loaded machine draws WebGL slowly


@pytest.fixture(scope='module')
def chromium() -> str:
    """Return Debian's Chromium; skip where the pages cannot be built or driven."""
    found = shutil.which('chromium')
    if found is None:
        pytest.skip('no chromium: apt-get install chromium')
    for program in ('node', 'npm'):
        if shutil.which(program) is None:
            pytest.skip(f'no {program}, which builds the pages and drives the browser')
    if not (FRONTEND / 'node_modules' / 'playwright-core').is_dir():
        command = ['npm', 'ci', '--silent', '--no-audit', '--no-fund']
        done = subprocess.run(command, cwd=FRONTEND, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f'npm cannot install what drives the browser: {done.stderr[-200:]}')
    done = subprocess.run([sys.executable, BUILD], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    return found


class Growing:
    """A ledger's file that its robot goes on writing."""

    def __init__(self, store: Store, team: Team) -> None:
        self._store, self._team = store, team
        self._known = {row.id for row in team.rows()}

    def grow(self) -> None:
        """Let the robots work on for a while."""
        self._team.run(2, range(LIAR))
        new = [row for row in self._team.rows() if row.id not in self._known]
        assert new
        self._known.update(row.id for row in new)
        add(self._store, new)


@contextmanager
def served(path: Path, cache: Path) -> Iterator[str]:
    """Serve a ledger as a person would, and give the address that the program prints."""
    command = [sys.executable, '-m', 'collab_robots.cli', 'ledger', 'web', str(path)]
    environment = {**os.environ, 'XDG_CACHE_HOME': str(cache), 'PYTHONPATH': str(ROOT)}
    with subprocess.Popen(
        [*command, '--port', '0'], stdout=subprocess.PIPE, text=True, env=environment
    ) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().split()[0]
        finally:
            server.terminate()


@pytest.fixture(scope='module')
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Growing, str]]:
    """Serve the ledger of a team that everything happened to."""
    folder = tmp_path_factory.mktemp('browser')
    team = tale.__wrapped__()
    team.post(MARKUP)
    team.run(3, range(LIAR))
    with ExitStack() as stack:
        store = stack.enter_context(writing(folder / 'ledger.db'))
        fill(store, team)
        yield Growing(store, team), stack.enter_context(served(folder / 'ledger.db', folder))


@pytest.mark.parametrize('scenario', SCENARIOS)
def test_pages(chromium: str, ledger: tuple[Growing, str], scenario: str) -> None:
    growing, url = ledger
    environment = {**os.environ, 'CHROMIUM': chromium}
    if folder := os.environ.get('COLLAB_SCREENSHOTS'):
        environment['SCREENSHOTS'] = str(Path(folder).resolve())
    with subprocess.Popen(
        ['node', 'browser/drive.mjs', scenario, url],
        cwd=FRONTEND,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as driver:
        assert driver.stdin is not None and driver.stdout is not None
        said = []
        for line in driver.stdout:
            if line == 'grow\n':
                growing.grow()
                driver.stdin.write('grown\n')
                driver.stdin.flush()
            else:
                said.append(line)
    print(''.join(said))
    assert driver.returncode == 0, ''.join(said)
