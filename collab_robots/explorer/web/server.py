"""The server: from a reader to a listening socket."""

from __future__ import annotations

from ipaddress import ip_address
import logging
import math
from pathlib import Path
import socket
import threading
from types import TracebackType

import uvicorn

from collab_robots.core.errors import ConfigError
from collab_robots.explorer.book.reader import Reader
from collab_robots.explorer.web.api import make_app
from collab_robots.explorer.web.connections import http_protocol, socket_protocol
from collab_robots.explorer.web.desk import Desk
from collab_robots.explorer.web.gate import Gate
from collab_robots.explorer.web.limits import Limits
from collab_robots.explorer.web.pages import STATIC

LIMITS = Limits()
BACKLOG = 64
MIN_TOKEN, MAX_TOKEN = 16, 256  # characters


class WebServer:
    """
    Serves a ledger to browsers and programs.

    It listens when it is made, takes questions in a thread of its own while it is entered, and
    answers them in :meth:`serve`.

    ``url`` is where a browser finds it.

    :param host: address to listen at.
    :param port: 0: any free one.
    :param token: that clients must bear; None: none, which only the loopback address allows.
    :param pages: folder of the built web pages; it need not exist.
    :raises ConfigError: if the address is not ours, the port is taken, others reach it and there
        is no token, or the token is none.
    """

    def __init__(
        self,
        host: str,
        port: int,
        token: str | None = None,
        limits: Limits = LIMITS,
        pages: Path = STATIC,
    ) -> None:
        if token is not None and not (
            MIN_TOKEN <= len(token) <= MAX_TOKEN and token.isascii() and token.isprintable()
        ):
            raise ConfigError(f'expected a token of {MIN_TOKEN} to {MAX_TOKEN} printable letters')
        try:
            family, _, _, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            if token is None and not ip_address(address[0]).is_loopback:
                raise ConfigError(
                    f'others reach {host}: name a file with a token that they must bear'
                )
            self._listener = socket.create_server(address[:2], family=family, backlog=BACKLOG)
        except OSError as error:
            raise ConfigError(f'cannot serve at {host}:{port}: {error}') from None
        self.port: int = self._listener.getsockname()[1]
        name = socket.gethostname() if ip_address(address[0]).is_unspecified else host
        self.url = f'http://{f"[{name}]" if ":" in name else name}:{self.port}/'
        self._desk = Desk(limits)
        own = socket.gethostname().lower()
        gate = Gate(
            make_app(self._desk, pages, limits),
            frozenset({'localhost', host.lower(), own, f'{own}.local'}),
            token,
            f'collab_robots_{self.port}',  # cookies are shared by all ports of a host
            limits,
        )
        self._server = uvicorn.Server(
            uvicorn.Config(
                gate,
                http=http_protocol(limits),
                ws=socket_protocol(limits),
                ws_max_size=limits.target,
                ws_per_message_deflate=False,
                h11_max_incomplete_event_size=limits.head,
                proxy_headers=False,
                server_header=False,
                access_log=False,
                log_config=None,
                log_level=logging.ERROR,
                timeout_graceful_shutdown=math.ceil(limits.hang_up) + 1,
            )
        )
        self._thread = threading.Thread(target=self._run, name='web')

    def __enter__(self) -> WebServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._thread.join()

    def serve(self, reader: Reader) -> None:
        """Answer what clients ask until :meth:`stop`, in the reader's thread."""
        self._desk.serve(reader)

    def stop(self) -> None:
        """End :meth:`serve`, from any thread."""
        self._desk.close()

    def _run(self) -> None:
        try:
            self._server.run([self._listener])
        finally:
            self.stop()
