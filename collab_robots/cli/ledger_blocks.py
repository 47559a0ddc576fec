"""``collab-robots ledger tail | block``: what was said."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
import json
import time
from typing import Annotated, TYPE_CHECKING

import typer

from collab_robots.cli.common import FAILED
from collab_robots.cli.ledger_common import (
    DbArgument,
    EXIT_CODES,
    FleetOption,
    JsonOption,
    known_robots,
    LimitOption,
    opened,
    PageOption,
    RobotOption,
    show,
    some_time,
)

if TYPE_CHECKING:
    from collab_robots.explorer.book.answers import Block
    from collab_robots.explorer.book.reader import Filter, Reader

TAIL_EPILOG = (
    'Examples:\n\n'
    '  collab-robots ledger tail -f\n\n'
    '  collab-robots ledger tail --robot-name robot3 --kind award --limit 100\n\n'
    '  collab-robots ledger tail --kind reverted --since 40 --until 80\n\n'
    '  collab-robots ledger tail -f --json | jq .calls\n\n' + EXIT_CODES
)
BLOCK_EPILOG = (
    'Examples:\n\n'
    '  collab-robots ledger block 0x12ab\n\n'
    '  collab-robots ledger block 0x12ab robot1/ledger.db --json\n\n' + EXIT_CODES
)
_PERIOD = 0.5  # s: nobody tells a process that another one wrote to a file


class BlockState(str, Enum):
    """How far a block has come."""

    PENDING = 'pending'
    ACCEPTED = 'accepted'
    FINAL = 'final'


def tail(
    db: DbArgument = None,
    robot: RobotOption = None,
    fleet: FleetOption = None,
    follow: Annotated[
        bool, typer.Option('--follow', '-f', help='Go on as the ledger grows; Ctrl-C ends it.')
    ] = False,
    robot_name: Annotated[
        str | None,
        typer.Option(
            help='Only blocks of this robot; "unsigned" for data blocks.',
            autocompletion=known_robots,
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            help='Only blocks with this contract call, as "award"; "heartbeat" for those without, '
            '"reverted" for calls without effect.'
        ),
    ] = None,
    state: Annotated[
        BlockState | None, typer.Option(help='Only blocks that have come so far.')
    ] = None,
    since: Annotated[
        str | None, typer.Option(help='Issued then or later.', metavar='TIME')
    ] = None,
    until: Annotated[
        str | None, typer.Option(help='Issued then or earlier.', metavar='TIME')
    ] = None,
    limit: LimitOption = 20,
    page: PageOption = None,
    as_json: Annotated[
        bool, typer.Option('--json', help='Print as JSON; with -f a line for each block.')
    ] = False,
) -> None:
    """Print the newest blocks, the newest last."""
    with opened(db, robot, fleet) as reader:
        from collab_robots.core.errors import ConfigError
        from collab_robots.explorer.book.answers import State
        from collab_robots.explorer.book.reader import Filter
        from collab_robots.explorer.terminal import print_blocks
        from collab_robots.explorer.terminal.print import console

        if follow and (state is not None or page is not None):
            raise ConfigError('-f shows what comes in: it goes with neither --state nor --page')
        which = Filter(
            robot_name,
            kind,
            None if state is None else State(state.value),
            some_time(since),
            some_time(until),
        )
        if follow:
            screen = console()
            for number, found in enumerate(_coming(reader, which, limit)):
                if as_json:
                    typer.echo(json.dumps(found.model_dump(mode='json')))
                else:
                    screen.print(print_blocks.block_rows([found], kind, header=number == 0))
        answer = reader.blocks(which, page, limit)
        show(answer, lambda page: print_blocks.block_page(page, kind), as_json)
    if not answer.items:
        raise typer.Exit(FAILED)


def block(
    identity: Annotated[str, typer.Argument(metavar='ID', help='Or its beginning.')],
    db: DbArgument = None,
    robot: RobotOption = None,
    fleet: FleetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell all about a block."""
    with opened(db, robot, fleet) as reader:
        from collab_robots.explorer.terminal import print_blocks

        show(reader.block(identity), print_blocks.block_details, as_json)


def _coming(reader: Reader, which: Filter, limit: int) -> Iterator[Block]:
    """Yield the newest blocks, oldest first, then every one that comes in."""
    from collab_robots.explorer.book.reader import MAX_PAGE

    version = reader.overview().version
    blocks = reader.blocks(which, limit=limit).items[::-1]
    printed = {block.id for block in blocks}
    yield from blocks
    while True:
        time.sleep(_PERIOD)  # a file does not tell when it grows
        news = reader.news(version, MAX_PAGE)
        version = news.version
        yield from (b for b in news.blocks if b.id not in printed and _fits(b, which))


def _fits(block: Block, which: Filter) -> bool:
    """Tell whether a block is one of those that a filter lists."""
    kinds = {call.name for call in block.calls} or {'heartbeat'}
    if not all(call.ok for call in block.calls):
        kinds.add('reverted')
    return (
        which.robot in (None, block.robot or 'unsigned')
        and (which.kind is None or which.kind in kinds)
        and (which.since is None or block.issued >= which.since)
        and (which.until is None or block.issued <= which.until)
    )
