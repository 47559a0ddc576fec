"""Sketches of tiles, and when they are submitted."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
import numpy as np
import pytest

from collab_robots.contract.calls.maps import LEAST_KNOWN, MAX_SKETCHES
from collab_robots.core.clock import SECOND
from collab_robots.mapping.layer import HIT, Layer, OwnTile, TILE
from collab_robots.mapping.sketch import CHANGED, Sketch, sketch, SketchBook

FULL = (1 << 256) - 1
AROUND = [(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1)]


def cells(mask):
    """Return the set cells of a mask as (row, column)."""
    return {(bit // 16, bit % 16) for bit in range(256) if mask >> bit & 1}


def open_space():
    return {index: np.full((TILE, TILE), -4, np.int8) for index in AROUND}


def test_open_space_is_free_everywhere():
    assert sketch(open_space(), 0, 0) == Sketch(0, 0, FULL, 0)


def test_nothing_is_known_of_no_tile():
    assert sketch({}, 3, -2) == Sketch(3, -2, 0, 0)


def test_a_wall_is_occupied_and_what_is_beside_it_is_not_surely_free():
    tiles = open_space()
    tiles[0, 0][22] = 4  # one cell thick, in row 5 of the sketch
    found = sketch(tiles, 0, 0)
    assert cells(found.occupied) == {(5, column) for column in range(16)}
    assert cells(FULL ^ found.free) == {(row, column) for row in (4, 5, 6) for column in range(16)}
    assert found.known == 256 - 32


def test_bit_0_is_the_lowest_x_and_y():
    tiles = open_space()
    tiles[0, 0][:4, :32] = 4
    assert cells(sketch(tiles, 0, 0).occupied) == {(0, column) for column in range(8)}


def test_a_wall_in_the_next_tile_makes_the_border_unsure():
    tiles = open_space()
    tiles[1, 0][:, 1] = 4
    found = sketch(tiles, 0, 0)
    assert found.occupied == 0
    assert cells(FULL ^ found.free) == {(row, 15) for row in range(16)}


def test_what_borders_on_the_unknown_is_not_surely_free():
    tiles = open_space()
    del tiles[0, -1]
    assert cells(FULL ^ sketch(tiles, 0, 0).free) == {(0, column) for column in range(16)}


def test_one_cell_that_was_not_seen_is_enough_to_be_unsure():
    tiles = open_space()
    tiles[0, 0][30, 30] = 0
    assert cells(FULL ^ sketch(tiles, 0, 0).free) == {(r, c) for r in (6, 7, 8) for c in (6, 7, 8)}


@pytest.mark.parametrize(('hits', 'occupied'), [(2, 0), (3, 1)])
def test_three_cells_of_the_map_make_a_cell_occupied(hits, occupied):
    tiles = open_space()
    tiles[0, 0][20, :64] = 0  # a wall that was seen in part
    for column in range(0, 64, 4):
        tiles[0, 0][20, column : column + hits] = 3
    assert len(cells(sketch(tiles, 0, 0).occupied)) == 16 * occupied


@pytest.mark.parametrize(('hits', 'occupied'), [(2, 0), (3, 16)])
@pytest.mark.parametrize('rounded', [False, True])
def test_three_hits_make_a_cell_sure_and_fewer_leave_it_unknown(hits, occupied, rounded):
    tiles = open_space()
    tiles[0, 0] = tiles[0, 0].astype(np.float32)
    tiles[0, 0][20:24] = np.rint(hits * HIT) if rounded else hits * HIT
    found = sketch(tiles, 0, 0)
    assert len(cells(found.occupied)) == occupied
    assert not cells(found.free) & {(5, column) for column in range(16)}


def test_what_may_be_a_teammate_is_left_out():
    tiles = open_space()
    tiles[0, 0][20:28, 20:28] = 4  # 0.4 m, as wide as a robot and a bit
    found = sketch(tiles, 0, 0)
    assert found.occupied == 0
    assert cells(FULL ^ found.free) == {(r, c) for r in range(4, 8) for c in range(4, 8)}
    tiles[0, 0][20:28, 20:36] = 4  # 0.8 m
    assert len(cells(sketch(tiles, 0, 0).occupied)) == 8


def test_a_thing_that_goes_on_in_the_next_tile_is_not_small():
    tiles = open_space()
    tiles[0, 0][20:24, 60:] = 4
    assert sketch(tiles, 0, 0).occupied == 0
    tiles[1, 0][20:24, :12] = 4
    assert cells(sketch(tiles, 0, 0).occupied) == {(5, 15)}


@settings(max_examples=50)
@given(arrays(np.int8, (TILE, TILE), elements=st.integers(-4, 4)))
def test_no_cell_is_both(levels):
    tiles = {**open_space(), (0, 0): levels}
    found = sketch(tiles, 0, 0)
    assert found.free & found.occupied == 0
    assert 0 <= found.free | found.occupied <= FULL


def test_levels_and_log_odds_give_the_same():
    tiles = open_space()
    tiles[0, 0][22] = 3
    odds = {index: tile.astype(np.float32) for index, tile in tiles.items()}
    assert sketch(odds, 0, 0) == sketch(tiles, 0, 0)


# ---------------------------------------------------------------------- when

SETTLE = 5 * SECOND


class Seen:
    """A layer in which tiles are what the test says, and the book about it."""

    def __init__(self):
        self.layer = Layer()
        self.book = SketchBook(self.layer, SETTLE)

    def see(self, value, rows=slice(None), index=(0, 0)):
        tile = self.layer.tiles.setdefault(index, OwnTile())
        tile.log_odds[rows] = value
        tile.version += 1

    def due(self, second):
        return [(found.x, found.y) for found in self.book.due(second * SECOND)]


def test_a_sketch_is_due_once_it_has_settled():
    seen = Seen()
    seen.see(-4.0)
    assert [seen.due(second) for second in (0, 4, 5, 9)] == [[], [], [(0, 0)], []]


def test_what_still_changes_has_not_settled():
    seen = Seen()
    for second in range(10):
        seen.see(-4.0, slice(0, 40 + 2 * second))
        assert seen.due(second) == []
    assert [seen.due(second) for second in (12, 15)] == [[], [(0, 0)]]


def test_log_odds_that_grow_change_no_sketch():
    seen = Seen()
    for second in range(6):
        seen.see(-1.0 - second / 10)
        assert seen.due(second) == ([(0, 0)] if second == 5 else [])


def test_a_tile_of_which_too_little_is_known_is_not_due():
    seen = Seen()
    seen.see(-4.0, slice(0, 32))  # 8 rows, but the border is not surely free
    seen.due(0)
    assert sketch({(0, 0): seen.layer.tiles[0, 0].log_odds}, 0, 0).known < LEAST_KNOWN
    assert seen.due(10) == []


def test_a_tile_is_due_again_when_it_has_become_another_one():
    seen = Seen()
    seen.see(-4.0, slice(0, 48))
    assert (seen.due(0), seen.due(5)) == ([], [(0, 0)])
    seen.see(-4.0, slice(48, 52))  # 14 cells more
    assert (seen.due(10), seen.due(20)) == ([], [])
    seen.see(-4.0, slice(52, 60))  # 42 cells more
    assert (seen.due(30), seen.due(35), seen.due(40)) == ([], [(0, 0)], [])
    assert CHANGED in range(15, 43)


def test_a_tile_is_due_no_more_often_than_the_contract_takes_it():
    seen = Seen()
    found = []
    for turn in range(10):
        seen.see(-4.0 if turn % 2 else 4.0)
        seen.due(20 * turn)
        found += seen.due(20 * turn + 10)
    assert found == [(0, 0)] * MAX_SKETCHES


def test_a_neighbour_that_changes_changes_the_sketch():
    seen = Seen()
    for index in AROUND:
        seen.see(-4.0, index=index)
    seen.due(0)
    seen.see(4.0, index=(1, 0))
    assert (0, 0) not in seen.due(5)
    assert (0, 0) in seen.due(10)


def test_tiles_come_in_fixed_order():
    seen = Seen()
    for index in ((1, 0), (-3, 2), (0, -5)):
        seen.see(-4.0, index=index)
    seen.due(0)
    assert seen.due(5) == [(-3, 2), (0, -5), (1, 0)]
