"""Whom to ask for what is missing, and when to ask another."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet

from collab_robots.core.clock import SECOND
from collab_robots.tangle.peers import Peer
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.sync import lacking, MAX_IDS, Request

IDS_BESIDE = 16  # asked for together with ranges, at most
MIN_WINDOW = 16  # records asked for at a time, at least


class Fetcher:
    """Decides whom to ask for what: one request at a time, another robot if nothing comes."""

    def __init__(self, name: str, config: LedgerConfig) -> None:
        self._name = name
        self._config = config
        self._asked: Request | None = None
        self._left = 0  # of what was asked, after the last progress
        self._progress_at = 0
        self._arrived = 0
        self._turn = 0
        self._window = config.request_records

    @property
    def is_asking(self) -> bool:
        """Tell whether something was asked for and is still to come."""
        return self._asked is not None

    def arrived(self) -> bool:
        """Count one new record; tell whether all that was asked may be here: then poll."""
        self._arrived += 1
        return self._asked is not None and self._arrived >= self._left

    def poll(
        self,
        now: int,
        own: Sequence[int],
        waiting: Sequence[AbstractSet[int]],
        missing: Mapping[bytes, str],
        peers: Mapping[str, Peer],
        unvouched: Collection[int],
    ) -> Request | None:
        """
        Return the request to send now, if any.

        :param now: ns, local clock.
        :param own: heights here.
        :param waiting: per issuer, seqs that are here but not solid.
        :param missing: ids that waiting records need, each with the robot that brought the child.
        :param peers: by name; in roster order.
        :param unvouched: issuers whose records are asked for only by id, when others name them.
        """
        if self._asked is not None and not self._done(now, own, waiting, missing, peers):
            return None
        self._asked = request = self._choose(now, own, waiting, missing, peers, unvouched)
        if request is not None:
            self._left = _count(request)
            self._progress_at = now
            self._arrived = 0
        return request

    def _done(
        self,
        now: int,
        own: Sequence[int],
        waiting: Sequence[AbstractSet[int]],
        missing: Mapping[bytes, str],
        peers: Mapping[str, Peer],
    ) -> bool:
        """Tell whether what was asked came, or never will."""
        assert self._asked is not None
        peer = peers.get(self._asked.target)
        left = _remaining(self._asked, own, waiting, missing)
        if left < self._left:
            self._left, self._progress_at, self._arrived = left, now, 0
            if peer is not None:
                peer.failures = 0
        if left == 0:
            self._window = min(2 * self._window, self._config.request_records)
            return True
        if now - self._progress_at < self._config.request_timeout * SECOND:
            return False
        if left == _count(self._asked):
            self._window = max(self._window // 2, MIN_WINDOW)  # the link may be slow
            if peer is not None:
                peer.fail(now, self._config)
        return True

    def _choose(
        self,
        now: int,
        own: Sequence[int],
        waiting: Sequence[AbstractSet[int]],
        missing: Mapping[bytes, str],
        peers: Mapping[str, Peer],
        unvouched: Collection[int],
    ) -> Request | None:
        near = [
            (peer.failures, order, name)
            for order, (name, peer) in enumerate(peers.items())
            if peer.may_be_asked(now, self._config)
        ]
        near.sort()
        for _, _, name in near:
            claimed = [
                own[issuer] if issuer in unvouched else height
                for issuer, height in enumerate(peers[name].heights)
            ]
            ranges = lacking(own, waiting, claimed, self._window)
            if ranges:  # and some that no range may explain
                return Request(self._name, name, ranges, self._some(missing, IDS_BESIDE))
        ids = self._some(missing, min(self._window, MAX_IDS))
        if ids and near:
            names = [name for _, _, name in near]
            brought = missing[ids[0]]
            return Request(self._name, brought if brought in names else names[0], (), ids)
        return None

    def _some(self, missing: Mapping[bytes, str], count: int) -> tuple[bytes, ...]:
        """Return some of the ids, in turn: a liar's records may name what does not exist."""
        ids = tuple(missing)
        if len(ids) <= count:
            return ids
        start = self._turn % len(ids)
        self._turn += count
        return (ids + ids)[start : start + count]


def _count(request: Request) -> int:
    return len(request.ids) + sum(last - first + 1 for _, first, last in request.ranges)


def _remaining(
    request: Request,
    own: Sequence[int],
    waiting: Sequence[AbstractSet[int]],
    missing: Mapping[bytes, str],
) -> int:
    """Return how many of the records that were asked for are still not here."""
    ids = sum(identity in missing for identity in request.ids)
    return ids + sum(
        seq not in waiting[issuer]
        for issuer, first, last in request.ranges
        for seq in range(max(first, own[issuer]), last + 1)
    )
