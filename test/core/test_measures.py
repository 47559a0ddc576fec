"""What the run's checks measure, on worlds and ledgers small enough to count by hand."""

import math

import numpy as np
import pytest

from collab_robots.core.geometry import FREE, Grid, OCCUPIED, UNKNOWN
from collab_robots.explorer import agreement, measures
from collab_robots.explorer.agreement import Act, BlockRow, effective, Lease
from collab_robots.explorer.measures import Camera, Poster, Sighting
from collab_robots.explorer.timeline import Split, Waypoint

SPLIT = Split(40.0, 80.0, (('a', 'b'), ('c', 'd')))


def room() -> Grid:
    """Return a closed room of 4 x 3 m with walls one cell thick."""
    data = np.full((60, 80), FREE, dtype=np.int8)
    data[0], data[-1], data[:, 0], data[:, -1] = (OCCUPIED,) * 4
    return Grid(data, 0.05, (0.0, 0.0))


def covered(truth: Grid, mapped: Grid) -> float:
    free = truth.data == FREE
    points = truth.centres(np.argwhere(free))
    return measures.coverage(points, measures.beside_wall(truth)[free], mapped)


def test_a_perfect_map_scores_full_marks() -> None:
    truth = room()
    assert covered(truth, truth) == 1.0
    assert measures.precision(truth, truth) == 1.0
    assert measures.recall(truth, truth.data == OCCUPIED, truth) == 1.0


def test_coverage_counts_what_is_known_and_walls_only_beside_walls() -> None:
    truth = room()
    free = truth.data == FREE
    half = truth.data.copy()
    half[:, :40] = UNKNOWN
    half[5, 41] = OCCUPIED  # in the middle of the room: not known to be free
    half[1, 50] = OCCUPIED  # the wall's face, one cell off
    half[58, 50] = UNKNOWN
    expected = (np.sum(free[:, 40:]) - 2) / free.sum()
    assert covered(truth, Grid(half, 0.05, (0.0, 0.0))) == pytest.approx(expected)


def test_a_map_may_have_another_origin_and_size() -> None:
    truth = room()
    grown = np.full((128, 192), UNKNOWN, dtype=np.int8)
    grown[20:80, 40:120] = truth.data
    mapped = Grid(grown, 0.05, (-2.0, -1.0))
    assert covered(truth, mapped) == 1.0
    assert measures.precision(truth, mapped) == 1.0
    assert measures.recall(truth, truth.data == OCCUPIED, mapped) == 1.0


@pytest.mark.parametrize(('cells', 'right'), [(3, True), (4, False)])
def test_walls_may_be_off_by_three_cells(cells: int, right: bool) -> None:
    truth = room()
    moved = np.full(truth.data.shape, FREE, dtype=np.int8)
    moved[20:40, cells] = OCCUPIED  # 0.05 m a cell from the western wall
    mapped = Grid(moved, 0.05, (0.0, 0.0))
    assert measures.precision(truth, mapped) == (1.0 if right else 0.0)
    wall = np.zeros(truth.data.shape, dtype=bool)
    wall[25:35, 0] = True
    assert measures.recall(truth, wall, mapped) == (1.0 if right else 0.0)


def test_walls_outside_the_true_grid_are_wrong() -> None:
    far = Grid(np.full((2, 2), OCCUPIED, dtype=np.int8), 0.05, (20.0, 20.0))
    assert measures.precision(room(), far) == 0.0


def test_an_empty_map_is_worth_nothing() -> None:
    empty = Grid(np.full((64, 64), UNKNOWN, dtype=np.int8), 0.05, (0.0, 0.0))
    truth = room()
    assert covered(truth, empty) == 0.0
    assert measures.precision(truth, empty) == 0.0
    assert measures.recall(truth, truth.data == OCCUPIED, empty) == 0.0


POSTER = Poster(3.95, 1.5, math.pi, 1.2, ('tabby',))  # on the eastern wall, facing west
CAMERA = Camera(1.2, 0.0)


def stay(x: float, y: float, yaw: float, seconds: float = 1.0) -> list[Waypoint]:
    return [Waypoint(step / 5, x, y, yaw) for step in range(round(seconds * 5) + 1)]


@pytest.mark.parametrize(
    ('path', 'seen'),
    [
        (stay(1.0, 1.5, 0.0), True),
        (stay(1.0, 1.5, 0.35), True),
        (stay(1.0, 1.5, 0.45), False),  # its left edge, 0.2 rad aside, is out of the picture
        (stay(3.0, 1.5, 0.0), True),
        (stay(3.2, 1.5, 0.0), False),  # too near for all of it
        (stay(1.0, 1.5, math.pi), False),
        (stay(1.0, 1.5, 0.0, seconds=0.8), False),
        (stay(3.85, 0.3, math.pi / 2), False),  # in view, but far too flat to read
        (stay(-0.1, 1.5, 0.0), False),  # 4.05 m away
        ([], False),
    ],
)
def test_a_poster_is_seen_from_ahead_long_enough(path: list[Waypoint], seen: bool) -> None:
    assert measures.was_seen(POSTER, path, room(), CAMERA) is seen


def test_a_poster_is_not_seen_through_a_wall() -> None:
    truth = room()
    truth.data[:, 50] = OCCUPIED
    assert not measures.was_seen(POSTER, stay(1.0, 1.5, 0.0), truth, CAMERA)
    truth.data[30, 50] = FREE  # a hole at y = 1.5 m
    assert measures.was_seen(POSTER, stay(1.0, 1.5, 0.0), truth, CAMERA)


def test_a_glance_that_is_broken_off_starts_anew() -> None:
    path = [Waypoint(t / 2, 1.0, 1.5, 0.0 if t % 2 else math.pi) for t in range(20)]
    assert not measures.was_seen(POSTER, path, room(), CAMERA)


@pytest.mark.parametrize(
    ('sightings', 'right'),
    [
        ([Sighting(3.5, 1.5, 'tabby')], True),
        ([Sighting(3.5, 1.5, 'espresso')], False),
        ([Sighting(2.9, 1.5, 'tabby')], False),  # 1.05 m away
        ([Sighting(3.5, 1.5, 'tabby'), Sighting(3.9, 1.5, 'espresso')], False),
        ([], False),
    ],
)
def test_the_nearest_sighting_names_a_poster(sightings: list[Sighting], right: bool) -> None:
    assert measures.named_rightly(POSTER, sightings) is right


def test_robots_words_about_one_place_become_one() -> None:
    fused = measures.fuse(
        [
            ('a', Sighting(1.0, 1.0, 'espresso', 0.9)),
            ('a', Sighting(1.2, 1.0, 'cup', 0.5)),  # replaces its first word
            ('b', Sighting(1.0, 1.2, 'espresso', 0.4)),
            ('c', Sighting(1.1, 1.0, 'espresso', 0.2)),
            ('a', Sighting(3.0, 1.0, 'tabby', 0.7)),
        ]
    )
    assert [(seen.label, seen.confidence) for seen in fused] == [('tabby', 0.7), ('espresso', 0.4)]
    assert (fused[1].x, fused[1].y) == pytest.approx((1.05, 1.1))


def test_a_lease_is_followed_from_award_to_completion() -> None:
    (lease,) = agreement.leases(
        [
            Act(5.5, 'a', 'award', 't'),
            Act(12.0, 'a', 'renew', 't'),
            Act(20.0, 'a', 'complete', 't'),
        ]
    )
    assert (lease.start, lease.until, lease.end, lease.done) == (5.5, 22.0, 20.0, True)
    assert not lease.lapsed(100.0)


def test_renewing_without_a_lease_is_nothing() -> None:
    assert agreement.leases([Act(5.0, 'a', 'renew', 't')]) == []


def test_a_lease_that_ran_out_is_lost_and_the_next_award_is_another() -> None:
    held = agreement.leases([Act(5.0, 'a', 'award', 't'), Act(30.0, 'a', 'award', 't')])
    assert [lease.start for lease in held] == [5.0, 30.0]
    assert agreement.lost_leases(held, {}, {}, now=35.0) == held[:1]


@pytest.mark.parametrize(
    ('acts', 'done', 'killed', 'now'),
    [
        ([Act(10.0, 'a', 'release', 't')], {}, {}, 90.0),
        ([], {'t': {'b': 9.0}}, {}, 90.0),
        ([], {}, {'a': [8.0]}, 90.0),
        ([Act(9.0, 'b', 'award', 't'), Act(12.0, 'b', 'complete', 't')], {}, {}, 90.0),
        ([], {}, {}, 14.0),  # put on hold before it ran out
    ],
)
def test_leases_that_end_for_a_reason_are_not_lost(
    acts: list[Act], done: dict[str, dict[str, float]], killed: dict[str, list[float]], now: float
) -> None:
    held = agreement.leases([Act(5.0, 'a', 'award', 't'), *acts])
    assert agreement.lost_leases(held, done, killed, now) == []


def test_a_lease_taken_over_after_it_ran_out_is_lost() -> None:
    held = agreement.leases([Act(5.0, 'a', 'award', 't'), Act(17.0, 'b', 'award', 't')])
    assert [lease.robot for lease in agreement.lost_leases(held, {}, {}, now=20.0)] == ['a']


def test_completions_in_a_split_count_for_the_half_that_did_them() -> None:
    done = {'t': {'a': 50.0, 'b': 60.0}, 'u': {'c': 79.0}, 'v': {'a': 39.0}, 'w': {'d': 81.0}}
    assert agreement.completed_by_halves(done, SPLIT) == (1, 1)


@pytest.mark.parametrize(
    ('robots', 'workers', 'wrong'),
    [
        ({'a': 50.0}, 'a', False),
        ({'a': 50.0, 'c': 60.0}, 'ac', False),
        ({'a': 50.0, 'c': 60.0}, 'a', True),  # c never held it
        ({'a': 50.0, 'b': 60.0}, 'ab', True),  # both in one half
        ({'a': 50.0, 'b': 51.0, 'c': 60.0}, 'abc', True),
    ],
)
def test_only_a_split_excuses_work_done_twice(
    robots: dict[str, float], workers: str, wrong: bool
) -> None:
    held = [Lease(robot, 't', 45.0, 70.0) for robot in workers]
    assert agreement.wrongly_twice({'t': robots}, held, SPLIT) == (['t'] if wrong else [])


def test_without_a_split_nothing_excuses_it() -> None:
    held = [Lease('a', 't', 45.0, 70.0), Lease('c', 't', 45.0, 70.0)]
    assert agreement.wrongly_twice({'t': {'a': 1.0, 'c': 2.0}}, held, None) == ['t']


def test_work_that_both_began_only_after_the_heal_is_not_excused() -> None:
    held = [Lease('a', 't', 85.0, 95.0), Lease('c', 't', 85.0, 95.0)]
    assert agreement.wrongly_twice({'t': {'a': 90.0, 'c': 91.0}}, held, SPLIT) == ['t']


def row(number: int, issued: float, received: float) -> BlockRow:
    return BlockRow(bytes([number]), 0, number, issued, received)


def test_blocks_that_anybody_lacks_are_counted() -> None:
    files = {'a': [row(1, 1, 1), row(2, 2, 2)], 'b': [row(2, 2, 3)], 'c': []}
    assert agreement.missing_blocks(files) == {'a': 0, 'b': 1, 'c': 2}
    assert agreement.missing_blocks({}) == {}


def test_healing_takes_until_the_last_old_block_is_everywhere() -> None:
    files = {'a': [row(1, 50, 50), row(2, 60, 81.5)], 'b': [row(3, 79, 80.5), row(4, 81, 99)]}
    assert agreement.heal_seconds(files, 80.0) == 1.5
    assert agreement.heal_seconds({'a': [row(1, 50, 50)]}, 80.0) == 0.0


def test_awards_without_effect_are_left_out() -> None:
    proposal, bid = Act(5.0, 'b', 'propose', 't'), Act(5.5, 'a', 'bid', 't')
    award, stranger = Act(7.0, 'a', 'award', 't'), Act(8.0, 'b', 'award', 't')
    assert effective([proposal, bid, award, stranger]) == [award]
