"""Tasks as they stand now, who should do what, and why."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from eth_utils.crypto import keccak
import numpy as np

from collab_robots.contract.artifact import CODEC, suite, WORD
from collab_robots.contract.calls.common import Kind
from collab_robots.contract.calls.tasks import (
    identity_of,
    MAX_BATCH,
    task_key,
    task_words,
    Terms,
)
from collab_robots.contract.deployment import Deployment, robot_names
from collab_robots.contract.runner import Runner
from collab_robots.contract.views.maps import FactKind
from collab_robots.contract.views.source import Source
from collab_robots.core.clock import SECOND

_OPINION_WORDS = 5  # Tasks.Opinion


class TaskState(IntEnum):
    """Where a task stands; the numbers are those of TaskStatus.msg."""

    OPEN = 0
    HELD = 1
    DONE = 2
    STALE = 3
    MISSED = 4


class Why(IntEnum):
    """Why a task is in its state: Tasks.Why."""

    NOT_PROPOSED = 0
    ROUND_BEFORE = 1
    NO_BIDS = 2
    BIDDING_OPEN = 3
    NOT_AWARDED = 4
    HELD = 5
    COMPLETED = 6
    FORGOTTEN = 7
    DEADLINE_PASSED = 8


class Reason(IntEnum):
    """Why a robot has a task or does not: Tasks.Reason."""

    HOLDER = 0
    OUTBID = 1
    NOT_AWARDED = 2
    BIDDING_OPEN = 3
    AWARDED_TOO_EARLY = 4
    NO_BID = 5
    NOT_REVEALED = 6
    NOT_SEALED = 7
    LAPSED = 8
    RELEASED = 9
    INCAPABLE = 10
    CONVICTED = 11
    INACTIVE = 12
    PARTY = 13
    HAS_DONE = 14
    CLOSED = 15


WHY_WORDS: Mapping[Why, str] = {
    Why.NOT_PROPOSED: 'nobody proposed it, or the region is not disputed',
    Why.ROUND_BEFORE: 'the round before is not over',
    Why.NO_BIDS: 'nobody bids on it',
    Why.BIDDING_OPEN: 'the bidding is open',
    Why.NOT_AWARDED: 'nobody was awarded it',
    Why.HELD: 'it is held',
    Why.COMPLETED: 'it is done',
    Why.FORGOTTEN: 'nobody proposed it again',
    Why.DEADLINE_PASSED: 'its deadline has passed',
}
REASON_WORDS: Mapping[Reason, str] = {
    Reason.HOLDER: 'has the best lease',
    Reason.OUTBID: 'has a lease, and so has a better bidder',
    Reason.NOT_AWARDED: 'bids, and was not awarded it',
    Reason.BIDDING_OPEN: 'bids, and the bidding is open',
    Reason.AWARDED_TOO_EARLY: 'was awarded it before the bidding was over',
    Reason.NO_BID: 'has not bid',
    Reason.NOT_REVEALED: 'has not revealed its bid',
    Reason.NOT_SEALED: 'bid openly where bids are to be sealed',
    Reason.LAPSED: 'let its lease lapse',
    Reason.RELEASED: 'gave it back',
    Reason.INCAPABLE: 'lacks a capability',
    Reason.CONVICTED: 'is convicted of a wrong map',
    Reason.INACTIVE: 'is not in the fleet any more',
    Reason.PARTY: 'has mapped the region already',
    Reason.HAS_DONE: 'has done it',
    Reason.CLOSED: 'could have it if anybody could',
}


@dataclass(frozen=True)
class Task:
    """
    One task at one time. All times are ns of the fleet's clock, cut to whole seconds.

    :param key: 32 bytes, what names it in calls.
    :param cell: (x, y) in cells of the map grid; to verify: of a region (map tile).
    :param round: how often the task was done or missed before.
    :param why: why it is in its state.
    :param holder: who has the task: the one robot that may work on it.
    :param bids: path cost in m of every robot that may be awarded the task, or was. A bid is used
        up when its robot releases the task or lets the lease lapse; it has to bid again.
    :param lease_until: end of the holder's lease; 0 if nobody holds it.
    :param proposed_at: the earliest proposal; to verify: when the dispute began.
    :param award_from: an award issued before this time has no effect.
    :param completed: when, per robot that did it; more than one only after a split, or to verify.
    :param terms: what it asks for.
    :param reasons: why each robot that took part has the task or does not.
    :param mapped_by: to verify: the robots that have mapped the region. It takes another one.
    """

    key: bytes
    kind: Kind
    cell: tuple[int, int]
    round: int
    state: TaskState
    why: Why
    holder: str | None
    bids: Mapping[str, float]
    lease_until: int
    proposed_at: int
    award_from: int
    completed: Mapping[str, int]
    terms: Terms
    reasons: Mapping[str, Reason]
    mapped_by: Collection[str] = ()

    @property
    def words(self) -> str:
        """Name the task for people."""
        return task_words(self.key)

    def explain(self) -> list[str]:
        """Say in words why the task stands as it does: one line for it, one for each robot."""
        lines = [f'{self.words}: {self.state.name.lower()}, {WHY_WORDS[self.why]}']
        for robot, reason in self.reasons.items():
            cost = f' ({self.bids[robot]:.1f} m)' if robot in self.bids else ''
            lines.append(f'{robot}{cost} {REASON_WORDS[reason]}')
        return lines


class _Judged(NamedTuple):
    """
    An answer of ``Tasks.judge``.

    :param seen: what it depends on.
    :param since: s, when it was asked for; good before ``until``.
    :param task: None if there is no such task.
    """

    seen: tuple[object, ...]
    since: int
    until: int
    task: Task | None


class _Roster(NamedTuple):
    """
    What all judgements depend on.

    :param raw: the answers it was read from.
    :param names: by roster index, as are the addresses.
    """

    raw: tuple[bytes, bytes]
    names: list[str]
    addresses: list[bytes]


class TasksView:
    """
    Asks a runner's contracts; nothing is asked again whose facts and time have not changed.

    :param runner: updated by its owner; every answer is of its present state.
    :param final: read the state after the final records only.
    """

    def __init__(self, runner: Runner, final: bool = False) -> None:
        self._source = Source(runner, final)
        functions = suite().contracts['Tasks'].functions
        self._judge, self._assign = functions['judge'], functions['assign']
        self._version = -1
        self._roster = _Roster((b'', b''), [], [])
        self._seen: dict[bytes, tuple[object, ...]] = {}  # by key: what the task depends on
        self._judged: dict[bytes, _Judged] = {}
        self._tasks: list[Task] = []
        self._assigned: tuple[tuple[object, ...], dict[bytes, str]] = ((), {})

    def tasks(self, now_ns: int) -> list[Task]:
        """
        Return all tasks as they stand at a time, oldest first; do not change the list.

        :param now_ns: the present; what is known today of a past time may not be what was then.
        """
        now = now_ns // SECOND
        self._look()
        judged = self._judged
        due = [
            key
            for key, seen in self._seen.items()
            if (known := judged.get(key)) is None
            or known.seen != seen
            or not known.since <= now < known.until
        ]
        if due or len(judged) != len(self._seen):
            with self._source.contracts() as deployment:
                fresh = {key: self._ask(deployment, key, now) for key in due}
            self._judged = {key: fresh.get(key) or judged[key] for key in self._seen}
            tasks = [known.task for known in self._judged.values() if known.task is not None]
            self._tasks = sorted(tasks, key=lambda task: (task.proposed_at, task.key))
        return self._tasks

    def assign(
        self, now_ns: int, absent: Collection[str] = (), busy: Collection[str] = ()
    ) -> dict[bytes, str]:
        """
        Return which robot should do which open task, by key: what ``Tasks.assign`` says.

        Of more than MAX_BATCH tasks with bids those of the highest priority count, then those that
        somebody can do at the lowest cost.

        :param absent: robots that get nothing, such as those that are not heard.
        :param busy: robots that get only what they need not drive for.
        """
        tasks = self.tasks(now_ns)
        open_ = [task for task in tasks if task.state == TaskState.OPEN and task.bids]
        open_.sort(key=lambda task: (-task.terms.priority, min(task.bids.values()), task.key))
        keys = sorted(task.key for task in open_[:MAX_BATCH])
        if not keys:
            return {}
        masks = (self._mask(absent), self._mask(busy))
        asked = (masks, *(self._judged[key] for key in keys))
        if asked != self._assigned[0]:
            data = self._assign.encode(keys, *masks, now_ns // SECOND)
            with self._source.contracts() as deployment:
                (robots,) = self._assign.returned(deployment.read('Tasks', data))
            names = dict(zip(self._roster.addresses, self._roster.names, strict=True))
            given = {
                key: names[robot] for key, robot in zip(keys, robots, strict=True) if any(robot)
            }
            self._assigned = (asked, given)
        return self._assigned[1]

    def _look(self) -> None:
        """Find all tasks, and what they depend on, if the state may have changed."""
        version = self._source.version
        if version == self._version:
            return
        with self._source.contracts() as deployment:
            roster = self._read_roster(deployment)
        facts = self._source.facts()
        tasks, maps = facts.of('Tasks'), facts.of('Maps')
        regions = [raw for raw in maps.values() if raw[WORD - 1] == FactKind.REGION]
        places = [_numbers(raw[2 * WORD : 4 * WORD]) for raw in regions]  # after kind and offset
        keys = {task_key(Kind.VERIFY, x, y, 0) for x, y in places}
        self._seen = {
            key: (tasks.get(key), roster.raw, *_others(key, tasks, maps))
            for key in (*tasks, *(keys - tasks.keys()))
        }
        self._version = version

    def _read_roster(self, deployment: Deployment) -> _Roster:
        asked = [
            (contract, suite().contracts[contract].functions[view])
            for contract, view in (('Fleet', 'roster'), ('Maps', 'convicted'))
        ]
        raw = [deployment.read(contract, view.encode()) for contract, view in asked]
        if (raw[0], raw[1]) != self._roster.raw:
            _, robots = asked[0][1].returned(raw[0])
            names = robot_names(self._source.runner.fleet, robots)
            addresses = [robot[0] for robot in robots]
            self._roster = _Roster((raw[0], raw[1]), names, addresses)
        return self._roster

    def _mask(self, robots: Collection[str]) -> int:
        return sum(1 << bit for bit, name in enumerate(self._roster.names) if name in robots)

    def _ask(self, deployment: Deployment, key: bytes, now: int) -> _Judged:
        """Ask for a judgement; it is read word by word, as decoding by type takes longer."""
        raw = deployment.read('Tasks', self._judge.encode(key, now))
        _, state, why, holder, lease_until, since, award_from, until, *rest = _numbers(raw)
        priority, deadline, capabilities, sealed, _, _, *words = rest
        names, bids, completed, reasons = self._roster.names, {}, {}, {}
        for robot, reason, rank, _, completed_at in zip(
            *[iter(words)] * _OPINION_WORDS, strict=True
        ):
            reasons[names[robot]] = Reason(reason)
            if reason <= Reason.AWARDED_TOO_EARLY:
                bids[names[robot]] = (rank & 0xFFFFFFFF) / 1000
            elif reason == Reason.HAS_DONE:
                completed[names[robot]] = completed_at * SECOND
        kind, x, y, round_ = identity_of(key)
        mapped_by = self._mapped_by(deployment, x, y) if kind == Kind.VERIFY else ()
        for robot in mapped_by:
            reasons.setdefault(robot, Reason.PARTY)
        task = state and Task(
            key,
            kind,
            (x, y),
            round_,
            TaskState(state - 1),
            Why(why),
            names[holder] if why == Why.HELD else None,
            bids,
            lease_until * SECOND,
            since * SECOND,
            award_from * SECOND,
            completed,
            Terms(priority, deadline, capabilities, bool(sealed)),
            reasons,
            mapped_by,
        )
        return _Judged(self._seen[key], now, until, task or None)

    def _mapped_by(self, deployment: Deployment, x: int, y: int) -> tuple[str, ...]:
        (mask,) = deployment.ask('Maps', 'mappedBy', x, y)
        return tuple(name for bit, name in enumerate(self._roster.names) if mask >> bit & 1)


def _others(
    key: bytes, tasks: Mapping[bytes, bytes], maps: Mapping[bytes, bytes]
) -> Iterator[object]:
    """Yield the facts that a task depends on beside its own: round before, disputed region."""
    kind, x, y, round_ = identity_of(key)
    if round_:
        yield tasks.get(task_key(kind, x, y, round_ - 1))
    if kind == Kind.VERIFY:
        yield maps.get(keccak(CODEC.encode(('int16', 'int16'), (x, y))))


def _numbers(raw: bytes) -> list[int]:
    """Return every ABI word as the signed number in its low 8 bytes: all our values fit."""
    words: list[int] = np.frombuffer(raw, '>i8').reshape(-1, WORD // 8)[:, 3].tolist()
    return words
