"""``collab-robots ledger …``: look into a robot's ledger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from collab_robots.cli import (
    ledger_blocks,
    ledger_dag,
    ledger_diff,
    ledger_export,
    ledger_replay,
    ledger_robots,
    ledger_show,
    ledger_tasks,
    ledger_top,
    ledger_verify,
    ledger_web,
)
from collab_robots.cli.common import FAILED, OK, plain_errors
from collab_robots.cli.ledger_common import FleetOption

ledger_app = typer.Typer(no_args_is_help=True, help="Look into a robot's ledger.")
for name, epilog, command in (
    ('status', ledger_show.STATUS_EPILOG, ledger_show.status),
    ('top', ledger_top.EPILOG, ledger_top.top),
    ('web', ledger_web.EPILOG, ledger_web.web),
    ('tail', ledger_blocks.TAIL_EPILOG, ledger_blocks.tail),
    ('block', ledger_blocks.BLOCK_EPILOG, ledger_blocks.block),
    ('find', ledger_show.FIND_EPILOG, ledger_show.find),
    ('dag', ledger_dag.EPILOG, ledger_dag.dag),
    ('robots', ledger_robots.ROBOTS_EPILOG, ledger_robots.robots),
    ('robot', ledger_robots.ROBOT_EPILOG, ledger_robots.robot),
    ('tasks', ledger_tasks.TASKS_EPILOG, ledger_tasks.tasks),
    ('task', ledger_tasks.TASK_EPILOG, ledger_tasks.task),
    ('trust', ledger_show.TRUST_EPILOG, ledger_show.trust),
    ('models', ledger_show.MODELS_EPILOG, ledger_show.models),
    ('splits', ledger_show.SPLITS_EPILOG, ledger_show.splits),
    ('replay', ledger_replay.EPILOG, ledger_replay.replay),
    ('diff', ledger_diff.EPILOG, ledger_diff.diff),
    ('verify', ledger_verify.EPILOG, ledger_verify.verify),
    ('export', ledger_export.EPILOG, ledger_export.export),
):
    ledger_app.command(name, epilog=epilog)(command)


@ledger_app.command(
    'prove',
    epilog=(
        'Examples:\n\n'
        '  collab-robots ledger prove robot1/ledger.db\n\n'
        '  collab-robots ledger prove robot1/ledger.db --robot robot3 -o robot3.proof\n\n'
        '  collab-robots ledger prove --check robot3.proof --fleet fleet.yaml\n\n'
        'Exit codes: 0 equivocation is proven, 1 it is not, 2 wrong input.'
    ),
)
def ledger_prove(
    db: Annotated[
        Path | None, typer.Argument(help="A robot's ledger.db.", show_default=False)
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(
            help='Check this file of proofs instead; no ledger is needed.', metavar='FILE'
        ),
    ] = None,
    fleet: FleetOption = None,
    robot: Annotated[
        str | None, typer.Option(help='Only what proves that this robot equivocated.')
    ] = None,
    out: Annotated[
        Path | None, typer.Option('--out', '-o', help='File to write the proofs to.')
    ] = None,
    as_json: Annotated[bool, typer.Option('--json', help='Print as JSON.')] = False,
) -> None:
    """
    Prove that a robot signed two different records with one number (equivocation).

    The proof is two whole signed records: anybody who has the fleet file can check it, offline.
    """
    with plain_errors():
        from collab_robots.core.errors import ConfigError, RefusedError
        from collab_robots.explorer import proofs
        from collab_robots.explorer.files import find_fleet

        source = db if check is None else check
        if source is None or (db is not None and check is not None):
            raise ConfigError('name a ledger.db, or a file of proofs with --check')
        roster = find_fleet(source, fleet)
        wanted = None if robot is None else roster.index_of(robot)
        reason = 'no two records with one number'
        try:
            if check is None:
                found = proofs.held_proofs(source, roster)
            else:
                found = proofs.read_proofs(source, roster)
        except RefusedError as error:
            if check is None or error.reason not in proofs.NOT_PROVEN:
                raise
            found, reason = [], str(error)
        found = [proof for proof in found if wanted in (None, proof.issuer)]
        if out is not None and found:
            proofs.write_proofs(found, out)
        told = [proofs.summary(proof, roster) for proof in found]
        if as_json:
            why = {} if told else {'reason': reason}
            typer.echo(json.dumps({'proven': bool(told), 'proofs': told, **why}, indent=2))
        else:
            for proof in told:
                typer.echo(proofs.in_words(proof))
            if not told:
                typer.echo(f'not proven: {reason}')
            elif out is not None:
                typer.echo(f'written to {out}')
    raise typer.Exit(OK if told else FAILED)


@ledger_app.command(
    'repair',
    epilog=(
        'Examples:\n\n'
        '  collab-robots ledger repair robot1/ledger.db --dry-run\n\n'
        '  collab-robots ledger repair robot1/ledger.db\n\n'
        'Exit codes: 0 nothing was damaged or it is repaired, 1 it is damaged (--dry-run) or '
        'cannot be repaired, 2 wrong input.'
    ),
)
def ledger_repair(
    db: Annotated[Path, typer.Argument(help="A robot's ledger.db; the robot must not run.")],
    fleet: FleetOption = None,
    robot: Annotated[
        str | None,
        typer.Option(help='Whose ledger it is, should the file not say so any more.'),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option('--dry-run', help='Only say what is damaged, lost and left.')
    ] = False,
    as_json: Annotated[bool, typer.Option('--json', help='Print as JSON.')] = False,
) -> None:
    """
    Save what is left of a damaged ledger file.

    Records are kept if their signatures hold and their whole past is left. The damaged file stays
    beside the new one. What is lost comes from the other robots when the robot runs again; it
    issues nothing before it has heard all of them.
    """
    with plain_errors():
        from collab_robots.explorer import repairs
        from collab_robots.explorer.files import find_fleet

        report = repairs.repair(db, find_fleet(db, fleet), robot, dry_run)
        if as_json:
            typer.echo(json.dumps(report, indent=2))
        else:
            typer.echo(repairs.in_words(report))
    raise typer.Exit(FAILED if report['damage'] and dry_run else OK)
