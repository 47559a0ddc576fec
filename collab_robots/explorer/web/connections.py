"""Connections that end: slow clients are cut off, and only so many are served at a time."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from collab_robots.explorer.web.limits import Limits


def http_protocol(limits: Limits) -> type[asyncio.Protocol]:
    """Return the class of HTTP connections."""

    class Connection(H11Protocol):
        """Is cut off if a request and its answer do not get through in time."""

        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > limits.connections:
                transport.abort()
            else:
                self._cut_off_after(limits.exchange)

        def on_response_complete(self) -> None:
            self._cut_off_after(limits.exchange)
            super().on_response_complete()

        def handle_websocket_upgrade(self, event: Any) -> None:
            self._keep()
            super().handle_websocket_upgrade(event)

        def connection_lost(self, exc: Exception | None) -> None:
            self._keep()
            super().connection_lost(exc)

        def shutdown(self) -> None:
            self._cut_off_after(limits.hang_up)
            super().shutdown()

        def _cut_off_after(self, seconds: float) -> None:
            self._keep()
            self._deadline = self.loop.call_later(seconds, self.transport.abort)

        def _keep(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()

    return Connection


def socket_protocol(limits: Limits) -> type[asyncio.Protocol]:
    """Return the class of WebSocket connections."""

    class Socket(WebSocketsSansIOProtocol):
        """Is cut off if it does not close soon after the app is done with it."""

        async def run_asgi(self) -> None:
            await super().run_asgi()
            self.loop.call_later(limits.hang_up, self.transport.abort)

        async def send(self, message: Any) -> None:
            await super().send(message)
            if message['type'] == 'websocket.http.response.body':
                self.handshake_complete = True  # else it is logged as an error of the app

    return Socket
