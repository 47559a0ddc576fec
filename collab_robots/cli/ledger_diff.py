"""``collab-robots ledger diff``: two robots' ledgers beside each other."""

from __future__ import annotations

from typing import Annotated

import typer

from collab_robots.cli.common import FAILED, plain_errors
from collab_robots.cli.ledger_common import FleetOption, JsonOption, progress, show

EPILOG = (
    'Examples:\n\n'
    '  collab-robots ledger diff robot1/ledger.db robot2/ledger.db\n\n'
    '  collab-robots ledger diff copy.db http://robot2:8460 --json\n\n'
    'Exit codes: 0 the final orders do not part, 1 they do (then one of the files is not genuine) '
    'or a file cannot be read, 2 wrong input, 3 the server does not answer.'
)
_Ledger = Annotated[str, typer.Argument(help='A robot\'s ledger.db, or the URL of "ledger web".')]


def diff(
    first: _Ledger,
    second: _Ledger,
    fleet: FleetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what one ledger has that another lacks, and whether their final orders part."""
    with plain_errors(), progress() as told:
        from collab_robots.explorer.book.open import open_reader
        from collab_robots.explorer.terminal import compare, print_diff

        with open_reader(first, fleet, told) as one, open_reader(second, fleet, told) as two:
            answer = compare.compare(one, two)
        show(answer, print_diff.difference, as_json)
    if answer.parted:
        raise typer.Exit(FAILED)
