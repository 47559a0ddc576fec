"""Teammates that cost little: they make valid records without a ledger of their own."""

from __future__ import annotations

from collections.abc import Sequence

from collab_robots.core.fleet import Fleet
from collab_robots.core.identity import PrivateKey
from collab_robots.tangle.block import block_id, decode_block, GENESIS, MAX_PARENTS
from collab_robots.tangle.dag import Entry
from collab_robots.tangle.record import (
    decode_record,
    encode_record,
    LEDGER_CALL,
    sign_record,
)


class Mates:
    """
    Robots that approve whatever they hear at once, and attest what the one real robot attests.

    :param fleet: the whole roster.
    :param keys: of all robots, in roster order.
    :param real: roster index of the robot that has a ledger.
    """

    def __init__(self, fleet: Fleet, keys: Sequence[PrivateKey], real: int = 0) -> None:
        self._fleet = fleet
        self._keys = keys
        self._real = real
        self._newest: dict[int, tuple[bytes, int, int]] = {}  # id, seq, issued at
        self._attested: dict[int, list[bytes]] = {robot: [] for robot in range(len(keys))}

    def remember(self, entry: Entry) -> None:
        """Go on after a robot's newest record."""
        self._newest[entry.issuer] = (entry.id, entry.record.seq, entry.record.issued_at)

    def hear(self, raw: bytes) -> None:
        """Take a block of the real robot."""
        record = decode_record(decode_block(raw))
        self._newest[self._real] = (block_id(raw), record.seq, record.issued_at)
        attested = [call for call in record.calls if call.startswith(LEDGER_CALL)]
        for mate, calls in self._attested.items():
            if mate != self._real:
                calls += attested

    def say(self, robot: int, now: int, *calls: bytes) -> bytes:
        """
        Make a teammate's next record.

        :param now: ns.
        :returns: its block.
        """
        own = self._newest.get(robot)
        others = sorted(
            ((at, identity) for mate, (identity, _, at) in self._newest.items() if mate != robot),
            reverse=True,
        )
        parents = [own[0] if own else GENESIS]
        parents += [identity for _, identity in others[: MAX_PARENTS - 1]]
        times = [at + (mate == robot) for mate, (_, _, at) in self._newest.items()]
        attested, self._attested[robot] = self._attested[robot], []
        record = sign_record(
            self._keys[robot],
            self._fleet.id,
            own[1] + 1 if own else 0,
            parents,
            max([now, *times]),
            (*attested, *calls),
        )
        raw = encode_record(record)
        self._newest[robot] = (block_id(raw), record.seq, record.issued_at)
        return raw
