"""Where the final order can be cut: what of the DAG is needed to go on from there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Root(NamedTuple):
    """
    A final record of which only its place is kept; see :class:`.dag.Entry`.

    :param previous: id of the issuer's record before it if that is a root, else empty.
    :param seen: per roster index a height, or ids of roots as the module says.
    """

    id: bytes
    issuer: int
    seq: int
    issued_at: int
    depth: int
    round: int
    support: int
    witness: bool
    position: int
    previous: bytes
    seen: tuple[int | tuple[bytes, ...], ...]


@dataclass(frozen=True)
class Cut:
    """
    The ledger's part of a snapshot.

    :param index: counts snapshots, from 1.
    :param position: how many records are final.
    :param final_digest: of that final order, 32 bytes.
    :param set_digest: XOR of their ids, 32 bytes.
    :param slot: the leader slot that is decided next.
    :param heights: per roster index, how many of its records are final.
    :param roots: in final order.
    """

    index: int
    position: int
    final_digest: bytes
    set_digest: bytes
    slot: int
    heights: tuple[int, ...]
    roots: tuple[Root, ...]
