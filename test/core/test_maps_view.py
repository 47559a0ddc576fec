"""Calls of Maps and what its view makes of them, through a runner."""

from contract_history import execute, finals, FLEET, History, Listed, NAMES
from maps_fleet import EMPTY, LIE
import pytest

from collab_robots.contract.calls import maps, words
from collab_robots.contract.calls.common import encode
from collab_robots.contract.runner import Runner
from collab_robots.contract.views.maps import (
    Conflict,
    Dispute,
    Evidence,
    MapsView,
    Masks,
    Sighting,
)
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import CallError

A, B, C, D = range(4)
DIGEST, OTHER = b'\x11' * 32, b'\x22' * 32
HONEST, LYING = Masks(*EMPTY), Masks(*LIE)
REINSTATE = 5


def sketch(found, x=0, y=0):
    return maps.submit_sketch(x, y, *found)


# ---------------------------------------------------------------------- calls


def test_calls_that_the_contract_would_refuse_are_not_made():
    full = (1 << 256) - 1
    with pytest.raises(CallError, match='both free and occupied'):
        maps.submit_sketch(0, 0, full, 1)
    with pytest.raises(CallError, match='known cells: expected 96 to 256, got 95'):
        maps.submit_sketch(0, 0, (1 << 95) - 1, 0)
    for x, y in ((64, 0), (0, -65)):
        with pytest.raises(CallError, match='tile: expected -64 to 63'):
            maps.submit_sketch(x, y, *EMPTY)
        with pytest.raises(CallError, match='tile: expected -64 to 63'):
            maps.submit_tiles([(0, 0, DIGEST), (x, y, DIGEST)])
    with pytest.raises(CallError, match='1 to 32 tiles, got 33'):
        maps.submit_tiles([(x, 0, DIGEST) for x in range(33)])
    with pytest.raises(CallError, match='all zeros'):
        maps.submit_tiles([(0, 0, bytes(32))])
    with pytest.raises(CallError, match='known cells: expected 96 to 256, got 257'):
        maps.submit_sketch(0, 0, full, 1 << 256)


def test_what_happens_is_told_in_words():
    history = History()
    said = [history.say(D, 100, sketch(LIE, -3, 2))]
    said += [history.say(robot, 101 + robot, sketch(EMPTY, -3, 2)) for robot in (A, B)]
    said += [history.say(D, 110, *[sketch(EMPTY, -3, 2)] * 3)]
    receipts = execute(history.entries).receipts
    assert [receipts[entry.id][-1].events for entry in said] == [
        (),
        ('robot_00 contradicts robots 3 about region (-3, 2)',),
        (
            'robot_03 is convicted: region (-3, 2), robots 0, 1 are against it',
            'robot_01 contradicts robots 3 about region (-3, 2)',
        ),
        (),
    ]
    assert receipts[said[-1].id][-1].reason == (
        'region (-3, 2) has 3 sketches of the sender, the most it may have'
    )
    assert words.describe(sketch(LIE, -3, 2)) == 'sketch region (-3, 2)'


def test_refusals_are_told_in_words():
    whole = sketch(EMPTY)
    few = encode('submitSketch', 0, 0, 1, 2)
    both = encode('submitSketch', 0, 0, EMPTY[0], 2)
    off = encode('submitSketch', 64, -65, *EMPTY)
    history = History()
    entry = history.say(A, 100, whole + b'!', whole[:-1], few, both, off)
    assert [receipt.reason for receipt in execute(history.entries).receipts[entry.id]] == [
        'a call with a sketch has 133 bytes instead of 132',
        'malformed arguments',
        'the sketch knows 2 cells, at least 96',
        'the sketch has cells that are both free and occupied',
        'no map has a tile (64, -65)',
    ]


# ---------------------------------------------------------------------- tiles and sightings


def test_tiles_are_listed_with_their_latest_digest():
    history = History()
    history.say(A, 100, maps.submit_tiles([(-4, 5, DIGEST), (2, 0, DIGEST)]))
    history.say(B, 101, maps.submit_tiles([(-4, 5, OTHER)]))
    history.say(A, 102, maps.submit_tiles([(2, 0, OTHER)]))
    runner = finals(history.entries, 2)
    assert MapsView(runner, final=True).tiles() == {
        (NAMES[A], -4, 5): DIGEST,
        (NAMES[A], 2, 0): DIGEST,
        (NAMES[B], -4, 5): OTHER,
    }
    view = MapsView(runner)
    assert view.tiles()[NAMES[A], 2, 0] == OTHER
    assert view.tiles() is view.tiles()


def test_a_sighting_is_there_once_with_its_first_time():
    history = History()
    history.say(A, 100, maps.report_sighting(281, 900, -1500, 20))
    history.say(A, 200, maps.report_sighting(281, 900, -1500, 20))
    history.say(B, 90, maps.report_sighting(3, 120, 0, 0), past=[])
    assert MapsView(execute(history.entries)).sightings() == [
        Sighting(NAMES[B], 3, 0.12, (0.0, 0.0), 90 * SECOND),
        Sighting(NAMES[A], 281, 0.9, (-1.5, 0.02), 100 * SECOND),
    ]


# ---------------------------------------------------------------------- who lied, and why


def test_a_dispute_then_a_verdict_with_its_evidence():
    history = History()
    history.say(D, 100, sketch(LIE, 1, 2))
    history.say(D, 101, sketch(EMPTY, 1, 2), sketch(LIE, 7, 7))
    history.say(A, 105, sketch(EMPTY, 1, 2))
    view = MapsView(execute(history.entries))
    assert view.sketches() == {
        (NAMES[D], 1, 2): (LYING, HONEST),
        (NAMES[D], 7, 7): (LYING,),
        (NAMES[A], 1, 2): (HONEST,),
    }
    assert (view.convicted(), view.disputes()) == (frozenset(), [Dispute((1, 2), 105 * SECOND)])
    conflict = Conflict(100 * SECOND, LYING, NAMES[A], 105 * SECOND, HONEST)
    assert view.evidence(NAMES[D]) == [Evidence((1, 2), False, (conflict,))]
    assert view.evidence(NAMES[B]) == []

    history.say(B, 110, sketch(EMPTY, 1, 2))
    view = MapsView(execute(history.entries))
    assert (view.convicted(), view.disputes()) == ({NAMES[D]}, [])
    (found,) = view.evidence(NAMES[D])
    assert (found.suffices, found.witnesses) == (True, {NAMES[A], NAMES[B]})
    (against_b,) = view.evidence(NAMES[B])
    assert (against_b.suffices, against_b.witnesses) == (False, {NAMES[D]})
    assert view.conflicting(LYING, HONEST) and not view.conflicting(HONEST, HONEST)


def test_the_final_state_knows_of_final_records_only():
    history = History()
    for robot, found in ((D, LIE), (A, EMPTY), (B, EMPTY)):
        history.say(robot, 100, sketch(found))
    runner = finals(history.entries, 2)
    view = MapsView(runner, final=True)
    assert (view.convicted(), [dispute.region for dispute in view.disputes()]) == (set(), [(0, 0)])
    assert len(view.evidence(NAMES[D])) == 1
    assert MapsView(runner).convicted() == {NAMES[D]}
    assert view.convicted() == set()


def test_a_view_follows_its_runner():
    history, runner, view = History(), Runner(FLEET), None
    seen = []
    for robot, found in ((D, LIE), (A, EMPTY), (B, EMPTY)):
        history.say(robot, 100, sketch(found))
        runner.update(Listed(history.entries))
        view = view or MapsView(runner)
        seen.append((len(view.evidence(NAMES[D])), len(view.disputes()), set(view.convicted())))
    assert seen == [(0, 0, set()), (1, 1, set()), (1, 0, {NAMES[D]})]


def test_what_a_reinstated_robot_said_before_is_not_listed():
    history = History()
    sighting = maps.report_sighting(1, 500, 0, 0)
    history.say(D, 100, maps.submit_tiles([(0, 0, DIGEST)]), sighting, sketch(LIE))
    history.say(A, 101, sketch(EMPTY))
    history.say(B, 102, sketch(EMPTY))
    change = (REINSTATE, D, 1, 0, bytes(32), bytes(32))
    for robot in (A, B, C):
        history.say(robot, 110 + robot, encode('vote', change))
    entries = history.entries
    expelled = MapsView(finals(entries[:3], 3, (3,)))
    assert expelled.convicted() == {NAMES[D]} and len(expelled.tiles()) == 1
    view = MapsView(finals(entries, 6, (3, 6)))
    assert (view.convicted(), view.tiles(), view.sightings()) == (set(), {}, [])
    assert [robot for robot, *_ in view.sketches()] == [NAMES[A], NAMES[B]]
    assert view.evidence(NAMES[D]) == view.evidence(NAMES[A]) == view.disputes() == []
    history.say(D, 120, maps.submit_tiles([(0, 0, OTHER)]), sighting)
    view = MapsView(finals(history.entries, 6, (3, 6)))
    assert view.tiles() == {(NAMES[D], 0, 0): OTHER}
    assert [seen.at for seen in view.sightings()] == [120 * SECOND]
