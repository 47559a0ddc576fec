"""A team in virtual time, one robot of which serves TIP-25 on a real socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
import http.client
import json
import time
from typing import Any

from collab_robots.tangle.ledger import Ledger
from collab_robots.tangle.memory import make_team, MemoryNetwork
from collab_robots.tangle.rest.api import Api
from collab_robots.tangle.rest.gate import Gate
from collab_robots.tangle.rest.limits import Limits
from collab_robots.tangle.rest.server import RestServer

FLEET, KEYS = make_team(4)
TOKEN = 'let me in'
BINARY = 'application/vnd.iota.serializer-v1'
CORE = '/api/core/v2'
PATIENCE = 20.0  # s of wall time


class Reply:
    """What came back over HTTP."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = dict(response.getheaders())
        self.body = response.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class RestTeam:
    """Virtual time goes on at the pace of the wall clock while somebody waits."""

    def __init__(self, token: str | None = TOKEN, limits: Limits | None = None) -> None:
        self.network = MemoryNetwork(FLEET, seed=1)
        self.ledgers = [self.network.start(key) for key in KEYS]
        self.ledger: Ledger = self.ledgers[0]
        self.limits = limits or Limits()
        self.api = Api(self.ledger, self.network.clock, self.limits)
        self.server = RestServer(self.api, Gate(token, self.limits), '127.0.0.1', 0, self.limits)
        self.server.start()
        self._at = time.monotonic()
        self._pool = ThreadPoolExecutor(16)

    @property
    def url(self) -> str:
        return f'http://127.0.0.1:{self.server.port}'

    def step(self) -> None:
        now = time.monotonic()
        self.network.run(now - self._at)
        self._at = now
        self.server.serve_pending()
        time.sleep(0.001)  # lets the server's and the clients' threads run

    def wait(self, condition: Callable[[], Any], patience: float = PATIENCE) -> Any:
        """Go on until the condition holds; return its value."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if value := condition():
                return value
            self.step()
        raise AssertionError(f'did not happen within {patience:g} s')

    def during(self, work: Callable[[], Any]) -> Any:
        """Serve while something blocking runs in another thread; return its result."""
        future = self._pool.submit(work)
        self.wait(future.done)
        return future.result()

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        token: str | None = TOKEN,
        **headers: str,
    ) -> Reply:
        sent = {name.replace('_', '-'): value for name, value in headers.items()}
        if token is not None:
            sent['Authorization'] = f'Bearer {token}'

        def work() -> Reply:
            connection = http.client.HTTPConnection('127.0.0.1', self.server.port, timeout=10)
            try:
                connection.request(method, path, body, sent)
                return Reply(connection.getresponse())
            finally:
                connection.close()

        return self.during(work)

    def post(self, raw: bytes, token: str | None = TOKEN) -> Reply:
        return self.ask('POST', f'{CORE}/blocks', raw, token, Content_Type=BINARY)

    def post_json(self, value: Any, token: str | None = TOKEN) -> Reply:
        body = json.dumps(value).encode()
        return self.ask('POST', f'{CORE}/blocks', body, token, Content_Type='application/json')

    def close(self) -> None:
        self.server.close()
        self._pool.shutdown()


@contextmanager
def rest_team(token: str | None = TOKEN, limits: Limits | None = None) -> Iterator[RestTeam]:
    team = RestTeam(token, limits)
    try:
        yield team
    finally:
        team.close()
