"""Who signs: Ed25519 keys, their files, and the address a contract sees."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
import re

from nacl.encoding import RawEncoder
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from collab_robots.core.errors import ConfigError, KeyFileError
from collab_robots.core.files import sync_folder

PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64
ADDRESS_BYTES = 20
MAX_PRIVATE_BYTES = 4096  # of a file with a secret; an encrypted one of Ethereum has some 500
_SEED_HEX = re.compile(r'[0-9a-f]{64}')


def address(public_key: bytes) -> bytes:
    """
    Return a key's contract address: the last 20 bytes of its IOTA Ed25519 address, by TIP-18.

    :param public_key: 32 bytes.
    """
    return hashlib.blake2b(public_key, digest_size=32).digest()[-ADDRESS_BYTES:]


def unused_marker(key: Path) -> Path:
    """
    Return the file beside a key file that says: nothing was ever signed with this key.

    ``fleet init`` makes it and the robot removes it before it signs, so that a robot that lost its
    ledger is not taken for a new one.
    """
    return key.with_name(f'{key.name}.unused')


def mark_used(key: Path) -> None:
    """
    Remove the marker of an unused key, durably, before anybody sees what was signed with it.

    :raises OSError: if it stays.
    """
    marker = unused_marker(key)
    if marker.exists():
        marker.unlink()
        sync_folder(marker.parent)


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether ``signature`` (64 bytes) of ``message`` was made by the key's private half."""
    try:
        VerifyKey(public_key).verify(message, signature)
    except (BadSignatureError, ValueError):
        return False
    return True


def read_private(path: Path) -> str:
    """
    Read a file with a secret, without the space around it.

    :raises KeyFileError: if it is missing, larger than a secret is, or others can read it.
    """
    try:
        mode = path.stat().st_mode & 0o777
        if mode & 0o077:
            raise KeyFileError(
                f'{path}: mode {mode:04o} lets others read the private key; run: chmod 600 {path}'
            )
        with path.open('rb') as file:
            data = file.read(MAX_PRIVATE_BYTES + 1)
    except OSError as error:
        raise KeyFileError(f'{path}: cannot be read: {error.strerror}') from None
    if len(data) > MAX_PRIVATE_BYTES:
        raise KeyFileError(f'{path}: larger than {MAX_PRIVATE_BYTES} bytes; that is no key')
    return data.decode('ascii', 'replace').strip()


class PrivateKey:
    """
    A robot's Ed25519 signing key.

    :param seed: 32 bytes.
    """

    def __init__(self, seed: bytes) -> None:
        self._key = SigningKey(seed)
        self.public: bytes = self._key.verify_key.encode()

    def derive(self, purpose: bytes) -> bytes:
        """
        Return 64 secret bytes for another use than signing records.

        They are BLAKE2b of the purpose, keyed with the seed: a pseudo-random function, which tells
        neither the seed nor what it gives for another purpose.

        :param purpose: names the use; no other use may have the same.
        """
        return hashlib.blake2b(purpose, key=self._key.encode(), digest_size=64).digest()

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of ``message``."""
        return self._key.sign(message, encoder=RawEncoder).signature

    @staticmethod
    def generate(path: Path) -> PrivateKey:
        """
        Make a key and write it to a new file that only its owner can read.

        :raises ConfigError: if the file exists (a key is never overwritten) or cannot be written.
        """
        seed = os.urandom(32)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise ConfigError(f'{path}: exists already; a key is never overwritten') from None
        except OSError as error:
            raise ConfigError(f'{path}: cannot be written: {error.strerror}') from None
        with os.fdopen(handle, 'w', encoding='ascii') as file:
            file.write(seed.hex() + '\n')
        return PrivateKey(seed)

    @staticmethod
    def load(path: Path) -> PrivateKey:
        """
        Read a key file: one line of 64 hexadecimal digits, mode 0600.

        :raises KeyFileError: if it is missing, malformed, or others can read it.
        """
        text = read_private(path)
        if not _SEED_HEX.fullmatch(text):
            raise KeyFileError(f'{path}: expected one line of 64 hexadecimal digits')
        return PrivateKey(bytes.fromhex(text))
