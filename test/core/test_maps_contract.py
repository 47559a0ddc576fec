"""Maps.sol call by call: what it takes, what it refuses, what it tells."""

import random

from eth_abi import decode
from maps_fleet import EMPTY, FULL, LIE, MapsFleet, robots_in, row, walled
import pytest
from solidity import address, calldata, compile_source, GAS_LIMIT

DIGEST, OTHER = b'\x11' * 32, b'\x22' * 32
TILE, SIGHTING, REGION, VERDICT = 1, 2, 3, 4
EVE = address(99)

SKETCH_FACT = '(int16,int16,(uint8,uint32,uint64,uint40[],(uint256,uint256)[])[])'
TYPES = {
    TILE: '(uint8,uint32,int16,int16,bytes32)',
    SIGHTING: '(uint8,uint32,uint40,uint16,uint16,int32,int32)',
    REGION: SKETCH_FACT,
    VERDICT: '(uint32,uint64)',
}


@pytest.fixture
def fleet():
    return MapsFleet([1] * 4)


def fact(fleet, key):
    raw = fleet.chain.fact(fleet.maps, key)
    if not raw:
        return None
    kind = raw[31]
    return kind, decode(['uint8', TYPES[kind]], raw)[1]


# ---------------------------------------------------------------------- tiles and sightings


def test_a_tile_has_its_owners_latest_digest(fleet):
    key = fleet.ask('tileId', 1, -3, 5)
    done = fleet.call(1, 'submitTiles', [(-3, 5, OTHER), (0, 0, OTHER)])
    assert [event[:3] for event in done.events] == [
        ('TileSubmitted', key, fleet.robots[1]),
        ('TileSubmitted', fleet.ask('tileId', 1, 0, 0), fleet.robots[1]),
    ]
    fleet.call(1, 'submitTiles', [(-3, 5, DIGEST)])
    fleet.call(2, 'submitTiles', [(-3, 5, OTHER)])
    assert fact(fleet, key) == (TILE, (1, 0, -3, 5, DIGEST))


def test_tiles_are_refused(fleet):
    def error(*tiles, robot=0):
        return fleet.call(robot, 'submitTiles', list(tiles)).error

    assert error() == ('BadTileCount', 0, 32)
    assert error(*[(x, 0, DIGEST) for x in range(33)]) == ('BadTileCount', 33, 32)
    assert error((1, 2, DIGEST), (3, -4, bytes(32))) == ('NoDigest', 3, -4)
    for x, y in ((64, 0), (-65, 0), (0, 64), (0, -65)):
        assert error((x, y, DIGEST)) == ('OutOfMap', x, y)
    assert error(*[(x, -64, DIGEST) for x in range(32, 64)]) is None
    stranger = fleet.chain.call(EVE, fleet.maps, 'submitTiles', [(0, 0, DIGEST)])
    assert stranger.error == ('NotMember', EVE)


def test_a_sighting_keeps_its_earliest_time(fleet):
    done = fleet.call(3, 'reportSighting', 281, 900, -1500, 2500, at=7)
    ((name, key, *rest),) = done.events
    assert (name, rest) == ('Sighted', [fleet.robots[3], 281, 900, -1500, 2500])
    again = fleet.call(3, 'reportSighting', 281, 900, -1500, 2500, at=9)
    assert again.ok and again.events == []
    assert fact(fleet, key) == (SIGHTING, (3, 0, 7, 281, 900, -1500, 2500))
    other = fleet.call(2, 'reportSighting', 281, 900, -1500, 2500)
    assert other.events[0][1] != key
    assert fleet.call(0, 'reportSighting', 1, 1001, 0, 0).error == ('BadConfidence', 1001)
    assert fleet.call(0, 'reportSighting', 1, 1000, 0, 0).ok


# ---------------------------------------------------------------------- sketches


def test_sketches_are_refused(fleet):
    def error(x, y, free, occupied):
        return fleet.call(0, 'submitSketch', x, y, free, occupied).error

    assert error(64, 0, *EMPTY) == ('OutOfMap', 64, 0)
    assert error(0, 0, FULL, 0b1010) == ('SketchOverlaps', 0b1010)
    rows = sum(row(number) for number in range(6))
    assert error(0, 0, rows & ~1, 0) == ('TooLittleKnown', 95, 96)
    assert error(0, 0, rows & ~1, 1) is None  # an occupied cell is known too
    assert fact(fleet, fleet.ask('regionId', 1, 1)) is None


def test_a_sketch_of_the_wrong_size_is_refused(fleet):
    item = next(item for item in fleet.maps.abi if item.get('name') == 'submitSketch')
    data = calldata(item, [0, 0, *EMPTY])
    robot = fleet.robots[0]
    assert fleet.chain.send(robot, fleet.maps, data + b'\0').error == ('BadSketchSize', 133, 132)
    assert fleet.chain.send(robot, fleet.maps, data[:-1]).error == ('', b'')  # the ABI's decoder
    assert fleet.chain.send(robot, fleet.maps, data).ok
    assert fleet.chain.send(robot, fleet.maps, b'junk').error == ('NoSuchCall', b'junk')
    assert fleet.chain.call(EVE, fleet.maps, 'submitSketch', 0, 0, *EMPTY).error[0] == 'NotMember'


def test_a_robot_may_sketch_a_region_three_times(fleet):
    for _ in range(3):
        fleet.sketch(0, EMPTY)
    done = fleet.call(0, 'submitSketch', 0, 0, *EMPTY)
    assert done.error == ('TooManySketches', 0, 0, 3)
    fleet.sketch(0, EMPTY, region=(0, 1))  # each region by itself
    fleet.sketch(1, EMPTY)  # and each robot


def test_a_region_keeps_all_that_was_said(fleet):
    assert fleet.sketch(2, LIE, region=(-3, 4), at=50) == ['SketchSubmitted']
    assert fleet.sketch(2, EMPTY, region=(-3, 4), at=60) == ['SketchSubmitted']
    key = fleet.ask('regionId', -3, 4)
    done = fleet.call(0, 'submitSketch', -3, 4, *EMPTY, at=55)
    assert done.events == [
        ('SketchSubmitted', key, fleet.robots[0], -3, 4, *EMPTY),
        ('Contradicted', key, fleet.robots[0], -3, 4, 0b100),
    ]
    first = (0, 0, 0b100, (55,), (EMPTY,))
    third = (2, 0, 0b001, (50, 60), (LIE, EMPTY))
    assert fact(fleet, key) == (REGION, (-3, 4, (first, third)))
    assert robots_in(fleet.ask('mappedBy', -3, 4)) == {0, 2}
    assert fleet.ask('mappedBy', 4, -3) == 0


# ---------------------------------------------------------------------- what is a conflict


WINDOWS = [(0, 0), (0, 4), (4, 0), (4, 4)]  # row and column


@pytest.mark.parametrize(('low', 'left'), WINDOWS)
def test_seven_differing_cells_in_a_window_are_a_conflict(fleet, low, left):
    cells = [(low, left), (low, left + 11), (low + 11, left), (low + 11, left + 11)]
    cells += [(low + 5, left + column) for column in (3, 5, 7)]
    masks = [row(r, [c]) for r, c in cells]
    assert conflicting(fleet, EMPTY, walled(*masks))
    assert conflicting(fleet, walled(*masks), EMPTY)
    assert not conflicting(fleet, EMPTY, walled(*masks[1:]))


def test_cells_that_no_window_has_together_are_no_conflict(fleet):
    corners = [row(r, [0, 1, 14, 15]) for r in (0, 1, 14, 15)]  # 16 cells, 4 in a window
    assert not conflicting(fleet, EMPTY, walled(*corners))
    ring = [row(0), row(15), *(row(r, [0, 15]) for r in range(1, 15))]
    assert conflicting(fleet, EMPTY, walled(*ring))


def test_what_is_unknown_to_one_is_no_difference(fleet):
    free, wall = LIE
    assert not conflicting(fleet, (free, 0), LIE)
    part = row(8, range(7))
    assert conflicting(fleet, (free | part, 0), (free, wall))
    assert not conflicting(fleet, (free | row(8, range(6)), 0), (free, wall))


def conflicting(fleet, a, b):
    return fleet.ask('conflicting', a, b)


# ---------------------------------------------------------------------- verdicts and disputes


def test_a_liar_is_convicted_by_as_many_as_cannot_all_lie(fleet):
    fleet.sketch(3, LIE)
    assert fleet.sketch(0, EMPTY) == ['SketchSubmitted', 'Contradicted']
    assert fleet.convicted == set()
    done = fleet.call(1, 'submitSketch', 0, 0, *EMPTY)
    assert done.events[1] == ('Convicted', fleet.ask('verdictId', 0), fleet.robots[3], 0, 0, 0b011)
    assert fleet.convicted == {3}
    assert fact(fleet, fleet.ask('verdictId', 0)) == (VERDICT, (0, 0b1000))
    assert fleet.sketch(2, EMPTY) == ['SketchSubmitted', 'Contradicted']  # convicted once
    assert fleet.convicted == {3}


def test_a_liar_that_comes_last_is_convicted_at_once(fleet):
    fleet.sketch(0, EMPTY)
    fleet.sketch(1, EMPTY)
    assert fleet.sketch(3, LIE) == ['SketchSubmitted', 'Convicted', 'Contradicted']
    assert fleet.convicted == {3}


def test_a_lie_cannot_be_taken_back(fleet):
    fleet.sketch(3, LIE)
    fleet.sketch(3, EMPTY)
    fleet.sketch(0, EMPTY)
    fleet.sketch(1, EMPTY)
    assert fleet.convicted == {3}


def test_conflicts_in_different_regions_do_not_add_up(fleet):
    for region in ((0, 0), (0, 1)):
        fleet.sketch(3, LIE, region)
    fleet.sketch(0, EMPTY, (0, 0))
    fleet.sketch(1, EMPTY, (0, 1))
    assert fleet.convicted == set()


def test_weights_count(fleet):
    fleet = MapsFleet([5, 1, 1, 1, 1])  # nobody else has a third without the first
    fleet.sketch(4, LIE)
    for robot in (1, 2, 3):
        fleet.sketch(robot, EMPTY)
        assert (fleet.convicted == {4}) == (robot == 3)  # 3 of 9
    fleet = MapsFleet([5, 1, 1, 1, 1])
    fleet.sketch(4, LIE)
    fleet.sketch(0, EMPTY)
    assert fleet.convicted == {4}


def test_a_dispute_lasts_until_somebody_is_convicted():
    fleet = MapsFleet([1] * 7)
    assert fleet.ask('disputedSince', 0, 0) == 0
    fleet.sketch(6, LIE, at=30)
    assert fleet.ask('disputedSince', 0, 0) == 0
    fleet.sketch(0, EMPTY, at=40)
    fleet.sketch(1, EMPTY, at=35)
    assert fleet.ask('disputedSince', 0, 0) == 35
    assert fleet.ask('disputedSince', 1, 0) == 0
    fleet.sketch(2, EMPTY, at=50)
    assert (fleet.convicted, fleet.ask('disputedSince', 0, 0)) == ({6}, 0)


def test_a_dispute_ends_when_nobody_is_left_to_look():
    fleet = MapsFleet([1] * 4)
    fleet.sketch(0, EMPTY, at=20)
    fleet.sketch(0, walled(row(0)), at=25)
    fleet.sketch(1, walled(row(4), row(0)), at=30)
    for robot in (2, 3):
        assert fleet.ask('disputedSince', 0, 0) == 30
        fleet.sketch(robot, (row(1) + row(2) + row(3) + row(5) + row(6) + row(7), 0))
    assert fleet.ask('disputedSince', 0, 0) == 0


def test_the_time_of_a_dispute_is_that_of_the_first_conflict():
    fleet = MapsFleet([1] * 7)
    fleet.sketch(0, EMPTY, at=20)
    fleet.sketch(0, EMPTY, at=60)
    fleet.sketch(6, EMPTY, at=10)
    fleet.sketch(6, LIE, at=40)
    fleet.sketch(6, LIE, at=30)
    assert fleet.ask('disputedSince', 0, 0) == 30


def test_the_earliest_of_several_conflicts_counts():
    fleet = MapsFleet([1] * 10)
    times = {1: 60, 3: 45, 4: 50}
    fleet.sketch(7, LIE, at=30)
    for number, (robot, time) in enumerate(times.items(), 1):
        fleet.sketch(robot, EMPTY, at=time)
        assert fleet.ask('disputedSince', 0, 0) == min(list(times.values())[:number])


def test_evidence_shows_the_sketches_that_conflict():
    fleet = MapsFleet([1] * 7)
    fleet.sketch(6, LIE, at=10)
    fleet.sketch(6, EMPTY, at=11)
    fleet.sketch(0, EMPTY, at=12)
    assert fleet.ask('evidence', 6, 0, 0) == (False, [(10, LIE, 0, 12, EMPTY)])
    assert fleet.ask('evidence', 0, 0, 0) == (False, [(12, EMPTY, 6, 10, LIE)])
    fleet.sketch(1, EMPTY, at=13)
    fleet.sketch(2, EMPTY, at=14)
    suffices, conflicts = fleet.ask('evidence', 6, 0, 0)
    assert suffices and [(found.witness, found.witnessTime) for found in conflicts] == [
        (0, 12), (1, 13), (2, 14),
    ]  # fmt: skip
    for robot, x in ((5, 0), (6, 1), (64, 0), (2**255, 0)):
        assert fleet.ask('evidence', robot, x, 0) == (False, [])


# ---------------------------------------------------------------------- generations


def test_what_was_said_before_a_reinstatement_is_void():
    fleet = MapsFleet([1] * 4)
    fleet.call(3, 'submitTiles', [(0, 0, DIGEST)])
    for region in ((0, 0), (1, 1)):
        for robot, found in ((3, LIE), (0, EMPTY), (1, EMPTY)):
            fleet.sketch(robot, found, region)
    assert fleet.convicted == {3}
    fleet.close_epoch()
    refused = fleet.call(3, 'submitSketch', 0, 0, *EMPTY)
    assert refused.error == ('Expelled', fleet.robots[3]) and fleet.convicted == {3}
    fleet.reinstate(3)

    assert fleet.convicted == set()  # as a lie
    assert fleet.ask('evidence', 3, 0, 0) == (False, [])
    assert fleet.ask('evidence', 0, 0, 0) == (False, [])  # and as a witness
    assert robots_in(fleet.ask('mappedBy', 0, 0)) == {0, 1}
    assert fleet.ask('disputedSince', 0, 0) == 0

    fleet.sketch(3, EMPTY)  # now it tells the truth; the bits of its earlier word go
    assert fleet.ask('evidence', 3, 0, 0) == (False, [])
    assert fleet.ask('evidence', 0, 0, 0) == (False, [])
    fleet.call(3, 'submitTiles', [(0, 0, OTHER)])
    assert fact(fleet, fleet.ask('tileId', 3, 0, 0)) == (TILE, (3, 1, 0, 0, OTHER))

    fleet.sketch(3, LIE)  # and lies again
    assert fleet.convicted == {3}
    assert fact(fleet, fleet.ask('verdictId', 0)) == (VERDICT, (0, 0b1000))
    assert fact(fleet, fleet.ask('verdictId', 1)) == (VERDICT, (1, 0b1000))
    assert fleet.ask('conflicting', LIE, EMPTY)


def test_a_witness_of_an_earlier_generation_convicts_nobody():
    fleet = MapsFleet([1] * 4)
    for robot, found in ((3, LIE), (0, EMPTY), (1, EMPTY)):
        fleet.sketch(robot, found, (5, 5))
    fleet.sketch(3, LIE, (0, 0))  # against 2, who is honest
    fleet.sketch(2, EMPTY, (0, 0))
    fleet.close_epoch()
    fleet.reinstate(3)
    fleet.sketch(0, LIE, (0, 0))  # 0 and the former 3 would be enough against 2
    assert fleet.convicted == set()
    fleet.sketch(3, LIE, (0, 0))
    assert fleet.convicted == {2}  # two that lie among four are more than a third


def test_a_reinstated_robot_has_all_its_sketches_again():
    fleet = MapsFleet([1] * 4)
    for _ in range(3):
        fleet.sketch(3, LIE)
    fleet.sketch(0, EMPTY)
    fleet.sketch(1, EMPTY)
    fleet.close_epoch()
    fleet.reinstate(3)
    for _ in range(3):
        fleet.sketch(3, EMPTY)
    assert fleet.call(3, 'submitSketch', 0, 0, *EMPTY).error[0] == 'TooManySketches'
    done = fleet.call(3, 'reportSighting', 1, 500, 0, 0)
    assert fact(fleet, done.events[0][1])[1][:2] == (3, 1)


def test_those_that_left_are_no_party_of_a_dispute():
    fleet = MapsFleet([1] * 7)
    fleet.sketch(6, LIE)
    fleet.sketch(0, EMPTY)
    assert fleet.ask('disputedSince', 0, 0) != 0
    leave = (2, 6, 0, 0, bytes(32), bytes(32))
    for robot in range(6):
        assert fleet.chain.call(fleet.robots[robot], fleet.fleet, 'vote', leave).ok
    fleet.close_epoch()
    assert fleet.ask('disputedSince', 0, 0) == 0


# ---------------------------------------------------------------------- libraries and gas

COUNTER = """
// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;
import {Bits} from './lib/Bits.sol';
contract Counter {
    function count(uint256 bits) external pure returns (uint256) { return Bits.count(bits); }
}
"""


def test_bits_are_counted(fleet):
    counter = fleet.chain.deploy(compile_source(COUNTER)['Counter'])
    values = [0, 1, FULL, 1 << 255, FULL ^ 1, row(3) | 1, *(FULL // k for k in (3, 5, 7, 255))]
    for value in values:
        assert fleet.chain.view(counter, 'count', value) == value.bit_count()


def test_the_worst_call_takes_less_than_the_limit():
    """All sketched as often as they may, each against all; one call convicts them."""
    fleet = MapsFleet([1] * 63 + [1000])
    any_of = random.Random(1)
    lots, wall = (sum(map(row, rows)) for rows in (range(8, 14), range(2, 8)))
    corners = sum(row(number, [0, 1, 14, 15]) for number in (0, 1, 14, 15))
    for robot in range(63):
        for _ in range(2):
            fleet.sketch(robot, (lots, corners))  # 16 cells differ from the last, 4 in a window
        occupied = wall & any_of.getrandbits(256)
        fleet.sketch(robot, (wall & ~occupied, occupied))
    assert fleet.convicted == set()
    assert len(fleet.ask('evidence', 0, 0, 0).conflicts) == 62
    gas = fleet.chain.cold_gas(fleet.robots[63], fleet.maps, 'submitSketch', 0, 0, *EMPTY)
    assert gas < 3_000_000
    fleet.sketch(63, EMPTY)
    assert len(fleet.convicted) == 63
    region = fleet.ask('regionId', 0, 0)
    assert fleet.chain.cold_gas(EVE, fleet.maps, 'fact', region) < GAS_LIMIT
    tiles = [(x, 0, DIGEST) for x in range(32)]
    assert fleet.chain.cold_gas(fleet.robots[0], fleet.maps, 'submitTiles', tiles) < 2_500_000
