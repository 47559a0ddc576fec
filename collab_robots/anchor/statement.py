"""
What robots sign for a public chain: EIP-712 typed data, as ``contracts/Anchor.sol`` checks it.

The domain holds the chain and the contract: what is signed for one place is void at any other.
Robots sign while they work, so nothing here imports more of Ethereum than its hash and its curve.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from eth_keys.datatypes import PrivateKey, Signature
from eth_keys.exceptions import BadSignature
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from collab_robots.anchor.keys import ORDER
from collab_robots.core.errors import Refusal, RefusedError

SIGNATURE_BYTES = 65  # r, s, v
_V = 27  # what is added to the parity
_WORD = 32  # bytes
_NAME, _VERSION = 'collab-robots anchor', '1'

Fields = list[dict[str, str]]
_DOMAIN: Fields = [
    {'name': 'name', 'type': 'string'},
    {'name': 'version', 'type': 'string'},
    {'name': 'chainId', 'type': 'uint256'},
    {'name': 'verifyingContract', 'type': 'address'},
]


@dataclass(frozen=True)
class Place:
    """
    Where a signature counts.

    :param chain_id: by EIP-155.
    :param contract: address of Anchor.sol there, 20 bytes.
    """

    chain_id: int
    contract: bytes


class Signable(Protocol):
    """What the contract takes signatures of."""

    TYPE: ClassVar[str]
    FIELDS: ClassVar[Fields]

    def message(self) -> Mapping[str, Any]:
        """Return the values of its fields."""


@dataclass(frozen=True)
class Statement:
    """
    What the fleet agreed on.

    :param fleet: its id, 32 bytes.
    :param epoch: of its membership.
    :param height: how many records are final.
    :param order_digest: of that final order, 32 bytes; see :class:`.order.Order`.
    :param state_root: of the contracts' state there, 32 bytes; see :meth:`.Runner.final_root`.
    """

    fleet: bytes
    epoch: int
    height: int
    order_digest: bytes
    state_root: bytes

    TYPE: ClassVar[str] = 'Anchor'
    FIELDS: ClassVar[Fields] = [
        {'name': 'fleet', 'type': 'bytes32'},
        {'name': 'epoch', 'type': 'uint32'},
        {'name': 'height', 'type': 'uint64'},
        {'name': 'orderDigest', 'type': 'bytes32'},
        {'name': 'stateRoot', 'type': 'bytes32'},
    ]

    def __str__(self) -> str:
        """Say it to people."""
        return (
            f'height {self.height}, epoch {self.epoch}, order {self.order_digest.hex()}, '
            f'state {self.state_root.hex()}'
        )

    def message(self) -> Mapping[str, Any]:
        """Return the values of :attr:`FIELDS`."""
        return {
            'fleet': self.fleet,
            'epoch': self.epoch,
            'height': self.height,
            'orderDigest': self.order_digest,
            'stateRoot': self.state_root,
        }


@dataclass(frozen=True)
class Signers:
    """
    Who is to sign from a height on.

    :param fleet: id, 32 bytes.
    :param height: of the final order whose roster they are of; 0 is the fleet file's.
    :param total: weight of that roster, those included who do not sign.
    :param weights: address, 20 bytes, and weight of each signer, in ascending order.
    """

    fleet: bytes
    height: int
    total: int
    weights: tuple[tuple[bytes, int], ...]

    TYPE: ClassVar[str] = 'Signers'
    FIELDS: ClassVar[Fields] = [
        {'name': 'fleet', 'type': 'bytes32'},
        {'name': 'height', 'type': 'uint64'},
        {'name': 'total', 'type': 'uint64'},
        {'name': 'signers', 'type': 'address[]'},
        {'name': 'weights', 'type': 'uint32[]'},
    ]

    def __str__(self) -> str:
        """Say it to people."""
        signers = ', '.join(
            f'0x{address.hex()} weight {weight}' for address, weight in self.weights
        )
        return f'height {self.height}, fleet of weight {self.total}, signers {signers}'

    def lists(self) -> tuple[list[bytes], list[int]]:
        """Return addresses and weights as the contract takes them."""
        return [address for address, _ in self.weights], [weight for _, weight in self.weights]

    def message(self) -> Mapping[str, Any]:
        """Return the values of :attr:`FIELDS`."""
        signers, weights = self.lists()
        return {
            'fleet': self.fleet,
            'height': self.height,
            'total': self.total,
            'signers': signers,
            'weights': weights,
        }

    def weight_of(self, signers: Iterable[bytes]) -> int:
        """Return the weight of those among some addresses that are signers."""
        weights = dict(self.weights)
        return sum(weights.get(signer, 0) for signer in signers)

    def reaches(self, weight: int) -> bool:
        """Tell whether a weight is a quorum: two thirds of the whole roster."""
        return 3 * weight >= 2 * self.total


def sign(what: Signable, place: Place, key: PrivateKey) -> bytes:
    """Return the 65-byte signature; the same for the same values (RFC 6979)."""
    made = key.sign_msg_hash(digest(what, place)).to_bytes()
    return made[:-1] + bytes([made[-1] + _V])


def signer_of(what: Signable, place: Place, signature: bytes) -> bytes:
    """
    Return the address, 20 bytes, of who signed; of something else it is some other address.

    :raises RefusedError: SIGNATURE if it is in another form than the contract takes.
    """
    if (
        len(signature) != SIGNATURE_BYTES
        or signature[-1] not in (_V, _V + 1)
        or int.from_bytes(signature[_WORD : 2 * _WORD], 'big') > ORDER // 2
    ):
        raise RefusedError(Refusal.SIGNATURE, 'expected r, the lower s, and v of 27 or 28')
    try:
        made = Signature(signature[:-1] + bytes([signature[-1] - _V]))
        key = made.recover_public_key_from_msg_hash(digest(what, place))
    except (BadSignature, ValidationError):
        raise RefusedError(Refusal.SIGNATURE, 'of no key') from None
    return key.to_canonical_address()


def digest(what: Signable, place: Place) -> bytes:
    """Return the 32 bytes that are signed: EIP-712's hash of the domain and the values."""
    domain = {
        'name': _NAME,
        'version': _VERSION,
        'chainId': place.chain_id,
        'verifyingContract': place.contract,
    }
    return keccak(
        b'\x19\x01'
        + _struct('EIP712Domain', _DOMAIN, domain)
        + _struct(what.TYPE, what.FIELDS, what.message())
    )


def _struct(name: str, fields: Fields, values: Mapping[str, Any]) -> bytes:
    """Return the hash of a struct: of that of its type, and its values."""
    kind = f'{name}({",".join("{type} {name}".format_map(one) for one in fields)})'
    return keccak(keccak(text=kind) + b''.join(_word(values[one['name']]) for one in fields))


def _word(value: int | str | bytes | list[Any]) -> bytes:
    """Return a value in 32 bytes: numbers, addresses and bytes32 themselves, others hashed."""
    if isinstance(value, int):
        return value.to_bytes(_WORD, 'big')
    if isinstance(value, str):
        return keccak(text=value)
    if isinstance(value, bytes):
        return value.rjust(_WORD, b'\0')
    return keccak(b''.join(map(_word, value)))
