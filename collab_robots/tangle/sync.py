"""
How robots find out what they lack, and get it.

Robots announce how long each issuer's chain is with them (:class:`Have`). Who lacks something
asks one robot (:class:`Request`), which sends the blocks to all: on a broadcast medium one answer
serves everybody. So the cost of coming together again is proportional to the difference. New
blocks are not relayed: where a robot hears only some of the others, announcements carry them on.

Neither message is signed. A false one can waste a bounded effort; it cannot bring a false block.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.core.fleet import Fleet, MAX_ROBOTS
from collab_robots.tangle.block import ID_BYTES
from collab_robots.tangle.record import MAX_SEQ, MAX_TIME

MAX_RANGES = 64
MAX_IDS = 128
MAX_CHUNKS = 16  # asked for at a time
MAX_CHUNK_BYTES = 32_000
MAX_CHUNK_COUNT = 2_048  # of one snapshot: 64 MB
MAX_SNAPSHOT = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class Have:
    """
    What a robot's ledger holds.

    :param sender: robot name.
    :param fleet: id of its fleet file, 32 bytes.
    :param heights: per roster index: how many records of that issuer, without a gap.
    :param set_digest: XOR of all block ids, 32 bytes: equal digests mean equal sets.
    :param bases: per roster index: the first seq that is still held; those before are pruned.
    :param forked: roster indexes of those whose proof of equivocation is here.
    :param final: how many records are final there.
    :param snapshot: index of the snapshot that is served, 0 if there is none.
    """

    sender: str
    fleet: bytes
    heights: tuple[int, ...]
    set_digest: bytes
    bases: tuple[int, ...] = ()
    forked: tuple[int, ...] = ()
    final: int = 0
    snapshot: int = 0

    @property
    def size(self) -> int:
        """Bytes of its content on the wire, without the transport's own."""
        numbers = len(self.heights) + len(self.bases) + 3
        return len(self.sender) + 64 + 4 * numbers + len(self.forked)


class Range(NamedTuple):
    """
    Records of one issuer.

    :param issuer: roster index.
    :param first: first seq.
    :param last: last seq, inclusive.
    """

    issuer: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Request:
    """
    Ask one robot for what the sender lacks.

    :param sender: robot name.
    :param target: robot name; others ignore it.
    :param ranges: at most 64.
    :param ids: block ids, at most 128.
    :param snapshot: index of the snapshot whose chunks are asked for; 0: none.
    :param chunks: numbers of its chunks, at most 16.
    """

    sender: str
    target: str
    ranges: tuple[Range, ...] = ()
    ids: tuple[bytes, ...] = ()
    snapshot: int = 0
    chunks: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of its content on the wire, without the transport's own."""
        names = len(self.sender) + len(self.target)
        lists = 10 * len(self.ranges) + ID_BYTES * len(self.ids) + 4 * len(self.chunks)
        return names + lists + 4


@dataclass(frozen=True, slots=True)
class Chunk:
    """
    A piece of a snapshot.

    :param sender: robot name.
    :param snapshot: index of the snapshot.
    :param number: of this piece, from 0.
    :param count: how many there are.
    :param digest: of the whole snapshot, 32 bytes.
    :param data: at most 32,000 bytes.
    """

    sender: str
    snapshot: int
    number: int
    count: int
    digest: bytes
    data: bytes

    @property
    def size(self) -> int:
        """Bytes of its content on the wire, without the transport's own."""
        return len(self.sender) + 12 + ID_BYTES + len(self.data)


class Transport(Protocol):
    """What carries messages between robots; nothing about it is trusted."""

    def broadcast_block(self, raw: bytes) -> None:
        """Send a block to whoever hears it."""
        ...

    def broadcast_have(self, have: Have) -> None:
        """Send an announcement to whoever hears it."""
        ...

    def send_request(self, target: str, request: Request) -> None:
        """Send a request to one robot."""
        ...

    def broadcast_chunk(self, chunk: Chunk) -> None:
        """Send a piece of a snapshot to whoever hears it."""
        ...


def check_have(have: Have, fleet: Fleet) -> None:
    """
    Check an announcement.

    It may be of a robot in another epoch, whose roster is longer or shorter.

    :raises RefusedError: FLEET, ISSUER or MALFORMED if it is of another fleet, of an unknown
        sender, or not a list of heights of a roster.
    """
    if have.fleet != fleet.id:
        raise RefusedError(
            Refusal.FLEET,
            f'{have.sender!r:.80} is in fleet {have.fleet.hex():.64}; '
            f'ours is {fleet.fleet!r}, {fleet.id.hex()}: compare the fleet files',
        )
    _check_sender(have.sender, fleet)
    members = len(have.heights)
    if not 1 <= members <= MAX_ROBOTS or len(have.set_digest) != ID_BYTES:
        raise RefusedError(Refusal.MALFORMED, f'{len(have.heights)} heights or a bad digest')
    if not all(0 <= height <= MAX_SEQ + 1 for height in have.heights):
        raise RefusedError(Refusal.MALFORMED, 'a height is out of range')
    if len(have.bases) not in (0, members) or not all(
        0 <= base <= height for base, height in zip(have.bases, have.heights, strict=False)
    ):
        raise RefusedError(Refusal.MALFORMED, 'a base is out of range')
    if len(have.forked) > members or not all(0 <= robot < members for robot in have.forked):
        raise RefusedError(Refusal.MALFORMED, 'an equivocator is not in the roster')
    if not (0 <= have.snapshot <= MAX_SNAPSHOT and 0 <= have.final <= MAX_TIME):
        raise RefusedError(Refusal.MALFORMED, f'snapshot {have.snapshot} or final count cannot be')


def check_request(request: Request, fleet: Fleet) -> None:
    """
    Check a request.

    :raises RefusedError: ISSUER, TOO_LARGE or MALFORMED if its sender is unknown, it asks for too
        much at once, or for what cannot be.
    """
    _check_sender(request.sender, fleet)
    if len(request.ranges) > MAX_RANGES or len(request.ids) > MAX_IDS:
        raise RefusedError(
            Refusal.TOO_LARGE, f'{len(request.ranges)} ranges, {len(request.ids)} ids'
        )
    if any(len(identity) != ID_BYTES for identity in request.ids) or not all(
        0 <= issuer < MAX_ROBOTS and 0 <= first <= last <= MAX_SEQ
        for issuer, first, last in request.ranges
    ):
        raise RefusedError(Refusal.MALFORMED, 'a range or an id that cannot be')
    if len(request.chunks) > MAX_CHUNKS:
        raise RefusedError(Refusal.TOO_LARGE, f'{len(request.chunks)} chunks')
    if not 0 <= request.snapshot <= MAX_SNAPSHOT or not all(
        0 <= number < MAX_CHUNK_COUNT for number in request.chunks
    ):
        raise RefusedError(Refusal.MALFORMED, 'a snapshot or a chunk that cannot be')


def check_chunk(chunk: Chunk, fleet: Fleet) -> None:
    """
    Check the frame of a piece of a snapshot; what is in it counts only with the whole.

    :raises RefusedError: ISSUER, TOO_LARGE or MALFORMED.
    """
    _check_sender(chunk.sender, fleet)
    if len(chunk.data) > MAX_CHUNK_BYTES:
        raise RefusedError(Refusal.TOO_LARGE, f'chunk of {len(chunk.data)} bytes')
    if (
        not 1 <= chunk.snapshot <= MAX_SNAPSHOT
        or not 0 <= chunk.number < chunk.count <= MAX_CHUNK_COUNT
        or len(chunk.digest) != ID_BYTES
    ):
        raise RefusedError(Refusal.MALFORMED, f'chunk {chunk.number} of {chunk.count}')


def _check_sender(name: str, fleet: Fleet) -> None:
    if name not in fleet.index_by_name:
        raise RefusedError(Refusal.ISSUER, f'{name!r:.80} is not in fleet {fleet.fleet!r}')


def lacking(
    own: Sequence[int], waiting: Sequence[AbstractSet[int]], have: Sequence[int], limit: int
) -> tuple[Range, ...]:
    """
    Return what another robot has and this one lacks, lowest first.

    :param own: heights here.
    :param waiting: per issuer, seqs that are here but not solid.
    :param have: heights there, as claimed: a claim costs no more than ``limit``.
    :param limit: records, shared equally among the issuers that differ.
    """
    differ = [issuer for issuer in range(len(own)) if have[issuer] > own[issuer]]
    if not differ:
        return ()
    share, runs = max(1, limit // len(differ)), max(1, MAX_RANGES // len(differ))
    ranges: list[Range] = []
    for issuer in differ:
        wanted: list[Range] = []
        count = 0
        for seq in range(own[issuer], have[issuer]):
            if seq in waiting[issuer]:
                continue
            if count == share:
                break
            count += 1
            if wanted and wanted[-1].last == seq - 1:
                wanted[-1] = wanted[-1]._replace(last=seq)
            elif len(wanted) == runs:
                break
            else:
                wanted.append(Range(issuer, seq, seq))
        ranges += wanted
    return tuple(ranges)
