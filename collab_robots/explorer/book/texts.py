"""Bytes as people read them."""

from __future__ import annotations

from collab_robots.tangle.block import decode_block


def words_of(raw: bytes) -> str:
    """Return the tag and the data of a block as text, or as hexadecimal digits."""
    block = decode_block(raw)
    return f'{text_of(block.tag)} {text_of(block.data)}'


def text_of(data: bytes) -> str:
    """Return bytes as text if they are some, else as hexadecimal digits."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return f'0x{data.hex()}'
