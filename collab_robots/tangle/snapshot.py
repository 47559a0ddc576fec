"""
A snapshot: what a robot needs to go on from a place in the final order without what led to it.

It is taken where a committed leader ends its batch, so it is the same on every robot, byte for
byte. Its *roots* are the final records that later ones may still name as parents, or that the
next leader slots depend on; of them only their place in the DAG is kept. Robots say the digest of
the bytes in a record (an *attestation*). Who comes late takes a snapshot that robots of more than
a third of the weight attest: one of them is honest.

Canonical CBOR: ``[head, rest]``, two byte strings. The head is ``[version, fleet, epoch, roster,
index]``, a robot of the roster ``[name, key, weight]``; the rest is ``[position, final_digest,
set_digest, slot, heights, roots, state]``; a root is ``[id, issuer, seq, issued_at, depth, round,
support, witness, position, previous, seen]``. Of a robot that never equivocated ``seen`` holds a
height; of one that did, the roots of its that are in this one's past and that no other such root
is after.

Where the fleet decided to change its roster, the old roster ends its epoch with a snapshot that
has the new one in its head. The digest is that of the head's and the rest's digests, so the head
and the attestations are enough to prove that the fleet handed over (:class:`Handover`). Who has
the fleet file can follow the handovers to the roster that attests the snapshot of today.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from collab_robots.core.fleet import Fleet
from collab_robots.tangle.attestation import (
    blocks_of,
    check_attested,
    digest,
    dump,
    is_bytes,
    is_int,
    load,
    refused,
)
from collab_robots.tangle.block import ID_BYTES
from collab_robots.tangle.cut import Cut, Root
from collab_robots.tangle.handover import (
    Handover,
    handover_of,
    MAX_EPOCHS,
    read_head,
    Roster,
    write_head,
)
from collab_robots.tangle.order import Order
from collab_robots.tangle.record import MAX_SEQ, MAX_TIME
from collab_robots.tangle.sync import MAX_CHUNK_BYTES

MAX_ROOTS = 200_000
_REST = 7  # fields


class State(Protocol):
    """What executes the records, as far as snapshots and the roster need it."""

    def state_at(self, position: int) -> bytes:
        """
        Return the state after the first ``position`` final records; equal on every robot.

        Where they changed the roster it is the state with the epoch closed.
        """
        ...

    def next_roster(self, position: int) -> Roster | None:
        """Return the roster from there on, by index, if the first final records changed it."""
        ...

    def follow(self, order: Order) -> None:
        """Execute this order from now on."""
        ...

    def restore(self, position: int, state: bytes, fleet: Fleet) -> None:
        """
        Go on from such a state; the records after it are executed anew.

        :param fleet: with the roster from there on.
        :raises RefusedError: SNAPSHOT if it is malformed; nothing has changed then.
        """
        ...


@dataclass(frozen=True)
class Snapshot:
    """
    A cut, and the state of the contract there.

    :param fleet: with the roster from there on.
    """

    fleet: Fleet
    cut: Cut
    state: bytes

    def encode(self) -> bytes:
        """Return the bytes whose digest robots attest."""
        index, *cut = vars(self.cut).values()
        return dump([write_head(self.fleet, index), dump([*cut, self.state])])

    @classmethod
    def decode(cls, data: bytes, fleet: Fleet) -> Snapshot:
        """
        Read a snapshot; that it is the true one only attestations say.

        :param fleet: with the roster that attests it: its own, or that of the epoch which it ends.
        :raises RefusedError: SNAPSHOT if it is of another fleet or version or not in the one form.
        """
        head, rest = _halves(data)
        fleet, index = read_head(head, fleet)
        members = len(fleet.robots)
        position, final_digest, set_digest, slot, heights, roots, state = load(rest, _REST)
        if not (
            all(is_int(value, MAX_TIME) for value in (position, slot))
            and all(is_bytes(value, ID_BYTES) for value in (final_digest, set_digest))
            and type(state) is bytes
        ):
            raise refused('a field has the wrong form')
        if type(heights) is not list or len(heights) != members:
            raise refused('the heights do not fit the roster')
        if not all(is_int(height, MAX_SEQ + 1) for height in heights):
            raise refused('a height is out of range')
        if type(roots) is not list or len(roots) > MAX_ROOTS:
            raise refused('the roots are no list or too many')
        known: set[bytes] = set()
        rows = tuple(_root(row, members, known) for row in roots)
        found = Cut(index, position, final_digest, set_digest, slot, tuple(heights), rows)
        return cls(fleet, found, state)


class Attested(NamedTuple):
    """
    A snapshot with its proof.

    :param body: bytes of the snapshot.
    :param blocks: records that attest it, as they were sent.
    :param handovers: of all epochs before the one of the robots that attest it.
    """

    body: bytes
    blocks: tuple[bytes, ...]
    handovers: tuple[Handover, ...] = ()

    def encode(self) -> bytes:
        """Return the bytes that are stored and sent."""
        return dump(list(self))

    @classmethod
    def decode(cls, data: bytes, fleet: Fleet) -> tuple[Attested, Snapshot]:
        """
        Read and check a snapshot that comes from elsewhere.

        :param fleet: as it is known here: the fleet file's, or that of a later epoch.
        :raises RefusedError: SNAPSHOT if it is malformed, or robots of a third of the weight at
            most attest it, or the handovers do not lead to their roster.
        """
        body, blocks, rows = load(data, 3)
        if type(body) is not bytes or type(rows) is not list or len(rows) > MAX_EPOCHS:
            raise refused('a field has the wrong form')
        handovers = tuple(handover_of(row) for row in rows)
        for handover in handovers:
            fleet = handover.follow(fleet)
        snapshot = Snapshot.decode(body, fleet)
        attested = cls(body, blocks_of(blocks), handovers)
        check_attested(snapshot_digest(body), snapshot.cut.index, attested.blocks, fleet)
        return attested, snapshot

    def chain(self, fleet: Fleet) -> tuple[Handover, ...]:
        """
        Return the handovers that lead to the roster from here on.

        :param fleet: that this snapshot has.
        """
        if fleet.epoch == len(self.handovers):
            return self.handovers
        head, rest = _halves(self.body)
        return (*self.handovers, Handover(head, digest(rest), self.blocks))


def snapshot_digest(body: bytes) -> bytes:
    """
    Return what is attested of a snapshot, 32 bytes.

    :raises RefusedError: SNAPSHOT if it has no head and rest.
    """
    head, rest = _halves(body)
    return digest(digest(head) + digest(rest))


def _halves(body: bytes) -> tuple[bytes, bytes]:
    head, rest = load(body, 2)
    if type(head) is not bytes or type(rest) is not bytes:
        raise refused('a field has the wrong form')
    return head, rest


def _root(row: Any, members: int, known: set[bytes]) -> Root:
    if type(row) is not list or len(row) != len(Root._fields):
        raise refused('a root has the wrong form')
    *fields, seen = row
    root = Root._make([*fields, ()])
    if not (
        is_bytes(root.id, ID_BYTES)
        and root.id not in known
        and type(root.issuer) is int
        and -1 <= root.issuer < members
        and is_int(root.seq, MAX_SEQ)
        and all(
            is_int(value, MAX_TIME)
            for value in (root.issued_at, root.depth, root.round, root.position)
        )
        and is_int(root.support, (1 << members) - 1)
        and type(root.witness) is bool
        and (root.previous == b'' or (type(root.previous) is bytes and root.previous in known))
    ):
        raise refused('a root has the wrong form')
    if type(seen) is not list or len(seen) != members:
        raise refused('a root saw another roster')
    heights: list[int | tuple[bytes, ...]] = []
    for value in seen:
        if type(value) is list and all(type(one) is bytes and one in known for one in value):
            heights.append(tuple(value))
        elif is_int(value, MAX_SEQ + 1):
            heights.append(value)
        else:
            raise refused('a root saw what cannot be')
    known.add(root.id)
    return root._replace(seen=tuple(heights))


def pieces(data: bytes) -> Sequence[bytes]:
    """Return the bytes in pieces that fit a chunk."""
    return [data[at : at + MAX_CHUNK_BYTES] for at in range(0, len(data), MAX_CHUNK_BYTES)]
