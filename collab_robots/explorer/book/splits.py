"""
When robots did not hear one another, read off the DAG.

A record names what its robot had heard. So a robot was deaf to another from when that one issued a
record until it issued one itself that has it in its past, if that took long and one of the two
kept speaking meanwhile. Robots that were not deaf to one another, also by way of others, are on
one side.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

from collab_robots.tangle.settings import LedgerConfig

LEAST = 2 * LedgerConfig().keepalive_interval  # s of a split, of four robots


class Interval(NamedTuple):
    """A time, s; ``end`` None: it lasts."""

    begin: float
    end: float | None


class Parting(NamedTuple):
    """A split: who was on which side, and when."""

    begin: float
    end: float | None
    sides: tuple[tuple[int, ...], ...]


class Hearing:
    """
    Who heard whom. Records are told in any order in which parents come first.

    :param members: size of the roster; it may grow.
    """

    def __init__(self, members: int) -> None:
        self._issued: list[list[float]] = []
        self._seen: list[Sequence[int]] = []
        self._last: list[float] = []
        self._deaf: dict[tuple[int, int], list[Interval]] = {}
        self.grow(members)

    def grow(self, members: int) -> None:
        """Take note that the roster has grown."""
        while len(self._issued) < members:
            self._issued.append([])
            self._seen.append(())
            self._last.append(0.0)
        self.least = LEAST * max(1.0, len(self._issued) / 4)
        """How long a split is at least, s: with more robots each says less."""

    def tell(self, issuer: int, seq: int, issued: float, seen: Sequence[int]) -> None:
        """Take a signed record."""
        own = self._issued[issuer]
        if seq < len(own):
            return  # the other branch of an equivocation
        own += [issued] * (seq + 1 - len(own))  # those before are pruned
        before = self._seen[issuer]
        for other, height in enumerate(seen):
            known = before[other] if other < len(before) else height
            times = self._issued[other]
            if other != issuer and known < height and known < len(times):
                missed = self._missed(issuer, other, times[known], issued)
                if missed is not None:
                    self._deaf.setdefault((issuer, other), []).append(missed)
        self._seen[issuer], self._last[issuer] = seen, issued

    @property
    def now(self) -> float:
        """When the newest record of all was issued, s."""
        return max(self._last, default=0.0)

    def behind(self, issuer: int, other: int) -> float:
        """Return for how long a robot has not heard another, s."""
        since = self._unheard(issuer, other)
        return 0.0 if since is None else max(0.0, self.now - since)

    def partings(self, left: Collection[int] = ()) -> list[Parting]:
        """
        Return all splits, oldest first.

        :param left: robots that are not in the fleet any more, after their last records.
        """
        deaf = {pair: list(found) for pair, found in self._deaf.items()}
        now = self.now
        for issuer in range(len(self._issued)):
            for other in range(len(self._issued)):
                since = self._unheard(issuer, other)
                missed = self._missed(issuer, other, since, now) if since is not None else None
                if missed is not None:
                    deaf.setdefault((issuer, other), []).append(Interval(missed.begin, None))
        ends = {time for found in deaf.values() for one in found for time in one if time}
        times = sorted(ends | {now})
        found: list[Parting] = []
        for begin, end in pairwise(times):
            if end - begin < self.least / 2:
                continue  # one hears again a little sooner than the other
            sides = self._sides(deaf, (begin + end) / 2, left)
            if len(sides) < 2:
                continue
            if found and found[-1].sides == sides and begin - (found[-1].end or 0) < self.least:
                begin = found.pop().begin
            lasts = end == now and any(one.end is None for some in deaf.values() for one in some)
            found.append(Parting(begin, None if lasts else end, sides))
        return [one for one in found if (one.end or now) - one.begin >= self.least]

    def _missed(self, issuer: int, other: int, begin: float, end: float) -> Interval | None:
        """
        Return when, of a time that began with a record a robot had not heard of, it mattered.

        That is from when to when one of them kept speaking: it could have heard, or been heard.
        Where both are silent nothing is known.
        """
        if end - begin <= self.least:
            return None
        said = sorted(
            time
            for own in (self._issued[issuer], self._issued[other])
            for time in own[bisect_left(own, begin) : bisect_right(own, end)]
        )
        pauses = [index for index, (a, b) in enumerate(pairwise(said), 1) if b - a > self.least]
        talks = [said[first:last] for first, last in pairwise([0, *pauses, len(said)])]
        long = [talk for talk in talks if talk[-1] - talk[0] > self.least]
        return Interval(long[0][0], long[-1][-1]) if long else None

    def _unheard(self, issuer: int, other: int) -> float | None:
        """Return when another robot's first record was issued that a robot has not heard of."""
        seen, times = self._seen[issuer], self._issued[other]
        if issuer == other or not seen or other >= len(seen) or seen[other] >= len(times):
            return None
        return times[seen[other]]

    def _sides(
        self, deaf: dict[tuple[int, int], list[Interval]], time: float, left: Collection[int]
    ) -> tuple[tuple[int, ...], ...]:
        """Return who heard one another at a time."""
        parted = {
            pair
            for pair, found in deaf.items()
            if any(one.begin <= time and (one.end is None or time < one.end) for one in found)
        }
        members = [
            index
            for index, own in enumerate(self._issued)
            if own and own[0] <= time and (index not in left or time <= self._last[index])
        ]
        side = {member: {member} for member in members}
        for one, other in combinations(members, 2):
            if (one, other) not in parted and (other, one) not in parted:
                joined = side[one] | side[other]
                for member in joined:
                    side[member] = joined
        return tuple(sorted({tuple(sorted(found)) for found in side.values()}))
