"""The HTTP sides of the ledger node: a server for clients, and a TIP-25 node as the radio."""

from __future__ import annotations

from pathlib import Path
import re
from typing import Any

from collab_robots.bringup.tables import HORNET
from collab_robots.core.clock import Clock
from collab_robots.core.errors import ConfigError
from collab_robots.tangle.ledger import Ledger

_TOKEN = re.compile(r'[\x21-\x7e]{1,2048}')


def read_token(path: str) -> str | None:
    """
    Read a token file: one line of 1 to 2,048 printable characters without blanks, mode 0600.

    :param path: empty: no token.
    :raises ConfigError: if it is missing, malformed, or others can read it.
    """
    if not path:
        return None
    try:
        mode = Path(path).stat().st_mode & 0o777
        with open(path, encoding='ascii', errors='replace') as file:
            token = file.read(4096).strip()
    except OSError as error:
        raise ConfigError(f'{path}: cannot be read: {error.strerror}') from None
    if mode & 0o077:
        raise ConfigError(f'{path}: mode {mode:04o} lets others read it; run: chmod 600 {path}')
    if not _TOKEN.fullmatch(token):
        raise ConfigError(f'{path}: expected one line with a token')
    return token


class LedgerHttp:
    """
    Both sides, each off unless its parameters say otherwise; unused ones load no library.

    :param values: of the ledger node's parameters.
    :param clock: of the ledger.
    :raises ConfigError: naming the parameter or file that is wrong.
    """

    def __init__(self, values: dict[str, Any], clock: Clock) -> None:
        self._clock = clock
        self._port: int = values['rest_port']
        self._host: str = values['rest_host']
        self._token = read_token(values['rest_token_file'])
        self._server: Any = None
        self._node: Any = None
        self.transport: Any = None
        """In the place of the radio, or None."""
        if values['transport'] == HORNET:
            from collab_robots.tangle.hornet.node import HttpNode
            from collab_robots.tangle.hornet.transport import HornetTransport

            token = read_token(values['hornet_token_file'])
            self._node = HttpNode(values['hornet_url'], token)
            self.transport = HornetTransport(self._node, clock)

    def start(self, ledger: Ledger) -> None:
        """
        Serve this ledger.

        :raises ConfigError: if the port is taken or the address is not ours.
        """
        if self.transport is not None:
            self._node.start()
            self.transport.attach(ledger)
        if self._port:
            from collab_robots.tangle.rest.api import Api
            from collab_robots.tangle.rest.gate import Gate
            from collab_robots.tangle.rest.limits import Limits
            from collab_robots.tangle.rest.server import RestServer

            gate = Gate(self._token, Limits())
            self._server = RestServer(Api(ledger, self._clock), gate, self._host, self._port)
            self._server.start()

    def poll(self) -> None:
        """Answer clients and exchange blocks with the node; call it often."""
        if self._server is not None:
            self._server.serve_pending()
        if self.transport is not None:
            self.transport.poll()

    @property
    def alarm(self) -> str:
        """What is wrong with the node; empty when all is well or there is none."""
        return self.transport.alarm if self.transport is not None else ''

    def close(self) -> None:
        """Hang up."""
        for side in (self._server, self._node):
            if side is not None:
                side.close()
