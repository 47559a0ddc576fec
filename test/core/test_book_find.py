"""Searching a ledger for whatever somebody types, and tasks by their words."""

from __future__ import annotations

from collections.abc import Iterator

from book_team import NAMES, pages, reading, tale, WORDS
from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

from collab_robots.core.errors import ConfigError
from collab_robots.explorer.book.answers import Hit, Task
from collab_robots.explorer.book.book import Book
from collab_robots.explorer.book.reader import Filter, MAX_QUERY


@pytest.fixture(scope='module')
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    with reading(tale().write(tmp_path_factory.mktemp('robot'))) as made:
        yield made


def hits(book: Book, query: str) -> list[Hit]:
    return list(pages(lambda page: book.find(query, page, 50).hits))


def tasks(book: Book) -> list[Task]:
    return list(pages(lambda page: book.tasks(page=page, limit=50)))


def test_a_block_by_its_id(book: Book) -> None:
    for block in book.blocks(limit=20).items:
        for query in (block.id, block.id[2:], f'  {block.id[:12]} '):
            assert [hit.id for hit in hits(book, query) if hit.kind == 'block'] == [block.id]


def test_a_robot(book: Book) -> None:
    assert [one.id for one in hits(book, 'ROBOT_02') if one.kind == 'robot'] == [NAMES[2]]
    assert len([one for one in hits(book, 'robot') if one.kind == 'robot']) == len(NAMES)


def test_words_of_calls(book: Book) -> None:
    found = [hit for hit in hits(book, 'bid') if hit.kind == 'call']
    assert {hit.id for hit in found} >= {
        block.id for block in pages(lambda page: book.blocks(Filter(kind='bid'), page, 100))
    }
    assert all('bid' in hit.words for hit in found)
    reverted = next(pages(lambda page: book.blocks(Filter(kind='reverted'), page, 100)))
    call = next(call for call in reverted.calls if not call.ok)
    assert reverted.id in {hit.id for hit in hits(book, call.reason)}
    both = hits(book, 'explore bid')  # in any order
    assert both and {hit.id for hit in both} <= {hit.id for hit in found}


def test_what_a_client_posted(book: Book) -> None:
    for query in (WORDS, 'sensor/7', 'DÉJÀ', 'gotcha vu', 'otch'):
        assert [hit.kind for hit in hits(book, query)] == ['data'], query


def test_a_time(book: Book) -> None:
    middle = book.blocks().items[-1]
    (hit,) = [one for one in hits(book, f'{middle.issued + 1e-6:.6f}') if one.kind == 'time']
    assert hit.id == middle.id
    (first,) = [one for one in hits(book, '1970-01-01T02:00:00Z') if one.kind == 'time']
    assert first.id == book.blocks(limit=1).items[0].id


def test_a_task_by_its_words(book: Book) -> None:
    for task in tasks(book):
        assert book.task(task.id).id == book.task(task.id[2:].rjust(64, '0')).id == task.id
        assert book.task(task.words).id == task.id
        place = task.words.rpartition(' round ')[0]
        spoken = place.replace('(', '').replace(')', '').replace(',', ' ').upper()
        same = [one for one in tasks(book) if one.words.startswith(f'{place} ')]
        assert book.task(spoken).round == max(one.round for one in same)
        assert task.id in {hit.id for hit in hits(book, spoken) if hit.kind == 'task'}
    for query in ('', 'explore', 'explore 999 999', '0000', '\0', '0x', 'task'):
        with pytest.raises(ConfigError):
            book.task(query)


def test_zeros_name_no_task(book: Book) -> None:
    assert not [hit for hit in hits(book, '0000') if hit.kind == 'task']


def test_tasks_by_state(book: Book) -> None:
    counts = book.overview().tasks
    for state, count in counts.items():
        found = book.tasks(state, limit=500)
        assert found.total == count == len(found.items)
        assert {task.state for task in found.items} <= {state}


def test_a_task_has_its_history(book: Book) -> None:
    done = book.tasks('done', limit=500).items
    assert done
    for task in done:
        details = book.task(task.id)
        kinds = [event.kind for event in details.history if event.ok]
        assert kinds[0] == 'propose' and {'bid', 'award', 'complete'} <= set(kinds)
        assert [event.time for event in details.history] == sorted(
            event.time for event in details.history
        )
        assert 'done' in {lease.end for lease in details.leases}
        assert set(details.completed) <= set(NAMES)
        bars = [bar for bar in book.timeline() if bar.task == task.id]
        assert [(bar.robot, bar.begin) for bar in bars] == [
            (lease.robot, lease.begin) for lease in details.leases
        ]


def test_nothing_is_asked_for_hints(book: Book) -> None:
    for query in ('', '   '):
        found = book.find(query)
        assert not found.hits.items and found.hits.total == 0 and found.accepts


def test_too_much_is_asked(book: Book) -> None:
    book.find('x' * MAX_QUERY)
    with pytest.raises(ConfigError, match='characters'):
        book.find('x' * (MAX_QUERY + 1))


@pytest.mark.parametrize(
    'query',
    [
        '"', '""', '"bid', 'bid"', "'", '*', 'bid*', '%', '_', 'bid AND', 'NOT bid', 'a OR b',
        'NEAR(bid explore)', 'text:bid', '-bid', '^bid', '(bid', 'bid)', '+', ';', '--', '\\',
        'bid\0', '\0', 'bi', 'é', '日本', '日本語', '🤖', '🤖🤖🤖', '\u202ebid', '\ud800 bid',
        'nan', 'inf', '-1', '1e400', '0001-01-01', '9999-12-31T23:59:59-23:59', '0x', '0x' * 40,
    ],
)  # fmt: skip
def test_signs_of_a_query_language_are_only_signs(book: Book, query: str) -> None:
    found = book.find(query)
    assert found.model_dump_json()
    for hit in found.hits.items:
        if hit.kind in ('call', 'data'):
            assert all(part in hit.words.lower() for part in found.query.split() if len(part) > 2)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=20))
def test_any_text_can_be_searched_for(book: Book, query: str) -> None:
    found = book.find(query, limit=3)
    assert len(found.hits.items) <= 3 and found.model_dump_json()
