"""``collab-robots ledger web``: a ledger in the browser, and for programs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from collab_robots.cli.common import interrupt_on_term, plain_errors
from collab_robots.cli.ledger_common import DbArgument, FleetOption, opened, RobotOption

EPILOG = (
    'Examples:\n\n'
    '  collab-robots ledger web --open\n\n'
    '  collab-robots ledger web runs/2026-01-31_12-00-00/robot1/ledger.db --port 9000\n\n'
    '  head -c 24 /dev/urandom | base64 | tr +/ -_ > token && chmod 600 token\n\n'
    '  collab-robots ledger web robot1/ledger.db --host 0.0.0.0 --token-file token\n\n'
    '  ssh -L 8460:localhost:8460 robot1 collab-robots ledger web /var/lib/robot/ledger.db\n\n'
    'A browser gives the token once, as http://HOST:PORT/?token=TOKEN; programs as the header '
    'Authorization: Bearer TOKEN. There is no TLS: the token and the ledger can be read on the '
    'way, so use a tunnel where others listen.\n\n'
    'Exit codes: 0 ended by Ctrl-C, 1 the ledger cannot be read, 2 wrong input, 3 the server of '
    '--robot does not answer.'
)
PORT = 8460


def web(
    db: DbArgument = None,
    robot: RobotOption = None,
    fleet: FleetOption = None,
    host: Annotated[
        str, typer.Option(help='Address to listen at; others reach any but the loopback one.')
    ] = '127.0.0.1',
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help='Port to listen at; 0: any free one.')
    ] = PORT,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help='File with the token that clients must bear, mode 0600; needed where others '
            'reach the address.',
            show_default=False,
        ),
    ] = None,
    open_browser: Annotated[
        bool, typer.Option('--open', help='Open it in the browser of this computer.')
    ] = False,
) -> None:
    """
    Show a ledger in the browser; safe while the robot runs.

    Nothing can be changed through it. docs/explorer-api.md tells programs what they can ask.
    """
    with plain_errors():
        from collab_robots.core.identity import read_private
        from collab_robots.explorer.web.server import WebServer

        token = None if token_file is None else read_private(token_file)
        server = WebServer(host, port, token)
    interrupt_on_term()
    with server, opened(db, robot, fleet) as reader:
        given = '' if token_file is None else f'?token=TOKEN with that of {token_file}'
        typer.echo(f'{server.url}{given}  (Ctrl-C ends it)')
        if open_browser:
            typer.launch(server.url)
        with suppress(KeyboardInterrupt):
            server.serve(reader)
