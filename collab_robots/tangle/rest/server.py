"""
The HTTP server of a robot: sockets in a thread of their own, answers in the ledger's thread.

The ledger is not for several threads. The server's thread reads requests, turns away what the
gate refuses, and puts the rest into a bounded queue, which the ledger's thread empties between its
other work (:meth:`RestServer.serve_pending`). So it never waits for a slow or hostile client.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
import logging
import queue
import socket
from typing import Any, NamedTuple

from aiohttp import web

from collab_robots.core.errors import ConfigError
from collab_robots.tangle.loop_thread import LoopThread
from collab_robots.tangle.rest.api import Api
from collab_robots.tangle.rest.gate import Gate, too_large
from collab_robots.tangle.rest.limits import Limits
from collab_robots.tangle.rest.messages import as_error, Request, Response

log = logging.getLogger(__name__)

BACKLOG = 64
HANG_UP = 0.1  # s that requests under way get when the robot stops
MAX_SERVED = 16  # in one go, so that clients do not keep the ledger from its other work


class _Job(NamedTuple):
    request: Request
    answer: Future[Response]


class RestServer:
    """
    Serves an API over HTTP/1.1 from :meth:`start` to :meth:`close`.

    :param host: address to listen at; the loopback one keeps others out.
    :param port: 0: any free one.
    """

    def __init__(
        self, api: Api, gate: Gate, host: str, port: int, limits: Limits | None = None
    ) -> None:
        self._api = api
        self._gate = gate
        self._host = host
        self._limits = limits or Limits()
        self.port = port
        self._jobs: queue.Queue[_Job] = queue.Queue(self._limits.queue)
        self._thread = LoopThread('rest', self._listening)

    def start(self) -> None:
        """
        Listen, and answer from now on.

        :raises ConfigError: if the address is not ours or the port is taken.
        """
        try:
            family, _, _, _, address = socket.getaddrinfo(
                self._host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            listener = socket.create_server(address[:2], family=family, backlog=BACKLOG)
        except OSError as error:
            raise ConfigError(f'cannot serve at {self._host}:{self.port}: {error}') from None
        self.port = listener.getsockname()[1]
        self._listener = listener
        self._thread.start()

    def serve_pending(self, limit: int = MAX_SERVED) -> int:
        """
        Answer what waits; call it often, from the ledger's thread.

        :returns: how many requests were answered.
        """
        for served in range(limit):
            try:
                request, answer = self._jobs.get_nowait()
            except queue.Empty:
                return served
            if not answer.set_running_or_notify_cancel():
                continue
            try:
                response = self._api.handle(*request)
            except Exception:  # the border: a client must not stop the robot
                log.exception('%s %.200s', request.method, request.path)
                response = as_error(500, 'internal error')
            answer.set_result(response)
        return limit

    def close(self) -> None:
        """Hang up and free the port."""
        self._thread.close()

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        server = _Server(self._answer, self._limits, self._thread.loop)
        listening = await self._thread.loop.create_server(server, sock=self._listener)
        yield
        listening.close()
        await server.shutdown(HANG_UP)

    async def _answer(self, incoming: web.BaseRequest) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in incoming.headers.items()}
        request = Request(incoming.method, incoming.path, headers)
        response = self._gate.refuse(request, incoming.remote or '', self._thread.loop.time())
        if response is None:
            response = await self._read_and_ask(incoming, request)
        answer = web.Response(
            status=response.status,
            body=response.body,
            headers=dict(response.headers),
            content_type=response.content_type if response.body else None,
        )
        if not incoming.content.is_eof():
            answer.force_close()  # the rest of the body is not worth reading
        return answer

    async def _read_and_ask(self, incoming: web.BaseRequest, request: Request) -> Response:
        try:
            body = await asyncio.wait_for(self._read(incoming), self._limits.receive)
        except asyncio.TimeoutError:
            return as_error(408, f'the body did not arrive within {self._limits.receive:g} s')
        if len(body) > self._limits.body:
            return too_large(self._limits)
        job = _Job(request._replace(body=body), Future())
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            return as_error(503, 'too many requests wait', {'Retry-After': '1'})
        try:
            return await asyncio.wait_for(asyncio.wrap_future(job.answer), self._limits.answer)
        except asyncio.TimeoutError:
            return as_error(503, 'the ledger is busy', {'Retry-After': '1'})

    async def _read(self, incoming: web.BaseRequest) -> bytes:
        """Return the body, or the first part of one that is too large."""
        body = bytearray()
        async for part in incoming.content.iter_any():
            body += part
            if len(body) > self._limits.body:
                break
        return bytes(body)


class _Server(web.Server):
    """Bounds how many connections there are, and how long each lasts."""

    def __init__(self, handler: Any, limits: Limits, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            handler,
            loop=loop,
            keepalive_timeout=limits.idle,
            lingering_time=0,
            access_log=None,
            auto_decompress=False,  # a small body must not become a large one
        )
        self._limits = limits
        self._timers: dict[web.RequestHandler, asyncio.TimerHandle] = {}
        self._later = loop.call_later

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if len(self._timers) < self._limits.connections:
            self._timers[handler] = self._later(self._limits.lifetime, transport.abort)
        else:
            transport.abort()

    def connection_lost(
        self, handler: web.RequestHandler, exc: BaseException | None = None
    ) -> None:
        super().connection_lost(handler, exc)
        timer = self._timers.pop(handler, None)
        if timer is not None:
            timer.cancel()
