"""
Tensors as bytes: quantised per channel, coded without further loss, cut into chunks.

Each chunk stands alone: what is lost of the others costs only their part of the tensor.

:func:`encode` and :func:`decode` are all that others need.
"""

from collab_robots.inference.codec.chunks import BITS, CHUNK_BYTES, decode, Decoded, encode
from collab_robots.inference.codec.quantise import Tensor

__all__ = ['BITS', 'CHUNK_BYTES', 'Decoded', 'Tensor', 'decode', 'encode']
