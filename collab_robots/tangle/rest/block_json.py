"""
Blocks as JSON (TIP-25): bytes are hex with 0x, the nonce is a decimal string.

Both directions, because a robot is a server here and a client of HORNET nodes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.tangle.block import (
    Block,
    encode_block,
    ID_BYTES,
    MAX_BLOCK_BYTES,
    MAX_PARENTS,
    MAX_TAG_BYTES,
    PROTOCOL_VERSION,
    TAGGED_DATA,
)

MAX_NONCE = (1 << 64) - 1


def to_hex(data: bytes) -> str:
    """Return bytes as TIP-25 writes them."""
    return '0x' + data.hex()


def id_from_hex(text: str) -> bytes:
    """
    Read a block id.

    :raises RefusedError: MALFORMED if it is not 0x and 64 hex digits.
    """
    identity = _bytes_from_hex(text)
    if len(identity) != ID_BYTES:
        raise RefusedError(
            Refusal.MALFORMED, f'a block id is 0x and {2 * ID_BYTES} hex digits, got {text:.80}'
        )
    return identity


def _bytes_from_hex(text: str) -> bytes:
    digits = text[2:]
    if text[:2] != '0x' or not digits.isascii() or not (digits.isalnum() or not digits):
        raise RefusedError(Refusal.MALFORMED, f'expected 0x and hex digits, got {text:.80}')
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise RefusedError(Refusal.MALFORMED, f'not hex digits in pairs: {text:.80}') from None


class _Model(BaseModel):
    model_config = ConfigDict(extra='ignore', strict=True)


_Id = Annotated[str, Field(max_length=2 + 2 * ID_BYTES)]
_Tag = Annotated[str, Field(max_length=2 + 2 * MAX_TAG_BYTES)]
_Data = Annotated[str, Field(max_length=2 + 2 * MAX_BLOCK_BYTES)]


class _Payload(_Model):
    type: Literal[5]
    tag: _Tag = '0x'
    data: _Data = '0x'


class BlockBody(_Model):
    """
    A block as a client sends it.

    :param parents: None: the node chooses.
    :param nonce: a decimal string; a number is taken, too.
    """

    protocolVersion: int = PROTOCOL_VERSION
    parents: Annotated[list[_Id], Field(max_length=MAX_PARENTS)] | None = None
    payload: _Payload | None = None
    nonce: Annotated[str, Field(pattern='^[0-9]{1,20}$')] | int = '0'

    def encode(self, parents: tuple[bytes, ...]) -> bytes:
        """
        Return the block's bytes.

        :param parents: those that the node chose, if the client named none.
        :raises RefusedError: if there can be no such block.
        """
        if self.protocolVersion != PROTOCOL_VERSION:
            raise RefusedError(
                Refusal.VERSION,
                f'expected protocolVersion {PROTOCOL_VERSION}, got {self.protocolVersion}',
            )
        if self.payload is None:
            raise RefusedError(
                Refusal.MALFORMED, f'expected a payload of type {TAGGED_DATA}, tagged data'
            )
        nonce = int(self.nonce)
        if not 0 <= nonce <= MAX_NONCE:
            raise RefusedError(Refusal.MALFORMED, 'the nonce is not a 64-bit number')
        if self.parents is not None:
            parents = tuple(id_from_hex(parent) for parent in self.parents)
        elif nonce:
            raise RefusedError(
                Refusal.PARENTS, 'a nonce without parents: it proves work for other bytes'
            )
        tag, data = _bytes_from_hex(self.payload.tag), _bytes_from_hex(self.payload.data)
        return encode_block(parents, tag, data, nonce)


def body_from_json(text: bytes) -> BlockBody:
    """
    Read the JSON of a block.

    :raises RefusedError: MALFORMED, naming each field that is wrong.
    """
    try:
        return BlockBody.model_validate_json(text)
    except ValidationError as error:
        wrong = '; '.join(
            f'{".".join(map(str, item["loc"])) or "body"}: {item["msg"]}'
            for item in error.errors(include_url=False, include_input=False)[:4]
        )
        raise RefusedError(Refusal.MALFORMED, f'not a block: {wrong:.400}') from None


def block_to_json(block: Block) -> dict[str, Any]:
    """Return a block as TIP-25 shows it."""
    return {
        'protocolVersion': PROTOCOL_VERSION,
        'parents': [to_hex(parent) for parent in block.parents],
        'payload': {
            'type': TAGGED_DATA,
            'tag': to_hex(block.tag),
            'data': to_hex(block.data),
        },
        'nonce': str(block.nonce),
    }
