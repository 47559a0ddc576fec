"""``ledger top`` on ledgers that grow, driven by its keys."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
import re
from typing import Any
from xml.etree import ElementTree

import pytest
from textual.pilot import Pilot
from textual.widgets import TabbedContent
from typer.testing import CliRunner

from benchmarks.explorer_ledger import make
from collab_robots.cli import app, BAD_INPUT
from collab_robots.core.errors import CollabError, StoreError
from collab_robots.core.fleet import Fleet
from collab_robots.explorer.book.open import open_reader
from collab_robots.explorer.book.reader import Filter, Reader, Told
from collab_robots.explorer.terminal.top import TABS, Top
from collab_robots.explorer.terminal.top_feed import LINES, Meter, Opener, SECONDS
from collab_robots.explorer.terminal.top_widgets import Details, Lines
from collab_robots.tangle.block_store import Row
from collab_robots.tangle.store import Store

pytestmark = pytest.mark.timeout(600)  # a loaded machine
BLOCKS = 2_500
SOME, BEGUN = 300, 180  # of a ledger that grows
LIAR = 'robot_03'
WIDTH, HEIGHT = 80, 24
FOLDER = '[red]ledgers[blink]'  # no markup


@pytest.fixture(scope='module')
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a ledger with a split, and a liar who is expelled near the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('XDG_CACHE_HOME', str(tmp_path_factory.mktemp('cache')))
        yield make(tmp_path_factory.mktemp('ledgers'), BLOCKS, told=lambda count: None)


class Growing:
    """A ledger that a robot is writing: the same, block by block."""

    def __init__(self, made: Path, folder: Path) -> None:
        folder.mkdir()
        self.path = folder / 'ledger.db'
        fleet = made.with_name('fleet.yaml')
        (folder / 'fleet.yaml').write_bytes(fleet.read_bytes())
        with closing(Store.read(made)) as store:
            self._rows: list[Row] = list(store.load())
        self.store = Store(self.path, Fleet.load(fleet), 'robot_00')
        self.grow(BEGUN)

    def grow(self, count: int) -> None:
        for row in self._rows[:count]:
            self.store.add(row)
        del self._rows[:count]
        self.store.commit()

    def open(self, told: Told) -> AbstractContextManager[Reader]:
        return open_reader(self.path, told=told)


@pytest.fixture
def growing(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Growing]:
    monkeypatch.chdir(tmp_path)
    ledger = Growing(made, Path(FOLDER))
    with closing(ledger.store):
        yield ledger


def show(opener: Opener, look: Callable[[Pilot], Awaitable[None]]) -> CollabError | None:
    """Run the screen without a terminal, look at it, and quit; return what it ends with."""

    async def main() -> CollabError | None:
        top = Top(opener, period=0.05)
        async with top.run_test(size=(WIDTH, HEIGHT)) as pilot:
            await look(pilot)
            await pilot.press('q')
        return top.return_value

    return asyncio.run(main())


async def until(pilot: Pilot, condition: Callable[[], bool]) -> None:
    while not condition():
        await pilot.pause(0.05)


async def begin(pilot: Pilot) -> None:
    await until(pilot, lambda: 'blocks' in screen(pilot)[0])


def screen(pilot: Pilot) -> list[str]:
    """Return the lines that a person sees."""
    found = [''] * HEIGHT
    picture = ElementTree.fromstring(pilot.app.export_screenshot())
    for mark in picture.iter('{http://www.w3.org/2000/svg}text'):
        line = re.search(r'line-(\d+)', mark.get('clip-path', ''))
        if line:
            found[int(line[1])] += (mark.text or '').replace('\xa0', ' ')
    return found


def sees(pilot: Pilot, words: str) -> bool:
    return any(words in line for line in screen(pilot))


def rows(pilot: Pilot) -> list[list[str]]:
    """Return the cells of the list on the present tab."""
    lines = pilot.app.query_one(f'#{tab(pilot)}-lines', Lines)
    return [[cell.plain for cell in lines.get_row_at(at)] for at in range(lines.row_count)]


def tab(pilot: Pilot) -> str:
    return pilot.app.query_one(TabbedContent).active


def head(pilot: Pilot) -> int:
    """Return how many blocks the first line tells of."""
    found = re.search(r'(\d+) blocks', screen(pilot)[0])
    assert found
    return int(found[1])


def test_every_tab_shows_what_the_ledger_says(made: Path) -> None:
    async def look(pilot: Pilot) -> None:
        await begin(pilot)
        assert f'not trusted: {LIAR}' in screen(pilot)[1]
        assert [row[0] for row in rows(pilot)] == list(about.robots)
        assert [int(row[4]) for row in rows(pilot)] == [robot.blocks for robot in robots]
        await pilot.press('2')
        assert [row[3] for row in rows(pilot)] == [block.id[:12] for block in blocks]
        for row, block in zip(rows(pilot), blocks, strict=True):
            lane = row[1][2 * about.robots.index(block.robot)]
            assert lane == {'final': '●', 'accepted': '◐', 'pending': '○'}[block.state.value]
            assert row[1].count('│') == len(about.robots) - 1
        await pilot.press('3')
        assert [row[0] for row in rows(pilot)] == [task.words for task in tasks]
        await pilot.press('4')
        assert [row[1] for row in rows(pilot)] == ['active'] * 3 + ['expelled']
        await pilot.press('5')
        await until(pilot, lambda: sees(pilot, 'records a second'))
        assert sees(pilot, f'{late / SECONDS:.1f} on average of {SECONDS} s')
        for name, count in list(about.calls.items())[:3]:
            assert any(re.search(rf'{name} +{count}', line) for line in screen(pilot))
        assert '…' not in screen(pilot)[0], 'the first line is there as a whole'

    with open_reader(made) as reader:
        about, robots = reader.overview(), reader.robots()
        blocks, tasks = reader.blocks(limit=LINES).items, reader.tasks(limit=LINES).items
        late = reader.blocks(Filter(since=int(about.last) - SECONDS + 1), limit=1).total
    assert show(lambda told: open_reader(made, told=told), look) is None


def test_what_comes_in_is_shown(growing: Growing) -> None:
    async def look(pilot: Pilot) -> None:
        await begin(pilot)
        assert head(pilot) == BEGUN
        assert FOLDER in screen(pilot)[1], 'as it is written'
        await pilot.press('2', 'down', 'down')
        lines = pilot.app.query_one('#dag-lines', Lines)
        chosen = rows(pilot)[2]
        growing.grow(5)
        await until(pilot, lambda: head(pilot) == BEGUN + 5)
        await until(pilot, lambda: rows(pilot)[7][3] == chosen[3])
        assert lines.cursor_row == 7, 'the cursor stays on its line'
        await pilot.press('home')
        newest = rows(pilot)[0]
        growing.grow(1)
        await until(pilot, lambda: rows(pilot)[0] != newest)
        assert lines.cursor_row == 0, 'it stays on the newest'

    show(growing.open, look)


def test_a_pause_stops_everything_but_the_count(growing: Growing) -> None:
    async def look(pilot: Pilot) -> None:
        await begin(pilot)
        for key, name in enumerate(TABS, 1):
            await pilot.press(str(key))
            await until(pilot, lambda name=name: tab(pilot) == name)
            await pilot.press('p')
            await until(pilot, lambda: sees(pilot, 'PAUSED, 0 blocks waiting'))
            before, known = screen(pilot), head(pilot)
            growing.grow(20)
            await until(pilot, lambda: sees(pilot, 'PAUSED, 20 blocks waiting'))
            changed = [a for a, b in zip(before, screen(pilot), strict=True) if a != b]
            assert len(changed) == 1 and 'PAUSED' in changed[0]
            await pilot.press('p')
            await until(pilot, lambda known=known: head(pilot) == known + 20)
            assert not sees(pilot, 'PAUSED')

    show(growing.open, look)


def test_a_filter_leaves_what_has_its_words(made: Path) -> None:
    async def look(pilot: Pilot) -> None:
        await begin(pilot)
        await pilot.press('2')
        every = rows(pilot)
        await pilot.press('slash', *'ROBOT_01', 'enter')
        assert rows(pilot) == [row for row in every if 'robot_01' in ' '.join(row)] != []
        assert sees(pilot, "only lines with 'ROBOT_01'")
        await pilot.press('1')
        assert [row[0] for row in rows(pilot) if row[0] != 'robot_01'] == [
            row[0] for row in rows(pilot) if 'robot_01' in row[3]
        ]
        await pilot.press('escape', '2')
        assert rows(pilot) == every
        await pilot.press('slash', *'p1q?', 'enter')  # are letters here, no commands
        assert tab(pilot) == 'dag' and rows(pilot) == []
        await pilot.press('enter', 'escape')
        assert rows(pilot) == every and not isinstance(pilot.app.screen, Details)

    show(lambda told: open_reader(made, told=told), look)


@pytest.mark.parametrize(
    ('key', 'words'),
    [
        ('1', 'has not heard'),
        ('2', 'number .* of the final order'),
        ('3', 'why it has it or does not'),
        ('4', 'Against robot_03 in region'),
    ],
)
def test_enter_tells_all_about_a_line(made: Path, key: str, words: str) -> None:
    async def look(pilot: Pilot) -> None:
        await begin(pilot)
        await pilot.press(key, *['down'] * 3, 'enter')
        await until(pilot, lambda: bool(re.search(words, '\n'.join(screen(pilot)))))
        await pilot.press('escape')
        assert tab(pilot) == TABS[int(key) - 1]
        assert not isinstance(pilot.app.screen, Details)

    show(lambda told: open_reader(made, told=told), look)


def test_the_ledger_is_followed_below_the_details(growing: Growing) -> None:
    async def look(pilot: Pilot) -> None:
        await begin(pilot)
        await pilot.press('enter')
        await until(pilot, lambda: isinstance(pilot.app.screen, Details))
        growing.grow(10)
        await until(pilot, lambda: f'{BEGUN + 10} blocks' in screen(pilot)[0])
        await pilot.press('escape')
        assert head(pilot) == BEGUN + 10

    show(growing.open, look)


def test_help_names_the_keys(made: Path) -> None:
    async def look(pilot: Pilot) -> None:
        await begin(pilot)
        await pilot.press('question_mark')
        assert sees(pilot, 'nothing changes until p again') and sees(pilot, 'records a second')
        await pilot.press('escape')
        assert not sees(pilot, 'nothing changes')

    show(lambda told: open_reader(made, told=told), look)


class Failing:
    """A reader of a disk that fails while ``broken``."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.broken = False

    def __getattr__(self, question: str) -> Any:
        if self.broken:
            raise StoreError('the disk is gone')
        return getattr(self._reader, question)


def test_trouble_is_told_and_the_ledger_looked_at_again(growing: Growing) -> None:
    opened: list[Failing] = []

    @contextmanager
    def failing(told: Told) -> Iterator[Any]:
        with growing.open(told) as reader:
            opened.append(Failing(reader))
            yield opened[0]

    async def look(pilot: Pilot) -> None:
        await begin(pilot)
        opened[0].broken = True
        await until(pilot, lambda: sees(pilot, 'the disk is gone; trying again'))
        assert head(pilot) == BEGUN, 'what was known is still there'
        await pilot.press('enter')
        await until(pilot, lambda: isinstance(pilot.app.screen, Details))
        assert sees(pilot, 'the disk is gone')
        await pilot.press('escape')
        opened[0].broken = False
        growing.grow(3)
        await until(pilot, lambda: head(pilot) == BEGUN + 3)
        assert not sees(pilot, 'trying again')

    show(failing, look)


def test_a_ledger_that_cannot_be_opened_ends_it(tmp_path: Path) -> None:
    async def look(pilot: Pilot) -> None:
        await until(pilot, lambda: not pilot.app.is_running or pilot.app.return_value is not None)

    missing = tmp_path / 'ledger.db'
    trouble = show(lambda told: open_reader(missing, told=told), look)
    assert isinstance(trouble, StoreError) and str(missing) in str(trouble)


def test_it_ends_while_it_still_reads() -> None:
    @contextmanager
    def endless(told: Told) -> Iterator[Reader]:
        while True:
            told('reading blocks', 1, 2)
        yield  # never

    async def look(pilot: Pilot) -> None:
        await until(pilot, lambda: sees(pilot, 'reading blocks: 50 %'))

    assert show(endless, look) is None


def test_rates_are_of_the_last_minute(made: Path) -> None:
    with open_reader(made) as reader:
        blocks = reader.blocks(limit=500).items
    whole, halves = Meter(), Meter()
    whole.take(blocks)
    halves.take(blocks[250:])
    halves.take(blocks[:250])
    assert halves.rates() == whole.rates()
    records, bytes_ = whole.rates()
    last = max(int(block.received) for block in blocks)
    late = [block for block in blocks if block.received >= last - SECONDS + 1]
    assert len(records) == len(bytes_) == SECONDS
    assert sum(records) == len(late) and sum(bytes_) == sum(block.size for block in late)
    assert records[-1] == sum(int(block.received) == last for block in blocks) > 0


def test_it_needs_a_terminal(made: Path) -> None:
    told = CliRunner().invoke(app, ['ledger', 'top', str(made)])
    assert told.exit_code == BAD_INPUT and 'needs a terminal' in told.output
