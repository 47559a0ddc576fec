import itertools

from flatland import HOUSE, scan
from hypothesis import given, settings, strategies
import numpy as np
import pytest

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.core.geometry import FREE, OCCUPIED, pose, UNKNOWN
from collab_robots.mapping.layer import Layer, MAX_TILE_INDEX, TILE_SIDE
from collab_robots.mapping.layers import LayeredMap, MAX_OWNERS
from collab_robots.mapping.tile import encode_tile, tile_digest, TileCoder

AT = {'a': pose(3.0, 2.5, 0.0), 'b': pose(7.5, 2.5, 1.0), 'c': pose(5.0, 6.0, 2.0)}


def layer_at(at, times=4):
    layer = Layer()
    for _ in range(times):
        layer.integrate(scan(HOUSE, at), at)
    return layer


LAYERS = {name: layer_at(at) for name, at in AT.items()}
TILES = [(name, *tile) for name in ('b', 'c') for tile in TileCoder(LAYERS[name], 0).changed(0)]


def filled(order=tuple(TILES)):
    team = LayeredMap('a', LAYERS['a'])
    for tile in order:
        team.put(*tile)
    return team


def same(a, b):
    return a.origin == b.origin and np.array_equal(a.data, b.data)


def test_the_team_sees_more_than_one():
    alone, team = LayeredMap('a', LAYERS['a']).merged(), filled().merged()
    points = np.array([AT['a'][:2], AT['b'][:2], AT['c'][:2]])
    known = team.data[tuple(team.cells(points).T)]
    assert known.tolist() == [FREE] * 3
    assert (team.data != UNKNOWN).sum() > 1.5 * (alone.data != UNKNOWN).sum()
    assert (team.data == OCCUPIED).sum() > 500
    assert set(np.unique(team.data)) == {UNKNOWN, FREE, OCCUPIED}
    for edge in team.origin:
        assert edge / TILE_SIDE == pytest.approx(round(edge / TILE_SIDE))


def test_an_excluded_robots_layer_is_gone_and_comes_back():
    team = filled()
    full = team.merged()
    only_c = LayeredMap('a', LAYERS['a'])
    for tile in TILES:
        if tile[0] == 'c':
            only_c.put(*tile)
    assert same(team.merged(excluded={'b'}), only_c.merged())
    assert same(team.merged(), full)
    others = LayeredMap('x', Layer())
    for tile in TILES:
        others.put(*tile)
    assert same(team.merged(excluded=['a']), others.merged())


@settings(max_examples=20, deadline=None)
@given(strategies.permutations(TILES), strategies.integers(0, len(TILES)))
def test_neither_the_order_of_tiles_nor_looking_in_between_matters(order, look):
    team = LayeredMap('a', LAYERS['a'])
    for number, tile in enumerate(order):
        if number == look:
            team.merged()
        team.put(*tile)
    assert same(team.merged(), filled().merged())


def test_a_newer_tile_replaces_the_older():
    team = LayeredMap('a', Layer())
    wall = np.full((64, 64), 4, np.int8)
    team.put('b', 0, 0, encode_tile(wall))
    team.put('b', 0, 0, encode_tile(-wall))
    assert (team.merged().data == FREE).all()


def test_free_space_of_one_clears_the_ghost_of_another():
    team = LayeredMap('a', Layer())
    ghost, free = np.zeros((64, 64), np.int8), np.full((64, 64), -4, np.int8)
    ghost[3, 4] = 2  # seen where a robot stood
    team.put('b', 0, 0, encode_tile(ghost))
    assert team.merged().data[3, 4] == OCCUPIED
    team.put('c', 0, 0, encode_tile(free))
    assert team.merged().data[3, 4] == FREE


def test_the_own_layer_is_live():
    own = Layer()
    team = LayeredMap('a', own)
    assert (team.merged().data == UNKNOWN).all()
    for _ in range(4):
        own.integrate(scan(HOUSE, AT['a']), AT['a'])
    first = team.merged()
    assert (first.data == FREE).any()
    assert team.merged() is first  # nothing changed, nothing computed


def test_the_grid_grows_and_cells_keep_their_place():
    team = LayeredMap('a', Layer())
    mark = np.zeros((64, 64), np.int8)
    mark[10, 20] = 4
    spot = np.array([[20.5, 10.5]]) * 0.05
    for x, y in [(0, 0), (2, 1), (-3, -2)]:
        team.put('b', x, y, encode_tile(mark))
        grid = team.merged()
        assert grid.data[tuple(grid.cells(spot)[0])] == OCCUPIED
    assert grid.data.shape == (4 * 64, 6 * 64)
    np.testing.assert_allclose(grid.origin, (-3 * TILE_SIDE, -2 * TILE_SIDE))


GOOD = encode_tile(np.full((64, 64), 1, np.int8))


@pytest.mark.parametrize(
    ('owner', 'x', 'y', 'data', 'digest', 'reason'),
    [
        ('b', 0, 0, GOOD, tile_digest(GOOD + b'x'), Refusal.DIGEST),
        ('b', 0, 0, GOOD[:-1], tile_digest(GOOD), Refusal.DIGEST),
        ('b', 0, 0, GOOD[:-1], None, Refusal.MALFORMED),
        ('a', 0, 0, GOOD, None, Refusal.MALFORMED),
        ('b', MAX_TILE_INDEX, 0, GOOD, None, Refusal.MALFORMED),
        ('b', 0, -MAX_TILE_INDEX - 1, GOOD, None, Refusal.MALFORMED),
    ],
)
def test_a_bad_tile_is_refused_and_changes_nothing(owner, x, y, data, digest, reason):
    team = filled()
    before = team.merged()
    with pytest.raises(RefusedError) as caught:
        team.put(owner, x, y, data, digest)
    assert caught.value.reason is reason
    assert same(team.merged(), before)
    team.put('b', 0, 0, GOOD, tile_digest(GOOD))


def test_tiles_do_not_fill_the_memory():
    team = LayeredMap('a', Layer())
    for number in range(MAX_OWNERS):
        team.put(f'robot{number}', 0, 0, GOOD)
    with pytest.raises(RefusedError) as caught:
        team.put('one_too_many', 0, 0, GOOD)
    assert caught.value.reason is Refusal.FLOOD
    with pytest.raises(RefusedError) as caught:
        for x, y in itertools.product(range(-64, 64), repeat=2):
            team.put('robot1', x, y, GOOD)
    assert caught.value.reason is Refusal.FLOOD
