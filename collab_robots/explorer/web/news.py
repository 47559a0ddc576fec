"""What is new in the ledger, sent to all who follow it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from starlette.websockets import WebSocket, WebSocketDisconnect

from collab_robots.core.errors import CollabError, UnreachableError
from collab_robots.explorer.web.desk import Desk
from collab_robots.explorer.web.failure import failure
from collab_robots.explorer.web.limits import Limits

MAX_REASON = 120  # bytes; a close frame has room for 123


@dataclass(eq=False)
class _Follower:
    """
    One who waits for news, or is being sent some.

    :param since: version that it knows.
    :param news: the next version, and the JSON of what is new in it.
    """

    since: int
    news: asyncio.Future[tuple[int, str]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Feed:
    """
    Asks for news once for all followers, as long as there are any.

    Who takes news slowly is told less often, as what it has not asked for adds up in the ledger
    and not here; who takes none for too long is cut off.
    """

    def __init__(self, desk: Desk, limits: Limits) -> None:
        self._desk = desk
        self._limits = limits
        self._followers: set[_Follower] = set()
        self._followed = asyncio.Event()

    async def run(self) -> None:
        """Look for news until cancelled."""
        while True:
            await self._followed.wait()
            for since in {one.since for one in self._followers if not one.news.done()}:
                await self._look(since)
            await asyncio.sleep(self._limits.interval)
            if not self._followers:
                self._followed.clear()

    async def _look(self, since: int) -> None:
        try:
            news = await self._desk.ask(lambda reader: reader.news(since))
        except UnreachableError:  # the same again, later
            return
        except CollabError as error:
            for waiting in self._waiting(since):
                waiting.news.set_exception(error)
            return
        if news.version != since:
            text = news.model_dump_json()
            for waiting in self._waiting(since):
                waiting.news.set_result((news.version, text))

    def _waiting(self, since: int) -> list[_Follower]:
        return [one for one in self._followers if one.since == since and not one.news.done()]

    async def follow(self, socket: WebSocket, since: int) -> None:
        """
        Send what is new until the client closes, says something or is too slow.

        :param since: version that it knows.
        """
        if len(self._followers) >= self._limits.followers:
            await socket.send_denial_response(
                failure(503, 'too many follow the ledger', {'Retry-After': '10'})
            )
            return
        follower = _Follower(since)
        self._followers.add(follower)
        self._followed.set()
        try:
            await socket.accept()
            telling = asyncio.ensure_future(self._tell(socket, follower))
            hearing = asyncio.ensure_future(socket.receive())
            await asyncio.wait({telling, hearing}, return_when=asyncio.FIRST_COMPLETED)
            for task in (telling, hearing):
                task.cancel()
            await asyncio.wait({telling, hearing})
            if not telling.cancelled():
                await telling
            elif (await hearing)['type'] == 'websocket.receive':
                await socket.close(1008, 'clients only listen')
        except (asyncio.TimeoutError, WebSocketDisconnect):  # too slow, or gone
            pass
        except CollabError as error:
            reason = str(error).encode()[:MAX_REASON].decode('utf-8', 'ignore')
            await socket.close(1011, reason)
        finally:
            self._followers.discard(follower)

    async def _tell(self, socket: WebSocket, follower: _Follower) -> None:
        while True:
            version, text = await follower.news
            await asyncio.wait_for(socket.send_text(text), self._limits.send)
            follower.since = version
            follower.news = asyncio.get_running_loop().create_future()
