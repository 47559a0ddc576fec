"""The owner of frames: what it waits for, whom it asks next, and what it does not believe."""

from collections import Counter
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from runtime_team import (
    any_course,
    cost,
    engine,
    fixed,
    picture,
    route,
    SLOW,
    Team,
    tiny_model,
    whole,
)

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.inference.codec import encode
from collab_robots.inference.options import Kind, Option
from collab_robots.inference.runtime.answer import Outcome
from collab_robots.inference.runtime.breaker import State
from collab_robots.inference.runtime.course import Course
from collab_robots.inference.runtime.events import Fault
from collab_robots.inference.runtime.lab import LabWorker, Liar, Weather
from collab_robots.inference.runtime.messages import Offer, Reason, Reply, ReplyKind
from collab_robots.inference.runtime.peer import Peer
from collab_robots.inference.runtime.requester import Requester, RequesterSettings

SPLIT = Option(Kind.SPLIT, 1, 32)
NO_AUDIT = RequesterSettings(audit_share=0.0)


def faults(answer):
    return [(event.helper, event.fault) for event in answer.trace.events]


def is_right(answer, seed=0):
    right = whole(picture(seed))
    return np.abs(answer.logits - right).max() <= 0.02 * np.ptp(right)


def test_a_split_frame_is_what_the_whole_says():
    for option in (SPLIT, Option(Kind.SPLIT, 4, 8), Option(Kind.RAW), Option(Kind.LOCAL)):
        team = Team(choose=fixed(option, 'b'))
        team.run(1.1)
        frame = team.submit(3, note=b'of the door')
        team.run(0.5)
        (answer,) = team.answers
        assert (answer.frame, answer.note) == (frame, b'of the door')
        assert answer.outcome is Outcome.ANSWERED and is_right(answer, 3)
        assert answer.trace.route == (('b',) if option.remote else ())
        assert (answer.trace.sent_bytes > 0) == option.remote
        assert not answer.trace.events and not answer.trace.degraded


@pytest.mark.parametrize('count', [2, 3])
@pytest.mark.parametrize('start', [1, 2])
def test_a_pipeline_is_what_the_whole_says(count, start):
    names = 'bcd'[:count]
    team = Team(choose=fixed(Option(Kind.SPLIT, start, 32), *names))
    team.run(1.1)
    for seed in range(5):
        team.submit(seed)
        team.run(0.05)
    team.run(1.0)
    assert [answer.trace.route for answer in team.answers] == [tuple(names)] * 5
    assert all(is_right(answer, answer.frame.seq) for answer in team.answers)
    assert not team.events


def test_a_dead_hop_is_the_one_that_is_blamed():
    for dead in 'bcd':
        team = Team(choose=fixed(SPLIT, 'b', 'c', 'd'))
        team.run(1.1)
        team.lab.crash(dead)
        team.submit()
        team.run(5.0)
        (answer,) = team.answers
        assert faults(answer)[0] == (dead, Fault.TIMEOUT) and is_right(answer)


def test_another_helper_then_alone():
    team = Team(choose=fixed(SPLIT, 'b'), settings=NO_AUDIT)
    team.run(1.1)
    team.lab.crash('b')
    team.submit()
    team.run(1.0)
    (answer,) = team.answers
    assert faults(answer) == [('b', Fault.TIMEOUT)]
    assert answer.trace.route in {('c',), ('d',)} and answer.trace.attempts == 2
    for name in 'cd':
        team.lab.crash(name)
    team.submit(1)
    team.run(2.0)
    answer = team.answers[-1]
    assert answer.trace.route == () and is_right(answer, 1)


def test_alone_if_that_is_sooner():
    team = Team(choose=fixed(Option(Kind.SPLIT, 4, 32), 'b'), weather=Weather(rate_bps=1e5))
    team.run(1.1)
    for helper in 'bcd':
        for _ in range(20):
            team.requester.roster.get(helper).link.add(2000, 0.16, team.lab.now)
    team.lab.crash('b')
    team.submit()
    team.run(2.0)
    (answer,) = team.answers
    assert faults(answer) == [('b', Fault.TIMEOUT)]
    assert answer.trace.attempts == 1 and answer.trace.route == ()


def liar(team, lie, name='liar'):
    offer = Offer(name, tiny_model().hash, 0, 0.0, 1_000_000)
    team.lab.join(name, Liar(offer, team.lab.post(name), lie))
    team.choose = fixed(SPLIT, name)
    team.owner()
    team.run(1.1)


def reply(work, kind, **more):
    return Reply(work.frame, work.attempt, 'liar', work.frame.robot, kind, **more)


def code(values, bits=8):
    return encode(np.asarray(values, dtype=np.float32), bits)[0]


RIGHT = np.arange(10.0)


@pytest.mark.parametrize(
    'data',
    [
        b'x',
        code(np.arange(11.0)),
        code(np.arange(9.0)),
        code(RIGHT.reshape(2, 5)),
        code(RIGHT, bits=4),
        code(RIGHT, bits=32)[:-4] + b'\x7f\xc0\0\0',
        code(RIGHT)[:-1],
        code(RIGHT)[:-1] + b'\xff\xff',
    ],
)
def test_what_is_no_answer_is_wrong(data):
    team = Team()
    liar(team, lambda work: [reply(work, ReplyKind.ANSWER, data=data)])
    team.submit()
    team.run(1.0)
    (answer,) = team.answers
    assert faults(answer) == [('liar', Fault.WRONG)] and is_right(answer)
    assert team.requester.faults.of('liar')[Fault.WRONG] == 1
    assert team.requester.roster.get('liar').breaker.state is State.OPEN


def test_three_kinds_of_faults_are_counted_apart():
    team = Team()
    liar(team, lambda work: [reply(work, ReplyKind.REFUSED, reason=Reason.BUSY)])
    team.submit()
    team.run(1.0)
    (answer,) = team.answers
    assert faults(answer) == [('liar', Fault.REFUSED)]
    assert answer.trace.events[0].detail == 'busy'
    assert team.requester.faults.all_of(Fault.WRONG) == 0


def test_plausible_nonsense_is_found_by_an_audit():
    team = Team(settings=RequesterSettings(audit_share=1.0))
    liar(team, lambda work: [reply(work, ReplyKind.ANSWER, data=code(RIGHT))])
    team.submit()
    team.run(1.0)
    assert [(event.helper, event.fault, event.detail) for event in team.events] == [
        ('liar', Fault.WRONG, 'audit')
    ]
    assert len(team.answers) == 1
    team.submit(1)
    team.run(1.0)
    assert team.answers[-1].trace.route != ('liar',) and is_right(team.answers[-1], 1)


@pytest.mark.parametrize('seed', range(10))
def test_audits_acquit_the_honest(seed):
    settings = RequesterSettings(audit_share=1.0)
    team = Team(seed, settings=settings, weather=Weather(loss=0.2))
    team.run(1.1)
    for count in range(10):
        team.submit(count)
        team.run(0.4)
    team.run(5.0)
    assert team.requester.audits.done > 3
    assert Fault.WRONG not in {event.fault for event in team.events}


def test_answers_of_others_older_and_past_are_ignored():
    team = Team(choose=fixed(SPLIT, 'b'))
    team.run(1.1)
    seen = []
    deliver = team.requester.on_reply

    def spread(found, now):
        seen.append(found)
        forged = [
            replace(found, helper='c'),
            replace(found, attempt=1),
            replace(found, frame=replace(found.frame, session=99)),
            replace(found, frame=replace(found.frame, seq=99)),
        ]
        for other in forged:
            if other.kind is ReplyKind.ANSWER:
                deliver(replace(other, data=b'nonsense'), now)
        deliver(found, now)
        deliver(found, now)

    team.requester.on_reply = spread
    team.submit()
    team.run(1.0)
    (answer,) = team.answers
    assert is_right(answer) and not team.events
    team.owner()
    for found in seen:
        team.requester.on_reply(found, team.lab.now)
    assert len(team.answers) == 1 and not team.events


def test_cancelled_only_when_asked():
    team = Team(choose=fixed(Option(Kind.LOCAL)))
    first, second, third = team.submit(0), team.submit(1, max_age_ns=20_000_000), team.submit(2)
    assert team.requester.cancel(first, team.lab.now)
    assert not team.requester.cancel(first, team.lab.now)
    team.run(0.5)
    outcomes = {answer.frame: answer.outcome for answer in team.answers}
    assert outcomes == {
        first: Outcome.CANCELLED,
        second: Outcome.CANCELLED,
        third: Outcome.ANSWERED,
    }
    assert len(team.answers) == 3


def test_takes_no_more_than_it_can_hold():
    team = Team(settings=RequesterSettings(frames=2))
    team.submit()
    team.submit()
    with pytest.raises(RefusedError) as error:
        team.submit()
    assert error.value.reason is Refusal.FLOOD
    with pytest.raises(RefusedError):
        team.submit(note=bytes(5000))
    team.run(2.0)
    assert len(team.answers) == 2
    team.submit()


@pytest.mark.parametrize('option', [SPLIT, Option(Kind.RAW), Option(Kind.LOCAL)])
@pytest.mark.parametrize(
    'bad', [np.zeros((4, 4, 3), np.uint8), np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3))]
)
def test_what_is_no_picture_is_answered_so(bad, option):
    team = Team(choose=fixed(option, 'b'))
    team.run(1.1)
    team.requester.submit(bad, team.lab.now)
    team.run(1.0)
    (answer,) = team.answers
    assert answer.outcome is Outcome.REFUSED and answer.refusal.reason is Refusal.IMAGE
    assert answer.logits is None


def test_who_is_not_allowed_is_not_asked():
    team = Team(helpers=('stranger',), choose=any_course(Random(1), alone=0.0))
    team.run(1.1)
    team.submit()
    team.run(1.0)
    assert team.answers[0].trace.route == () and team.answers[0].trace.attempts == 0


def test_impossible_offers_are_none():
    team = Team(helpers=())
    for name, model, whole_ns in (('x', bytes(32), 10**6), ('y', tiny_model().hash, 0)):
        team.requester.on_offer(Offer(name, model, 0, 0.0, whole_ns), team.lab.now)
    team.requester.on_offer(Offer('a', tiny_model().hash, 0, 0.0, 10**6), team.lab.now)
    for number in range(200):
        offer = Offer(f'sybil{number}', tiny_model().hash, 2**64 - 1, 1.0, 10**6)
        team.requester.on_offer(offer, team.lab.now)
    ready = team.requester.roster.ready(team.lab.now)
    assert len(ready) == 64 and all(known.name.startswith('sybil') for known in ready)
    team.submit()
    team.run(30.0)
    assert is_right(team.answers[0])


def test_a_probe_measures_the_link_of_who_computes_alone():
    def choose(own, helpers):
        alone = Course(Option(Kind.LOCAL))
        return alone._replace(probe=(SPLIT, route(SPLIT, 'b'))) if helpers else alone

    for weather in (Weather(), Weather(rate_bps=1e5)):
        team = Team(choose=choose, weather=weather)
        team.run(1.1)
        for seed in range(6):
            team.submit(seed)
            team.run(1.0)
        assert len(team.answers) == 6
        known = team.requester.roster.get('b')
        # 16 chunks of about 136 bytes, and what is around each
        expected = 0.45 if weather.rate_bps == 1e5 else 0.01
        assert float(known.link.estimate(team.lab.now).seconds(2180)) == pytest.approx(
            expected, 0.5
        )
        assert not team.events
        routes = Counter(answer.trace.route for answer in team.answers)
        assert routes == ({('b',): 6} if weather.rate_bps > 1e6 else {(): 6})


def test_an_answer_that_comes_late_tells_that_the_link_is_slow():
    team = Team(choose=fixed(Option(Kind.SPLIT, 2, 32), 'b'), helpers=('b',))
    team.run(1.5)
    for weather in (Weather(), Weather(rate_bps=3e5)):
        team.lab.weather = weather
        for seed in range(5):
            team.submit(seed)
            team.run(1)
    assert all(is_right(answer, seed % 5) for seed, answer in enumerate(team.answers))
    wire_s = team.requester.roster.get('b').link.estimate(team.lab.now).seconds(2288)
    assert float(wire_s) == pytest.approx(0.15, 0.2)  # with headers, there and back


def helped(frames, weather):
    """Have one helper compute frames; return the team and what it holds of the link."""
    team = Team(choose=fixed(SPLIT, 'b'), helpers=('b',), weather=weather)
    team.run(1.1)
    for seed in range(frames):
        team.submit(seed)
        team.run(2)
    return team, team.requester.roster.get('b').link.estimate(team.lab.now)


def test_what_is_late_on_a_slow_link_is_not_lost():
    slow = Weather(rate_bps=5e4)  # a chunk takes longer than its helper waits until it misses it
    team, link = helped(20, slow)
    assert link.loss < 0.01
    assert float(link.seconds(2288)) == pytest.approx(0.9, 0.2)  # with headers
    assert [answer.trace.sent_bytes for answer in team.answers[-3:]] == [2288] * 3
    assert team.answers[-1].trace.route == ('b',)


@pytest.mark.parametrize('loss', [0.0, 0.1, 0.3])
@pytest.mark.parametrize('rate', [2e5, 20e6])
def test_the_loss_that_is_told_is_the_loss_there_is(rate, loss):
    _, link = helped(60, Weather(rate_bps=rate, loss=loss))
    assert link.loss == pytest.approx(loss, abs=0.08)


@pytest.mark.parametrize('lost', [0.0, 0.3])
def test_what_was_filled_in_is_no_answer_to_a_probe(lost):
    team = Team()
    liar(team, lambda work: [reply(work, ReplyKind.ANSWER, data=code(RIGHT), lost=lost)])
    team.requester._choose = lambda own, helpers: Course(
        Option(Kind.LOCAL), probe=(SPLIT, route(SPLIT, ['liar']))
    )
    team.submit()
    team.run(1.0)
    (answer,) = team.answers
    assert answer.trace.route == (() if lost else ('liar',))
    assert is_right(answer) == bool(lost) and not team.events


def test_a_probe_that_fails_is_left_at_that():
    team = Team()
    liar(team, lambda work: [reply(work, ReplyKind.REFUSED, reason=Reason.BUSY)])
    team.requester._choose = lambda own, helpers: Course(
        Option(Kind.LOCAL), probe=(SPLIT, route(SPLIT, ['liar']))
    )
    team.submit()
    team.run(1.0)
    (answer,) = team.answers
    assert answer.trace.attempts == 1 and answer.trace.route == ()
    assert faults(answer) == [('liar', Fault.REFUSED)]


def test_one_probe_at_a_time():
    team = Team(helpers=('b',))
    team.lab.weather = Weather(rate_bps=5e4)
    team.requester._choose = lambda own, helpers: Course(
        Option(Kind.LOCAL), probe=(SPLIT, route(SPLIT, ['b']))
    )
    team.run(1.1)
    for _ in range(4):
        team.submit()
        team.run(0.15)
    team.run(1.0)
    assert [answer.trace.attempts for answer in team.answers] == [1, 0, 0, 0]
    team.submit()
    team.run(1.0)
    assert team.answers[-1].trace.attempts == 1


def test_chunks_are_large_where_none_is_lost():
    own = engine(chunk_bytes=200)
    own._clear_bytes = 8192
    for option in (SPLIT, Option(Kind.JPEG, quality=90)):
        few = own.advance(picture(0), 0, None, option.cut, option, -1, 0.0).chunks
        many = own.advance(picture(0), 0, None, option.cut, option, -1, 0.01).chunks
        assert len(few) == 1 < len(many)


def test_who_was_to_show_that_it_works_gets_another_chance_if_nobody_waited():
    team = Team(choose=fixed(SPLIT, 'b'), helpers=('b',))
    team.run(1.1)
    breaker = team.requester.roster.get('b').breaker
    breaker.failed(Fault.REFUSED, team.lab.now)
    team.run(1.0)
    frame = team.submit()
    team.run(0.035)
    assert breaker.state is State.HALF_OPEN
    team.requester.cancel(frame, team.lab.now)
    team.submit()
    team.run(1.0)
    assert team.answers[-1].trace.route == ('b',) and breaker.state is State.CLOSED


class Sure:
    """An exit at a cut that is always, or never, sure."""

    threshold = 0.5

    def __init__(self, confidence):
        self.confidence = confidence

    def answer(self, tensor):
        return np.full((1, 10), 7.0, np.float32), self.confidence


@pytest.mark.parametrize('option', [Option(Kind.SPLIT, 3, 8, exit=2), Option(Kind.LOCAL, exit=2)])
@pytest.mark.parametrize('sure', [True, False])
def test_an_exit_is_asked_on_the_way(option, sure):
    team = Team(choose=fixed(option, 'b'))
    own = engine(SLOW, exits={2: Sure(0.9 if sure else 0.1)})
    team.requester = Requester(
        'a',
        1,
        own,
        team.choose,
        LabWorker(team.lab.clock, cost(SLOW)),
        team.lab.post('a'),
        team.answers.append,
        lambda robot: True,
        Random(1),
    )
    team.lab.join('a', Peer('a', team.requester, None))
    team.run(1.1)
    team.submit()
    team.run(1.0)
    (answer,) = team.answers
    if sure:
        assert answer.trace.exit == 2 and (answer.logits == 7.0).all()
        assert answer.trace.sent_bytes == 0
    else:
        assert answer.trace.exit == -1 and is_right(answer)


def test_one_of_four_killed_in_turn():
    """At 5 frames/s for two minutes, one killed every 10 s, back 6 s later."""
    slowest = {}
    for kill in (False, True):
        team = Team(choose=fixed_first, settings=NO_AUDIT)
        team.run(1.1)
        for count in range(600):
            if kill and count % 50 == 25:
                team.lab.crash('bcd'[count // 50 % 3])
            if kill and count % 50 == 45:
                team.start('bcd'[count // 50 % 3])
            team.submit(count % 20)
            team.run(0.2)
        team.run(2.0)
        assert len({answer.frame for answer in team.answers}) == len(team.answers) == 600
        assert all(answer.outcome is Outcome.ANSWERED for answer in team.answers)
        seconds = [answer.trace.seconds for answer in team.answers]
        slowest[kill] = np.median(seconds), np.percentile(seconds, 99)
        assert bool(team.events) == kill
    assert slowest[True][1] <= 2 * slowest[False][0]


def fixed_first(own, helpers):
    """Choose the first who is there, always."""
    names = [state.name for state in helpers][:1]
    return Course(SPLIT, route(SPLIT, names)) if names else Course(Option(Kind.LOCAL))


def test_loss_of_30_percent_is_no_stall():
    team = Team(choose=fixed_first, settings=NO_AUDIT, weather=Weather(loss=0.3))
    team.run(2.1)
    for count in range(100):
        team.submit(count % 20)
        team.run(0.3)
    team.run(5.0)
    seconds = [answer.trace.seconds for answer in team.answers]
    assert len(seconds) == 100
    assert np.median(seconds) < 0.3 and max(seconds) < 3.0
    assert sum(bool(answer.trace.route) for answer in team.answers) > 60
