"""A TIP-25 node, over HTTP, in a thread of its own: jobs in, answers out, nobody waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum
import json
import queue
from typing import Any, NamedTuple, Protocol

import aiohttp

from collab_robots.core.config import read_json
from collab_robots.core.errors import ConfigError, RefusedError
from collab_robots.tangle.block import block_id, decode_block
from collab_robots.tangle.loop_thread import LoopThread
from collab_robots.tangle.rest.api import CORE
from collab_robots.tangle.rest.block_json import (
    block_to_json,
    body_from_json,
    id_from_hex,
    to_hex,
)
from collab_robots.tangle.rest.messages import BINARY, JSON

MAX_ANSWER = 256 * 1024  # bytes; the JSON of the largest block has 66 kB
MAX_TIPS = 64
MAX_TEXT = 200
MAX_RETRY_AFTER = 60.0  # s


class Kind(Enum):
    """What a job does."""

    TIPS = 'tips'
    GET = 'get'
    POST = 'post'
    CHECK = 'check'
    """Whether a block and its past are there."""


class Outcome(Enum):
    """What became of a job."""

    DONE = 'done'
    ABSENT = 'absent'
    """The node does not have the block, or not its whole past."""
    REFUSED = 'refused'
    """The node will never take this block."""
    FAILED = 'failed'
    """Not reached, busy, garbled, or the token is wrong: worth trying again."""


class Job(NamedTuple):
    """
    One request to the node.

    :param id: of the block.
    :param raw: its bytes, for ``POST``.
    """

    kind: Kind
    id: bytes = b''
    raw: bytes = b''


class Answer(NamedTuple):
    """
    What the node answered.

    :param raw: the block, for ``GET``.
    :param ids: for ``TIPS``.
    :param known: for ``CHECK``: the block is there, though its past may not be.
    :param text: why it failed or was refused.
    :param wait: s, not to try again before; 0: as you like.
    """

    job: Job
    outcome: Outcome
    raw: bytes = b''
    ids: tuple[bytes, ...] = ()
    known: bool = False
    text: str = ''
    wait: float = 0.0


class Node(Protocol):
    """Does jobs, sometime."""

    def submit(self, job: Job) -> None:
        """Take a job; returns at once."""
        ...

    def take(self) -> list[Answer]:
        """Return the answers that came since the last call."""
        ...


class HttpNode:
    """
    A node at a URL.

    :param url: such as ``http://127.0.0.1:14265``.
    :param token: sent as bearer token; None: none.
    :param timeout: of one job, s.
    :raises ConfigError: if it is no HTTP URL.
    """

    def __init__(self, url: str, token: str | None = None, timeout: float = 10.0) -> None:
        if not url.startswith(('http://', 'https://')):
            raise ConfigError(f'expected the http(s) URL of a node, got {url!r:.200}')
        self._base = url.rstrip('/') + CORE
        self._headers = {} if token is None else {'Authorization': f'Bearer {token}'}
        self._timeout = aiohttp.ClientTimeout(total=timeout, connect=timeout / 2)
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._only_json = False
        self._thread = LoopThread('hornet', self._connected)
        self._session: aiohttp.ClientSession

    def start(self) -> None:
        """Do jobs from now on."""
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Take a job; returns at once."""
        asyncio.run_coroutine_threadsafe(self._do(job), self._thread.loop)

    def take(self) -> list[Answer]:
        """Return the answers that came since the last call."""
        return [self._answers.get_nowait() for _ in range(self._answers.qsize())]

    def close(self) -> None:
        """Hang up; jobs that are under way are dropped."""
        self._thread.close()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[None]:
        self._session = aiohttp.ClientSession(
            headers=self._headers,
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        async with self._session:
            yield
            jobs = asyncio.all_tasks() - {asyncio.current_task()}
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)

    async def _do(self, job: Job) -> None:
        try:
            if job.kind is Kind.POST:
                answer = await self._post(job)
            elif job.kind is Kind.GET:
                answer = await self._get(job)
            elif job.kind is Kind.CHECK:
                answer = await self._check(job)
            else:
                answer = await self._tips(job)
        except asyncio.TimeoutError:
            answer = Answer(job, Outcome.FAILED, text='no answer in time')
        except (aiohttp.ClientError, OSError) as error:
            text = f'{type(error).__name__}: {error}'
            answer = Answer(job, Outcome.FAILED, text=text[:MAX_TEXT])
        except (RefusedError, ValueError, TypeError, KeyError) as error:
            answer = Answer(job, Outcome.FAILED, text=f'not a TIP-25 answer: {error}'[:MAX_TEXT])
        self._answers.put(answer)

    async def _post(self, job: Job) -> Answer:
        status, _, body, wait = await self._send_block(job.raw)
        if status == 415 and not self._only_json:
            self._only_json = True
            status, _, body, wait = await self._send_block(job.raw)
        if status in (200, 201):
            identity = id_from_hex(read_json(body)['blockId'])
            if identity != job.id:
                raise ValueError(f'it took {identity.hex()} for {job.id.hex()}')
            return Answer(job, Outcome.DONE)
        if status in (400, 413, 415):
            return Answer(job, Outcome.REFUSED, text=_message(status, body))
        return self._failed(job, status, body, wait)

    async def _send_block(self, raw: bytes) -> tuple[int, str, bytes, float]:
        if self._only_json:
            data = json.dumps(block_to_json(decode_block(raw))).encode()
            return await self._ask('POST', '/blocks', {'Content-Type': JSON}, data)
        return await self._ask('POST', '/blocks', {'Content-Type': BINARY}, raw)

    async def _get(self, job: Job) -> Answer:
        status, kind, body, wait = await self._ask(
            'GET', f'/blocks/{to_hex(job.id)}', {'Accept': BINARY}
        )
        if status == 404:
            return Answer(job, Outcome.ABSENT)
        if status != 200:
            return self._failed(job, status, body, wait)
        raw = body_from_json(body).encode(()) if kind == JSON else body
        if block_id(raw) != job.id:
            raise ValueError(f'it gave {block_id(raw).hex()} for {job.id.hex()}')
        return Answer(job, Outcome.DONE, raw=raw)

    async def _check(self, job: Job) -> Answer:
        status, _, body, wait = await self._ask('GET', f'/blocks/{to_hex(job.id)}/metadata', {})
        if status == 404:
            return Answer(job, Outcome.ABSENT)
        if status != 200:
            return self._failed(job, status, body, wait)
        solid = read_json(body)['isSolid'] is True
        return Answer(job, Outcome.DONE if solid else Outcome.ABSENT, known=True)

    async def _tips(self, job: Job) -> Answer:
        status, _, body, wait = await self._ask('GET', '/tips', {})
        if status != 200:
            return self._failed(job, status, body, wait)
        ids = tuple(id_from_hex(tip) for tip in read_json(body)['tips'][:MAX_TIPS])
        return Answer(job, Outcome.DONE, ids=ids)

    async def _ask(
        self, method: str, path: str, headers: dict[str, str], data: bytes | None = None
    ) -> tuple[int, str, bytes, float]:
        """Return status, media type, body and how long to wait, s."""
        async with self._session.request(
            method, self._base + path, headers=headers, data=data, allow_redirects=False
        ) as response:
            body = bytearray()
            async for part in response.content.iter_any():
                body += part
                if len(body) > MAX_ANSWER:
                    raise ValueError(f'more than {MAX_ANSWER} bytes')
            wait = response.headers.get('Retry-After', '')
            seconds = min(float(wait[:6]), MAX_RETRY_AFTER) if wait[:6].isdigit() else 0.0
            return response.status, response.content_type, bytes(body), seconds

    def _failed(self, job: Job, status: int, body: bytes, wait: float) -> Answer:
        return Answer(job, Outcome.FAILED, text=_message(status, body), wait=wait)


def _message(status: int, body: bytes) -> str:
    """Return what an error answer says; its code may be a string or a number."""
    try:
        error: Any = read_json(body)['error']
        text = f'{error["code"]}: {error["message"]}'
    except (ValueError, TypeError, KeyError):
        text = f'HTTP {status}'
    return text[:MAX_TEXT]
