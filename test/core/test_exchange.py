"""Tiles of teammates count only when the ledger vouches for their bytes."""

from collab_robots.core.clock import SECOND
from collab_robots.mapping.exchange import FORGED_AFTER_NS, MAX_EARLY, TileExchange
from collab_robots.mapping.tile import tile_digest

KEY = ('b', 1, 2)
DATA, FORGED = b'tile', b'forged'


def test_a_tile_counts_when_its_digest_is_on_the_ledger_in_either_order() -> None:
    late, early = TileExchange('a'), TileExchange('a')
    assert late.learn({KEY: tile_digest(DATA)}, 0) == []
    arrived = late.receive(KEY, DATA, 0)
    assert early.receive(KEY, DATA, 0) is None
    assert early.learn({KEY: tile_digest(DATA)}, 0) == [arrived]
    assert late.serve(tile_digest(DATA)) == early.serve(tile_digest(DATA)) == [arrived]


def test_bytes_that_do_not_match_never_count_and_are_counted() -> None:
    exchange = TileExchange('a')
    exchange.learn({KEY: tile_digest(DATA)}, 0)
    assert exchange.receive(KEY, FORGED, 0) is None
    assert exchange.forged == 0
    assert exchange.learn({KEY: tile_digest(DATA)}, FORGED_AFTER_NS + 1) == []
    assert exchange.forged == 1
    assert exchange.receive(KEY, DATA, FORGED_AFTER_NS + 2) is not None


def test_missing_tiles_are_asked_for_at_the_owner_then_at_others() -> None:
    exchange = TileExchange('a')
    digest = tile_digest(DATA)
    exchange.learn({KEY: digest}, 0)
    assert exchange.missing(['a', 'b', 'c'], 0) == []
    assert exchange.missing(['a', 'b', 'c'], SECOND) == [('b', digest)]
    assert exchange.missing(['a', 'b', 'c'], SECOND) == []
    assert exchange.missing(['a', 'b', 'c'], 2 * SECOND) == [('c', digest)]
    exchange.receive(KEY, DATA, 2 * SECOND)
    assert exchange.missing(['a', 'b', 'c'], 9 * SECOND) == []


def test_own_tiles_are_served_in_their_newest_version_and_never_taken_from_others() -> None:
    exchange = TileExchange('a')
    old = exchange.own(0, 0, b'1', 0)
    new = exchange.own(0, 0, b'2', 0)
    assert exchange.serve(old) == []
    assert [tile.data for tile in exchange.serve(new)] == [b'2']
    assert exchange.receive(('a', 0, 0), FORGED, 0) is None
    assert exchange.learn({('a', 0, 0): tile_digest(FORGED)}, 0) == []


def test_equal_tiles_at_two_places_are_both_served() -> None:
    exchange = TileExchange('a')
    digest = exchange.own(0, 0, DATA, 0)
    exchange.own(1, 0, DATA, 0)
    exchange.own(0, 0, b'changed', 0)
    assert [tile.key for tile in exchange.serve(digest)] == [('a', 1, 0)]


def test_a_flood_of_unvouched_tiles_is_bounded() -> None:
    exchange = TileExchange('a')
    for number in range(MAX_EARLY + 5):
        exchange.receive(('b', number, 0), FORGED, 0)
    assert exchange.forged == 5
