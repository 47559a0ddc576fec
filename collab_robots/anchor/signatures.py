"""Signatures as files: each robot's word, carried to whoever sends them to the chain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from eth_keys.datatypes import PrivateKey
from pydantic import Field, model_validator

from collab_robots.anchor.statement import Place, sign, signer_of, Signers, Statement
from collab_robots.core.config import load_yaml, Strict
from collab_robots.core.errors import ConfigError, RefusedError

Bytes32 = Annotated[str, Field(pattern=r'^[0-9a-f]{64}$')]
Address = Annotated[str, Field(pattern=r'^0x[0-9a-fA-F]{40}$')]


class _Statement(Strict):
    fleet: Bytes32
    epoch: Annotated[int, Field(ge=0, lt=1 << 32)]
    height: Annotated[int, Field(ge=0, lt=1 << 64)]
    order_digest: Bytes32
    state_root: Bytes32


class _Signers(Strict):
    fleet: Bytes32
    height: Annotated[int, Field(ge=0, lt=1 << 64)]
    total: Annotated[int, Field(ge=0, lt=1 << 64)]
    weights: Annotated[
        dict[Address, Annotated[int, Field(ge=1, lt=1 << 32)]], Field(max_length=64)
    ]


class SignatureFile(Strict):
    """
    What one robot signed, and where it counts; JSON.

    Either ``anchor`` or ``signers`` is there.
    """

    version: Literal[1] = 1
    chain_id: Annotated[int, Field(ge=1, lt=1 << 64)]
    contract: Address
    signer: Address
    signature: Annotated[str, Field(pattern=r'^[0-9a-f]{130}$')]
    anchor: _Statement | None = None
    signers: _Signers | None = None

    @model_validator(mode='after')
    def _one(self) -> SignatureFile:
        if (self.anchor is None) == (self.signers is None):
            raise ValueError('expected either an anchor or signers')
        return self

    @property
    def place(self) -> Place:
        """Where it counts."""
        return Place(self.chain_id, unhex(self.contract))

    @property
    def what(self) -> Statement | Signers:
        """What is signed."""
        if self.anchor is not None:
            anchor = self.anchor
            return Statement(
                bytes.fromhex(anchor.fleet),
                anchor.epoch,
                anchor.height,
                bytes.fromhex(anchor.order_digest),
                bytes.fromhex(anchor.state_root),
            )
        assert self.signers is not None
        weights = sorted((unhex(key), value) for key, value in self.signers.weights.items())
        return Signers(
            bytes.fromhex(self.signers.fleet),
            self.signers.height,
            self.signers.total,
            tuple(weights),
        )


def signature_file(what: Statement | Signers, place: Place, key: PrivateKey) -> dict[str, Any]:
    """Sign, and return what goes into the file."""
    made: dict[str, Any] = {
        'version': 1,
        'chain_id': place.chain_id,
        'contract': '0x' + place.contract.hex(),
        'signer': key.public_key.to_address(),
        'signature': sign(what, place, key).hex(),
    }
    if isinstance(what, Statement):
        made['anchor'] = {
            'fleet': what.fleet.hex(),
            'epoch': what.epoch,
            'height': what.height,
            'order_digest': what.order_digest.hex(),
            'state_root': what.state_root.hex(),
        }
    else:
        made['signers'] = {
            'fleet': what.fleet.hex(),
            'height': what.height,
            'total': what.total,
            'weights': {'0x' + address.hex(): weight for address, weight in what.weights},
        }
    return made


@dataclass
class Collected:
    """
    Signatures that present signers made.

    :param signed: of each thing that was signed: the signatures by signer.
    :param refused: of what does not count, a file or a robot's word on the ledger, why.
    """

    signed: dict[Statement | Signers, dict[bytes, bytes]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def take(
        self,
        source: str,
        what: Statement | Signers,
        signer: bytes,
        signature: bytes,
        present: Signers,
    ) -> None:
        """
        Take a signature, if it is one of those that may sign.

        :param source: where it was found.
        :param signer: whose it is.
        :param present: who may sign.
        """
        if present.weight_of([signer]):
            self.signed.setdefault(what, {})[signer] = signature
        else:
            self.refused[source] = f'0x{signer.hex()} is no signer now'


def collect(paths: Iterable[Path], place: Place, present: Signers) -> Collected:
    """
    Read and check files of signatures; what one of them lacks costs no other.

    :param place: where they have to count.
    :param present: who may sign.
    """
    found = Collected()
    for path in paths:
        source = str(path)
        try:
            file = load_yaml(path, SignatureFile)
            signature = bytes.fromhex(file.signature)
            signer = signer_of(file.what, file.place, signature)
        except (ConfigError, RefusedError) as error:
            found.refused[source] = str(error)
            continue
        if file.place != place:
            found.refused[source] = (
                f'signed for {file.contract} on chain {file.chain_id}, which is another contract'
            )
        elif file.what.fleet != present.fleet:
            found.refused[source] = f'signed for fleet {file.what.fleet.hex()}'
        elif signer != unhex(file.signer):
            found.refused[source] = f'{file.signer} did not sign what is in it'
        else:
            found.take(source, file.what, signer, signature, present)
    return found


def unhex(text: str) -> bytes:
    """Return what hexadecimal digits after 0x say."""
    return bytes.fromhex(text.removeprefix('0x'))
