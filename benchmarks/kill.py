"""
Real ledger processes that are killed at random moments, again and again: what is lost.

Each is started again within a second. At the end nobody says anything new. Every record that was
ever seen anywhere has to be on every robot then, every call final, and one record under a number.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
import random
import tempfile
import time
from typing import Annotated

import typer

from benchmarks.processes import Processes
from benchmarks.report import OutOption, Report, spread
from collab_robots.core.errors import SimulationError
from collab_robots.explorer.processes import Domain
from collab_robots.tangle.store import Store

START_LIMIT, END_LIMIT = 60.0, 60.0  # s
QUIET = (2.0, 8.0)  # s without kills at the beginning and at the end
MAX_DOWN = 1.0  # s from a kill to the next start
LIMIT = 5.0  # s from start to synced


@dataclass(frozen=True)
class Outcome:
    """
    What came of it.

    :param records: distinct ids that were ever seen anywhere.
    :param final: of them, in the final order at the end, on every robot; all that have calls are.
    :param lost: ids that some robot did not hold at the end.
    :param twice: numbers with which some robot signed more than one record.
    :param equivocators: robots that were called so.
    :param loaded: s from a start to the ledger loaded, per life.
    :param synced: s from a start until all is held that anybody held at the start, per life.
    :param interrupted: lives that were killed before they were synced.
    :param settled: s from the last word to everything final everywhere.
    """

    kills: int
    records: int
    final: int
    lost: int
    twice: int
    equivocators: tuple[str, ...]
    loaded: list[float]
    synced: list[float]
    interrupted: int
    settled: float


def run(
    folder: Path,
    domain: int,
    seconds: float,
    kills: int,
    robots: int = 4,
    rate: float = 1.0,
    seed: int = 1,
    say: Callable[[str], None] = print,
) -> Outcome:
    """
    Let robots work and kill them.

    :param folder: empty; keys, ledgers and logs stay there.
    :param rate: calls/s of each robot.
    :raises SimulationError: if a process ends by itself, or not all becomes final at the end.
    """
    chance = random.Random(seed)
    names = [f'robot{number}' for number in range(1, robots + 1)]
    plan = sorted(chance.uniform(QUIET[0], seconds - QUIET[1]) for _ in range(kills))
    with Processes(folder, names, domain, seed=seed) as team:
        team.start()
        team.say(rate)
        team.wait(lambda: len(team.statuses) == robots, START_LIMIT)
        first = {name: len(team.synced[name]) for name in names}
        began = time.monotonic()
        down: dict[str, float] = {}
        while (now := time.monotonic() - began) < seconds or down:
            while plan and plan[0] <= now:
                del plan[0]
                victim = chance.choice([name for name in names if name not in down])
                team.kill(victim)
                down[victim] = now + chance.uniform(0.0, MAX_DOWN)
                say(f'{now:5.1f} s: killed {victim}')
            for name in [name for name, until in down.items() if until <= now]:
                del down[name]
                team.start(name)
            team.watch(0.02)
        settled = team.settle(END_LIMIT)
        final = int(team.statuses[names[0]]['final'])
        accused = {name for status in team.statuses.values() for name in status['equivocators']}
        held = int(team.statuses[names[0]]['blocks'])
    synced = [seconds for name in names for seconds in team.synced[name][first[name] :]]
    ids = defaultdict(set, {key: set(known) for key, known in team.records.items()})
    stored = [_stored(team.store(name)) for name in names]
    for rows in stored:
        for key, identity in rows:
            ids[key].add(identity)
    everything = {identity for known in ids.values() for identity in known}
    return Outcome(
        kills=kills,
        records=len(everything),
        final=final,
        lost=len(everything) - held,
        twice=sum(len(known) > 1 for known in ids.values()),
        equivocators=tuple(sorted(accused)),
        loaded=[seconds for name in names for seconds in team.loaded[name][first[name] :]],
        synced=synced,
        interrupted=kills - len(synced),
        settled=settled,
    )


def _stored(path: Path) -> list[tuple[tuple[int, int], str]]:
    """Return issuer and seq, and id, of every record in a ledger's file."""
    with closing(Store.read(path)) as reader:
        return [((row.issuer, row.seq), row.id.hex()) for row in reader.load()]


def main(
    seconds: Annotated[float, typer.Option(min=15.0, help='How long they work, s.')] = 300.0,
    kills: Annotated[int, typer.Option(min=1, help='How many kills.')] = 50,
    robots: Annotated[int, typer.Option(min=2, max=16)] = 4,
    rate: Annotated[float, typer.Option(min=0.0, max=10.0, help='Calls/s of each robot.')] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help='Of moments, victims and calls.')] = 1,
    out: OutOption = None,
) -> None:
    """Kill real ledger processes at random moments, and look what is lost."""
    report = Report('kill', {'seconds': seconds, 'kills': kills, 'robots': robots, 'seed': seed})
    domain = Domain()
    try:
        with tempfile.TemporaryDirectory() as folder:
            outcome = run(
                Path(folder), domain.id, seconds, kills, robots, rate, seed, say=report.note
            )
    except SimulationError as error:
        report.note(f'failed: {error}')
        raise typer.Exit(1) from None
    finally:
        domain.close()
    synced, loaded = spread(outcome.synced), spread(outcome.loaded)
    rows = [
        ('kills', outcome.kills, None),
        ('records ever seen', outcome.records, None),
        ('final everywhere, all calls among them', outcome.final, None),
        ('lost', outcome.lost, 0),
        ('signed twice with one number', outcome.twice, 0),
        ('robots called equivocators', len(outcome.equivocators), 0),
        ('start to synced, median s', synced['median'], None),
        ('start to synced, longest s', synced['max'], LIMIT),
        ('start to ledger loaded, median s', loaded['median'], None),
        ('killed before they were synced', outcome.interrupted, None),
        ('last word to all final everywhere, s', outcome.settled, None),
    ]
    report.table('kill', 'kill -9', ('what', 'figure', 'limit'), rows)
    report.keep('kill', {**vars(outcome), 'synced': synced, 'loaded': loaded})
    report.write(out)
    if outcome.lost or outcome.twice or outcome.equivocators or (synced['max'] or 0) > LIMIT:
        raise typer.Exit(1)


if __name__ == '__main__':
    typer.run(main)
