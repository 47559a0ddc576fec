"""Calls of Models and what its view makes of them, through a runner."""

from contract_history import ADDRESSES, History, NAMES
from maps_fleet import EMPTY, LIE
import pytest
from test_roster_view import reasons, run

from collab_robots.contract.calls import maps, models, words
from collab_robots.contract.calls.models import Failure, Half, Part
from collab_robots.contract.views.models import Failures, ModelsView, Permission
from collab_robots.core.errors import CallError

A, B, C, D = range(4)
MODEL, DIGEST = b'm' * 32, b'd' * 32
TAIL = Part(MODEL, Half.TAIL, 3, DIGEST)
ID = models.part_id(TAIL)


@pytest.mark.parametrize(
    ('make', 'arguments'),
    [
        (models.part_id, (Part(bytes(32), Half.TAIL, 3, DIGEST),)),
        (models.part_id, (Part(MODEL, Half.TAIL, 3, bytes(32)),)),
        (models.part_id, (Part(MODEL, Half.TAIL, 3, DIGEST[1:]),)),
        (models.part_id, (Part(MODEL, Half.TAIL, 1 << 16, DIGEST),)),
        (models.part_id, (Part(MODEL, 3, 3, DIGEST),)),
        (models.part_id, (Part(MODEL, Half.WHOLE, 1, DIGEST),)),
        (models.permit, (Part(MODEL, Half.WHOLE, 1, DIGEST), [A])),
        (models.permit, (TAIL, [64])),
        (models.permit, (TAIL, [-1])),
        (models.offer, (ID[1:], True)),
        (models.audit, (ADDRESSES[A][1:], ID, 7, Failure.WRONG)),
        (models.audit, (ADDRESSES[A], ID[1:], 7, Failure.WRONG)),
        (models.audit, (ADDRESSES[A], ID, -1, Failure.WRONG)),
        (models.audit, (ADDRESSES[A], ID, 7, 0)),
    ],
)
def test_calls_that_the_contract_would_refuse_are_not_made(make, arguments):
    with pytest.raises(CallError):
        make(*arguments)


def test_calls_in_words():
    said = {
        models.permit(TAIL, [A, C]): 'permit the tail of model 0x6d6d6d6d at cut 3 to robots 0, 2',
        models.permit(TAIL, []): 'permit the tail of model 0x6d6d6d6d at cut 3 to robots none',
        models.offer(DIGEST, True): 'offer 0x64646464: True',
        models.audit(ADDRESSES[A], DIGEST, 7, Failure.REFUSED): (
            f'found a refusal of 0x{ADDRESSES[A][:4].hex()} with 0x64646464, frame 7'
        ),
    }
    assert [words.describe(data) for data in said] == list(said.values())


def test_who_serves_a_part_and_why():
    history = History()
    history.say(B, 100, models.offer(ID, True))
    (service,) = ModelsView(run(history)).services()
    assert (service.id, service.part, service.servers) == (ID, None, ())
    history.say(A, 101, models.permit(TAIL, [B, C]))
    history.say(B, 102, models.permit(TAIL, [B]))
    history.say(C, 103, models.permit(TAIL, [B]))
    (service,) = ModelsView(run(history)).services()
    assert (service.part, service.servers) == (TAIL, (NAMES[B],))
    assert list(service.permissions) == NAMES
    assert service.permissions[NAMES[B]] == Permission(
        NAMES[B], tuple(NAMES[:3]), 3, 3, granted=True, offered=True
    )
    assert not service.permissions[NAMES[C]].granted
    assert [permission.explain() for permission in service.permissions.values()] == [
        'robot_00: permitted by nobody, weight 0 of 3; does not offer to serve it',
        'robot_01: permitted by robot_00, robot_01, robot_02, weight 3 of 3; offers to serve it',
        'robot_02: permitted by robot_00, weight 1 of 3; does not offer to serve it',
        'robot_03: permitted by nobody, weight 0 of 3; does not offer to serve it',
    ]


def test_the_final_state_has_only_final_words():
    history = History()
    for robot in (A, B, C):
        history.say(robot, 100, models.permit(TAIL, [B]), models.offer(ID, True))
    runner = run(history, final=2)
    (service,) = ModelsView(runner, final=True).services()
    assert service.servers == () and service.permissions[NAMES[B]].weight == 2
    view = ModelsView(runner)
    assert view.services()[0].servers == (NAMES[B],) and view.services() is view.services()


def test_failures_by_auditor_and_kind():
    history = History()
    history.say(
        A,
        100,
        models.audit(ADDRESSES[D], ID, 7, Failure.WRONG),
        models.audit(ADDRESSES[D], ID, 7, Failure.WRONG),
        models.audit(ADDRESSES[D], ID, 8, Failure.WRONG),
        models.audit(ADDRESSES[D], ID, 8, Failure.TIMEOUT),
    )
    history.say(B, 100, models.audit(ADDRESSES[D], ID, 7, Failure.WRONG))
    failures = ModelsView(run(history)).failures()
    assert failures[NAMES[D]] == {
        Failure.TIMEOUT: Failures({NAMES[A]: 1}, certain=False),
        Failure.REFUSED: Failures({}, certain=False),
        Failure.WRONG: Failures({NAMES[A]: 2, NAMES[B]: 1}, certain=True),
    }
    assert failures[NAMES[A]][Failure.WRONG] == Failures({}, certain=False)


def test_words_of_a_convicted_robot_do_not_count():
    history = History()
    for robot in (A, B, D):
        history.say(robot, 100, models.permit(TAIL, [C, D]), models.offer(ID, True))
    history.say(D, 101, models.audit(ADDRESSES[A], ID, 7, Failure.WRONG))
    assert ModelsView(run(history)).services()[0].servers == (NAMES[D],)
    history.say(D, 102, maps.submit_sketch(0, 0, *LIE))
    for robot in (A, B):
        history.say(robot, 103, maps.submit_sketch(0, 0, *EMPTY))
    view = ModelsView(run(history))
    assert view.services()[0].servers == ()
    assert view.services()[0].permissions[NAMES[C]].voters == (NAMES[A], NAMES[B])
    assert view.failures()[NAMES[A]][Failure.WRONG].by_auditor == {}


def test_refusals_in_words():
    history = History()
    history.say(
        A,
        100,
        models.permit(TAIL, [7]),
        models.audit(ADDRESSES[A], ID, 7, Failure.WRONG),
        models.audit(b'\7' * 20, ID, 7, Failure.WRONG),
    )
    assert reasons(history) == [
        'not all of robots 7 are among the 4 of the fleet',
        'robot_00 cannot audit itself',
        '0x07070707 is not in the fleet',
    ]
