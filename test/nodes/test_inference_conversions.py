"""What robots say about frames, as messages and back: bytes as DDS carries them."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest
from rclpy.serialization import deserialize_message, serialize_message

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.inference.options import BITS, Kind, Option
from collab_robots.inference.runtime.answer import Answer, Outcome, Trace
from collab_robots.inference.runtime.course import Course
from collab_robots.inference.runtime.events import Event, Fault
from collab_robots.inference.runtime.messages import (
    FrameId,
    Hop,
    MAX_CHUNKS,
    MAX_DATA,
    MAX_MISSING,
    MAX_U64,
    Offer,
    Reason,
    Reply,
    ReplyKind,
    Spent,
    Work,
)
from collab_robots.nodes import inference_conversions as conversions
from collab_robots_msgs.msg import InferenceOffer, InferenceReply, TensorChunk

MAX_MESSAGE = 65536  # bytes on the wire
names = st.text('abcdefghijklmnopqrstuvwxyz0123456789_', min_size=1, max_size=64)
u64 = st.integers(0, MAX_U64)
shares = st.floats(0.0, 1.0, width=32)
frames = st.builds(FrameId, names, u64, u64)
options = st.one_of(
    st.builds(
        Option,
        st.just(Kind.SPLIT),
        st.integers(1, 200),
        st.sampled_from(BITS),
        st.booleans(),
    ),
    st.builds(Option, st.just(Kind.JPEG), quality=st.integers(1, 100)),
    st.just(Option(Kind.RAW)),
)
spent = st.lists(st.builds(Spent, u64, u64), max_size=5).map(tuple)


@st.composite
def works(draw: st.DrawFn) -> Work:
    option = draw(options)
    ends = draw(st.sets(st.integers(option.cut + 1, 255), min_size=1, max_size=3))
    chunks = draw(st.integers(1, MAX_CHUNKS))
    data = draw(st.binary(max_size=300))
    return Work(
        frame=draw(frames),
        attempt=draw(st.integers(0, 255)),
        sender=draw(names),
        model=draw(st.binary(min_size=32, max_size=32)),
        option=option,
        route=tuple(Hop(draw(names), end, draw(st.sampled_from(BITS))) for end in sorted(ends)),
        budget_ns=draw(u64),
        done=draw(spent),
        lost=draw(shares),
        chunk=draw(st.integers(0, chunks - 1)),
        chunks=chunks,
        size=draw(st.integers(len(data), 2**24)),
        data=data,
    )


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    kind = draw(st.sampled_from(ReplyKind))
    reasons = st.sampled_from([reason for reason in Reason if reason is not Reason.NONE])
    missing = st.sets(st.integers(0, MAX_CHUNKS - 1), min_size=1, max_size=MAX_MISSING)
    answer, refused = kind is ReplyKind.ANSWER, kind is ReplyKind.REFUSED
    return Reply(
        frame=draw(frames),
        attempt=draw(st.integers(0, 255)),
        helper=draw(names),
        target=draw(names),
        kind=kind,
        reason=draw(reasons) if refused else Reason.NONE,
        missing=tuple(draw(missing)) if kind is ReplyKind.MISSING else (),
        done=draw(spent),
        lost=draw(shares),
        data=draw(st.binary(min_size=1, max_size=300)) if answer else b'',
    )


@settings(deadline=None)
@given(works())
def test_work_survives_the_wire(work: Work) -> None:
    wire = serialize_message(conversions.work_to_msg(work))
    assert conversions.work_from_msg(deserialize_message(wire, TensorChunk)) == work


@settings(deadline=None)
@given(replies())
def test_replies_survive_the_wire(reply: Reply) -> None:
    wire = serialize_message(conversions.reply_to_msg(reply))
    assert conversions.reply_from_msg(deserialize_message(wire, InferenceReply)) == reply


@settings(deadline=None)
@given(st.builds(Offer, names, st.binary(min_size=32, max_size=32), u64, shares, u64))
def test_offers_survive_the_wire(offer: Offer) -> None:
    wire = serialize_message(conversions.offer_to_msg(offer))
    assert conversions.offer_from_msg(deserialize_message(wire, InferenceOffer)) == offer


def largest_work() -> Work:
    route = tuple(Hop('r' * 64, 248 + hop, 32) for hop in range(8))
    option = Option(Kind.SPLIT, 247, 32, True)
    frame = FrameId('r' * 64, MAX_U64, MAX_U64)
    return Work(
        frame, 255, 's' * 64, bytes(32), option, route, MAX_U64, (), 1.0, 0, 4096, 2**24,
        bytes(MAX_DATA),
    )  # fmt: skip


def test_the_largest_messages_fit() -> None:
    assert len(serialize_message(conversions.work_to_msg(largest_work()))) <= MAX_MESSAGE
    done = (Spent(MAX_U64, MAX_U64),) * 8
    reply = Reply(
        FrameId('r' * 64, MAX_U64, 0), 255, 'h' * 64, 't' * 64, ReplyKind.ANSWER,
        done=done, data=bytes(MAX_DATA),
    )  # fmt: skip
    assert len(serialize_message(conversions.reply_to_msg(reply))) <= MAX_MESSAGE


@pytest.mark.parametrize(
    ('field', 'value'),
    [
        ('sender', ''),
        ('robot', '\n'),
        ('option', 'local'),
        ('option', 'split@9/5b'),
        ('option', ''),
        ('route', []),
        ('route', ['robot2']),
        ('route_end', [255, 254, 253, 252, 251, 250, 249, 248]),
        ('route_bits', [7] * 8),
        ('queued', [1]),
        ('lost', float('nan')),
        ('lost', -1.0),
        ('chunk', 4096),
        ('chunks', 0),
        ('chunks', 4097),
        ('size', 2**24 + 1),
        ('size', 10),
    ],
)
def test_work_that_cannot_be_is_refused(field: str, value: object) -> None:
    message = conversions.work_to_msg(largest_work())
    setattr(message, field, value)
    with pytest.raises(RefusedError) as error:
        conversions.work_from_msg(message)
    assert error.value.reason in (Refusal.MALFORMED, Refusal.TOO_LARGE)


@pytest.mark.parametrize(
    ('field', 'value'),
    [
        ('kind', 'maybe'),
        ('kind', 'answer'),
        ('reason', 'because'),
        ('reason', 'busy'),
        ('missing', []),
        ('missing', [5000]),
        ('compute', [1]),
        ('lost', float('inf')),
        ('data', b'x'),
        ('target', ''),
    ],
)
def test_replies_that_cannot_be_are_refused(field: str, value: object) -> None:
    frame = FrameId('robot1', 1, 1)
    missing = Reply(frame, 0, 'robot2', 'robot1', ReplyKind.MISSING, missing=(1,))
    message = conversions.reply_to_msg(missing)
    setattr(message, field, value)
    with pytest.raises(RefusedError):
        conversions.reply_from_msg(message)


@pytest.mark.parametrize(
    ('field', 'value'), [('sender', ''), ('load', 2.0), ('load', float('nan'))]
)
def test_offers_that_cannot_be_are_refused(field: str, value: object) -> None:
    message = conversions.offer_to_msg(Offer('robot2', bytes(32), 1, 0.5, 1))
    setattr(message, field, value)
    with pytest.raises(RefusedError):
        conversions.offer_from_msg(message)


def answer(course: Course, **trace: object) -> Answer:
    return Answer(
        FrameId('robot1', 1, 7), b'', Outcome.ANSWERED, None, None, Trace(course, **trace)
    )


def test_a_trace_says_what_was_planned_and_what_came_of_it() -> None:
    split, route = Option(Kind.SPLIT, 9, 4), (Hop('robot2', 33, 8),)
    late = Event('robot2', Fault.TIMEOUT, '', 5)
    refused = Event('robot3', Fault.REFUSED, 'busy', 9)
    message = conversions.trace_to_msg(
        answer(
            Course(split, route), sent_bytes=900, attempts=2, seconds=0.5, events=(late, refused)
        ),
        3 * 10**9,
    )
    assert (message.robot, message.seq, message.header.stamp.sec) == ('robot1', 7, 3)
    assert (message.plan, message.planned, message.helper) == ('split@9/4b', 'robot2', '')
    assert (message.bytes, message.attempts, message.seconds) == (900, 2, 0.5)
    assert message.events == ['robot2: timeout', 'robot3: refused busy']


@pytest.mark.parametrize(
    ('sent_bytes', 'plan', 'planned'),
    [(900, 'local, probe jpeg75', 'robot2'), (0, 'local', '')],
)
def test_a_trace_tells_of_a_probe_if_there_was_one(
    sent_bytes: int, plan: str, planned: str
) -> None:
    probe = Option(Kind.JPEG, quality=75), (Hop('robot2', 33, 8),)
    course = Course(Option(Kind.LOCAL), probe=probe)
    message = conversions.trace_to_msg(answer(course, sent_bytes=sent_bytes), 0)
    assert (message.plan, message.planned) == (plan, planned)
