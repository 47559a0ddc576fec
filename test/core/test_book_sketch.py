"""How a sketch is shown: one character a cell, as answers say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from collab_robots.contract.calls.maps import SKETCH_SIDE as SIDE
from collab_robots.contract.views.maps import Masks
from collab_robots.explorer.book.states import differing, sketch_of

MASKS = st.integers(0, (1 << SIDE * SIDE) - 1)


@given(MASKS, MASKS)
def test_each_cell_is_shown_where_it_is(free: int, occupied: int) -> None:
    rows = sketch_of(Masks(free, occupied)).rows
    assert len(rows) == SIDE
    for bit in range(SIDE * SIDE):
        shown = '#' if occupied >> bit & 1 else '.' if free >> bit & 1 else ' '
        assert rows[bit // SIDE][bit % SIDE] == shown


@given(MASKS, MASKS, MASKS, MASKS)
def test_cells_differ_where_one_is_free_and_the_other_is_not(
    free: int, occupied: int, other_free: int, other_occupied: int
) -> None:
    one, other = Masks(free, occupied), Masks(other_free, other_occupied)
    found = {y * SIDE + x for x, y in differing(one, other)}
    for bit in range(SIDE * SIDE):
        against = free & other_occupied | occupied & other_free
        assert (bit in found) == bool(against >> bit & 1)
    assert differing(one, other) == differing(other, one)
