"""Between the messages that ledgers exchange beyond blocks and the types of the core."""

from __future__ import annotations

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.nodes.conversions import digest_to_msg, digests_from_bytes
from collab_robots.tangle.sync import Chunk, Have, Range, Request
from collab_robots_msgs.msg import Chunk as ChunkMsg
from collab_robots_msgs.msg import Have as HaveMsg
from collab_robots_msgs.msg import Request as RequestMsg


def have_to_msg(have: Have) -> HaveMsg:
    """Return what this robot's ledger holds, for its teammates."""
    return HaveMsg(
        version=HaveMsg.VERSION,
        sender=have.sender,
        fleet=digest_to_msg(have.fleet),
        heights=list(have.heights),
        set_digest=digest_to_msg(have.set_digest),
        bases=list(have.bases),
        forked=list(have.forked),
        final=have.final,
        snapshot=have.snapshot,
    )


def have_from_msg(msg: HaveMsg) -> Have:
    """Return what a teammate's ledger holds."""
    return Have(
        sender=msg.sender,
        fleet=bytes(msg.fleet),
        heights=tuple(map(int, msg.heights)),
        set_digest=bytes(msg.set_digest),
        bases=tuple(map(int, msg.bases)),
        forked=tuple(map(int, msg.forked)),
        final=int(msg.final),
        snapshot=int(msg.snapshot),
    )


def request_to_msg(request: Request) -> RequestMsg:
    """Return a question for one teammate."""
    return RequestMsg(
        version=RequestMsg.VERSION,
        sender=request.sender,
        target=request.target,
        issuers=[item.issuer for item in request.ranges],
        first=[item.first for item in request.ranges],
        last=[item.last for item in request.ranges],
        ids=b''.join(request.ids),
        snapshot=request.snapshot,
        chunks=list(request.chunks),
    )


def request_from_msg(msg: RequestMsg) -> Request:
    """
    Return a teammate's question about blocks and snapshots.

    :raises RefusedError: if its lists do not fit one another.
    """
    if not len(msg.issuers) == len(msg.first) == len(msg.last):
        raise RefusedError(Refusal.MALFORMED, 'a request whose ranges are incomplete')
    ranges = zip(msg.issuers, msg.first, msg.last, strict=True)
    return Request(
        sender=msg.sender,
        target=msg.target,
        ranges=tuple(Range(*map(int, item)) for item in ranges),
        ids=tuple(digests_from_bytes(bytes(msg.ids))),
        snapshot=int(msg.snapshot),
        chunks=tuple(map(int, msg.chunks)),
    )


def chunk_to_msg(chunk: Chunk) -> ChunkMsg:
    """Return a piece of a snapshot for the teammates."""
    return ChunkMsg(
        version=ChunkMsg.VERSION,
        sender=chunk.sender,
        snapshot=chunk.snapshot,
        number=chunk.number,
        count=chunk.count,
        digest=digest_to_msg(chunk.digest),
        data=chunk.data,
    )


def chunk_from_msg(msg: ChunkMsg) -> Chunk:
    """Return a piece of a teammate's snapshot."""
    return Chunk(
        sender=msg.sender,
        snapshot=int(msg.snapshot),
        number=int(msg.number),
        count=int(msg.count),
        digest=bytes(msg.digest),
        data=bytes(msg.data),
    )
