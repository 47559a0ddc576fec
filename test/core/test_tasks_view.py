"""TasksView: what the contract judges, as typed values, asked for no oftener than needed."""

from __future__ import annotations

from pathlib import Path
import re

from contract_history import ADDRESSES, execute, FLEET, History, KEY, Listed, NAMES, PROPOSE
import pytest

from collab_robots.contract.artifact import suite
from collab_robots.contract.calls import maps, tasks
from collab_robots.contract.calls.common import Kind
from collab_robots.contract.runner import Runner
from collab_robots.contract.views import tasks as views
from collab_robots.contract.views.maps import Masks
from collab_robots.contract.views.tasks import Reason, TaskState, TasksView, Why
from collab_robots.core.clock import SECOND

A, B, C, D = range(4)
SOURCE = Path(__file__).resolve().parents[2] / 'contracts' / 'Tasks.sol'
FREE, WALL = Masks((1 << 256) - 1, 0), Masks((1 << 256) - (1 << 64), (1 << 64) - 1)
REGION = tasks.task_key(Kind.VERIFY, -1, 2, 0)
FIRST = tasks.task_key(Kind.EXPLORE, 1, 1, 0)
FUNCTIONS = suite().contracts['Tasks'].functions


class Growing(Listed):
    """A listed order whose history goes on."""

    def __init__(self, history: History) -> None:
        super().__init__(history.entries)
        self.entries = history.entries

    def changed_from(self) -> int:
        return len(self.entries)


def auction(start: int = 100) -> History:
    """Let A propose; A, B and C bid 3, 1 and 2 m; A awards the task to B."""
    history = History()
    history.say(A, start, PROPOSE, tasks.bid(KEY, 3000))
    history.say(B, start + 0.5, tasks.bid(KEY, 1000))
    history.say(C, start + 0.6, tasks.bid(KEY, 2000))
    history.say(A, start + 2, tasks.award(KEY, ADDRESSES[B], start))
    return history


def view(history: History) -> TasksView:
    return TasksView(execute(history.entries))


def sketch(history: History, robot: int, seconds: float, masks: Masks) -> None:
    history.say(robot, seconds, maps.submit_sketch(-1, 2, *masks))


@pytest.mark.parametrize('name', ['Why', 'Reason'])
def test_enums_are_those_of_the_contract(name: str) -> None:
    text = re.search(rf'enum {name} {{(.*?)}}', SOURCE.read_text(encoding='utf-8'), re.S)[1]
    names = re.findall(r'^\s*(\w+)', re.sub(r'//.*', '', text).replace(',', '\n'), re.M)
    ours = getattr(views, name)
    assert [item.name for item in ours] == [
        re.sub(r'(?<!^)(?=[A-Z])', '_', item).upper() for item in names
    ]
    assert set(getattr(views, f'{name.upper()}_WORDS')) == set(ours)


def test_states_are_those_of_the_contract_but_for_unknown() -> None:
    text = re.search(r'enum State { (.*?) }', SOURCE.read_text(encoding='utf-8'))[1]
    assert ['UNKNOWN', *TaskState.__members__] == text.upper().split(', ')


def test_a_task_as_it_stands() -> None:
    (task,) = view(auction()).tasks(103 * SECOND)
    assert (task.key, task.kind, task.cell, task.round) == (KEY, Kind.EXPLORE, (5, 7), 0)
    assert (task.state, task.why, task.holder) == (TaskState.HELD, Why.HELD, NAMES[B])
    assert task.bids == {NAMES[A]: 3.0, NAMES[B]: 1.0, NAMES[C]: 2.0}
    assert (task.proposed_at, task.award_from) == (100 * SECOND, 102 * SECOND)
    assert (task.lease_until, task.completed) == (112 * SECOND, {})
    assert task.explain() == [
        'explore (5, 7) round 0: held, it is held',
        f'{NAMES[A]} (3.0 m) bids, and was not awarded it',
        f'{NAMES[B]} (1.0 m) has the best lease',
        f'{NAMES[C]} (2.0 m) bids, and was not awarded it',
    ]


def test_time_passes() -> None:
    seen = view(auction())
    states = {}
    for seconds in range(102, 140):
        (task,) = seen.tasks(seconds * SECOND)
        states.setdefault((task.state, task.holder), []).append(seconds)
    assert states == {
        (TaskState.OPEN, None): list(range(112, 133)),
        (TaskState.HELD, NAMES[B]): list(range(102, 112)),
        (TaskState.STALE, None): list(range(133, 140)),
    }
    assert seen.tasks(105 * SECOND)[0].state == TaskState.HELD, 'back in time'


def test_who_has_done_it_and_who_gave_it_back() -> None:
    history = auction()
    history.say(B, 104, tasks.complete(KEY))
    history.say(C, 105, tasks.release(KEY))
    (task,) = view(history).tasks(110 * SECOND)
    assert (task.state, task.holder, task.lease_until) == (TaskState.DONE, None, 0)
    assert task.completed == {NAMES[B]: 104 * SECOND}
    assert task.reasons == {
        NAMES[A]: Reason.CLOSED,
        NAMES[B]: Reason.HAS_DONE,
        NAMES[C]: Reason.RELEASED,
    }
    assert task.bids == {}


def test_terms_rounds_and_order() -> None:
    history = History()
    terms = tasks.Terms(priority=7, deadline=120, capabilities=5, sealed_bids=True)
    history.say(A, 105, tasks.propose(Kind.INFER, 1, 2, 0, terms))
    history.say(A, 106, tasks.propose(Kind.INFER, 1, 2, 1))
    history.say(B, 100, PROPOSE, past=[])
    seen = view(history)
    first, second = seen.tasks(107 * SECOND)
    assert (first.key, second.terms) == (KEY, terms)
    assert seen.assign(107 * SECOND) == {}
    missed, later = seen.tasks(120 * SECOND)[1:]
    assert (missed.state, missed.why) == (TaskState.MISSED, Why.DEADLINE_PASSED)
    assert (later.round, later.state) == (1, TaskState.OPEN)


def test_a_disputed_region_is_a_task_and_its_verdict_ends_it() -> None:
    history = History()
    sketch(history, A, 100, WALL)
    assert view(history).tasks(101 * SECOND) == []
    sketch(history, B, 101, FREE)
    (task,) = view(history).tasks(102 * SECOND)
    assert (task.key, task.kind, task.cell) == (REGION, Kind.VERIFY, (-1, 2))
    assert (task.proposed_at, task.state) == (101 * SECOND, TaskState.OPEN)
    assert task.mapped_by == (NAMES[A], NAMES[B])
    assert task.explain() == [
        'verify (-1, 2) round 0: open, nobody bids on it',
        f'{NAMES[A]} has mapped the region already',
        f'{NAMES[B]} has mapped the region already',
    ]
    history.say(C, 102, tasks.bid(REGION, 500))
    history.say(A, 102, tasks.bid(REGION, 1))
    seen = view(history)
    assert seen.tasks(103 * SECOND)[0].reasons[NAMES[A]] == Reason.PARTY
    assert seen.assign(103 * SECOND) == {REGION: NAMES[C]}
    sketch(history, C, 105, FREE)
    assert view(history).tasks(106 * SECOND) == []


def test_a_conviction_elsewhere_changes_who_holds_a_task() -> None:
    history = auction()
    runner = Runner(FLEET)
    runner.update(order := Growing(history))
    seen = TasksView(runner)
    assert seen.tasks(103 * SECOND)[0].holder == NAMES[B]
    for robot, masks in ((A, FREE), (B, WALL), (C, FREE)):
        sketch(history, robot, 103, masks)
    runner.update(order)
    (task,) = (task for task in seen.tasks(103 * SECOND) if task.key == KEY)
    assert (task.holder, task.reasons[NAMES[B]]) == (None, Reason.CONVICTED)
    assert seen.assign(103 * SECOND) == {KEY: NAMES[C]}


def test_the_final_state_is_another() -> None:
    history = auction()
    order, runner = history.order(), Runner(FLEET)
    order.finalise(history.entries[:2])
    runner.update(order)
    final, tentative = TasksView(runner, final=True), TasksView(runner)
    assert final.tasks(103 * SECOND)[0].bids == {NAMES[A]: 3.0, NAMES[B]: 1.0}
    assert final.assign(103 * SECOND) == {KEY: NAMES[B]}
    assert tentative.tasks(103 * SECOND)[0].holder == NAMES[B]
    order.finalise(history.entries[2:])
    runner.update(order)
    assert final.tasks(103 * SECOND) == tentative.tasks(103 * SECOND)


def test_nothing_is_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    history = auction()
    history.say(D, 103, tasks.propose(Kind.EXPLORE, 1, 1, 0), tasks.bid(FIRST, 9))
    runner = execute(history.entries)
    asked = []
    deployment = runner.tentative()
    read = deployment.evm.read

    def count(to: bytes, data: bytes, *more: int) -> bytes:
        name = next(
            (name for name, item in FUNCTIONS.items() if item.selector == data[:4]), 'other'
        )
        asked.append(name)
        return read(to, data, *more)

    monkeypatch.setattr(deployment.evm, 'read', count)
    seen = TasksView(runner)
    for seconds, judged, assigned in ((104, 2, 1), (104, 0, 0), (105, 1, 1), (111, 0, 0)):
        asked.clear()
        seen.tasks(seconds * SECOND)
        seen.assign(seconds * SECOND)
        assert (asked.count('judge'), asked.count('assign')) == (judged, assigned), seconds


def test_of_many_tasks_the_most_urgent_are_assigned() -> None:
    history = History()
    for x in range(40):
        key = tasks.task_key(Kind.EXPLORE, x, 0, 0)
        terms = tasks.Terms(priority=int(x == 39))
        cost = 5000 - x if x else 1
        history.say(A, 100, tasks.propose(Kind.EXPLORE, x, 0, 0, terms), tasks.bid(key, cost))
    history.say(B, 100, tasks.bid(tasks.task_key(Kind.EXPLORE, 38, 0, 0), 7))
    assigned = view(history).assign(103 * SECOND)
    assert {tasks.identity_of(key).x: robot for key, robot in assigned.items()} == {
        39: NAMES[A],  # the highest priority
        38: NAMES[B],
        0: NAMES[A],  # at hand
    }
