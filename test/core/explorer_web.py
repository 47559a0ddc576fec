"""A real explorer server on a free port, and ways to talk to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from queue import SimpleQueue
import socket
import threading
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

from collab_robots.core.errors import ConfigError, StoreError
from collab_robots.explorer.book import answers
from collab_robots.explorer.web.limits import Limits
from collab_robots.explorer.web.server import WebServer

TOKEN = 'a token for tests'
PATIENCE = 60.0  # s that a loaded machine may take
MARKUP = '<script>alert(1)</script><img src=x onerror=alert(2)>'
BIG = 100_000  # blocks: more bytes than sockets hold

OVERVIEW = answers.Overview(
    source=MARKUP, at=None, fleet='tests', fleet_id='0x00', robot='robot1', epoch=0,
    robots=('robot1',), blocks=0, pending=0, accepted=0, final=0, pruned=0, snapshot=0,
    foreign=0, round=0, first=0.0, last=0.0, final_lag=0.0, state_root='0x',
    final_root='0x', final_digest='0x', tasks={}, calls={}, reverted={},
    convicted=(), equivocators=(), splits=0, warning='', version=1,
)  # fmt: skip


class Stub:
    """Answers what the transport's tests ask: some of it slowly, too much, wrongly or never."""

    def __init__(self) -> None:
        self.version = 1
        self.damage = self.warning = ''
        self.asked: list[Any] = []
        self.thread = threading.current_thread()
        self.free = threading.Event()
        self.busy = threading.Event()

    def overview(self, at: Any = None) -> answers.Overview:
        assert threading.current_thread() is self.thread, 'the reader has one owner'
        if self.damage:
            raise StoreError(self.damage)
        return OVERVIEW.model_copy(update={'version': self.version, 'warning': self.warning})

    def block(self, identity: str) -> answers.BlockDetails:
        raise ConfigError(f'{identity}: no such block')

    def dag(self, around: Any, since: Any, until: Any, limit: int) -> answers.Dag:
        some = (0,) * BIG
        return answers.Dag(
            robots=('robot1',), id=tuple(f'0x{n:064x}' for n in range(BIG)), robot=some, seq=some,
            issued=tuple(map(float, range(BIG))), depth=some, round=some, state=some, side=some,
            calls=some, edges=(), cut=False,
        )  # fmt: skip

    def splits(self) -> tuple[answers.Split, ...]:
        self.busy.set()
        self.free.wait()
        return ()

    def trust(self, at: Any) -> answers.Trust:
        self.asked.append(at)
        return answers.Trust(needed=2, verdicts=(), disputes=())

    def models(self, at: Any) -> answers.Models:
        raise ZeroDivisionError('a secret')

    def news(self, since: int, limit: int = 200) -> answers.News:
        self.asked.append(since)
        return answers.News(version=self.version, overview=self.overview(), blocks=(), states={})


class Running:
    """A server that runs, and clients of it that give up late."""

    def __init__(self, port: int, reader: Any) -> None:
        self.port = port
        self.url = f'http://127.0.0.1:{port}'
        self.reader = reader
        self.client = httpx.Client(base_url=self.url, timeout=PATIENCE, trust_env=False)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.client.get(path, headers=headers)

    def connect(self) -> socket.socket:
        return socket.create_connection(('127.0.0.1', self.port), timeout=PATIENCE)

    def raw(self, request: bytes) -> bytes:
        """Send bytes; return all that comes back until the server closes."""
        with self.connect() as connection:
            connection.sendall(request)
            answer = b''
            while part := connection.recv(65_536):
                answer += part
            return answer

    def ask_raw(self, target: str, host: str = '127.0.0.1') -> bytes:
        """Ask for exactly this path, which no client library has tidied up."""
        return self.raw(
            f'GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n'.encode()
        )

    def follow(self, since: int = 1, **headers: str) -> ClientConnection:
        return connect(
            f'ws://127.0.0.1:{self.port}/api/v1/news?since={since}',
            additional_headers=headers,
            open_timeout=PATIENCE,
            proxy=None,
        )


@contextmanager
def serving(
    opened: Callable[[], AbstractContextManager[Any]] = lambda: nullcontext(Stub()),
    token: str | None = None,
    limits: Limits | None = None,
    pages: Path = Path('not built'),
    **options: Any,
) -> Iterator[Running]:
    """
    Serve until the end.

    :param opened: opens a reader, in the thread that answers.
    """
    server = WebServer(
        '127.0.0.1',
        0,
        token,
        limits or Limits(requests=1_000_000, interval=0.01, **options),
        pages,
    )
    readers: SimpleQueue[Any] = SimpleQueue()

    def answer() -> None:
        with opened() as reader:
            readers.put(reader)
            server.serve(reader)

    with server, ThreadPoolExecutor(1) as pool:
        answering = pool.submit(answer)
        running = Running(server.port, readers.get())
        try:
            with closing(running.client):
                yield running
        finally:
            if isinstance(running.reader, Stub):
                running.reader.free.set()
            server.stop()
        answering.result()
