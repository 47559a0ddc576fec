"""``collab-robots ledger verify``: whether a ledger file is genuine."""

from __future__ import annotations

from dataclasses import asdict
import json
import os
from typing import Annotated

import typer

from collab_robots.cli.common import FAILED, plain_errors, print_pairs
from collab_robots.cli.ledger_common import (
    DbArgument,
    find_ledger,
    FleetOption,
    JsonOption,
    progress,
)

EPILOG = (
    'Examples:\n\n'
    '  collab-robots ledger verify robot1/ledger.db\n\n'
    '  collab-robots ledger verify copy.db --fleet fleet.yaml --jobs 4 --json\n\n'
    'Exit codes: 0 all is as it should be, 1 something is wrong (the first wrong record is named) '
    'or the file cannot be read, 2 wrong input.'
)


def verify(
    db: DbArgument = None,
    fleet: FleetOption = None,
    jobs: Annotated[
        int, typer.Option(min=1, max=64, help='Processes.', show_default='one a core')
    ] = os.cpu_count() or 1,
    interval: Annotated[
        int,
        typer.Option(
            '--snapshot-interval',
            min=1,
            help='Final records between two snapshots, as the robots have it.',
        ),
    ] = 2_000,
    as_json: JsonOption = False,
) -> None:
    """
    Check a ledger file whole: hashes, signatures, order, proofs, snapshot and contract state.

    Nothing is taken on trust but the fleet file. If the file holds all blocks, everything is
    computed again from genesis, otherwise from its snapshot, which the fleet attests. When a
    block arrived cannot be checked: that is the robot's own word. Bytes of the file that hold
    nothing are passed over.
    """
    with plain_errors(), progress() as told:
        from collab_robots.explorer import verify as tool
        from collab_robots.explorer.files import find_fleet
        from collab_robots.explorer.verify_fault import WrongRecordError

        path, _ = find_ledger(db)
        try:
            found = tool.verify(path, find_fleet(path, fleet), jobs, told, interval)
        except WrongRecordError as error:
            if as_json:
                wrong = {'genuine': False, 'first_wrong': asdict(error.fault)}
                typer.echo(json.dumps(wrong, indent=2))
                raise typer.Exit(FAILED) from None
            raise
    if as_json:
        typer.echo(json.dumps({'genuine': True, **asdict(found)}, indent=2))
    else:
        print_pairs({'genuine': 'yes', **tool.in_words(found)})
