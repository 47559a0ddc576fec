"""What ``ledger top`` shows, line by line: all of it text that nothing interprets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from rich.console import RenderableType
from rich.text import Text

from collab_robots.core.errors import ConfigError
from collab_robots.explorer.book.answers import Block, Robot
from collab_robots.explorer.book.reader import Reader
from collab_robots.explorer.terminal import print_blocks, print_robots, print_tasks, print_trust
from collab_robots.explorer.terminal.print import plain, short, span, state, STYLES, when
from collab_robots.explorer.terminal.top_feed import Look

MARKS = {'pending': '○', 'accepted': '◐', 'final': '●'}


class Line(NamedTuple):
    """
    A line of a list.

    :param key: id of the block or task, name of the robot.
    """

    key: str
    cells: tuple[Text, ...]

    def has(self, words: str) -> bool:
        """Tell whether it holds these words, in small or capital letters."""
        return words.lower() in ' '.join((self.key, *(cell.plain for cell in self.cells))).lower()


class Listing(NamedTuple):
    """
    A list on a tab.

    :param details: tells all about a line, by its key.
    """

    columns: tuple[str, ...]
    lines: Callable[[Look], Iterator[Line]]
    details: Callable[[Reader, str], RenderableType]


def headline(look: Look) -> Text:
    """Return a ledger at a glance, on two lines."""
    about = look.overview
    said = Text().append_text(plain(f'{about.robot} of {about.fleet}', 'bold'))
    said.append_text(plain(f'  epoch {about.epoch}  {about.blocks} blocks'))
    counts = {'final': about.final, 'accepted': about.accepted, 'pending': about.pending}
    for name, count in counts.items():
        said.append('  ').append_text(_mark(name)).append(f' {count}')
    said.append(f'  lag {span(about.final_lag)}\n{when(about.last)}  ')
    bad = ', '.join(dict.fromkeys((*about.convicted, *about.equivocators)))
    if bad:
        said.append_text(plain(f'not trusted: {bad}  ', 'red'))
    if about.warning:
        return said.append_text(plain(about.warning, 'bold red'))
    return said.append_text(plain(about.source, 'dim'))


def _mark(name: str) -> Text:
    """Return the sign of a block's state."""
    return Text(MARKS[name], STYLES[name])


def _number(number: float, digits: int = 0) -> Text:
    return Text(f'{number:.{digits}f}', justify='right')


def _robots(look: Look) -> Iterator[Line]:
    for robot in look.robots:
        cells = (
            plain(robot.name),
            state(robot.standing),
            Text(span(robot.silent), justify='right'),
            _behind(robot),
            _number(robot.blocks),
            _number(robot.final),
            _number(robot.rate, 1),
            _number(robot.tasks_done),
            _number(len(robot.holds)),
        )
        yield Line(robot.name, cells)


def _behind(robot: Robot) -> Text:
    """Return whom a robot has not heard for the longest time."""
    name, gap = max(robot.behind.items(), key=lambda pair: pair[1], default=('', 0.0))
    return plain(f'{name} {span(gap)}' if gap > 0 else '-')


def _blocks(look: Look) -> Iterator[Line]:
    names = look.overview.robots
    for block in look.blocks:
        cells = (
            plain(when(block.issued)),
            _lanes(block, names),
            plain(f'{block.robot} {block.seq}' if block.robot else 'unsigned'),
            plain(short(block.id)),
            _calls(block),
        )
        yield Line(block.id, cells)


def _lanes(block: Block, robots: Sequence[str]) -> Text:
    """Return a block in the lane of its robot."""
    lanes = Text()
    for name in robots:
        if name == block.robot:
            lanes.append_text(_mark(block.state.value))
        else:
            lanes.append('│', 'dim')
        lanes.append(' ')
    return lanes


def _calls(block: Block) -> Text:
    if not block.calls:
        return plain('heartbeat' if block.robot else 'data', 'dim')
    bad = [call for call in block.calls if not call.ok]
    first = (bad or block.calls)[0]
    words = f'✗ {first.words}: {first.reason}' if bad else first.words
    more = f'  and {len(block.calls) - 1} more' if len(block.calls) > 1 else ''
    return plain(words, 'red' if bad else '').append(more, 'dim')


def _tasks(look: Look) -> Iterator[Line]:
    for task in look.tasks:
        cells = (
            plain(task.words),
            state(task.state),
            plain(task.holder or '-'),
            _number(len(task.bids)),
            plain(when(task.proposed)),
            plain(task.why, 'dim'),
        )
        yield Line(task.id, cells)


def _trust(look: Look) -> Iterator[Line]:
    for verdict in look.trust.verdicts:
        bad = verdict.convicted or verdict.equivocated
        cells = (
            plain(verdict.robot),
            state(verdict.standing),
            _number(len(verdict.evidence)),
            plain(verdict.words, 'red' if bad else ''),
        )
        yield Line(verdict.robot, cells)


def _verdict(reader: Reader, robot: str) -> RenderableType:
    told = reader.trust()
    verdicts = tuple(verdict for verdict in told.verdicts if verdict.robot == robot)
    if not verdicts:
        raise ConfigError(f'{robot} is not in the fleet any more')
    return print_trust.trust(told.model_copy(update={'verdicts': verdicts}), sketches=True)


LISTINGS = {
    'robots': Listing(
        (
            'robot',
            'standing',
            'silent',
            'has not heard',
            'blocks',
            'final',
            'a s',
            'done',
            'holds',
        ),
        _robots,
        lambda reader, name: print_robots.robot_details(reader.robot(name)),
    ),
    'dag': Listing(
        ('time', 'lanes', 'record', 'block', 'calls'),
        _blocks,
        lambda reader, identity: print_blocks.block_details(reader.block(identity)),
    ),
    'tasks': Listing(
        ('task', 'state', 'holder', 'bids', 'proposed', 'why'),
        _tasks,
        lambda reader, identity: print_tasks.task_details(reader.task(identity)),
    ),
    'trust': Listing(('robot', 'standing', 'regions', 'verdict'), _trust, _verdict),
}
