"""Keys on a public chain: the one each robot signs anchors with, and the one that pays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
import re

from eth_account import Account
from eth_account.signers.local import LocalAccount

from collab_robots.core.errors import KeyFileError
from collab_robots.core.fleet import Fleet
from collab_robots.core.identity import PrivateKey, read_private

PURPOSE = b'collab-robots/anchor-key/1'
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of secp256k1
_HEX = re.compile(r'(0x)?[0-9a-fA-F]{64}')


def anchor_key(key: PrivateKey) -> LocalAccount:
    """
    Return the secp256k1 key that a robot signs anchors with.

    It comes from the robot's Ed25519 seed, so there is no second secret to make, to keep or to
    lose. The 512 bits of :meth:`.PrivateKey.derive` are reduced to 1 … order - 1, which makes no
    key likelier than another by more than 2**-256. They are independent of what Ed25519 itself
    makes of the seed (SHA-512), as far as BLAKE2b and SHA-512 are pseudo-random functions: neither
    key helps to find the other, or to sign for it.
    """
    number = int.from_bytes(key.derive(PURPOSE), 'big') % (ORDER - 1) + 1
    return _account(number.to_bytes(32, 'big'))


def signer(key: PrivateKey) -> bytes:
    """Return the address, 20 bytes, that a robot's anchors are signed by."""
    return bytes.fromhex(anchor_key(key).address[2:])


def load_payer(path: Path, fleet: Fleet, password: Callable[[], str]) -> LocalAccount:
    """
    Read the key that sends and pays for transactions; it is no robot's.

    :param path: 64 hexadecimal digits, or an encrypted keystore (Web3 Secret Storage, as geth,
        MetaMask and eth-account write it); in both cases only its owner may read the file.
    :param password: asked for that of a keystore.
    :raises KeyFileError: if it is missing, malformed, a robot's, or others can read it, or the
        password is wrong.
    """
    account = _read(path, password)
    owner = fleet.index_by_key.get(PrivateKey(bytes(account.key)).public)
    if owner is not None:
        raise KeyFileError(
            f'{path}: is the key that {fleet.robots[owner].name} signs records with; make another '
            'one that pays'
        )
    return account


def _read(path: Path, password: Callable[[], str]) -> LocalAccount:
    text = read_private(path)
    if text.startswith('{'):
        try:
            return _account(bytes(Account.decrypt(text, password())))
        except (ValueError, TypeError, KeyError) as error:
            raise KeyFileError(f'{path}: cannot be decrypted: {error}') from None
    if not _HEX.fullmatch(text):
        raise KeyFileError(f'{path}: expected one line of 64 hexadecimal digits, or a keystore')
    try:
        return _account(bytes.fromhex(text.removeprefix('0x')))
    except ValueError:
        raise KeyFileError(f'{path}: not a key of secp256k1') from None


def _account(secret: bytes) -> LocalAccount:
    account: LocalAccount = Account.from_key(secret)
    return account
