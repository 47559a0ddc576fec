"""What a robot's ledger tells about itself."""

from __future__ import annotations

from dataclasses import dataclass

from collab_robots.core.errors import Refusal


@dataclass(frozen=True, slots=True)
class LedgerStatus:
    """
    The health of a robot's ledger.

    :param blocks: solid blocks, pruned ones included.
    :param waiting: blocks whose parents are missing or whose time has not come.
    :param pending: solid blocks that are not accepted.
    :param accepted: solid blocks that are accepted, but not final.
    :param final: blocks in the final order, pruned ones included.
    :param heights: per roster index.
    :param set_digest: XOR of all block ids, 32 bytes.
    :param final_digest: of the final order, 32 bytes: equal counts and digests, equal orders.
    :param round: the highest that is open here.
    :param pruned: how many of the final blocks are not held any more.
    :param snapshot: index of the stored snapshot, 0 if there is none.
    :param peers: names of the robots heard from lately.
    :param refused: how often something was refused, per reason. FUTURE counts what was put off.
    :param forked: names of the robots that are proven to have signed two records with one seq.
    :param bytes_sent: contents handed to the transport.
    :param bytes_received: contents taken from it.
    :param alarm: empty when all is well.
    """

    blocks: int
    waiting: int
    pending: int
    accepted: int
    final: int
    heights: tuple[int, ...]
    set_digest: bytes
    final_digest: bytes
    round: int
    pruned: int
    snapshot: int
    peers: tuple[str, ...]
    refused: dict[Refusal, int]
    forked: tuple[str, ...]
    bytes_sent: int
    bytes_received: int
    alarm: str
