"""What teammates show, held against what they said on the ledger."""

import numpy as np

from collab_robots.core.geometry import OCCUPIED
from collab_robots.mapping.layer import Layer, TILE
from collab_robots.mapping.layers import LayeredMap
from collab_robots.mapping.sketch import sketch
from collab_robots.mapping.tile import encode_tile
from collab_robots.mapping.witness import Witness

KEY = ('liar', 1, 1)
AROUND = [(x, y) for x in range(3) for y in range(3)]


def open_space(rows=()):
    """Return levels of nine tiles, all free; rows of cells in the one in the middle are a wall."""
    tiles = {index: np.full((TILE, TILE), -4, np.int8) for index in AROUND}
    for row in rows:
        tiles[1, 1][row, 4:60] = 4
    return tiles


HONEST, WALL = open_space(), open_space(range(30, 34))


def shown(tiles, indices=tuple(AROUND), owner='liar'):
    """Return a teammate's map, where it was shown these tiles."""
    layers = LayeredMap('me', Layer(8.0))
    for index in indices:
        layers.put(owner, *index, encode_tile(tiles[index]))
    return layers, Witness(layers)


def walls(layers):
    return int((layers.merged().data == OCCUPIED).sum())


def said(tiles):
    return {KEY: sketch(tiles, 1, 1)}


def test_a_tile_that_is_not_what_its_owner_said_does_not_count():
    layers, witness = shown(WALL)
    assert walls(layers) == 224
    assert witness.learn(said(HONEST)) == [KEY]
    assert walls(layers) == 0
    assert witness.learn(said(HONEST)) == []  # told once
    assert witness.see(KEY) == []


def test_it_counts_again_when_either_changes():
    layers, witness = shown(WALL)
    witness.learn(said(HONEST))
    assert witness.learn(said(WALL)) == [] and walls(layers) == 224
    assert witness.learn(said(HONEST)) == [KEY]
    layers.put(*KEY, encode_tile(HONEST[1, 1]))
    assert witness.see(KEY) == []
    layers.put(*KEY, encode_tile(WALL[1, 1]))
    assert witness.see(KEY) == [KEY]  # again, and told again
    assert walls(layers) == 0


def test_what_agrees_counts_and_so_does_what_nothing_was_said_about():
    for tiles in (HONEST, WALL):
        layers, witness = shown(tiles)
        assert witness.learn(said(tiles)) == [] == witness.see(KEY)
        assert walls(layers) == (224 if tiles is WALL else 0)
    layers, witness = shown(WALL)
    assert witness.learn({('other', 1, 1): sketch(HONEST, 1, 1)}) == [] and walls(layers) == 224


def test_a_tile_is_looked_at_again_when_its_neighbours_come():
    """A thing of 0.6 m may be a teammate; together with what the next tile has it is none."""
    block = open_space()
    block[1, 1][20:32, :12] = 4
    block[0, 1][20:32, 52:] = 4
    layers, witness = shown(block, [(1, 1)])
    assert witness.learn(said(HONEST)) == []
    layers.put('liar', 0, 1, encode_tile(block[0, 1]))
    assert witness.see(('liar', 0, 1)) == [KEY]


def test_an_honest_robot_that_still_explores_is_not_refused():
    """Half of a tile first, then all of it; the sketch is of the first."""
    half = open_space(range(30, 34))
    half[1, 1][:, 32:] = 0
    layers, witness = shown(half)
    assert witness.learn(said(half)) == []
    layers.put(*KEY, encode_tile(WALL[1, 1]))
    assert witness.see(KEY) == [] and walls(layers) == 224
