"""What is shown of a fleet, from what each robot says."""

from __future__ import annotations

from hypothesis import given, HealthCheck, settings
from hypothesis import strategies as st
import pytest

from collab_robots.contract.calls.common import Kind
from collab_robots.contract.views.tasks import TaskState
from collab_robots.core.clock import SECOND
from collab_robots.core.geometry import pose
from collab_robots.explorer.scene import Hearing, MAX_FINDINGS, Scene, Standing, Word
from collab_robots.tasks.task_view import TaskView

ROBOTS = ('robot1', 'robot2', 'robot3')
SILENCE = 5 * SECOND


def scene(*heard: str, **words: Word) -> Scene:
    """Return a scene with robots at (0, 0), (1, 0), (2, 0) whose ledgers speak at time 0."""
    result = Scene(ROBOTS, SILENCE)
    for index, robot in enumerate(ROBOTS):
        result.put_pose(robot, pose(float(index), 0.0, 0.0))
    for robot in heard or ROBOTS:
        result.put_word(robot, words.get(robot, Word()), 0)
    return result


def task(state: TaskState, **values: object) -> TaskView:
    return TaskView(**{'key': b'k' * 32, 'kind': Kind.EXPLORE, 'cell': (3, -2), 'round': 0,
                       'state': state, **values})  # fmt: skip


def test_a_task_is_in_the_middle_of_its_cell_and_one_word_stands_for_all_who_agree() -> None:
    view = scene()
    for robot in ROBOTS:
        view.put_tasks(robot, [task(TaskState.HELD, holder='robot2', accepted=True)])
    (spot,) = view.spots(0)
    assert spot.place == (3.5, -1.5)
    assert spot.words == {'held by robot2': ROBOTS}
    assert spot.holders == {'robot2': (1.0, 0.0)}


def test_a_disputed_region_is_a_map_tile() -> None:
    view = scene()
    view.put_tasks('robot1', [task(TaskState.OPEN, kind=Kind.VERIFY, cell=(1, 0))])
    (spot,) = view.spots(0)
    assert spot.place == pytest.approx((4.8, 1.6))


def test_ledgers_that_differ_are_all_told_and_the_furthest_state_is_shown() -> None:
    view = scene()
    view.put_tasks('robot1', [task(TaskState.HELD, holder='robot1', accepted=True)])
    view.put_tasks('robot2', [task(TaskState.OPEN, assigned='robot3')])
    view.put_tasks('robot3', [task(TaskState.HELD, holder='robot3')])
    (spot,) = view.spots(0)
    assert spot.state is TaskState.HELD
    assert spot.holders == {'robot1': (0.0, 0.0), 'robot3': (2.0, 0.0)}
    assert spot.words == {
        'held by robot1': ('robot1',),
        'open': ('robot2',),
        'held by robot3': ('robot3',),
    }


def test_whoever_is_silent_does_not_count() -> None:
    view = scene()
    view.put_tasks('robot1', [task(TaskState.DONE, completed_by=('robot1',))])
    view.put_tasks('robot2', [task(TaskState.OPEN)])
    view.put_word('robot2', Word(), 6 * SECOND)
    (spot,) = view.spots(6 * SECOND)
    assert spot.words == {'open': ('robot2',)}
    standing = {member.name: member.standing for member in view.members(6 * SECOND)}
    assert standing['robot1'] is Standing.SILENT
    assert standing['robot2'] is Standing.TRUSTED


def test_work_for_a_network_has_no_place_on_the_map() -> None:
    view = scene()
    view.put_tasks('robot1', [task(TaskState.HELD, kind=Kind.INFER, holder='robot2')])
    assert view.spots(0) == []


def test_a_verdict_is_shown_with_how_many_ledgers_say_so_also_of_a_silent_robot() -> None:
    liar = Word(convicted=frozenset({'robot3'}))
    view = scene('robot1', 'robot2', robot1=liar)
    member = view.members(0)[2]
    assert (member.standing, member.told_by, member.heard) == (Standing.CONVICTED, 1, 2)
    both = Word(convicted=frozenset({'robot3'}), equivocators=frozenset({'robot3'}), alarm='full')
    view.put_word('robot1', both, 0)
    assert view.members(0)[2].standing is Standing.EQUIVOCATOR
    assert view.members(0)[0].alarm == 'full'


def test_links_come_from_who_was_heard_lately() -> None:
    view = scene(
        robot1=Word(peers=frozenset({'robot2', 'robot3'})),
        robot2=Word(peers=frozenset({'robot1'})),
    )
    hearing = {link.robots: link.hearing for link in view.links(0)}
    assert hearing == {
        ('robot1', 'robot2'): Hearing.BOTH,
        ('robot1', 'robot3'): Hearing.ONE,
        ('robot2', 'robot3'): Hearing.NONE,
    }


def test_a_simulated_radio_knows_better_while_it_speaks() -> None:
    view = scene()
    view.put_radio([('robot1', 'robot2'), ('robot2', 'robot1')], 0)
    assert [link.hearing for link in view.links(0)] == [Hearing.BOTH, Hearing.NONE, Hearing.NONE]
    for robot in ROBOTS:
        view.put_word(robot, Word(), 6 * SECOND)
    assert {link.hearing for link in view.links(6 * SECOND)} == {Hearing.NONE}


def test_nothing_is_said_of_links_that_nobody_told_of() -> None:
    view = scene('robot3')
    view.put_pose('robot3', pose(9.0, 9.0, 0.0))
    assert {link.robots for link in view.links(0)} == {
        ('robot1', 'robot3'),
        ('robot2', 'robot3'),
    }


def test_a_robot_is_shown_once_its_place_is_known() -> None:
    view = Scene(ROBOTS, SILENCE)
    view.put_word('robot1', Word(peers=frozenset(ROBOTS)), 0)
    assert (view.members(0), view.links(0)) == ([], [])


def test_sightings_of_one_thing_join_and_the_surest_says_where_it_is() -> None:
    view = scene()
    view.put_sighting('robot1', 7, 'rocket', 0.8, (1.10, 2.0))
    view.put_sighting('robot2', 7, 'rocket', 0.9, (1.20, 2.1))
    view.put_sighting('robot2', 8, 'cat', 0.9, (1.20, 2.1))
    rocket, cat = view.things()
    assert rocket.best == (0.9, (1.20, 2.1))
    assert (set(rocket.seen), cat.label) == ({'robot1', 'robot2'}, 'cat')


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # of a busy machine
@given(st.lists(st.tuples(st.integers(0, 999), st.floats(-1e6, 1e6)), max_size=400))
def test_memory_is_bounded_and_the_newest_stay(seen: list[tuple[int, float]]) -> None:
    view = scene()
    for class_id, x in seen:
        view.put_sighting('robot1', class_id, str(class_id), 0.5, (x, 0.0))
    things = view.things()
    assert len(things) <= MAX_FINDINGS
    if seen:
        assert things[-1].class_id == seen[-1][0]
