"""A helper says at once what it cannot do, and keeps little of what others send."""

from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
from runtime_team import engine, last, picture, route, SLOW, tiny_model, whole

from collab_robots.core.clock import SECOND
from collab_robots.core.errors import RefusedError
from collab_robots.inference.options import Kind, Option
from collab_robots.inference.runtime.helper import Helper, HelperSettings
from collab_robots.inference.runtime.messages import FrameId, Hop, Reason, ReplyKind, Work
from collab_robots.inference.runtime.sending import cut_up
from collab_robots.inference.runtime.worker import ImmediateWorker

SPLIT = Option(Kind.SPLIT, 2, 8)
BUDGET = 2 * SECOND


def works(option=SPLIT, seq=0, robot='a', seed=0, hops=('b',), **changed):
    """Cut a frame into its chunks."""
    sent = engine().advance(picture(seed), 0, None, option.cut, option, -1).chunks
    frame = FrameId(robot, 1, seq)
    way = route(option, hops)
    chunks = cut_up(frame, 0, robot, tiny_model().hash, option, way, sent)
    return [replace(work, **{'budget_ns': BUDGET, **changed}) for work in chunks]


class Bench:
    """A helper and what it said."""

    def __init__(self, layer_s=0.0025, **settings):
        self.replies = []
        self.now = SECOND
        self.worker = ImmediateWorker()
        self.helper = Helper(
            'b',
            [engine(layer_s)],
            self.worker,
            self.replies.append,
            lambda robot: robot != 'stranger',
            HelperSettings(**settings),
        )

    def give(self, *chunks):
        """Hand chunks over; return what is said to that."""
        before = len(self.replies)
        for work in chunks:
            self.helper.on_work(work, self.now)
        return self.replies[before:]

    def wait(self, seconds):
        """Let time pass in ticks; return what is said meanwhile."""
        before = len(self.replies)
        for _ in range(round(seconds * 200)):
            self.now += SECOND // 200
            self.helper.tick(self.now)
        return self.replies[before:]


def refused(replies):
    return [(reply.kind, reply.reason) for reply in replies]


def refusal(reason):
    return [(ReplyKind.REFUSED, reason)]


def test_answers_what_the_network_says():
    for option in (SPLIT, Option(Kind.RAW), Option(Kind.SPLIT, 1, 32)):
        (reply,) = Bench().give(*works(option))
        assert (reply.kind, reply.target, reply.lost) == (ReplyKind.ANSWER, 'a', 0.0)
        assert len(reply.done) == 1
        logits = engine().read_answer(reply.data, 8)
        assert np.allclose(logits, whole(picture(0)), atol=0.02)


def test_order_and_doubles_do_not_matter():
    bench = Bench()
    chunks = works() * 2
    Random(1).shuffle(chunks)
    replies = bench.give(*chunks)
    assert {reply.kind for reply in replies} <= {ReplyKind.ANSWER, ReplyKind.MISSING}
    assert sum(reply.kind is ReplyKind.ANSWER for reply in replies) <= 2
    first = bench.give(works()[0])
    assert [reply.kind for reply in first] == [ReplyKind.ANSWER]
    assert bench.give(*works()[1:]) == []


@pytest.mark.parametrize(
    ('changed', 'reason'),
    [
        ({'sender': 'stranger'}, Reason.STRANGER),
        ({'frame': FrameId('stranger', 1, 0)}, Reason.STRANGER),
        ({'model': bytes(32)}, Reason.MODEL),
        ({'route': (Hop('b', 3, 8),)}, Reason.MALFORMED),
        ({'route': (Hop('b', last() + 1, 8),)}, Reason.MALFORMED),
        ({'route': (Hop('c', last(), 8),)}, Reason.MALFORMED),
        ({'size': 5 * 1024 * 1024}, Reason.TOO_LARGE),
        ({'budget_ns': SECOND // 1000}, Reason.BUDGET),
    ],
)
def test_refuses_at_the_first_chunk(changed, reason):
    bench = Bench()
    chunks = [replace(work, **changed) for work in works()]
    assert refused(bench.give(chunks[0])) == refusal(reason)
    assert bench.give(*chunks[1:]) == []
    assert bench.helper.frames == bench.helper.held_bytes == 0
    assert bench.helper.refused[reason] == 1
    assert refused(bench.give(chunks[0])) == refusal(reason)


def damaged(chunks):
    """Ways in which chunks of one frame are wrong, with the reason that is told."""
    data = chunks[-1].data
    other = works(Option(Kind.SPLIT, 4, 8))
    yield [*chunks[:-1], replace(chunks[-1], data=data[:-1])], Reason.MALFORMED
    flipped = data[:-1] + bytes([data[-1] ^ 1])
    yield [*chunks[:-1], replace(chunks[-1], data=flipped)], Reason.TENSOR
    yield [*chunks[:-1], replace(chunks[-1], size=chunks[-1].size + 1)], Reason.MALFORMED
    yield [replace(work, size=work.size + 1) for work in chunks], Reason.MALFORMED
    least = max(len(work.data) for work in chunks)
    yield [replace(work, size=least) for work in chunks], Reason.MALFORMED
    yield [replace(work, option=Option(Kind.SPLIT, 1, 6)) for work in chunks], Reason.TENSOR
    yield [replace(work, option=Option(Kind.SPLIT, 4, 8)) for work in chunks], Reason.TENSOR
    yield [replace(work, option=Option(Kind.RAW)) for work in chunks], Reason.TENSOR
    yield [replace(work, option=Option(Kind.JPEG, quality=9)) for work in chunks], Reason.TENSOR
    bottleneck = Option(Kind.SPLIT, 2, 8, bottleneck=True)
    yield [replace(work, option=bottleneck) for work in chunks], Reason.MODEL
    mixed = [*chunks[:-1], replace(other[0], chunk=len(chunks) - 1, chunks=len(chunks))]
    yield mixed, Reason.MALFORMED


@pytest.mark.parametrize('case', range(11))
def test_names_what_is_wrong(case):
    chunks, reason = list(damaged(works()))[case]
    bench = Bench()
    replies = refused(bench.give(*chunks))
    assert [reply for reply in replies if reply[0] is ReplyKind.REFUSED] == refusal(reason)
    assert ReplyKind.ANSWER not in {kind for kind, _ in replies}
    assert bench.helper.frames == 0


def test_not_finite():
    sent = bytearray(works(Option(Kind.SPLIT, 4, 32))[0].data)
    sent[-4:] = b'\x7f\x80\0\0'
    chunks = works(Option(Kind.SPLIT, 4, 32))
    chunks[0] = replace(chunks[0], data=bytes(sent))
    assert refused(Bench().give(*chunks)) == refusal(Reason.TENSOR)


def test_asks_for_what_is_missing_then_fills():
    bench = Bench()
    chunks = works()
    assert len(chunks) > 2
    assert bench.give(*chunks[1:]) == []
    asked = bench.wait(0.02)
    assert [(reply.kind, reply.missing) for reply in asked] == [(ReplyKind.MISSING, (0,))]
    (reply,) = bench.give(chunks[0])
    assert (reply.kind, reply.lost) == (ReplyKind.ANSWER, 0.0)
    bench = Bench()
    bench.give(*chunks[1:])
    *asked, reply = bench.wait(1.0)
    assert {reply.kind for reply in asked} == {ReplyKind.MISSING}
    assert reply.kind is ReplyKind.ANSWER and 0.0 < reply.lost < 1.0


def test_does_not_fill_what_hardly_came_nor_a_picture():
    for option, keep in ((SPLIT, 1), (Option(Kind.JPEG, quality=90), 3)):
        bench = Bench()
        chunks = works(option)
        assert keep < len(chunks)
        bench.give(*chunks[:keep])
        assert refused(bench.wait(3.0))[-1:] == refusal(Reason.BUDGET)
        assert bench.helper.frames == 0


def test_the_first_chunk_again_asks_how_it_goes():
    bench = Bench()
    chunks = works()
    bench.give(*chunks[:2])
    (reply,) = bench.give(chunks[0])
    assert reply.kind is ReplyKind.MISSING and reply.missing == tuple(range(2, len(chunks)))


def test_memory_for_others_is_bounded():
    bench = Bench(arriving=5, arriving_each=2, arriving_bytes=3000, age_ns=SECOND)
    for robot in 'defgh':
        of_others = bench.helper.frames
        for seq in range(4):
            assert bench.helper.frames <= of_others + 2
            bench.give(works(seq=seq, robot=robot)[0])
            assert bench.helper.frames <= 5
            assert bench.helper.held_bytes <= 3000
    assert bench.helper.refused[Reason.BUSY] == 20 - bench.helper.frames
    bench.wait(1.2)
    assert bench.helper.frames == bench.helper.held_bytes == 0


class Stuck(ImmediateWorker):
    """Never gets done."""

    def submit(self, job):
        pass


def test_the_queue_is_bounded():
    bench = Bench(queue=3)
    bench.helper._worker = Stuck()
    for seq in range(4):
        assert bench.give(*works(seq=seq)) == []
    assert refused(bench.give(*works(seq=4))) == refusal(Reason.BUSY)
    assert [reply.kind for reply in bench.give(works(seq=2)[0])] == [ReplyKind.RECEIVED]
    assert bench.helper.queue_seconds() > 0.0
    (offer,) = bench.helper.offers()
    assert offer.queue_ns > 0 and offer.model == tiny_model().hash


def test_refuses_what_would_wait_too_long():
    bench = Bench(layer_s=SLOW, queue=8)
    bench.helper._worker = Stuck()
    replies = [bench.give(*works(seq=seq, budget_ns=SECOND // 5)) for seq in range(5)]
    assert refused(replies[0]) == []
    assert refused(replies[-1]) == refusal(Reason.BUDGET)


def test_hands_on_along_the_route():
    first, second = Bench(), Bench()
    second.helper._name = 'c'
    sent = first.give(*works(hops=('b', 'c')))
    assert all(isinstance(work, Work) and work.sender == 'b' for work in sent)
    assert [len(work.done) for work in sent] == [1] * len(sent)
    assert [reply.kind for reply in first.give(works(hops=('b', 'c'))[0])] == [ReplyKind.RECEIVED]
    *received, answer = second.give(*sent)
    assert [(reply.kind, reply.target) for reply in received] == [
        (ReplyKind.RECEIVED, 'b'),
        (ReplyKind.RECEIVED, 'a'),
    ]
    assert answer.kind is ReplyKind.ANSWER and answer.target == 'a' and len(answer.done) == 2
    assert np.allclose(engine().read_answer(answer.data, 8), whole(picture(0)), atol=0.02)
    asked = first.wait(0.15)
    assert {type(again) for again in asked} == {Work} and {again.chunk for again in asked} == {0}
    first.helper.on_reply(received[0], first.now)
    assert first.wait(1.0) == []


numbers = st.integers(0, 5)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_whatever_comes(data):
    """Random messages do not stop it, and are bounded in what they make it keep."""
    bench = Bench(arriving=3, arriving_each=2, arriving_bytes=4000, queue=2, age_ns=SECOND)
    chunks = works()
    for _ in range(data.draw(st.integers(1, 20))):
        work = data.draw(st.sampled_from(chunks))
        changes = {
            'frame': FrameId(data.draw(st.sampled_from('ax')), 1, data.draw(numbers)),
            'attempt': data.draw(numbers),
            'chunk': data.draw(numbers),
            'chunks': data.draw(st.integers(1, 6)),
            'size': data.draw(st.sampled_from([1, 300, work.size, 3000])),
            'data': data.draw(st.sampled_from([work.data, b'', b'x', work.data[:-1]])),
            'budget_ns': data.draw(st.sampled_from([0, SECOND, 2**64 - 1])),
        }
        kept = data.draw(st.sets(st.sampled_from(sorted(changes))))
        try:
            work = replace(work, **{name: changes[name] for name in kept})
        except RefusedError:
            continue
        bench.give(work)
        if data.draw(st.booleans()):
            bench.wait(0.05)
        assert bench.helper.frames <= 6 and bench.helper.held_bytes <= 4000
    bench.wait(1.1)
    assert bench.helper.frames == 0
    assert [reply.kind for reply in bench.give(*works(seq=99))] == [ReplyKind.ANSWER]
