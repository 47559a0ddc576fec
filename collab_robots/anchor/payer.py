"""The key that sends and pays for transactions on a public chain; it is no robot's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
import re

from eth_account import Account
from eth_account.signers.local import LocalAccount

from collab_robots.core.errors import KeyFileError
from collab_robots.core.fleet import Fleet
from collab_robots.core.identity import PrivateKey, read_private

_HEX = re.compile(r'(0x)?[0-9a-fA-F]{64}')


def load_payer(path: Path, fleet: Fleet, password: Callable[[], str]) -> LocalAccount:
    """
    Read the key.

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
