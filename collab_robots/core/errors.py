"""
The one tree of errors.

::

    CollabError
    ├── ConfigError          a person wrote something wrong: fix the file and start again
    │   └── KeyFileError     the private key is missing, malformed or readable by others
    ├── RefusedError         bytes from elsewhere are not what they claim: drop and count them
    ├── StoreError           the ledger's file cannot be read or written: stop issuing
    ├── CallError            a contract call cannot be encoded or was reverted
    ├── ChainError           a public chain refused something, or is not what it should be
    │   └── UnreachableError it does not answer, or not in time: the same again, later
    ├── TransformError       where a frame lies is not known: others have to publish it
    └── SimulationError      the simulated world cannot be built or run

Each error answers one question: who has to act (the person, nobody, the process).
"""

from __future__ import annotations

from enum import Enum


class CollabError(Exception):
    """Base of everything this project raises on purpose."""


class ConfigError(CollabError):
    """A world, fleet, parameter or command-line value is missing, malformed or out of range."""


class KeyFileError(ConfigError):
    """A private key file is missing, malformed or readable by other users."""


class Refusal(str, Enum):
    """Why bytes from elsewhere were refused; the names are counted in the ledger status."""

    TOO_LARGE = 'too_large'
    MALFORMED = 'malformed'
    PARENTS = 'parents'
    VERSION = 'version'
    FLEET = 'fleet'
    ISSUER = 'issuer'
    SIGNATURE = 'signature'
    SEQUENCE = 'sequence'
    EQUIVOCATION = 'equivocation'
    PRUNED = 'pruned'
    SNAPSHOT = 'snapshot'
    TIME = 'time'
    FUTURE = 'future'
    FLOOD = 'flood'
    DIGEST = 'digest'
    SKETCH = 'sketch'
    SCAN = 'scan'
    IMAGE = 'image'
    MODEL = 'model'
    TENSOR = 'tensor'
    MESSAGE_VERSION = 'message_version'


class RefusedError(CollabError):
    """
    Bytes from a peer, a file or a sensor are not what they claim to be.

    :param reason: the counted category.
    :param message: what was expected and what came.
    """

    def __init__(self, reason: Refusal, message: str) -> None:
        super().__init__(f'{reason.value}: {message}')
        self.reason = reason


class StoreError(CollabError):
    """The ledger's file is damaged, locked, of another schema or cannot be written."""


class CallError(CollabError):
    """A contract call cannot be encoded, or the contract reverted it."""


class ChainError(CollabError):
    """A public chain refused a transaction, or holds something else than it should."""


class UnreachableError(ChainError):
    """A public chain does not answer, or not in time; nothing is decided, try again later."""


class TransformError(CollabError):
    """Where one frame lies in another is not known, or only from long ago."""


class SimulationError(CollabError):
    """The simulated world cannot be built or run."""
