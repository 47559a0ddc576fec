"""
A copy of everything the contracts know, kept up to date by reading only what calls touched.

A fact is what a contract's ``fact(id)`` returns. Every call says in its events which facts it
changed, so nothing here knows what the contracts are about, and anybody who can ask a node that
runs them can compute the same digest; of storage slots they could not (the usual RPC interfaces
do not list them).
"""

from __future__ import annotations

from collections.abc import Iterable
import hashlib

from collab_robots.contract.deployment import Deployment, FactId

STATE_DOMAIN = b'collab-robots/state/2\0'


class Facts:
    """The facts of a suite, read from where it is deployed."""

    def __init__(self) -> None:
        self.known: dict[FactId, bytes] = {}
        """All facts that are not empty."""
        self._touched: set[FactId] = set()

    def touch(self, touched: Iterable[FactId]) -> None:
        """Note what was changed or changed back: it has to be read again."""
        self._touched.update(touched)

    def refresh(self, deployment: Deployment) -> None:
        """
        Read what was touched.

        :raises CallError: if the storage is not what calls could have made.
        """
        for identity in self._touched:
            fact = deployment.fact(identity)
            if fact:
                self.known[identity] = fact
            else:
                self.known.pop(identity, None)
        self._touched.clear()

    def copy(self) -> Facts:
        """Return facts of their own that say the same."""
        other = Facts()
        other.known, other._touched = self.known.copy(), self._touched.copy()
        return other

    def of(self, contract: str) -> dict[bytes, bytes]:
        """Return one contract's facts by id."""
        return {key: fact for (name, key), fact in self.known.items() if name == contract}

    def digest(self, fleet: bytes) -> bytes:
        """
        Return the BLAKE2b-256 of all facts, 32 bytes.

        They go in by contract and id. None of them depends on the order of execution, so equal
        sets of calls have equal digests.

        :param fleet: id of the fleet.
        """
        state = hashlib.blake2b(STATE_DOMAIN + fleet, digest_size=32)
        for (name, key), fact in sorted(self.known.items()):
            state.update(b'%b\0%b%b' % (name.encode(), key, len(fact).to_bytes(4, 'big')) + fact)
        return state.digest()
