"""A ledger that is elsewhere, asked over the REST API of ``collab-robots ledger web``."""

from __future__ import annotations

import json
import time
from types import TracebackType
from typing import NoReturn, TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

from collab_robots.core.errors import ConfigError, StoreError, UnreachableError
from collab_robots.explorer.book import answers
from collab_robots.explorer.book.reader import ALL, Filter, Moment

MAX_ANSWER = 64 * 1024 * 1024  # bytes
ANSWER_S = 30.0
CONNECT_S = 5.0
MAX_MESSAGE = 400  # characters

Answer = TypeVar('Answer')
Value = str | float | int | None

_OVERVIEW = TypeAdapter(answers.Overview)
_BLOCKS = TypeAdapter(answers.Page[answers.Block])
_BLOCK = TypeAdapter(answers.BlockDetails)
_DAG = TypeAdapter(answers.Dag)
_ROBOTS = TypeAdapter(tuple[answers.Robot, ...])
_ROBOT = TypeAdapter(answers.RobotDetails)
_TASKS = TypeAdapter(answers.Page[answers.Task])
_TASK = TypeAdapter(answers.TaskDetails)
_TIMELINE = TypeAdapter(tuple[answers.Bar, ...])
_TRUST = TypeAdapter(answers.Trust)
_MODELS = TypeAdapter(answers.Models)
_MAP = TypeAdapter(answers.Map)
_SPLITS = TypeAdapter(tuple[answers.Split, ...])
_FOUND = TypeAdapter(answers.Found)
_ACTIVITY = TypeAdapter(answers.Activity)
_NEWS = TypeAdapter(answers.News)


class RemoteBook:
    """
    Answers as the ledger there does; see :class:`.reader.Reader`.

    What comes is checked: its size, its time, and that it is an answer. Proxies and passwords that
    the environment names are not used.

    :param url: of the server's first page, as it prints it; a token may stand in it (``?token=``).
    :param token: that the server wants.
    :param timeout: of a question, s.
    :raises ConfigError: if that is no such URL.
    """

    def __init__(self, url: str, token: str | None = None, timeout: float = ANSWER_S) -> None:
        try:
            base = httpx.URL(url)
        except (httpx.InvalidURL, TypeError) as error:
            raise ConfigError(f'{url:.200}: {error}') from None
        if base.scheme not in ('http', 'https') or not base.host:
            raise ConfigError(f'{url:.200}: expected http://HOST:PORT')
        token = token or base.params.get('token')
        base = base.copy_with(query=None, fragment=None)
        self._name = str(base)
        self._timeout = timeout
        self._client = httpx.Client(
            base_url=base.copy_with(path=f'{base.path.rstrip("/")}/api/v1/'),
            headers={'Accept-Encoding': 'identity'}
            | ({'Authorization': f'Bearer {token}'} if token else {}),
            timeout=httpx.Timeout(timeout, connect=min(timeout, CONNECT_S)),
            trust_env=False,
        )

    def __enter__(self) -> RemoteBook:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def overview(self, at: Moment | None = None) -> answers.Overview:
        """Say how the ledger is, or was."""
        return self._ask(_OVERVIEW, 'overview', **_when(at))

    def blocks(
        self, which: Filter = ALL, page: str | None = None, limit: int = 50
    ) -> answers.Page[answers.Block]:
        """List blocks, newest first."""
        return self._ask(
            _BLOCKS,
            'blocks',
            robot=which.robot,
            kind=which.kind,
            state=None if which.state is None else which.state.value,
            since=which.since,
            until=which.until,
            page=page,
            limit=limit,
        )

    def block(self, identity: str) -> answers.BlockDetails:
        """Tell all about a block."""
        return self._ask(_BLOCK, f'blocks/{_quoted(identity)}')

    def dag(
        self,
        around: str | None = None,
        since: float | None = None,
        until: float | None = None,
        limit: int = 2_000,
    ) -> answers.Dag:
        """Return a part of the DAG: the newest blocks, those of a time, or those near a block."""
        return self._ask(_DAG, 'dag', around=around, since=since, until=until, limit=limit)

    def robots(self, at: Moment | None = None) -> tuple[answers.Robot, ...]:
        """Tell of all robots that are or were in the fleet."""
        return self._ask(_ROBOTS, 'robots', **_when(at))

    def robot(self, name: str, page: str | None = None, limit: int = 50) -> answers.RobotDetails:
        """Tell all that a robot did."""
        return self._ask(_ROBOT, f'robots/{_quoted(name)}', page=page, limit=limit)

    def tasks(
        self,
        state: str | None = None,
        at: Moment | None = None,
        page: str | None = None,
        limit: int = 50,
    ) -> answers.Page[answers.Task]:
        """List tasks, newest first."""
        return self._ask(_TASKS, 'tasks', state=state, page=page, limit=limit, **_when(at))

    def task(self, identity: str, at: Moment | None = None) -> answers.TaskDetails:
        """Tell all about a task."""
        return self._ask(_TASK, f'tasks/{_quoted(identity)}', **_when(at))

    def timeline(
        self, since: float | None = None, until: float | None = None
    ) -> tuple[answers.Bar, ...]:
        """Return who had which task when, oldest first."""
        return self._ask(_TIMELINE, 'timeline', since=since, until=until)

    def trust(self, at: Moment | None = None) -> answers.Trust:
        """Say who is trusted, and why."""
        return self._ask(_TRUST, 'trust', **_when(at))

    def models(self, at: Moment | None = None) -> answers.Models:
        """List models that robots serve."""
        return self._ask(_MODELS, 'models', **_when(at))

    def map(self, at: Moment | None = None) -> answers.Map:
        """Return the map that the ledger knows, and who contributed what."""
        return self._ask(_MAP, 'map', **_when(at))

    def splits(self) -> tuple[answers.Split, ...]:
        """Say when robots did not hear one another, what each side did, and how it was joined."""
        return self._ask(_SPLITS, 'splits')

    def find(self, query: str, page: str | None = None, limit: int = 50) -> answers.Found:
        """Search for ids, robots, tasks, words of calls, tags, data and times."""
        return self._ask(_FOUND, 'find', q=query, page=page, limit=limit)

    def activity(self, intervals: int = 120) -> answers.Activity:
        """Say how much happened when."""
        return self._ask(_ACTIVITY, 'activity', intervals=intervals)

    def news(self, since: int, limit: int = 200) -> answers.News:
        """Look whether the ledger has grown, and say what changed."""
        return self._ask(_NEWS, 'news', since=since, limit=limit)

    def _ask(self, form: TypeAdapter[Answer], path: str, **query: Value) -> Answer:
        asked = {
            name: _text(value) if isinstance(value, str) else value
            for name, value in query.items()
            if value is not None
        }
        try:
            with self._client.stream('GET', path, params=asked) as response:
                body = self._read(response)
        except httpx.InvalidURL as error:
            raise ConfigError(f'{path:.80}: {error}') from None
        except httpx.HTTPError as error:
            why = str(error) or type(error).__name__
            raise UnreachableError(f'{self._name}: {why}') from None
        if response.status_code != 200:
            self._fail(response, body)
        try:
            return form.validate_json(body)
        except ValidationError as error:
            what = error.errors(include_url=False, include_input=False)[0]
            where = '.'.join(map(str, what['loc'])) or 'answer'
            raise UnreachableError(
                f'{self._name}: {path} came with something else: {where}: {what["msg"]}'
            ) from None

    def _read(self, response: httpx.Response) -> bytes:
        deadline = time.monotonic() + self._timeout
        body = bytearray()
        for part in response.iter_raw():
            body += part
            if len(body) > MAX_ANSWER:
                raise UnreachableError(f'{self._name}: an answer of more than {MAX_ANSWER} bytes')
            if time.monotonic() > deadline:
                raise UnreachableError(f'{self._name}: no answer within {self._timeout:g} s')
        return bytes(body)

    def _fail(self, response: httpx.Response, body: bytes) -> NoReturn:
        """Raise what the server says, as the reader there raised it."""
        status = response.status_code
        try:
            said = json.loads(body)['error']['message']
        except (ValueError, TypeError, LookupError):
            said = 'this is no ledger server' if status < 500 else 'it cannot answer'
        words = ''.join(c if c.isprintable() else '?' for c in str(said)[:MAX_MESSAGE])
        if status in (400, 404):
            raise ConfigError(words)
        message = f'{self._name}: {status}: {words}'
        if status < 500 and status != 429:
            raise ConfigError(message)
        if status == 503 and 'Retry-After' not in response.headers:
            raise StoreError(message)
        raise UnreachableError(message)


def _text(value: str) -> str:
    """Replace what is no text, such as bytes of a command line that are not UTF-8."""
    return value.encode('utf-8', 'replace').decode()


def _quoted(name: str) -> str:
    return quote(_text(name), safe='').replace('.', '%2E')  # a lone dot would be left out


def _when(at: Moment | None) -> dict[str, float | int | None]:
    return {} if at is None else {'time': at.time, 'position': at.position}
