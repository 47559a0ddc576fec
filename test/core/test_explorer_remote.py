"""A ledger elsewhere answers as the file does; what is no ledger server is told apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
import gzip
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import inspect
import json
from pathlib import Path
import shutil
import signal
import socket
import subprocess
import sys
import threading
from typing import Any

from explorer_web import MARKUP, PATIENCE, Running, serving, TOKEN
from fabricated import fabricate
import httpx
import pytest
from typer.testing import CliRunner

from collab_robots.cli import app, BAD_INPUT, OK
from collab_robots.cli.common import UNREACHABLE
from collab_robots.core.errors import ConfigError, StoreError, UnreachableError
from collab_robots.explorer.book import answers, remote
from collab_robots.explorer.book.open import open_reader
from collab_robots.explorer.book.reader import Filter, Moment, Reader
from collab_robots.explorer.book.remote import RemoteBook
from collab_robots.explorer.files import find_fleet
from collab_robots.tangle.block import block_id, encode_block
from collab_robots.tangle.dag import FOREIGN
from collab_robots.tangle.store import Row, Store

LATE, EARLY = Moment(time=95.5), Moment(position=40)


@pytest.fixture(scope='module')
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield the ledger of a run with a split, and with a stranger's markup in it."""
    path = fabricate(tmp_path_factory.mktemp('runs') / 'run').folder('robot1') / 'ledger.db'
    add_data(path, b'<b>tag</b>', MARKUP.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('XDG_CACHE_HOME', str(tmp_path_factory.mktemp('cache')))
        yield path


def add_data(db: Path, tag: bytes, data: bytes) -> str:
    """Add a stranger's block to a ledger, and return its id."""
    with closing(Store(db, find_fleet(db, None), 'robot1')) as store:
        records = (row for row in store.load() if row.issuer != FOREIGN)
        parent = max(records, key=lambda row: row.depth)
        raw = encode_block([parent.id], tag, data)
        issued, depth = parent.issued_at, parent.depth + 1
        store.add(Row(block_id(raw), raw, FOREIGN, FOREIGN, issued, issued, depth))
        store.commit()
        return f'0x{block_id(raw).hex()}'


@pytest.fixture(scope='module')
def here(db: Path) -> Iterator[Reader]:
    with open_reader(db) as reader:
        yield reader


@pytest.fixture(scope='module')
def web(db: Path, here: Reader) -> Iterator[Running]:
    with serving(lambda: open_reader(db)) as running:
        yield running


@pytest.fixture(scope='module')
def there(web: Running) -> Iterator[Reader]:
    with open_reader(web.url) as reader:
        assert isinstance(reader, RemoteBook)
        yield reader


def block_of(reader: Reader) -> str:
    return reader.blocks(Filter(robot='robot2')).items[-1].id


def task_of(reader: Reader) -> answers.Task:
    return reader.tasks().items[-1]


def all_blocks(reader: Reader, limit: int) -> list[answers.Block]:
    page = reader.blocks(limit=limit)
    found = list(page.items)
    while page.next is not None:
        page = reader.blocks(page=page.next, limit=limit)
        found += page.items
    return found


QUESTIONS: list[Callable[[Reader], Any]] = [
    lambda reader: reader.overview(),
    lambda reader: reader.overview(LATE),
    lambda reader: reader.overview(EARLY),
    lambda reader: reader.blocks(),
    lambda reader: reader.blocks(Filter('robot2', 'bid', answers.State.FINAL, 10.0, 90.5)),
    lambda reader: reader.blocks(Filter('unsigned')),
    lambda reader: all_blocks(reader, 100),
    lambda reader: reader.block(block_of(reader)),
    lambda reader: reader.block(block_of(reader)[2:12]),
    lambda reader: reader.block(reader.blocks(Filter('unsigned')).items[0].id),
    lambda reader: reader.dag(),
    lambda reader: reader.dag(block_of(reader), limit=50),
    lambda reader: reader.dag(since=20.0, until=60.0, limit=20_000),
    lambda reader: reader.robots(),
    lambda reader: reader.robots(LATE),
    lambda reader: reader.robots(EARLY),
    lambda reader: reader.robot('robot3'),
    lambda reader: reader.robot('robot3', reader.robot('robot3', limit=5).history.next, 5),
    lambda reader: reader.tasks(),
    lambda reader: reader.tasks('done', LATE, limit=2),
    lambda reader: reader.tasks(page=reader.tasks(limit=3).next, limit=3),
    lambda reader: reader.task(task_of(reader).id),
    lambda reader: reader.task(task_of(reader).words, LATE),
    lambda reader: reader.timeline(),
    lambda reader: reader.timeline(30.0, 60.0),
    lambda reader: reader.trust(),
    lambda reader: reader.trust(LATE),
    lambda reader: reader.models(),
    lambda reader: reader.models(EARLY),
    lambda reader: reader.map(),
    lambda reader: reader.map(LATE),
    lambda reader: reader.splits(),
    lambda reader: reader.find('robot2'),
    lambda reader: reader.find('<script>'),
    lambda reader: reader.find('explore 40'),
    lambda reader: reader.find('nowhere & nothing=?#%/+ü'),
    lambda reader: reader.find('award', reader.find('award', limit=3).hits.next, 3),
    lambda reader: reader.activity(),
    lambda reader: reader.activity(7),
    lambda reader: reader.news(0, 500),
    lambda reader: reader.news(reader.overview().version),
]


@pytest.mark.parametrize('question', QUESTIONS, ids=range(len(QUESTIONS)))
def test_it_answers_as_the_file_does(
    here: Reader, there: Reader, question: Callable[[Reader], Any]
) -> None:
    assert question(there) == question(here)


def test_every_question_was_asked() -> None:
    asked = {name for question in QUESTIONS for name in question.__code__.co_names}
    asked |= set(all_blocks.__code__.co_names)
    for name, method in inspect.getmembers(Reader, inspect.isfunction):
        if not name.startswith('_'):
            assert name in asked
            assert inspect.signature(method) == inspect.signature(getattr(RemoteBook, name))


WRONG: list[Callable[[Reader], Any]] = [
    lambda reader: reader.block('0xffffffffffff'),
    lambda reader: reader.block('no id'),
    lambda reader: reader.block('../overview'),
    lambda reader: reader.blocks(Filter('robot9')),
    lambda reader: reader.blocks(page='nonsense'),
    lambda reader: reader.blocks(limit=100_000),
    lambda reader: reader.robot('robot9'),
    lambda reader: reader.task('explore 1000 1000'),
    lambda reader: reader.robots(Moment(position=10**9)),
    lambda reader: reader.dag('0xffffffffffff'),
    lambda reader: reader.activity(0),
]


@pytest.mark.parametrize('question', WRONG, ids=range(len(WRONG)))
def test_it_refuses_what_the_file_refuses(
    here: Reader, there: Reader, question: Callable[[Reader], Any]
) -> None:
    for reader in (here, there):
        with pytest.raises(ConfigError):
            question(reader)


@pytest.mark.parametrize('name', ['.', '..', '', '/', '%2e%2e', '\udcff', 'x' * 100_000, '\0'])
def test_names_lead_to_no_other_question(there: Reader, name: str) -> None:
    for question in (there.block, there.robot, there.task):
        with pytest.raises(ConfigError):
            question(name)


def test_names_arrive_as_they_are(there: Reader) -> None:
    with pytest.raises(ConfigError, match=r'a\.b%2e \?ü'):
        there.robot('a.b%2e ?ü')


def test_what_strangers_wrote_stays_data(web: Running, there: Reader) -> None:
    identity = there.blocks(Filter('unsigned')).items[0].id
    details = there.block(identity)
    assert (details.tag, details.data) == ('<b>tag</b>', MARKUP)
    for path in (f'blocks/{identity}', 'find?q=script', 'blocks?robot=unsigned'):
        reply = web.get(f'/api/v1/{path}', Accept='text/html')
        assert reply.headers['content-type'] == 'application/json'
        assert reply.headers['x-content-type-options'] == 'nosniff'
    assert MARKUP in reply.text or MARKUP in web.get(f'/api/v1/blocks/{identity}').text


def test_followers_get_what_the_ledger_has(web: Running, here: Reader) -> None:
    with web.follow(0) as follower:
        told = answers.News.model_validate_json(follower.recv(PATIENCE))
    assert told == here.news(0)


def test_followers_get_what_is_written_meanwhile(db: Path, tmp_path: Path) -> None:
    shutil.copytree(db.parents[1], tmp_path / 'run')
    growing = tmp_path / 'run' / 'robot1' / 'ledger.db'
    with serving(lambda: open_reader(growing)) as web, RemoteBook(web.url) as book:
        before = book.overview()
        with web.follow(before.version) as follower:
            for words in (b'one', b'other'):
                added = add_data(growing, words, words)
                told = answers.News.model_validate_json(follower.recv(PATIENCE))
                assert [block.id for block in told.blocks] == [added]
        assert book.overview() == told.overview
        assert told.overview.blocks == before.blocks + 2
        assert book.block(added).data == 'other'


def test_a_token_stands_in_the_url_or_beside_it(db: Path) -> None:
    with serving(lambda: open_reader(db), TOKEN.replace(' ', '_')) as web:
        token = TOKEN.replace(' ', '_')
        for book in (RemoteBook(f'{web.url}/?token={token}'), RemoteBook(web.url, token)):
            with book:
                assert book.overview().robot == 'robot1'
        for url in (web.url, f'{web.url}/?token=wrong'):
            with RemoteBook(url) as book, pytest.raises(ConfigError, match=r'401: .*token'):
                book.overview()


def test_a_server_may_show_what_another_one_serves(web: Running, here: Reader) -> None:
    with serving(lambda: open_reader(web.url)) as second, RemoteBook(second.url) as book:
        assert book.overview() == here.overview()
        with pytest.raises(ConfigError):
            book.block('0xffffffffffff')


def test_a_damaged_ledger_and_a_busy_server_are_told_apart() -> None:
    with serving(answer=0.2) as web, RemoteBook(web.url) as book:
        web.reader.damage = 'page 3 is damaged'
        with pytest.raises(StoreError, match='503: page 3 is damaged'):
            book.overview()
        with pytest.raises(UnreachableError, match='503: no answer within'):
            book.splits()
        web.reader.free.set()


@contextmanager
def answering(status: int, body: bytes, **headers: str) -> Iterator[str]:
    """Serve the same, whatever is asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace('_', '-'), value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(('127.0.0.1', 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f'http://127.0.0.1:{server.server_port}'
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ('status', 'body', 'error', 'said'),
    [
        (200, b'', UnreachableError, 'overview came with something else'),
        (200, b'<html>', UnreachableError, 'something else'),
        (200, b'{"source": 3}', UnreachableError, 'something else: source'),
        (200, b'[' * 100_000, UnreachableError, 'something else'),
        (404, b'<html>', ConfigError, 'this is no ledger server'),
        (302, b'', ConfigError, '302: this is no ledger server'),
        (500, b'[]', UnreachableError, '500: it cannot answer'),
        (400, b'{"error": {"message": "\\u001b[2J"}}', ConfigError, r'^\?\[2J$'),
        (429, b'{"error": {"message": "wait"}}', UnreachableError, '429: wait'),
        (503, b'{"error": {"message": "torn"}}', StoreError, '503: torn'),
    ],
)
def test_what_is_no_answer_is_told(
    status: int, body: bytes, error: type[Exception], said: str
) -> None:
    with (
        answering(status, body, Location='http://127.0.0.1:1/') as url,
        RemoteBook(url) as book,
        pytest.raises(error, match=said),
    ):
        book.overview()


def test_a_small_answer_does_not_become_a_large_one(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = gzip.compress(b' ' * 10_000_000)
    with (
        answering(200, bomb, Content_Encoding='gzip') as url,
        RemoteBook(url) as book,
        pytest.raises(UnreachableError, match='something else'),
    ):
        book.overview()
    monkeypatch.setattr(remote, 'MAX_ANSWER', 1_000)
    with (
        answering(200, bomb) as url,
        RemoteBook(url) as book,
        pytest.raises(UnreachableError, match='more than 1000 bytes'),
    ):
        book.overview()


def test_a_server_that_trickles_or_says_nothing_is_given_up() -> None:
    with socket.create_server(('127.0.0.1', 0)) as listener:
        url = f'http://127.0.0.1:{listener.getsockname()[1]}'
        with RemoteBook(url, timeout=0.2) as book, pytest.raises(UnreachableError, match='timed'):
            book.overview()
        listener.accept()[0].close()

        def trickle() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b'HTTP/1.1 200 OK\r\n\r\n')
                try:
                    while True:
                        connection.sendall(b' ')
                except OSError:
                    pass

        thread = threading.Thread(target=trickle)
        thread.start()
        with (
            RemoteBook(url, timeout=0.2) as book,
            pytest.raises(UnreachableError, match=r'no answer within 0.2 s|more than'),
        ):
            book.overview()
        thread.join()
    with RemoteBook(url) as book, pytest.raises(UnreachableError, match='refused'):
        book.overview()


@pytest.mark.parametrize('url', ['robot1', 'ftp://robot1', 'http://', 'http://a:b/'])
def test_only_urls_are_asked(url: str) -> None:
    with pytest.raises(ConfigError):
        RemoteBook(url)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_stopped(db: Path, number: signal.Signals) -> None:
    command = [sys.executable, '-m', 'collab_robots.cli', 'ledger', 'web', str(db), '--port', '0']
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            url = process.stdout.readline().split()[0]
            assert httpx.get(f'{url}api/v1/overview', timeout=PATIENCE).json()['robot'] == 'robot1'
            with httpx.stream('GET', url) as held:  # who holds on does not keep it
                assert held.status_code in (200, 404)
                process.send_signal(number)
                said, errors = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert (process.returncode, said, errors) == (OK, '', '')


def test_the_command_says_what_is_wrong(db: Path, tmp_path: Path) -> None:
    def fails(*arguments: object) -> tuple[int, str]:
        result = CliRunner().invoke(app, ['ledger', 'web', *map(str, arguments)])
        return result.exit_code, result.stderr

    code, said = fails(db, '--host', '0.0.0.0')
    assert (code, 'token' in said) == (BAD_INPUT, True)
    token = tmp_path / 'token'
    token.write_text('0123456789abcdef\n')
    token.chmod(0o644)
    code, said = fails(db, '--token-file', token)
    assert (code, 'chmod 600' in said) == (BAD_INPUT, True)
    assert fails(db, '--robot', 'http://127.0.0.1:1', '--port', 0)[0] == BAD_INPUT
    with socket.create_server(('127.0.0.1', 0)) as taken:
        code, said = fails(db, '--port', taken.getsockname()[1])
    assert (code, 'cannot serve' in said) == (BAD_INPUT, True)


def test_commands_ask_a_server(web: Running, here: Reader) -> None:
    shown = CliRunner().invoke(app, ['ledger', 'status', '--robot', web.url, '--json'])
    assert json.loads(shown.stdout)['state_root'] == here.overview().state_root
    gone = CliRunner().invoke(app, ['ledger', 'status', '--robot', 'http://127.0.0.1:1'])
    assert gone.exit_code == UNREACHABLE
