"""Messages in bounds, timeouts from what was measured, breakers, workers."""

from dataclasses import replace
import threading

from hypothesis import given
from hypothesis import strategies as st
import pytest

from collab_robots.core.clock import SECOND
from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.inference.options import Kind, LOCAL, Option
from collab_robots.inference.profile.link import LinkEstimate
from collab_robots.inference.runtime.breaker import Breaker, HOLD, MAX_HOLD, State
from collab_robots.inference.runtime.events import Fault
from collab_robots.inference.runtime.messages import (
    FrameId,
    Hop,
    MAX_DATA,
    MAX_PAYLOAD,
    Offer,
    Reason,
    Reply,
    ReplyKind,
    Spent,
    Work,
)
from collab_robots.inference.runtime.sending import AGAIN, cut_up, questions, Sending
from collab_robots.inference.runtime.timeouts import LEAST, MOST, Timeouts
from collab_robots.inference.runtime.worker import ImmediateWorker, Job, ThreadWorker

FRAME = FrameId('a', 2**64 - 1, 0)
ROUTE = (Hop('b', 3, 8), Hop('c', 5, 8))
WORK = Work(
    FRAME, 0, 'a', bytes(32), Option(Kind.SPLIT, 2, 8), ROUTE, SECOND, (), 0.0, 0, 2, 9, b'12345'
)
ANSWER = Reply(FRAME, 0, 'b', 'a', ReplyKind.ANSWER, data=b'1')
OFFER = Offer('b', bytes(32), 0, 0.5, 1)
BAD = [
    (FRAME, {'robot': ''}),
    (FRAME, {'robot': 'a' * 65}),
    (FRAME, {'robot': 'a\n'}),
    (FRAME, {'session': -1}),
    (FRAME, {'seq': 2**64}),
    (ROUTE[0], {'robot': ''}),
    (ROUTE[0], {'end': 0}),
    (ROUTE[0], {'end': 256}),
    (ROUTE[0], {'bits': 5}),
    (Spent(0, 0), {'queued_ns': -1}),
    (Spent(0, 0), {'compute_ns': 2**64}),
    (WORK, {'attempt': 256}),
    (WORK, {'sender': ''}),
    (WORK, {'model': bytes(31)}),
    (WORK, {'option': LOCAL}),
    (WORK, {'option': Option(Kind.SPLIT, 2, 8, exit=1)}),
    (WORK, {'option': Option(Kind.SPLIT, 3, 8)}),
    (WORK, {'route': ()}),
    (WORK, {'route': tuple(Hop('b', end, 8) for end in range(3, 12))}),
    (WORK, {'route': ROUTE[::-1]}),
    (WORK, {'budget_ns': -1}),
    (WORK, {'done': (Spent(0, 0),) * 7}),
    (WORK, {'lost': float('nan')}),
    (WORK, {'lost': 1.1}),
    (WORK, {'chunk': 2}),
    (WORK, {'chunk': -1}),
    (WORK, {'chunks': 0}),
    (WORK, {'chunks': 4097}),
    (WORK, {'size': 4}),
    (WORK, {'size': MAX_PAYLOAD + 1}),
    (WORK, {'size': MAX_PAYLOAD, 'data': bytes(MAX_DATA + 1)}),
    (ANSWER, {'attempt': -1}),
    (ANSWER, {'helper': ''}),
    (ANSWER, {'target': ''}),
    (ANSWER, {'reason': Reason.BUSY}),
    (ANSWER, {'kind': ReplyKind.REFUSED}),
    (ANSWER, {'missing': (1,)}),
    (ANSWER, {'data': b''}),
    (ANSWER, {'data': bytes(MAX_DATA + 1)}),
    (ANSWER, {'kind': ReplyKind.RECEIVED}),
    (ANSWER, {'kind': ReplyKind.MISSING, 'data': b''}),
    (ANSWER, {'kind': ReplyKind.MISSING, 'data': b'', 'missing': (4096,)}),
    (ANSWER, {'kind': ReplyKind.MISSING, 'data': b'', 'missing': (0,) * 257}),
    (ANSWER, {'done': (Spent(0, 0),) * 9}),
    (ANSWER, {'lost': -0.1}),
    (OFFER, {'robot': ''}),
    (OFFER, {'model': b''}),
    (OFFER, {'queue_ns': -1}),
    (OFFER, {'load': float('inf')}),
    (OFFER, {'whole_ns': 2**64}),
]


@pytest.mark.parametrize(('message', 'changed'), BAD)
def test_messages_are_in_bounds(message, changed):
    with pytest.raises(RefusedError) as error:
        replace(message, **changed)
    assert error.value.reason in (Refusal.MALFORMED, Refusal.TOO_LARGE)


def test_too_large_is_named():
    with pytest.raises(RefusedError) as error:
        replace(ANSWER, data=bytes(MAX_DATA + 1))
    assert error.value.reason is Refusal.TOO_LARGE


measured = st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 2.0)), max_size=30)


@given(measured, st.floats(0.0, 10.0), st.integers(0, 9))
def test_timeouts_are_bounded(samples, expected, expired):
    timeouts = Timeouts()
    for sample in samples:
        timeouts.add(*sample)
    before = timeouts.seconds(expected)
    for _ in range(expired):
        timeouts.expired()
    assert LEAST <= before <= timeouts.seconds(expected) <= MOST


def test_timeouts_follow_what_is_measured():
    timeouts = Timeouts()
    assert timeouts.seconds(0.1) == pytest.approx(0.3)
    for _ in range(50):
        timeouts.add(0.1, 0.11)
    assert timeouts.seconds(0.2) == pytest.approx(0.21 + LEAST, abs=0.002)
    timeouts.expired()
    assert timeouts.seconds(0.2) > 0.4
    timeouts.add(0.1, 0.5)
    assert 0.4 < timeouts.seconds(0.1) < 1.0


def test_a_breaker_opens_tries_and_closes():
    breaker = Breaker()
    assert breaker.is_ready(0, 0)
    breaker.failed(Fault.TIMEOUT, 0)
    hold = HOLD[Fault.TIMEOUT]
    assert not breaker.is_ready(hold - 1, hold - 1)
    assert not breaker.is_ready(hold, 0), 'who was silent was not heard since'
    assert breaker.is_ready(hold, hold)
    breaker.sent()
    assert breaker.state is State.HALF_OPEN
    assert not breaker.is_ready(hold, hold), 'one frame at a time'
    breaker.dropped()
    assert breaker.is_ready(hold, hold)
    breaker.sent()
    breaker.failed(Fault.TIMEOUT, hold)
    assert not breaker.is_ready(hold + 2 * hold - 1, 3 * hold)
    assert breaker.is_ready(hold + 2 * hold, 3 * hold)
    breaker.sent()
    breaker.answered()
    assert breaker.is_ready(3 * hold, 0)
    for count in range(100):
        breaker.failed(Fault.WRONG, count)
    assert breaker.is_ready(99 + MAX_HOLD, 0)


def test_who_refused_need_not_be_heard():
    breaker = Breaker()
    breaker.failed(Fault.REFUSED, 0)
    assert not breaker.is_ready(HOLD[Fault.REFUSED] - 1, 0)
    assert breaker.is_ready(HOLD[Fault.REFUSED], 0)


def test_chunks_are_sent_again_but_not_for_ever():
    sent = []
    works = cut_up(FRAME, 0, 'a', bytes(32), WORK.option, ROUTE, [b'12345', b'6789'])
    sending = Sending(works, sent.append, LinkEstimate(1e9, delay_s=0.0), 0, 10_000, 5000)
    assert [work.data for work in sent] == [b'12345', b'6789'] and sending.size == 9
    sending.missed((1, 7), 100)
    assert (sent[-1].chunk, sent[-1].budget_ns) == (1, 9900)
    for now in range(200, 4000, 100):
        sending.missed((0, 1), now)
    assert len(sent) == 2 + AGAIN * 2
    assert not sending.is_due(4999) and sending.is_due(5000)


def test_what_is_on_its_way_is_not_lost():
    sent = []
    works = cut_up(FRAME, 0, 'a', bytes(32), WORK.option, ROUTE[:1], [bytes(1000)] * 4)
    link = LinkEstimate(8e6, delay_s=0.004)  # 1 ms a chunk
    sending = Sending(works, sent.append, link, 0, SECOND, SECOND)

    def missed(milliseconds, *missing):
        before = len(sent)
        sending.missed(missing, milliseconds * SECOND // 1000)
        return [work.chunk for work in sent[before:]]

    assert missed(7, 0, 1, 2, 3) == []
    assert missed(8, 0, 3) == [0]  # what was sent after it arrived
    assert missed(9, 0, 3) == [3]  # all should be there after 8 ms and an eighth
    assert missed(13, 0, 3) == []  # the one that was sent again takes 5 ms and an eighth
    assert missed(14, 0, 3) == [0]
    assert (sending.repeated, sending.lost, sending.unsure) == (3, 1, 1)
    sending.heard(0)
    assert not sending.is_due(19 * SECOND // 1000) and sending.is_due(20 * SECOND // 1000)


def test_silence_means_less_where_much_is_lost():
    asked = [questions(loss) for loss in (0.0, 0.1, 0.3, 0.9)]
    assert asked == sorted(asked) and asked[0] == 2 and asked[-1] == 6


def refuse():
    raise RefusedError(Refusal.IMAGE, 'none')


def test_workers_do_what_they_are_told_in_order():
    woken = threading.Semaphore(0)
    threads = ThreadWorker(woken.release)
    for worker in (ImmediateWorker(), threads):
        for number in range(5):
            worker.submit(Job(number, 0, 1, lambda number=number: number * 2))
        worker.submit(Job('bad', 0, 1, refuse))
        if worker is threads:
            for _ in range(6):
                assert woken.acquire(timeout=10)
        done = worker.poll()
        assert [(one.key, one.value) for one in done[:5]] == [(n, 2 * n) for n in range(5)]
        assert done[5].key == 'bad' and done[5].value.reason is Refusal.IMAGE
        assert all(one.seconds >= 0.0 for one in done)
        assert worker.poll() == []
    threads.submit(Job('bug', 0, 1, lambda: 1 / 0))
    assert woken.acquire(timeout=10)
    with pytest.raises(ZeroDivisionError):
        threads.poll()
    threads.close()
