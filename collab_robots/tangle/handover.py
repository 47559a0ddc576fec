"""
Handovers: how the roster of a fleet changes, and how anybody can follow it from the fleet file.

The fleet decides in its contract who joins and who leaves. The old roster ends its epoch with a
snapshot that has the new one in its head; the head and the attestations prove it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

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
from collab_robots.tangle.sync import MAX_SNAPSHOT

VERSION = 2
MAX_EPOCHS = 10_000
_HEAD = 5  # fields

Roster = Sequence[tuple[str, bytes, int]]
"""Name, public key and weight of each robot, by index."""


class Handover(NamedTuple):
    """
    Proof that a fleet handed over to a new roster.

    :param head: of the snapshot that ended the epoch.
    :param rest: digest of the rest of it, 32 bytes.
    :param blocks: records that attest it.
    """

    head: bytes
    rest: bytes
    blocks: tuple[bytes, ...]

    def follow(self, fleet: Fleet) -> Fleet:
        """
        Return the fleet with the new roster.

        :param fleet: with the roster before; of a later epoch it is returned as it is.
        :raises RefusedError: SNAPSHOT if it proves nothing to it.
        """
        epoch = load(self.head, _HEAD)[2]
        if is_int(epoch, fleet.epoch):
            return fleet
        new, index = read_head(self.head, fleet)
        check_attested(digest(digest(self.head) + self.rest), index, self.blocks, fleet)
        return new


def roster_of(fleet: Fleet) -> Roster:
    """Return name, key and weight of each robot."""
    return [(robot.name, robot.key, robot.weight) for robot in fleet.robots]


def write_head(fleet: Fleet, index: int) -> bytes:
    """Return the head of a snapshot."""
    return dump([VERSION, fleet.id, fleet.epoch, roster_of(fleet), index])


def read_head(head: bytes, fleet: Fleet) -> tuple[Fleet, int]:
    """
    Read the head of a snapshot.

    :param fleet: of its epoch or of the one before.
    :returns: the fleet with the roster that it has, and its index.
    :raises RefusedError: SNAPSHOT if it is malformed, or of another fleet or epoch.
    """
    version, fleet_id, epoch, roster, index = load(head, _HEAD)
    if version != VERSION or fleet_id != fleet.id:
        raise refused(f'of another version or fleet than ours, {fleet.fleet!r}')
    if not is_int(index, MAX_SNAPSHOT) or not is_int(epoch, MAX_EPOCHS):
        raise refused('a field has the wrong form')
    if type(roster) is not list or not all(
        type(row) is list and [type(value) for value in row] == [str, bytes, int] for row in roster
    ):
        raise refused('the roster has the wrong form')
    rows = [tuple(row) for row in roster]
    if epoch == fleet.epoch and rows == roster_of(fleet):
        return fleet, index
    if epoch != fleet.epoch + 1:
        raise refused(f'of epoch {epoch}, and the roster of epoch {fleet.epoch} is known')
    try:
        return fleet.later(epoch, rows), index
    except ValueError as error:
        raise refused(str(error)) from None


def handover_of(row: Any) -> Handover:
    if type(row) is not list or len(row) != 3:
        raise refused('a handover has the wrong form')
    head, rest, blocks = row
    if type(head) is not bytes or not is_bytes(rest, ID_BYTES):
        raise refused('a handover has the wrong form')
    return Handover(head, rest, blocks_of(blocks))
