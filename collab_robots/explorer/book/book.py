"""A ledger's file as a book to look things up in; also while its robot writes it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
import re
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from pydantic import TypeAdapter

from collab_robots.core.clock import SECOND
from collab_robots.core.errors import ConfigError
from collab_robots.core.fleet import Fleet
from collab_robots.explorer.agreement import effective, leases
from collab_robots.explorer.book import answers, history, search
from collab_robots.explorer.book.blocks import Blocks, nanoseconds, within
from collab_robots.explorer.book.ids import digits_of, LEAST, task_key
from collab_robots.explorer.book.index import format_newest, Index
from collab_robots.explorer.book.partings import Partings
from collab_robots.explorer.book.reader import ALL, Filter, MAX_PAGE, Moment, Told
from collab_robots.tangle.block import ID_BYTES
from collab_robots.tangle.handover import roster_of
from collab_robots.tangle.store_reader import StoreReader

if TYPE_CHECKING:
    from collab_robots.explorer.book.machine import Machine
    from collab_robots.explorer.book.states import StateView

Value = TypeVar('Value')

LOOK = 0.2  # s between two looks whether the file has grown
MAX_INTERVALS = 1_000
TAIL = 100  # blocks of an index; one of them at least is in the file
_WORD = re.compile(r'-?\w+')
_OVERVIEW = TypeAdapter(answers.Overview)
_TASKS = TypeAdapter(list[answers.Task])
_ROBOTS = TypeAdapter(tuple[answers.Robot, ...])
_SPLITS = TypeAdapter(tuple[answers.Split, ...])


class Book:
    """
    Implements :class:`.reader.Reader` on a ledger's file. Not for several threads at a time.

    :param fleet: the fleet file.
    :param index: of this file.
    :param told: progress, when much is new.
    :raises StoreError: if the file is damaged.
    """

    def __init__(
        self, source: str, fleet: Fleet, store: StoreReader, index: Index, told: Told
    ) -> None:
        self._source = source
        self._fleet = fleet
        self._store = store
        self._index = index
        self._told = told
        self._names = [robot.name for robot in fleet.robots]
        self._blocks = Blocks(index, store, self._names)
        self._partings = Partings(index, self._names)
        self._looked = -LOOK
        last = index.db.execute(
            'SELECT id FROM blocks ORDER BY n DESC LIMIT ?', (TAIL,)
        ).fetchall()
        if last and all(store.get(identity) is None for (identity,) in last):
            index.clear()  # of another ledger that was here before, or what it lacks is too much
        self._look()

    def overview(self, at: Moment | None = None) -> answers.Overview:
        """Say how the ledger is, or was."""
        self._look()
        if at is not None:
            return self._overview(at)
        found = self._kept('overview', None, _OVERVIEW, lambda: self._overview(None))
        return found.model_copy(update={'warning': self._warning})  # changes without a block

    def blocks(
        self, which: Filter = ALL, page: str | None = None, limit: int = 50
    ) -> answers.Page[answers.Block]:
        """List blocks, newest first."""
        self._look()
        return self._blocks.page(which, page, limit)

    def block(self, identity: str) -> answers.BlockDetails:
        """Tell all about a block."""
        self._look()
        return self._blocks.details(identity)

    def dag(
        self,
        around: str | None = None,
        since: float | None = None,
        until: float | None = None,
        limit: int = 2_000,
    ) -> answers.Dag:
        """Return a part of the DAG."""
        self._look()
        return self._blocks.dag(around, since, until, limit, self.splits())

    def robots(self, at: Moment | None = None) -> tuple[answers.Robot, ...]:
        """Tell of all robots that are or were in the fleet."""
        self._look()

        def make() -> tuple[answers.Robot, ...]:
            state, now = self._state(at)
            held: dict[str, list[str]] = {}
            for task in state.tasks(now):
                if task.holder is not None:
                    held.setdefault(task.holder, []).append(task.id)
            return self._machine.people.robots(state, now, held, list(self._store.proofs()))

        return self._kept('robots', at, _ROBOTS, make)

    def robot(self, name: str, page: str | None = None, limit: int = 50) -> answers.RobotDetails:
        """Tell all that a robot did."""
        self._blocks.index_of(name)
        robot = next(robot for robot in self.robots() if robot.name == name)
        events = history.of_robot(self._index, self._blocks, name, page, limit)
        return answers.RobotDetails(robot=robot, history=events)

    def tasks(
        self,
        state: str | None = None,
        at: Moment | None = None,
        page: str | None = None,
        limit: int = 50,
    ) -> answers.Page[answers.Task]:
        """List tasks, newest first."""
        found = [task for task in self._tasks(at) if state in (None, task.state)]
        start, limit = search.start_of(page), within(limit, MAX_PAGE)
        end = start + limit
        return answers.Page(
            items=tuple(found[start:end]),
            total=len(found),
            next=str(end) if end < len(found) else None,
        )

    def task(self, identity: str, at: Moment | None = None) -> answers.TaskDetails:
        """Tell all about a task."""
        key = self._key_of(identity, at)
        view, now = self._state(at)
        task = next(one for one in self._tasks(at) if task_key(one.id) == key)
        done = effective(history.acts(self._index, 'task = ?', key.hex()))
        held = [lease for lease in leases(done) if lease.start * SECOND <= now]
        return answers.TaskDetails(
            **dict(task),
            reasons=view.reasons(key, now),
            leases=tuple(history.lease_of(lease, now / SECOND) for lease in held),
            history=history.of_task(self._index, self._blocks, key, now),
        )

    def timeline(
        self, since: float | None = None, until: float | None = None
    ) -> tuple[answers.Bar, ...]:
        """Return who had which task when, oldest first."""
        self._look()
        first = nanoseconds(since) / SECOND if since is not None else -1.0
        last = nanoseconds(until) / SECOND if until is not None else self._now / SECOND
        held = leases(effective(history.acts(self._index)))
        return history.bars(
            [one for one in held if one.closed >= first and one.start <= last], self._now / SECOND
        )

    def trust(self, at: Moment | None = None) -> answers.Trust:
        """Say who is trusted, and why."""
        self._look()
        state, _ = self._state(at)
        return self._machine.people.trust(state, self._store.proofs())

    def models(self, at: Moment | None = None) -> answers.Models:
        """List models that robots serve."""
        self._look()
        return self._state(at)[0].models()

    def map(self, at: Moment | None = None) -> answers.Map:
        """Return the map that the ledger knows."""
        self._look()
        return self._state(at)[0].map()

    def splits(self) -> tuple[answers.Split, ...]:
        """Say when robots did not hear one another."""
        self._look()

        def make() -> tuple[answers.Split, ...]:
            self._partings.look()
            rosters = {0: roster_of(self._fleet), **dict(self._index.epochs())}
            return self._partings.splits(rosters)

        return self._kept('splits', None, _SPLITS, make)

    def find(self, query: str, page: str | None = None, limit: int = 50) -> answers.Found:
        """Search for ids, robots, tasks, words of calls, tags, data and times."""
        self._look()
        tasks = [search.task_hit(task) for task in self._tasks(None) if _names(query, task)]
        return search.find(self._index, self._blocks, query, page, limit, tasks)

    def activity(self, intervals: int = 120) -> answers.Activity:
        """Say how much happened when."""
        self._look()
        intervals = within(intervals, MAX_INTERVALS)
        first, last = self._span
        width = max(1, -(-(last - first + 1) // intervals))
        counts = {name: [0] * intervals for name in self._names}
        for issuer, interval, count in self._index.db.execute(
            'SELECT issuer, (issued_at - ?) / ? AS interval, count(*) FROM blocks '
            'WHERE issuer >= 0 GROUP BY issuer, interval',
            (first, width),
        ):
            counts[self._names[issuer]][interval] += count
        return answers.Activity(
            begin=first / SECOND,
            end=(first + width * intervals) / SECOND,
            blocks={name: tuple(row) for name, row in counts.items()},
            splits=self.splits(),
        )

    def news(self, since: int, limit: int = 200) -> answers.News:
        """Look whether the ledger has grown, and say what changed."""
        overview = self.overview()
        return self._blocks.news(since, limit, overview)

    def close(self) -> None:
        """Close the files."""
        self._store.close()
        self._index.close()

    @cached_property
    def _machine(self) -> Machine:
        from collab_robots.explorer.book.machine import Machine  # brings the contracts

        return Machine(self._fleet, self._store, self._index, self._blocks, self._told)

    @property
    def _span(self) -> tuple[int, int]:
        """When the first and the newest block were issued, ns."""
        first, last = self._index.db.execute(
            'SELECT min(issued_at), max(issued_at) FROM blocks'
        ).fetchone()
        return first or 0, last or 0

    @property
    def _now(self) -> int:
        return self._span[1]

    @property
    def _warning(self) -> str:
        """What is wrong with the file; empty if nothing is."""
        return self._store.meta.get('incomplete', '') or self._index.get('misfit')

    def _look(self) -> None:
        """Take what is new in the file."""
        if monotonic() - self._looked < LOOK:
            return
        if format_newest(self._store.newest) != self._index.get('newest'):
            self._machine.catch_up()
        for _, roster in self._index.epochs():
            self._names += [name for name, *_ in roster[len(self._names) :]]
        self._looked = monotonic()

    def _state(self, at: Moment | None) -> tuple[StateView, int]:
        """Return the state of a moment, and its time, ns."""
        return self._machine.state(at, self._now)

    def _tasks(self, at: Moment | None) -> list[answers.Task]:
        self._look()

        def make() -> list[answers.Task]:
            state, now = self._state(at)
            return state.tasks(now)

        return self._kept('tasks', at, _TASKS, make)

    def _kept(
        self, question: str, at: Moment | None, form: TypeAdapter[Value], make: Callable[[], Value]
    ) -> Value:
        """Return an answer about now that is kept, or make it."""
        if at is not None:
            return make()
        version = self._index.version
        kept = self._index.told(question, version)
        if kept is not None:
            return form.validate_json(kept)
        made = make()
        self._index.keep(question, version, form.dump_json(made).decode())
        return made

    def _key_of(self, identity: str, at: Moment | None) -> bytes:
        """
        Return the key of the task that somebody named.

        :raises ConfigError: if it is none or several.
        """
        found = [task for task in self._tasks(at) if _names(identity, task)]
        whole = [task for task in found if _words(identity) == _words(task.words)]
        found = whole or found
        rounds = {task.words.rpartition(' ')[0] for task in found}
        if len(rounds) != 1:
            raise ConfigError(
                f'expected a task, such as "explore 3 -1" or its id; {identity[:80]!r} '
                + (f'may be {", ".join(sorted(rounds)[:5])} …' if rounds else 'names none')
            )
        task = max(found, key=lambda one: one.round)
        return task_key(task.id)

    def _overview(self, at: Moment | None) -> answers.Overview:
        state, now = self._state(at)
        runner, meta = state.runner, self._store.meta
        db = self._index.db
        calls_of, where, values = 'calls', '1', list[int]()
        if at is not None:
            calls_of = 'calls JOIN blocks ON n = block'
            where = 'issued_at <= ?' if at.position is None else 'position < ?'
            values = [now if at.position is None else at.position]
        blocks, final, accepted, foreign, depth, first, last, last_final = db.execute(
            'SELECT count(*), count(position), coalesce(sum(accepted), 0), '
            'coalesce(sum(issuer < 0), 0), coalesce(max(round), 0), coalesce(min(issued_at), 0), '
            'coalesce(max(issued_at), 0), '
            'coalesce(max(CASE WHEN position IS NOT NULL THEN issued_at END), min(issued_at), 0) '
            f'FROM blocks WHERE {where}',
            values,
        ).fetchone()
        calls = db.execute(
            f'SELECT name, count(*), sum(NOT ok) FROM {calls_of} '
            f'WHERE {where} GROUP BY name ORDER BY name',
            values,
        ).fetchall()
        stored = self._store.snapshot()
        return answers.Overview(
            source=self._source,
            at=None if at is None else now / SECOND,
            fleet=self._fleet.fleet,
            fleet_id=f'0x{self._fleet.id.hex()}',
            robot=meta.get('robot', ''),
            epoch=state.roster.roster().epoch,
            robots=tuple(robot.name for robot in state.roster.roster().robots),
            blocks=blocks,
            pending=blocks - accepted,
            accepted=accepted - final,
            final=final + int(self._index.get('base', '0')),
            pruned=int(self._index.get('base', '0')),
            snapshot=stored[0] if stored else 0,
            foreign=foreign,
            round=depth,
            first=first / SECOND,
            last=last / SECOND,
            final_lag=(last - last_final) / SECOND,
            state_root=f'0x{runner.state_root().hex()}',
            final_root=f'0x{runner.final_root().hex()}',
            final_digest=self._machine.final_digest if at is None else '',
            tasks=state.counts(now),
            calls={name: count for name, count, _ in calls},
            reverted={name: bad for name, _, bad in calls if bad},
            convicted=tuple(sorted(state.convicted())),
            equivocators=tuple(self._names[robot] for robot in sorted(self._store.proofs())),
            splits=sum(at is None or one.begin * SECOND <= now for one in self.splits()),
            warning=self._warning,
            version=self._index.version,
        )


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _names(text: str, task: answers.Task) -> bool:
    """Tell whether somebody who wrote this may mean a task."""
    digits = digits_of(text)
    if digits is not None and len(digits) >= LEAST:
        whole = len(digits) == 2 * ID_BYTES  # with the zeros that all begin with
        return task.id[2:].startswith(digits.lstrip('0') if whole else digits)
    words = _words(text)
    return bool(words) and _words(task.words)[: len(words)] == words
