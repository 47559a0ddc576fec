"""The key that each robot signs anchors with."""

from __future__ import annotations

from eth_keys.datatypes import PrivateKey as SigningKey

from collab_robots.core.identity import PrivateKey

PURPOSE = b'collab-robots/anchor-key/1'
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of secp256k1


def anchor_key(key: PrivateKey) -> SigningKey:
    """
    Return the secp256k1 key that a robot signs anchors with.

    It comes from the robot's Ed25519 seed, so there is no second secret to make, to keep or to
    lose. The 512 bits of :meth:`.PrivateKey.derive` are reduced to 1 … order - 1, which makes no
    key likelier than another by more than 2**-256. They are independent of what Ed25519 itself
    makes of the seed (SHA-512), as far as BLAKE2b and SHA-512 are pseudo-random functions: neither
    key helps to find the other, or to sign for it.
    """
    number = int.from_bytes(key.derive(PURPOSE), 'big') % (ORDER - 1) + 1
    return SigningKey(number.to_bytes(32, 'big'))


def signer(key: PrivateKey) -> bytes:
    """Return the address, 20 bytes, that a robot's anchors are signed by."""
    return anchor_key(key).public_key.to_canonical_address()
