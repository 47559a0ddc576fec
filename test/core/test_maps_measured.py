"""What the benchmark of verdicts counts and draws, against the contract and by hand."""

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from benchmarks.baselines import vote
from benchmarks.verdict_court import Court
from benchmarks.verdict_maps import levels_of, Mapped, shifted, with_wall, without_walls
from benchmarks.verdict_sketches import displacement, share
from collab_robots.core.geometry import compose, Grid, pose
from collab_robots.mapping.layer import TILE
from collab_robots.mapping.sketch import conflict, Sketch

ORIGIN = (0, 0)
AROUND = [(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1)]
FULL = (1 << 256) - 1
COURT = Court(1)


def open_space():
    return {index: np.full((TILE, TILE), -4, np.int8) for index in AROUND}


@st.composite
def sparse(draw):
    """Draw a sketch with few occupied cells, so that many pairs are near the threshold."""
    occupied = sum(1 << bit for bit in draw(st.sets(st.integers(0, 255), max_size=24)))
    return Sketch(*ORIGIN, FULL & ~occupied, occupied)


@settings(max_examples=300, deadline=None)
@given(sparse(), sparse())
def test_python_judges_as_the_contract_does(a, b):
    assert conflict(a, b) == COURT.conflicting(a, b)


def test_a_share_is_of_what_both_know():
    column = sum(1 << 16 * row for row in range(16))
    a, b = Sketch(*ORIGIN, FULL, 0), Sketch(*ORIGIN, FULL & ~column, column)
    assert share(a, b) == pytest.approx(12 / 144)
    half = sum(column << shift for shift in range(6))
    assert share(Sketch(*ORIGIN, half, 0), b) == pytest.approx(12 / 72)
    assert share(Sketch(*ORIGIN, column, 0), b) == 0.0  # 12 cells are too few


def test_a_wall_is_drawn_where_it_is_said_to_be():
    drawn = with_wall(open_space(), ORIGIN, np.array([1.6, 0.525]), 0.0, 1.0, 0.05)
    rows, columns = np.nonzero(drawn[ORIGIN] > 0)
    assert (set(rows), min(columns), max(columns)) == ({10}, 22, 41)
    assert not (without_walls(drawn, ORIGIN)[ORIGIN] > 0).any()


def test_a_map_is_moved_across_tiles():
    tiles = open_space()
    tiles[ORIGIN][0, 60] = 4
    moved = shifted(tiles, 6, 2)
    assert moved[1, 0][2, 2] == 4 and sum((tile == 4).sum() for tile in moved.values()) == 1
    assert (moved[ORIGIN] == -4).all()


def test_levels_of_a_true_map():
    data = np.zeros((TILE + 1, TILE), np.int8)
    data[TILE, 0], data[0, 5] = 100, -1
    tiles = levels_of(Grid(data, 0.05, (0.0, 0.0)))
    (below, above) = (tiles[0, 0], tiles[0, 1])
    assert (above[0, 0], below[0, 5], below[0, 6], above[1, 0]) == (4, 0, -4, 0)


def test_maps_are_apart_by_what_their_robots_got_wrong():
    true = np.array([pose(1.0, 1.0, 0.3), pose(2.0, 2.0, -1.0)])
    moved = np.array([compose(pose(0.03, 0.04, 0.0), at) for at in true])
    right, wrong = Mapped({}, true, true), Mapped({}, true, moved)
    assert displacement(right, wrong, ORIGIN) == pytest.approx(0.05)
    once = Mapped({}, true, np.array([true[0], moved[1]]))
    assert displacement(right, once, ORIGIN) == pytest.approx(0.05)
    assert displacement(right, right, (9, 9)) == np.inf  # nobody was there


def test_the_published_comparison_does_not_see_a_thin_wall():
    cells = -np.ones((TILE, TILE), np.int8)
    thin, thick = cells.copy(), cells.copy()
    thin[20] = thick[20:31] = 1
    assert vote.complies(cells, thin) and not vote.complies(cells, thick)
    half = cells.copy()
    half[:25] = 0  # half of the window is unknown: skipped
    assert vote.complies(half, thick)
