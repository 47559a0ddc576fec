"""One run of one scenario: builds it, lets it happen, checks it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
import hashlib
import random
import traceback

from collab_robots.core.clock import SECOND
from collab_robots.core.fleet import Fleet
from collab_robots.sim.protocol import invariants
from collab_robots.sim.protocol.breakage import Breakage
from collab_robots.sim.protocol.council import Council, vote
from collab_robots.sim.protocol.hive import Hive
from collab_robots.sim.protocol.invariants import Account, Birth, ViolatedError
from collab_robots.sim.protocol.liars import (
    HABITS,
    Liar,
    Plot,
    Reach,
    Silent,
    TwoFaced,
    Withholder,
)
from collab_robots.sim.protocol.memo import quiet_ledgers, remember_checks, replaced
from collab_robots.sim.protocol.scenario import Crash, Fault, name, Phase, Scenario
from collab_robots.tangle import roots
from collab_robots.tangle.dag import Entry
from collab_robots.tangle.finality import Finality
from collab_robots.tangle.issuer import matters
from collab_robots.tangle.ledger import Ledger
from collab_robots.tangle.memory import make_team, MemoryNetwork, SkewedClock, Station
from collab_robots.tangle.memory_store import MemoryStore
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.sync import Transport

PATIENCE = 60.0  # s after the liars fell silent; then what is not final is lost
_CHECK = 0.25  # s


@dataclass(frozen=True)
class Violation:
    """
    A broken invariant.

    :param at: s from the start.
    """

    invariant: str
    robot: str
    at: float
    detail: str


@dataclass
class Outcome:
    """
    What a run came to.

    :param violation: None if all invariants hold.
    :param records: that honest robots issued.
    :param final: in the final order.
    :param seconds: of virtual time.
    :param pruned: final records that the robot which kept the fewest dropped.
    :param proven: equivocators that were proven.
    :param digest: of the whole run: equal digests are equal runs.
    """

    seed: int
    robots: int
    violation: Violation | None
    records: int
    final: int
    pruned: int
    seconds: float
    proven: int
    digest: str
    script: list[str] = field(default_factory=list)


class Run:
    """
    A run that can be looked into afterwards.

    :param breakage: breaks the rule on purpose.
    """

    def __init__(self, scenario: Scenario, breakage: Breakage = Breakage.NONE) -> None:
        self.scenario = scenario
        team, self._keys = make_team(scenario.robots, 'simulated')
        self.fleet = Fleet(fleet=team.fleet, robots=team.robots[: scenario.founders])
        self._changes = {
            number: (change, team.robots[-1].name, team.robots[-1].key)
            for number, change in enumerate(scenario.changes)
        }
        self.network = MemoryNetwork(self.fleet, scenario.seed, scenario.weather)
        self.account = Account(scenario)
        self._breakage = breakage
        self._start = self.network.clock.now_ns()
        self._config = LedgerConfig(snapshot_interval=scenario.snapshot_interval)
        self._stores: dict[int, MemoryStore] = {}
        self._hears = scenario.phases[0].hears
        self._watched: dict[str, Finality] = {}
        self._cut_since: list[float | None] = [None] * scenario.robots
        self._trace = hashlib.blake2b(digest_size=16)
        self._rng = random.Random(f'run {scenario.seed}')
        self._sides = self._draw_sides()
        self._plot = Plot([_names(side) for side in self._sides])
        self._build()

    @property
    def now(self) -> float:
        """Seconds from the start."""
        return (self.network.clock.now_ns() - self._start) / SECOND

    @property
    def ledgers(self) -> list[Ledger]:
        """Those of the robots that do not lie and run."""
        return list(self.network.ledgers.values())

    def execute(self) -> Outcome:
        """Let it happen."""
        violation = None
        try:
            with (
                quiet_ledgers(),
                remember_checks(),
                replaced(roots, ROOT_WINDOW=self.scenario.root_window),
                self._breakage.applied(),
            ):
                self._happen()
        except ViolatedError as error:
            violation = Violation(error.invariant, error.robot, self.now, error.detail)
        except Exception:
            detail = traceback.format_exc(limit=-6)
            violation = Violation('ledgers_raise_nothing', '-', self.now, detail)
        return Outcome(
            seed=self.scenario.seed,
            robots=self.scenario.robots,
            violation=violation,
            records=len(self.account.born),
            final=len(self.account.final),
            pruned=max((ledger.order.base for ledger in self.ledgers), default=0),
            seconds=self.now,
            proven=max((len(ledger.proofs) for ledger in self.ledgers), default=0),
            digest=self._trace.hexdigest(),
            script=list(self.scenario.describe()) if violation else [],
        )

    # The script

    def _build(self) -> None:
        scenario, network = self.scenario, self.network
        hive = Hive(self.fleet, self._rng)
        self._enter(scenario.phases[0])
        for phase in scenario.phases[1:]:
            network.call_at(phase.start, partial(self._enter, phase))
        for at, robot in scenario.calls:
            if robot not in scenario.liars:
                network.call_at(at, partial(self._submit, robot))
        for number, change in enumerate(scenario.changes):
            for robot in set(range(scenario.robots)) - scenario.liars:
                network.call_at(change.at, partial(self._submit, robot, vote(number)))
        for crash in scenario.crashes:
            network.call_at(crash.at, partial(self._crash, crash))
        network.call_at(scenario.quiet_at, self._quieten)
        for robot in range(scenario.robots):
            if robot in scenario.liars:
                station = self._liar(robot, scenario.faults[robot], hive)
                network.join(name(robot), station)
            else:
                self._stores[robot] = MemoryStore()
                self._boot(robot, fresh=True)

    def _happen(self) -> None:
        end = self.scenario.quiet_at
        self.network.run(end)
        while True:
            self.network.run(_CHECK)
            try:
                self._check_end()
                break
            except ViolatedError:
                if self.now > end + PATIENCE:
                    raise

    def _check_end(self) -> None:
        ledgers, account = self.ledgers, self.account
        invariants.nothing_is_lost(account, ledgers, self.scenario.quiet_at)
        invariants.robots_agree(account, ledgers)
        invariants.held_equivocations_are_proven(account, ledgers)

    def _enter(self, phase: Phase) -> None:
        scenario, hears = self.scenario, phase.hears
        indexes = {name(robot): robot for robot in range(scenario.robots)}

        def near(receiver: str, sender: str) -> bool:
            one, other = indexes[receiver], indexes[sender]
            return bool(hears[one] >> other & 1) or self._defies(one) or self._defies(other)

        self._hears = hears
        self.network.hear_if(near if not phase.lag else lambda receiver, sender: True)
        self.network.lag_by(lambda receiver, sender: 0.0 if near(receiver, sender) else phase.lag)
        for robot in range(scenario.robots):
            reached = (1 << scenario.robots) - 1 if phase.lag else self._near(robot)
            roster = scenario.founders - len(scenario.leavers)  # at its smallest
            cut = 3 * reached.bit_count() < 2 * roster
            self._cut_since[robot] = self.now if cut else None

    def _defies(self, robot: int) -> bool:
        """Tell whether no cut holds for a robot now; a two-faced one hides that until it parts."""
        station = self.network.stations.get(name(robot))
        return (
            self.scenario.conspiracy
            and robot in self.scenario.liars
            and not (isinstance(station, TwoFaced) and not station.has_parted)
        )

    def _near(self, robot: int) -> int:
        """
        Return whose new records can reach a robot in this phase, also over others.

        Liars hand on only what they signed themselves, but the two-faced ones are ledgers: each
        face joins the robots on its side.
        """
        scenario, near, before = self.scenario, 1 << robot, 0
        two_faced = {liar for liar in scenario.liars if scenario.faults[liar] is Fault.TWO_FACED}
        sides = self._sides if two_faced and scenario.conspiracy else []
        while near != before:
            before = near
            for other in range(scenario.robots):
                if near >> other & 1 and (other not in scenario.liars or other in two_faced):
                    near |= self._hears[other]
                    for side in sides:
                        near |= side if side >> other & 1 and other not in two_faced else 0
        if not scenario.conspiracy:
            return near
        silent = {liar for liar in scenario.liars if scenario.faults[liar] is Fault.SILENT}
        return near | sum(1 << liar for liar in scenario.liars - silent)

    # Robots

    def _boot(self, robot: int, fresh: bool) -> None:
        ledger = self.network.start(
            self._keys[robot],
            self._stores[robot],
            self._config,
            clock=SkewedClock(self.network.clock, self.scenario.skews[robot]),
            fresh=fresh,
            state=self._council(),
            name=name(robot),
        )
        self._breakage.boot(ledger)
        account, who = self.account, ledger.name
        account.held[who] = {}
        account.two_handed[who] = set()
        for entry in ledger.dag.entries.values():
            invariants.note_solid(account, who, entry)
        for entry in ledger.order.entries[: ledger.order.final - ledger.order.base]:
            self._became_final(robot, entry)
        ledger.on_solid(partial(self._became_solid, ledger))
        ledger.on_final(partial(self._became_final, robot))
        self._watch_slots(ledger)

    def _council(self) -> Council | None:
        return Council(self.fleet, self._changes) if self._changes else None

    def _crash(self, crash: Crash) -> None:
        if name(crash.robot) not in self.network.ledgers:
            return
        self.network.stop(name(crash.robot))
        if crash.disk:
            self._stores[crash.robot].crash()
        else:
            self._stores[crash.robot] = MemoryStore()
        back = crash.back_at - crash.at
        self.network.call_at(back, lambda: self._boot(crash.robot, fresh=crash.disk))

    def _quieten(self) -> None:
        for robot in range(self.scenario.robots):
            if robot in self.scenario.liars:
                self.network.stop(name(robot))
            else:
                for number in self._changes:  # a vote may have been lost in a crash
                    self._submit(robot, vote(number))
                self._submit(robot)

    def _submit(self, robot: int, call: bytes = b'') -> None:
        ledger = self.network.ledgers.get(name(robot))
        if ledger is not None:
            ledger.submit(call or self._rng.randbytes(8))

    def _liar(self, robot: int, fault: Fault, hive: Hive) -> Station:
        scenario, seed = self.scenario, f'liar {self.scenario.seed} {robot}'
        who = name(robot)
        reach: Reach = partial(self.network.transport, who)
        names = [other.name for other in self.fleet.robots if other.name != who]

        def start(transport: Transport, store: MemoryStore) -> Ledger:
            key, clock = self._keys[robot], self.network.clock
            return Ledger(
                self.fleet,
                key,
                store,
                clock,
                transport,
                self._config,
                fresh=True,
                state=self._council(),
                name=who,
            )

        if fault is Fault.TWO_FACED:
            part_at = self._rng.choice((0.0, self._rng.uniform(0.0, scenario.quiet_at)))
            return TwoFaced(start, reach, self._plot, lambda: self.now >= part_at, seed)
        if fault is Fault.WITHHOLD:
            return Withholder(start, reach, names, seed)
        if fault is Fault.SILENT:
            return Silent()
        if not scenario.conspiracy:
            hive = Hive(self.fleet, self._rng)
        rng, habits = random.Random(seed), HABITS[fault]
        clock = self.network.clock
        return Liar(self.fleet, self._keys[robot], hive, reach, clock, rng, habits, self._heard_by)

    def _heard_by(self, robot: int) -> int:
        """Return whom a robot hears now, as a bit mask."""
        return self._hears[robot]

    def _draw_sides(self) -> list[int]:
        """
        Draw whom the two faces of a liar look at; two-faced liars have the same sides.

        By the first cut, if there is one; or two sides of honest robots that are equally strong,
        so that neither wins at once; or any.
        """
        scenario, rng = self.scenario, self._rng
        everybody = (1 << scenario.robots) - 1
        liars = sum(1 << liar for liar in scenario.liars)
        cuts = [phase for phase in scenario.phases if len(set(phase.hears)) > 1]
        kind = rng.random()
        if cuts and kind < 0.35:
            side = rng.choice(cuts).hears[rng.randrange(scenario.robots)]
            return [side | liars, everybody & ~side | liars]
        honest = [robot for robot in range(scenario.robots) if robot not in scenario.liars]
        rng.shuffle(honest)
        half = len(honest) // 2 if kind < 0.85 else rng.randrange(len(honest))
        first, second = honest[:half], honest[-half:] if kind < 0.85 else honest[half:]
        return [sum(1 << robot for robot in side) | liars for side in (first, second)]

    # What is seen

    def _watch_slots(self, ledger: Ledger) -> None:
        """Follow the decisions on leader slots; a ledger that takes a snapshot begins anew."""
        ledger.finality.on_decided = partial(
            invariants.slots_are_decided_once, self.account, ledger.name, ledger.fleet.epoch
        )
        self._watched[ledger.name] = ledger.finality

    def _became_solid(self, ledger: Ledger, entry: Entry) -> None:
        account = self.account
        invariants.note_solid(account, ledger.name, entry)
        if entry.issuer == ledger.index and entry.id not in account.born:
            account.born[entry.id] = Birth(entry.issuer, self.now, matters(entry))
        if self._watched[ledger.name] is not ledger.finality:
            self._watch_slots(ledger)
        if ledger.dag.forks:
            invariants.no_honest_robot_is_called_equivocator(account, ledger)

    def _became_final(self, robot: int, entry: Entry) -> None:
        account, who = self.account, name(robot)
        self._trace.update(b'%d %d' % (robot, self.network.clock.now_ns()) + entry.id)
        invariants.final_orders_are_prefixes(account, who, entry)
        invariants.parents_are_final_first(account, who, entry)
        invariants.cut_off_side_finalises_nothing(account, who, entry, self._cut_since[robot])


def _names(robots: int) -> frozenset[str]:
    return frozenset(name(robot) for robot in range(robots.bit_length()) if robots >> robot & 1)
