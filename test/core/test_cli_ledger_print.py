"""Answers in the terminal: whatever is in them, it neither controls nor colours nor bursts it."""

from enum import Enum
import io
import math
from types import UnionType
from typing import Any, get_args, get_origin, Union

from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
import pytest
from rich.cells import cell_len
from rich.console import Console

from collab_robots.explorer.book import answers
from collab_robots.explorer.terminal import (
    compare,
    print_blocks,
    print_diff,
    print_replay,
    print_robots,
    print_show,
    print_tasks,
    print_trust,
)
from collab_robots.explorer.terminal.print import safe, span, when

EVIL = '[red]\x1b[31m\x1b]0;title\x07\x9b2J\u202e\r\nend[/]'
PRINTERS = [
    (answers.Overview, print_show.overview),
    (answers.Split, lambda split: print_show.splits([split])),
    (answers.Found, print_show.found),
    (answers.Page[answers.Block], lambda page: print_blocks.block_page(page, None)),
    (answers.Page[answers.Block], lambda page: print_blocks.block_page(page, 'award')),
    (answers.BlockDetails, print_blocks.block_details),
    (answers.Dag, print_blocks.lanes),
    (answers.Robot, lambda robot: print_robots.robot_rows([robot])),
    (answers.RobotDetails, print_robots.robot_details),
    (answers.Page[answers.Task], print_tasks.task_page),
    (answers.TaskDetails, print_tasks.task_details),
    (answers.Trust, lambda trust: print_trust.trust(trust, sketches=True)),
    (answers.Models, print_trust.models),
    (print_replay.Replay, print_replay.replay),
    (compare.Difference, print_diff.difference),
]


def fill(kind: Any, text: str, full: bool) -> Any:
    """Return an answer with the text everywhere; otherwise full, or as empty as it can be."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return fill(arguments[0], text, full) if full else None
    if origin is tuple and arguments[-1] is not ...:
        return tuple(fill(part, text, full) for part in arguments)
    if origin is tuple:
        return (fill(arguments[0], text, full),) * 2 if full else ()
    if origin is dict:
        return {text: fill(arguments[1], text, full)} if full else {}
    if issubclass(kind, BaseModel):
        fields = kind.model_fields.items()
        return kind(**{name: fill(field.annotation, text, full) for name, field in fields})
    if issubclass(kind, Enum):
        return next(iter(kind))
    return text if kind is str else kind(full)


def printed(picture: Any) -> str:
    file = io.StringIO()
    Console(file=file, width=80, force_terminal=False).print(picture)
    return file.getvalue()


@pytest.mark.parametrize(('kind', 'printer'), PRINTERS)
@pytest.mark.parametrize('full', [True, False])
def test_nothing_in_an_answer_controls_the_terminal(kind: Any, printer: Any, full: bool) -> None:
    text = printed(printer(fill(kind, EVIL, full)))
    assert all(line.isprintable() for line in text.splitlines()), ascii(text)
    assert '\x1b' not in text and '\u202e' not in text
    folded = ''.join(text.split())
    if full and kind is not answers.Dag:
        assert '[red]' in folded and '\\x1b' in folded, 'it is shown, as it is'


@pytest.mark.parametrize(('kind', 'printer'), PRINTERS)
def test_everything_fits_80_columns(kind: Any, printer: Any) -> None:
    text = printed(printer(fill(kind, '0x' + '1234567890' * 6, True)))
    assert max(cell_len(line) for line in text.splitlines()) <= 80


@given(st.text())
def test_safe_text_is_printable_and_the_same_if_it_was(text: str) -> None:
    assert safe(text).isprintable()
    assert not text.isprintable() or safe(text) == text


@given(st.floats())
def test_every_time_has_words(time: float) -> None:
    assert when(time).isprintable()
    assert not 0 <= time < 1e8 or when(time).endswith(' s')
    assert span(time).isprintable()


def test_times_are_those_of_a_simulation_or_of_the_world() -> None:
    assert when(41.25) == '41.2 s'
    assert when(1_795_284_194.5) == '2026-11-21 18:03:14'
    assert when(math.inf) == 'inf s'


@pytest.mark.parametrize(
    ('seconds', 'words'),
    [(0.0, '0.0 s'), (119.94, '119.9 s'), (125.0, '2 min'), (3_600.0, '1 h 0 min')],
)
def test_how_long_something_took(seconds: float, words: str) -> None:
    assert span(seconds) == words


def test_colours_name_states_on_a_terminal_only() -> None:
    page = answers.Page[answers.Block](items=(), total=0)
    block = fill(answers.BlockDetails, 'x', True)
    file = io.StringIO()
    Console(file=file, width=80, force_terminal=True, color_system='standard').print(
        print_blocks.block_details(block)
    )
    assert '\x1b[33mpending' in file.getvalue()
    assert '\x1b' not in printed(print_blocks.block_page(page, None))
