"""
What a network split costs: the ledger beside a proof-of-authority chain and a quorum log.

All run in one virtual network with the same delays, on the same schedule of calls. The two others
are our own models of published rules (benchmarks/baselines), not the software known for them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
import random
import statistics
import time
from typing import Annotated, Any

from rich.progress import Progress
import typer

from benchmarks import split_real
from benchmarks.network import Network
from benchmarks.report import OutOption, Report
from benchmarks.teams import CliqueTeam, LedgerTeam, QuorumTeam, Team
from collab_robots.contract.calls.maps import report_sighting
from collab_robots.core.identity import PrivateKey
from collab_robots.tangle.memory import make_team

WARM_UP = 5.0  # s together before the cut
PATIENCE = 120.0  # s after the heal
LIMIT = 1.5  # bytes exchanged, times the least that could be


@dataclass(frozen=True)
class Case:
    """
    One cut.

    :param first: how many of the robots are on the first side.
    :param cut: length, s.
    :param rate: calls/s of each robot, from the warm-up to the heal.
    """

    robots: int
    first: int
    cut: float
    rate: float
    seed: int

    @property
    def name(self) -> str:
        """The sides."""
        return f'{self.first}/{self.robots - self.first}'

    def schedule(self) -> list[tuple[float, int, bytes]]:
        """Return (s after the start, robot, call): the same for all protocols."""
        chance = random.Random(self.seed)
        plan: list[tuple[float, int, bytes]] = []
        for robot in range(self.robots):
            at = chance.uniform(0, 1 / self.rate)
            while at < WARM_UP + self.cut:
                call = report_sighting(robot, 900, len(plan), round(at * 1000))
                plan.append((at, robot, call))
                at += chance.uniform(0.5, 1.5) / self.rate
        return sorted(plan)


@dataclass
class Outcome:
    """
    What became of the calls of one cut under one protocol.

    :param total: calls submitted, warm-up included.
    :param submitted: calls during the cut, per side.
    :param usable_in_cut: of those, how many the whole side could act on before the heal.
    :param done_in_cut: of those, how many the whole side called irrevocable before the heal.
    :param stopped: longest time without a new decision during the cut, s, per side.
    :param withdrawn: called irrevocable by a robot at some time, and later not.
    :param lost: not irrevocable everywhere in the end.
    :param sets_after: s from the heal until all hold the same blocks; None for the models.
    :param equal_after: s from the heal until all is irrevocable everywhere; None: it never was.
    :param exchanged: bytes sent after the heal to bring the sides together.
    :param least: bytes of the blocks that a side lacked at the heal, each once.
    """

    protocol: str
    total: int
    submitted: tuple[int, ...]
    usable_in_cut: tuple[int, ...]
    done_in_cut: tuple[int, ...]
    stopped: tuple[float, ...]
    withdrawn: int
    lost: int
    sets_after: float | None
    equal_after: float | None
    exchanged: int | None = None
    least: int | None = None

    @property
    def kept(self) -> float:
        """Share of all calls that are irrevocable everywhere in the end."""
        return 1 - self.lost / self.total


Maker = Callable[[Network, list[PrivateKey]], Team]


def measure(case: Case, make: Maker) -> Outcome:
    """Play one case under one protocol."""
    fleet, keys = make_team(case.robots)
    network = Network(fleet, case.seed)
    team = make(network, keys)
    sides = (range(case.first), range(case.first, case.robots))
    plan = case.schedule()
    start = network.seconds()
    heal_at = WARM_UP + case.cut

    def advance(to: float, until: Callable[[], bool] = lambda: False) -> float:
        network.run(max(0.0, start + to - network.seconds()), until)
        return network.seconds() - start

    def play(first: float, last: float, until: Callable[[], bool]) -> None:
        for at, robot, call in plan:
            if first <= at < last:
                advance(at, until)
                team.submit(robot, call)
        advance(last, until)

    play(0.0, WARM_UP, lambda: False)
    network.split(*([network.names[robot] for robot in side] for side in sides))
    bill = _Bill(network)
    stops = _Stops(team, sides, network)
    play(WARM_UP, heal_at, stops.look)
    during = [
        {call for at, robot, call in plan if at >= WARM_UP and robot in side} for side in sides
    ]
    usable = [
        _common(map(team.usable, side)) & one for side, one in zip(sides, during, strict=True)
    ]
    done = [_common(map(team.done, side)) & one for side, one in zip(sides, during, strict=True)]
    stopped = stops.close()
    every = {call for _, _, call in plan}
    bill.heal(team, sides)
    network.heal()

    def together() -> bool:
        return team.equal() and all(every <= set(team.done(robot)) for robot in range(case.robots))

    sets_after = None
    if isinstance(team, LedgerTeam):
        sets_after = advance(heal_at + PATIENCE, team.same_sets) - heal_at
        bill.close()
    equal_after = advance(heal_at + PATIENCE, together) - heal_at
    known = _common(map(team.done, range(case.robots)))
    return Outcome(
        team.title,
        len(plan),
        tuple(map(len, during)),
        tuple(map(len, usable)),
        tuple(map(len, done)),
        stopped,
        team.withdrawn(),
        len(every - known),
        sets_after,
        equal_after if together() else None,
        bill.exchanged,
        bill.least,
    )


def _common(sets: Iterable[Collection[bytes]]) -> set[bytes]:
    return set.intersection(*map(set, sets))


class _Stops:
    """Watches when each side last decided something."""

    def __init__(self, team: Team, sides: Sequence[range], network: Network) -> None:
        self._team = team
        self._sides = sides
        self._network = network
        self._count = self._counts()
        self._since = [network.seconds()] * len(sides)
        self._longest = [0.0] * len(sides)

    def look(self) -> bool:
        """Look, after every tick of a robot."""
        for index, count in enumerate(self._counts()):
            if count != self._count[index]:
                self._count[index] = count
                self._note(index)
        return False

    def close(self) -> tuple[float, ...]:
        """Return the longest time without a decision, s, per side."""
        for index in range(len(self._sides)):
            self._note(index)
        return tuple(self._longest)

    def _counts(self) -> list[int]:
        return [max(len(self._team.done(robot)) for robot in side) for side in self._sides]

    def _note(self, index: int) -> None:
        now = self._network.seconds()
        self._longest[index] = max(self._longest[index], now - self._since[index])
        self._since[index] = now


class _Bill:
    """Counts what the ledger sends after the heal, and what would have been enough."""

    def __init__(self, network: Network) -> None:
        self.exchanged: int | None = None
        self.least: int | None = None
        self._network = network
        self._before = set(network.block_bytes)
        self._lacked: set[bytes] = set()
        self._sent: Counter[bytes] = Counter()
        self._kinds: Counter[str] = Counter()

    def heal(self, team: Team, sides: Sequence[range]) -> None:
        """Take stock at the heal: what each side lacks, and what was sent so far."""
        if not isinstance(team, LedgerTeam):
            return
        held = [
            set[bytes]().union(*(team.ledgers[robot].dag.entries for robot in side))
            for side in sides
        ]
        self._lacked = (held[0] ^ held[1]) | (self._network.block_bytes.keys() - self._before)
        self._before = set(self._network.block_bytes)
        self._sent = Counter(self._network.block_sent)
        self._kinds = Counter(self._network.sent)
        self.least = sum(self._network.block_bytes[identity] for identity in self._lacked)

    def close(self) -> None:
        """
        Add up what was sent since the heal, up to equal sets.

        Blocks made after the heal are not of it: they would have been sent without a cut, too.
        """
        network = self._network
        blocks = sum(
            (network.block_sent[identity] - self._sent[identity]) * network.block_bytes[identity]
            for identity in self._before
        )
        others = sum(
            network.sent[kind] - self._kinds[kind] for kind in network.sent if kind != 'block'
        )
        self.exchanged = blocks + others


def makers(case: Case) -> list[Maker]:
    """Return the protocols to compare."""
    seed = case.seed

    def chain(**rules: Any) -> Maker:
        return lambda network, keys: CliqueTeam(network, seed, **rules)

    return [
        LedgerTeam,
        chain(depth=6),
        chain(depth=1),
        chain(depth=1, reinject=False),
        chain(depth=6, limited=False),
        chain(depth=6, limited=False, reinject=False),
        lambda network, keys: QuorumTeam(network),
    ]


def main(
    cuts: Annotated[
        list[float] | None, typer.Option('--cut', help='Length of a cut, virtual s; repeatable.')
    ] = None,
    robots: Annotated[int, typer.Option(min=2, max=32, help='Size of the team.')] = 4,
    rate: Annotated[float, typer.Option(min=0.01, help='Calls/s of each robot.')] = 1.0,
    seeds: Annotated[int, typer.Option(min=1, help='Runs of each case; medians are shown.')] = 3,
    first_seed: Annotated[int, typer.Option(help='Seed of the first run.')] = 1,
    quick: Annotated[bool, typer.Option('--quick', help='One cut of 3 s, one seed.')] = False,
    real: Annotated[
        bool | None,
        typer.Option(
            '--real/--no-real', help='Four real processes, too: as root, 30 s. Not if --quick.'
        ),
    ] = None,
    out: OutOption = None,
) -> None:
    r"""
    Cut a team in two and heal it: what is lost, who stops, what it costs to come together.

    The chain and the quorum log are our own models of published rules.

    \b
    Examples:
      python -m benchmarks.split --quick
      python -m benchmarks.split --cut 10 --cut 60 --cut 600 --seeds 3
      python -m benchmarks.split --robots 8 --cut 60
    """
    lengths = cuts or ([3.0] if quick else [10.0, 60.0, 600.0])
    runs = 1 if quick else seeds
    options = {
        'cuts_s': lengths,
        'robots': robots,
        'rate_per_robot': rate,
        'seeds': list(range(first_seed, first_seed + runs)),
    }
    report = Report('split', options)
    cases = [
        [Case(robots, first, cut, rate, first_seed + run) for run in range(runs)]
        for cut in lengths
        for first in dict.fromkeys((robots // 2, robots - robots // 4))
    ]
    figures: list[dict[str, Any]] = []
    with Progress(console=report.console, transient=True) as progress:
        steps = sum(len(makers(case)) for runs_ in cases for case in runs_)
        task = progress.add_task('', total=steps)
        for same in cases:
            rows = []
            for index in range(len(makers(same[0]))):
                outcomes = []
                for case in same:
                    progress.update(task, description=f'{case.cut:g} s, {case.name}')
                    began = time.perf_counter()
                    outcomes.append(measure(case, makers(case)[index]))
                    took = time.perf_counter() - began
                    figures.append(
                        {
                            **asdict(case),
                            **asdict(outcomes[-1]),
                            'kept': outcomes[-1].kept,
                            'took_s': took,
                        }
                    )
                    progress.advance(task)
                rows.append(_row(outcomes))
            title = f'{same[0].robots} robots cut {same[0].name} for {same[0].cut:g} s'
            report.table('split', f'{title}; medians of {len(same)}', COLUMNS, rows)
    report.note(NOTES)
    report.keep('split', figures)
    if real if real is not None else not quick:
        split_real.show(report, rate, first_seed)
    report.write(out)


NOTES = f"""\
Clique (EIP-225), the longest chain (Clique without its limit on signers) and the quorum log
(Tendermint) are our own models of published rules. k: so many blocks deep counts as confirmed;
what a lost branch held returns to the pool, or is dropped.
kept: share of all calls that are irrevocable on every robot in the end; taken back: called
irrevocable by a robot, and later not.
Per side, during the cut: usable: share of its calls that it could act on at the heal (accepted; in
the chain; decided); done: that it called irrevocable; stop: longest time without a new one.
After the heal: sets: s until all hold the same blocks; all: s until everything is irrevocable
everywhere; bytes: sent until equal sets, of the least that could do (limit {LIMIT}x)."""
COLUMNS = (
    'protocol',
    'kept %',
    'taken back',
    'usable %',
    'done %',
    'stop s',
    'sets s',
    'all s',
    'bytes',
)


def _row(outcomes: Sequence[Outcome]) -> list[Any]:
    usable = _shares([one.usable_in_cut for one in outcomes], outcomes)
    done = _shares([one.done_in_cut for one in outcomes], outcomes)
    stops = [statistics.median(one.stopped[side] for one in outcomes) for side in range(2)]
    costs = [one.exchanged / one.least for one in outcomes if one.exchanged and one.least]
    never = sum(one.equal_after is None for one in outcomes)
    equal = [one.equal_after for one in outcomes if one.equal_after is not None]
    sets = [one.sets_after for one in outcomes if one.sets_after is not None]
    after = f'{statistics.median(equal):.1f}' if equal else 'never'
    return [
        outcomes[0].protocol,
        f'{100 * min(one.kept for one in outcomes):.4g}',
        round(statistics.median(one.withdrawn for one in outcomes)),
        usable,
        done,
        '/'.join(f'{stop:.0f}' for stop in stops),
        f'{statistics.median(sets):.1f}' if sets else None,
        after + (f', {never} never' if equal and never else ''),
        f'{statistics.median(costs):.2f}x' if costs else None,
    ]


def _shares(counts: Sequence[tuple[int, ...]], outcomes: Sequence[Outcome]) -> str:
    medians = [
        statistics.median(
            100 * count[side] / max(1, one.submitted[side])
            for count, one in zip(counts, outcomes, strict=True)
        )
        for side in range(2)
    ]
    return '/'.join(f'{share:.0f}' for share in medians)


if __name__ == '__main__':
    typer.run(main)
