"""
What a robot says about anchors on its own ledger, without anybody asking it.

It says with which address it signs them, and it signs what is final half-way between two
snapshots. All robots come to these heights and sign the same there, and whoever has a ledger finds
the signatures in it, for as long as the ledger can show what was signed.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from collab_robots.anchor.deployed import Deployed
from collab_robots.anchor.keys import anchor_key
from collab_robots.anchor.statement import Place, sign, Statement
from collab_robots.contract.calls.fleet import register_signer, sign_anchor
from collab_robots.contract.runner import Runner
from collab_robots.core.errors import CallError
from collab_robots.core.fleet import Fleet
from collab_robots.core.identity import address, PrivateKey
from collab_robots.tangle.block import ID_BYTES
from collab_robots.tangle.order import chain_digest, Order


class _Height(NamedTuple):
    position: int
    digest: bytes  # of the final order up to there


class Notary:
    """
    Says which call a robot has to put on its ledger; see the module.

    It asks the contracts what they know already, so it begins anew with every start. What it
    says is one call of a few hundred bytes for each interval.

    :param key: the robot's.
    :param fleet: as its fleet file has it.
    :param runner: of the same robot.
    :param deployment: file that says where signatures count; it may come later.
    :param interval: final records between two snapshots.
    :param begin: how many records are final where the ledger begins, and the digest of their
        order; None if it begins with the first.
    """

    def __init__(
        self,
        key: PrivateKey,
        fleet: Fleet,
        runner: Runner,
        deployment: Path,
        interval: int,
        begin: tuple[int, bytes] | None = None,
    ) -> None:
        self._fleet = fleet
        self._runner = runner
        self._deployment = deployment
        self._interval = interval
        self._address = address(key.public)
        self._key = anchor_key(key)
        self._signer = self._key.public_key.to_canonical_address()
        self._reached = _Height(*(begin or (0, bytes(ID_BYTES))))
        self._due: _Height | None = None  # the newest height to sign
        self._signed: tuple[_Height, Place, bytes] | None = None  # what, where, and the call
        self._said = b''

    def call(self, order: Order) -> bytes | None:
        """
        Return the call to put on the ledger now, each once. Ask every few seconds.

        :param order: which the runner has executed.
        :raises ConfigError: if the file of the deployment is malformed, or of another fleet.
        """
        self._follow(order)
        try:
            said = self._missing()
        except CallError:
            return None  # the robot is not in the fleet
        if said == self._said:
            return None
        self._said = said or b''
        return said

    def _follow(self, order: Order) -> None:
        """Take note of a height to be signed that became final."""
        position, digest = self._reached
        if order.base <= position <= order.final:
            half = self._interval // 2
            due = (order.final - half) // self._interval * self._interval + half
            for entry in order.entries[position - order.base : max(0, due - order.base)]:
                position, digest = position + 1, chain_digest(digest, entry.id)
            if position == due:
                self._due = _Height(position, digest)
        self._reached = _Height(order.final, order.final_digest)

    def _missing(self) -> bytes | None:
        """
        Return what the contracts do not know yet.

        :raises CallError: if the robot may not call.
        """
        contracts = self._runner.tentative()
        (index,) = contracts.ask('Fleet', 'indexOf', self._address)
        _, robots = contracts.ask('Fleet', 'roster')
        if self._signer not in robots[index]:
            return register_signer(self._signer)
        call = self._anchor()
        (signed,) = contracts.ask('Fleet', 'anchorsSigned')
        height, v, r, s = signed[index]
        return None if call == sign_anchor(height, r + s + bytes([v])) else call

    def _anchor(self) -> bytes | None:
        """Return the call with the newest signature, if there is anything to be signed."""
        if self._due is None or not self._deployment.exists():
            return None
        place = Deployed.load(self._deployment, self._fleet).place
        if self._signed is None or self._signed[:2] != (self._due, place):
            try:
                agreed = self._runner.agreed_at(self._due.position)
            except LookupError:
                return None
            what = Statement(self._fleet.id, agreed.epoch, *self._due, agreed.root)
            call = sign_anchor(what.height, sign(what, place, self._key))
            self._signed = (self._due, place, call)
        return self._signed[2]
