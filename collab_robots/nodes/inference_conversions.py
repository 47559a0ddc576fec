"""Between ROS messages and what robots say about frames, as ``x_to_msg`` and ``x_from_msg``."""

from __future__ import annotations

from array import array
from enum import Enum
from typing import TypeVar

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.inference.options import Option
from collab_robots.inference.runtime.answer import Answer
from collab_robots.inference.runtime.messages import (
    FrameId,
    Hop,
    Offer,
    Reason,
    Reply,
    ReplyKind,
    Spent,
    Work,
)
from collab_robots.nodes.conversions import digest_to_msg, header
from collab_robots_msgs.msg import InferenceOffer, InferenceReply, InferenceTrace, TensorChunk

MAX_EVENTS, MAX_EVENT = 32, 200

Named = TypeVar('Named', bound=Enum)


def work_to_msg(work: Work) -> TensorChunk:
    """Return a chunk of work for the first robot of its route."""
    return TensorChunk(
        version=TensorChunk.VERSION,
        sender=work.sender,
        robot=work.frame.robot,
        session=work.frame.session,
        seq=work.frame.seq,
        attempt=work.attempt,
        model=digest_to_msg(work.model),
        option=str(work.option),
        route=[hop.robot for hop in work.route],
        route_end=[hop.end for hop in work.route],
        route_bits=[hop.bits for hop in work.route],
        budget=work.budget_ns,
        queued=[spent.queued_ns for spent in work.done],
        compute=[spent.compute_ns for spent in work.done],
        lost=work.lost,
        chunk=work.chunk,
        chunks=work.chunks,
        size=work.size,
        data=array('B', work.data),
    )


def work_from_msg(msg: TensorChunk) -> Work:
    """
    Return a chunk of work.

    :raises RefusedError: if it is out of bounds, or its lists do not fit one another.
    """
    if not len(msg.route) == len(msg.route_end) == len(msg.route_bits):
        raise RefusedError(Refusal.MALFORMED, 'a route whose hops are incomplete')
    return Work(
        frame=_frame(msg),
        attempt=msg.attempt,
        sender=msg.sender,
        model=bytes(msg.model),
        option=Option.parse(msg.option),
        route=tuple(map(Hop, msg.route, msg.route_end, msg.route_bits)),
        budget_ns=msg.budget,
        done=_spent(msg),
        lost=msg.lost,
        chunk=msg.chunk,
        chunks=msg.chunks,
        size=msg.size,
        data=bytes(msg.data),
    )


def reply_to_msg(reply: Reply) -> InferenceReply:
    """Return what this robot says of an attempt."""
    return InferenceReply(
        version=InferenceReply.VERSION,
        sender=reply.helper,
        target=reply.target,
        robot=reply.frame.robot,
        session=reply.frame.session,
        seq=reply.frame.seq,
        attempt=reply.attempt,
        kind=reply.kind.value,
        reason=reply.reason.value,
        missing=list(reply.missing),
        queued=[spent.queued_ns for spent in reply.done],
        compute=[spent.compute_ns for spent in reply.done],
        lost=reply.lost,
        data=array('B', reply.data),
    )


def reply_from_msg(msg: InferenceReply) -> Reply:
    """
    Return what a teammate says of an attempt.

    :raises RefusedError: if it is out of bounds, or its lists do not fit one another.
    """
    return Reply(
        frame=_frame(msg),
        attempt=msg.attempt,
        helper=msg.sender,
        target=msg.target,
        kind=_named(ReplyKind, msg.kind),
        reason=_named(Reason, msg.reason),
        missing=tuple(msg.missing),
        done=_spent(msg),
        lost=msg.lost,
        data=bytes(msg.data),
    )


def offer_to_msg(offer: Offer) -> InferenceOffer:
    """Return this robot's offer to help with a model."""
    return InferenceOffer(
        version=InferenceOffer.VERSION,
        sender=offer.robot,
        model=digest_to_msg(offer.model),
        queue=offer.queue_ns,
        load=offer.load,
        whole=offer.whole_ns,
    )


def offer_from_msg(msg: InferenceOffer) -> Offer:
    """
    Return a teammate's offer.

    :raises RefusedError: if it is out of bounds.
    """
    return Offer(msg.sender, bytes(msg.model), msg.queue, msg.load, msg.whole)


def trace_to_msg(answer: Answer, stamp_ns: int) -> InferenceTrace:
    """
    Return how an answer came about.

    :param stamp_ns: of the picture.
    """
    trace = answer.trace
    course = trace.course
    option, route = None, course.route
    if course.probe is not None and not route and trace.sent_bytes:
        option, route = course.probe
    events = [
        f'{event.helper}: {event.fault.value} {event.detail}'.rstrip() for event in trace.events
    ]
    return InferenceTrace(
        header=header('camera_optical_frame', stamp_ns),
        robot=answer.frame.robot,
        seq=answer.frame.seq,
        plan=f'{course.option}, probe {option}' if option else str(course.option),
        planned=route[0].robot if route else '',
        predicted=course.plan.chosen.total_s if course.plan else 0.0,
        helper=trace.route[-1] if trace.route else '',
        exit=trace.exit,
        bytes=trace.sent_bytes,
        seconds=trace.seconds,
        attempts=trace.attempts,
        lost=trace.lost,
        events=[event[:MAX_EVENT] for event in events[:MAX_EVENTS]],
    )


def _frame(msg: TensorChunk | InferenceReply) -> FrameId:
    return FrameId(msg.robot, msg.session, msg.seq)


def _spent(msg: TensorChunk | InferenceReply) -> tuple[Spent, ...]:
    if len(msg.queued) != len(msg.compute):
        raise RefusedError(Refusal.MALFORMED, 'times of hops are incomplete')
    return tuple(map(Spent, msg.queued, msg.compute))


def _named(kind: type[Named], name: str) -> Named:
    try:
        return kind(name)
    except ValueError:
        raise RefusedError(
            Refusal.MALFORMED, f'{name!r:.40} is no {kind.__name__.lower()}'
        ) from None
