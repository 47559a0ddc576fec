"""Anchor.sol on a chain: what it holds, what it is told, and who may tell it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from eth_account.signers.local import LocalAccount

from collab_robots.anchor.chain import Chain, Receipt, RevertedError
from collab_robots.anchor.statement import Place, Signers, Statement
from collab_robots.contract.artifact import load_contract
from collab_robots.core.errors import ChainError
from collab_robots.core.fleet import Fleet

_WORDS = {
    'HeightNotAbove': 'height {0} is not above {1}, which the chain has already',
    'NoQuorum': 'weight {0} of {1} signed, which is less than two thirds',
    'NotASigner': '{0} signed, and is no signer; or signed something else',
    'TooHeavy': 'the signers weigh {0}, more than the whole fleet, {1}',
}
"""What the contract's errors mean, those that signatures which were checked can meet."""


class Anchored(NamedTuple):
    """
    An anchor on the chain.

    :param at: when the chain took it, s since 1970.
    """

    height: int
    epoch: int
    at: int
    order_digest: bytes
    state_root: bytes

    def says(self, statement: Statement) -> bool:
        """Tell whether it is this statement."""
        return (self.height, self.epoch, self.order_digest, self.state_root) == (
            statement.height,
            statement.epoch,
            statement.order_digest,
            statement.state_root,
        )


class AnchorContract:
    """
    One deployed Anchor.sol.

    :param address: 20 bytes.
    :raises ChainError: if no Anchor.sol of ours is there, or it is of another fleet.
    """

    def __init__(self, chain: Chain, address: bytes, fleet: Fleet) -> None:
        self.place = Place(chain.id, address)
        self._chain = chain
        self._contract = load_contract('Anchor')
        code = chain.code(address)
        # The runtime code is part of the code that creates it, unchanged: it has no immutables.
        if not code or code not in self._contract.bytecode:
            what = 'other code than our Anchor.sol' if code else 'no contract'
            raise ChainError(f'0x{address.hex()} on chain {chain.id} holds {what}')
        (found,) = self._read('fleet')
        if found != fleet.id:
            raise ChainError(
                f'0x{address.hex()} on chain {chain.id} holds anchors of fleet {found.hex()}, not '
                f'of {fleet.fleet!r}, {fleet.id.hex()}'
            )
        self._fleet = fleet.id

    def latest(self) -> Anchored | None:
        """Return the newest anchor, if there is any."""
        ((height, *rest),) = self._read('latest')
        return Anchored(height, *rest) if height else None

    def entry(self, index: int) -> Anchored:
        """Return an anchor by its number, from 0, the lowest."""
        return Anchored(*self._read('entry', index)[0])

    def count_up_to(self, height: int) -> int:
        """Return how many anchors there are at a height and below."""
        (count,) = self._read('countUpTo', height)
        return int(count)

    def signers(self) -> Signers:
        """Return who may sign now."""
        (height,) = self._read('signersHeight')
        (total,) = self._read('totalWeight')
        addresses, weights = self._read('signersNow')
        found = tuple(zip(addresses, weights, strict=True))
        return Signers(self._fleet, height, total, found)

    def anchor(
        self, payer: LocalAccount, statement: Statement, signatures: Mapping[bytes, bytes]
    ) -> Receipt | None:
        """
        Write a statement.

        :param signatures: by signer.
        :returns: None if it is there already, whoever wrote it.
        :raises ChainError: see :meth:`.Chain.send`.
        """
        if self._holds(statement):
            return None
        call = self._contract.functions['anchor'].encode(
            statement.height,
            statement.order_digest,
            statement.state_root,
            statement.epoch,
            _packed(signatures),
        )
        try:
            return self._send(payer, call)
        except ChainError:
            if self._holds(statement):  # somebody else was faster
                return None
            raise

    def set_signers(
        self, payer: LocalAccount, signers: Signers, signatures: Mapping[bytes, bytes]
    ) -> Receipt:
        """
        Let others sign from now on.

        :param signatures: of present signers, by signer.
        :raises ChainError: see :meth:`.Chain.send`.
        """
        call = self._contract.functions['setSigners'].encode(
            signers.height, signers.total, *signers.lists(), _packed(signatures)
        )
        return self._send(payer, call)

    def _send(self, payer: LocalAccount, call: bytes) -> Receipt:
        try:
            return self._chain.send(payer, self._contract, self.place.contract, call)
        except RevertedError as error:
            name, *values = error.error
            if name not in _WORDS:
                raise
            shown = ['0x' + one.hex() if isinstance(one, bytes) else one for one in values]
            raise ChainError(_WORDS[name].format(*shown)) from None

    def _holds(self, statement: Statement) -> bool:
        index = self.count_up_to(statement.height) - 1
        return index >= 0 and self.entry(index).says(statement)

    def _read(self, view: str, *values: object) -> tuple[Any, ...]:
        return self._chain.read(self.place.contract, self._contract.functions[view], *values)


def _packed(signatures: Mapping[bytes, bytes]) -> bytes:
    return b''.join(signatures[signer] for signer in sorted(signatures))
