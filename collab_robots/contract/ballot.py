"""
A vote that a person calls for: who is to be asked, how it stands, and what is missing.

It is fed with what each robot says of the fleet. One robot's word is not enough to vote on: the
roster is the one that most robots say, and that robots of more than a third of its weight say,
so that an honest one is among them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from collab_robots.contract.calls.fleet import (
    Change,
    change_id,
    MAX_VOTES,
    vote,
    withdraw,
)
from collab_robots.contract.views.roster import PendingChange, Roster
from collab_robots.contract.wishes import Wish


class Answer(NamedTuple):
    """What one robot says: who is in the fleet, and what is being voted on."""

    roster: Roster
    pending: Sequence[PendingChange]


class Ballot:
    """
    See the module.

    :param wish: what is voted for.
    """

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._answers: dict[str, Answer] = {}
        self._agreeing: frozenset[str] = frozenset()
        self._asked: set[tuple[str, bytes]] = set()  # with the call
        self._before: Roster | None = None
        self.roster: Roster | None = None
        """The newest that can be believed."""
        self.change: Change | None = None
        """What is voted for now."""
        self.voters: tuple[str, ...] = ()
        """Who voted for it, as robots that are believed said last before it was decided."""

    def take(self, robot: str, answer: Answer) -> None:
        """
        Take what a robot says now.

        :raises ConfigError: if the wish cannot come true.
        """
        self._answers[robot] = answer
        self._agree()
        if self.roster is not None:
            self._before = self._before or self.roster
            self.change = self._wish(self.roster)
            self.voters = max(
                (item.voters for item in self._items()), key=len, default=self.voters
            )

    @property
    def is_done(self) -> bool:
        """Tell whether robots with 2/3 of the weight of before say that it is as wanted."""
        return (
            self._before is not None
            and self.change is None
            and self._before.weigh(self._agreeing) >= self._before.needed
        )

    @property
    def is_new(self) -> bool:
        """Tell whether the roster is another one than at first."""
        return _epoch(self._before) != _epoch(self.roster)

    @property
    def is_heard(self) -> bool:
        """Tell whether robots with 2/3 of the present weight answered: they can decide things."""
        return self.roster is not None and self.roster.weigh(self._answers) >= self.roster.needed

    def calls(self) -> list[tuple[str, bytes]]:
        """Return who is to make which call, of those that are missing and were not asked for."""
        if self.roster is None or self.change is None:
            return []
        key, call = change_id(self.change), vote(self.change)
        return [
            (robot.name, call)
            for robot in self.roster.active
            if robot.name in self._agreeing
            and (robot.name, call) not in self._asked
            and not any(
                item.id == key and robot.name in item.voters
                for item in self._answers[robot.name].pending
            )
        ]

    @property
    def asked(self) -> tuple[str, ...]:
        """Who was asked."""
        return tuple(sorted({robot for robot, _ in self._asked}))

    def note_asked(self, robot: str, call: bytes) -> None:
        """Take note that a robot was asked to make a call."""
        self._asked.add((robot, call))

    @property
    def pending(self) -> Sequence[PendingChange]:
        """All that is being voted on, as the robot says that knows of most votes."""
        said = [self._answers[name].pending for name in self._agreeing]
        return max(said, key=lambda items: sum(item.weight for item in items), default=())

    @property
    def silent(self) -> tuple[str, ...]:
        """Who counted at first and has not answered."""
        robots = self._before.active if self._before else ()
        return tuple(robot.name for robot in robots if robot.name not in self._answers)

    def explain(self) -> list[str]:
        """Say in words how it stands and what is missing."""
        roster = self.roster
        if roster is None:
            who = ', '.join(self._answers) or 'no robot'
            return [f'{who} answered: too few to believe who is in the fleet']
        if self.change is None:
            return [] if self.is_done else ['it is so, by the word of too few robots']
        weight, needed = roster.weigh(self.voters), roster.needed
        told = [f'weight {weight} of {needed} voted: {", ".join(self.voters) or "nobody"}']
        if self.silent:
            told.append(f'did not answer: {", ".join(self.silent)}')
        told += [self._why_not(name) for name in self._without_vote()]
        told += [item.explain() for item in self._items()[:1] if item.obstacle]
        if weight >= needed:
            told.append('enough voted, but it is final only when robots with 2/3 reach each other')
        return told

    def _agree(self) -> None:
        """Find the roster that most robots say, of equally many the newest."""
        groups: dict[Hashable, list[str]] = defaultdict(list)
        for name, answer in self._answers.items():
            groups[_entries(answer.roster)].append(name)
        names = max(
            groups.values(),
            key=lambda names: (len(names), self._answers[names[0]].roster.epoch),
        )
        roster = self._answers[names[0]].roster
        if 3 * roster.weigh(names) > sum(robot.weight for robot in roster.active):
            self.roster, self._agreeing = roster, frozenset(names)

    def _items(self) -> list[PendingChange]:
        """Return what the robots that are believed say of the votes."""
        if self.change is None:
            return []
        key = change_id(self.change)
        pending = [item for name in self._agreeing for item in self._answers[name].pending]
        return [item for item in pending if item.id == key]

    def _without_vote(self) -> list[str]:
        assert self.change is not None
        call = vote(self.change)
        return sorted(name for name, of in self._asked if of == call and name not in self.voters)

    def _why_not(self, name: str) -> str:
        open_votes = [item for item in self._answers[name].pending if name in item.voters]
        if len(open_votes) >= MAX_VOTES:
            return f'{name} was asked, but it votes for {MAX_VOTES} other changes already'
        return f'{name} was asked, and its vote is not there'


class Recall(Ballot):
    """
    Votes about one robot that a person wants to be taken back, by all who gave them.

    :param name: of the robot; also one that votes are to let in.
    """

    def __init__(self, name: str) -> None:
        super().__init__(lambda roster: None)
        self._name = name

    @property
    def is_done(self) -> bool:
        """Tell whether no robot that is believed knows of such a vote, and enough are."""
        return super().is_done and not self._open()

    def calls(self) -> list[tuple[str, bytes]]:
        """See :meth:`Ballot.calls`."""
        calls = ((name, withdraw(item.id)) for item in self._open() for name in item.voters)
        return [call for call in calls if call[0] in self._agreeing and call not in self._asked]

    def explain(self) -> list[str]:
        """Say in words how it stands and what is missing."""
        if self.roster is None or self.is_done:
            return super().explain()
        told = [item.explain() for item in self._open()]
        told += [f'did not answer: {", ".join(self.silent)}'] if self.silent else []
        return told

    def _open(self) -> list[PendingChange]:
        """Return the votes, as the robot says that knows of most."""
        return [item for item in self.pending if item.robot == self._name]


def _epoch(roster: Roster | None) -> int | None:
    return None if roster is None else roster.epoch


def _entries(roster: Roster) -> Hashable:
    """Return what a vote is about; what robots say of themselves may be on its way."""
    return roster.epoch, tuple(
        (robot.name, robot.key, robot.weight, robot.standing, robot.revision)
        for robot in roster.robots
    )
