"""``collab-robots ledger sim``: the whole protocol, simulated."""

from __future__ import annotations

from collections import Counter
from contextlib import closing, suppress
from enum import Enum
import json
from pathlib import Path
import shutil
import signal
import subprocess
import time
from typing import Annotated, Any, TYPE_CHECKING

import typer

from collab_robots.cli.common import (
    FAILED,
    INTERRUPTED,
    plain_errors,
    print_pairs,
)

if TYPE_CHECKING:
    from collab_robots.sim.protocol.breakage import Breakage
    from collab_robots.sim.protocol.run import Outcome

MAX_SEED = 2**31 - 1
_DRAWN = 3  # failing seeds whose DAG is drawn

EPILOG = (
    'Examples:\n\n'
    '  collab-robots ledger sim --seeds 300\n\n'
    '  collab-robots ledger sim --seeds 10000 --first-seed 1000 --jobs 2 --json > soak.json\n\n'
    '  collab-robots ledger sim --seeds 1 --first-seed 42 --robots 7\n\n'
    '  collab-robots ledger sim --seeds 50 --break threshold\n\n'
    'Exit codes: 0 all invariants hold, 1 one does not, 2 wrong input, 130 interrupted '
    '(the summary is of the seeds that were done).'
)


class Break(str, Enum):
    """What can be broken on purpose."""

    THRESHOLD = 'threshold'
    DENOMINATOR = 'denominator'
    EQUIVOCATION = 'equivocation'


def simulate(
    seeds: Annotated[int, typer.Option(min=1, max=10_000_000, help='How many runs.')] = 300,
    first_seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help='Seed of the first.')] = 0,
    jobs: Annotated[int, typer.Option(min=1, max=64, help='Processes.')] = 2,
    robots: Annotated[
        int | None,
        typer.Option(
            min=4,
            max=16,
            help='Team size; 4, 7 or 10 by the seed if not given.',
            show_default=False,
        ),
    ] = None,
    broken: Annotated[
        Break | None,
        typer.Option(
            '--break',
            help='Break the rule of finality on purpose: half of the roster is enough, only '
            'robots heard lately count, or equivocations of leaders are overlooked.',
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help='Folder for the DAGs of seeds that fail, as DOT.')
    ] = Path('.'),
    as_json: Annotated[
        bool, typer.Option('--json', help='Only the summary, as JSON, on standard output.')
    ] = False,
) -> None:
    """
    Run the ledger protocol of whole teams in virtual time, and check what must always hold.

    Each seed is a script of splits, crashes, wrong clocks, bad weather and Byzantine robots, up to
    one less than a third of the team; one seed is always the same run. A seed that fails tells
    what broke, when, and how to run it again.
    """
    with plain_errors():
        from rich.console import Console
        from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

        from collab_robots.sim.protocol.breakage import Breakage
        from collab_robots.sim.protocol.soak import run_all

        breakage = Breakage(broken.value) if broken is not None else Breakage.NONE
        console = Console(stderr=True)
        started, done = time.monotonic(), list['Outcome']()
        columns = (
            *Progress.get_default_columns()[:2],
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        outcomes = run_all(range(first_seed, first_seed + seeds), robots, breakage, jobs)
        shown = Progress(*columns, console=console, transient=True)
        _interrupt_once()
        with suppress(KeyboardInterrupt), shown, closing(outcomes):  # what is done counts
            task = shown.add_task('Simulating', total=seeds)
            for outcome in outcomes:
                done.append(outcome)
                shown.advance(task)
                if outcome.violation is not None:
                    failed = sum(one.violation is not None for one in done)
                    drawn = out if failed <= _DRAWN else None
                    _tell(console, outcome, robots, breakage, drawn)
        summary = _summary(done, first_seed, time.monotonic() - started)
        if as_json:
            typer.echo(json.dumps(summary, indent=2))
        else:
            print_pairs(summary | {'failed_seeds': len(summary['failed_seeds'])})
        if summary['failed_seeds']:
            raise typer.Exit(FAILED)
        if len(done) < seeds:
            raise typer.Exit(INTERRUPTED)


def _interrupt_once() -> None:
    """Let SIGTERM or Ctrl-C end the runs; what comes then is short and must be whole."""

    def interrupt(number: int, frame: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)


def _tell(
    console: Any, outcome: Outcome, robots: int | None, breakage: Breakage, out: Path | None
) -> None:
    """Say what broke, draw the DAG, and how to see it again."""
    violation = outcome.violation
    assert violation is not None
    console.print(
        f'[bold red]seed {outcome.seed}[/]: {violation.invariant} does not hold at '
        f'{violation.at:.2f} s, {violation.robot}:',
        highlight=False,
    )
    console.print(f'  {violation.detail}', markup=False, highlight=False)
    for line in outcome.script:
        console.print(f'    {line}', markup=False, highlight=False)
    if out is not None:
        console.print(f'  its DAG: {_draw(outcome, robots, breakage, out)}', markup=False)
    again = f'collab-robots ledger sim --seeds 1 --first-seed {outcome.seed}'
    if robots is not None:
        again += f' --robots {robots}'
    if breakage.value != 'none':
        again += f' --break {breakage.value}'
    console.print(f'  again: {again}', markup=False, highlight=False, soft_wrap=True)


def _draw(outcome: Outcome, robots: int | None, breakage: Breakage, out: Path) -> Path:
    """Run a seed again and write its DAG; as SVG, too, where graphviz is installed."""
    from collab_robots.core.errors import ConfigError
    from collab_robots.sim.protocol.drawing import dot
    from collab_robots.sim.protocol.run import Run
    from collab_robots.sim.protocol.scenario import draw

    run = Run(draw(outcome.seed, robots), breakage)
    run.execute()
    path = out / f'ledger_sim_{outcome.seed}.dot'
    try:
        out.mkdir(parents=True, exist_ok=True)
        path.write_text(dot(run, outcome.violation), encoding='utf-8')
    except OSError as error:
        raise ConfigError(f'{path}: cannot be written: {error.strerror}') from None
    graphviz = shutil.which('dot')
    if graphviz is not None:
        subprocess.run([graphviz, '-Tsvg', '-O', str(path)], check=False, timeout=60)
    return path


def _summary(done: list[Outcome], first_seed: int, seconds: float) -> dict[str, Any]:
    """Return what all runs came to."""
    failed = [one for one in done if one.violation is not None]
    return {
        'seeds': len(done),
        'first_seed': first_seed,
        'violations': dict(Counter(one.violation.invariant for one in failed if one.violation)),
        'failed_seeds': [one.seed for one in failed],
        'robots': {str(n): count for n, count in sorted(Counter(o.robots for o in done).items())},
        'records': sum(one.records for one in done),
        'final_records': sum(one.final for one in done),
        'pruned_records': sum(one.pruned for one in done),
        'equivocators_proven': sum(one.proven for one in done),
        'simulated_seconds': round(sum(one.seconds for one in done), 1),
        'seconds': round(seconds, 1),
    }
