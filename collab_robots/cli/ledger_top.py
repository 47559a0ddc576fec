"""``collab-robots ledger top``: a ledger live, on the whole terminal."""

from __future__ import annotations

from pathlib import Path
import sys

from collab_robots.cli.common import plain_errors
from collab_robots.cli.ledger_common import (
    DbArgument,
    EXIT_CODES,
    find_ledger,
    FleetOption,
    RobotOption,
)

EPILOG = (
    'Examples:\n\n'
    '  collab-robots ledger top\n\n'
    '  collab-robots ledger top runs/2026-01-31_12-00-00/robot1/ledger.db\n\n'
    '  ssh -t robot1 collab-robots ledger top /var/lib/collab_robots/ledger.db\n\n' + EXIT_CODES
)


def top(db: DbArgument = None, robot: RobotOption = None, fleet: FleetOption = None) -> None:
    """Show robots, DAG, tasks, trust and traffic live; ? tells the keys, q quits."""
    with plain_errors():
        from collab_robots.core.errors import ConfigError
        from collab_robots.explorer.book.open import open_reader
        from collab_robots.explorer.terminal.top import Top

        if robot is not None and db is not None:
            raise ConfigError(f'either {db} or --robot {robot}, not both')
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise ConfigError('top needs a terminal; "ledger tail -f" does not')
        source: Path | str = find_ledger(db)[0] if robot is None else robot
        trouble = Top(lambda told: open_reader(source, fleet, told)).run()
        if trouble is not None:
            raise trouble
