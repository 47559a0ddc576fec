"""
A model of a log that needs a quorum of the roster: Tendermint (arXiv 1807.04938, algorithm 1).

Kept of it: heights and rounds, a proposer by rotation, two votes (prevote, precommit), decisions
by more than two thirds of the roster, locks, and time-outs that grow with the round. The time-outs
are CometBFT's defaults; so are that nothing is proposed while nothing waits
(``create_empty_blocks = false``) and that votes are repeated, here once a second, because messages
get lost. A robot that is behind asks for what was decided.

This is our own model of these rules, not CometBFT.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

PROPOSE, PREVOTE, PRECOMMIT = range(3)  # steps
TIMEOUTS = (3.0, 1.0, 1.0)  # s, of the steps
TIMEOUT_GROWTH = 0.5  # s a round
REPEAT_PERIOD = 1.0  # s
MAX_DECISIONS = 128  # in one answer
SIGNED_BYTES = 120  # a vote: height, round, hash, time, robot, signature
NIL = None

Value = tuple[bytes, ...]


@dataclass(frozen=True)
class Vote:
    """
    A prevote or precommit.

    :param value: what it is for, ``NIL`` for nothing; in the protocol its hash.
    """

    sender: int
    step: int
    height: int
    round: int
    value: Value | None
    size: int = SIGNED_BYTES


@dataclass(frozen=True)
class Proposal:
    """
    What the proposer of a round wants decided.

    :param valid_round: the round in which a quorum prevoted it already, else -1.
    """

    sender: int
    height: int
    round: int
    value: Value
    valid_round: int

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return SIGNED_BYTES + sum(map(len, self.value))


@dataclass(frozen=True)
class Waiting:
    """Entries that wait, and how many decisions the sender knows."""

    sender: int
    height: int
    entries: Value

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return 8 + sum(map(len, self.entries))


@dataclass(frozen=True)
class Decisions:
    """Decisions in a row from a height on, for a robot that is behind; each with its quorum."""

    target: int
    height: int
    values: tuple[Value, ...]
    quorum: int

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return sum(self.quorum * SIGNED_BYTES + sum(map(len, value)) for value in self.values)


Message = Vote | Proposal | Waiting | Decisions


class QuorumNode:
    """
    One robot of the log.

    :param index: its place in a roster of ``count``, all of equal weight.
    :param now: tells the time, s.
    :param say: sends a message to all.
    """

    def __init__(
        self, index: int, count: int, now: Callable[[], float], say: Callable[[Message], None]
    ) -> None:
        self.name = f'robot_{index:02}'
        self.index = index
        self.log: list[Value] = []
        """What is decided, one value a height; never taken back."""
        self.decided: set[bytes] = set()
        self.decided_at: list[float] = []
        """When each height was decided here, s."""
        self.pool: dict[bytes, None] = {}
        self._count = count
        self._quorum = 2 * count // 3 + 1
        self._now = now
        self._tell = say
        self._repeat_at = 0.0
        self._deadline: float | None = None  # None: the step has no time-out yet
        self._start()

    def submit(self, entry: bytes) -> None:
        """Take an entry of this robot and tell the others."""
        self.pool[entry] = None
        self._tell(Waiting(self.index, len(self.log), (entry,)))

    def tick(self) -> None:
        """Propose, and give up waiting, when it is time."""
        now = self._now()
        if self._step == PROPOSE and self._deadline is None and (self.pool or self._round):
            self._open()
        if self._deadline is not None and now >= self._deadline:
            self._deadline = None
            if self._step == PRECOMMIT:
                self._enter(self._round + 1)
            else:
                self._vote(self._step + 1, NIL)
        self._decide_what_is_due()
        if now >= self._repeat_at:
            self._repeat_at = now + REPEAT_PERIOD
            self._tell(Waiting(self.index, len(self.log), tuple(self.pool)))
            for message in self._said:
                self._tell(message)

    def receive(self, message: Message) -> None:
        """Take a message of another robot."""
        if isinstance(message, Waiting):
            for entry in message.entries:
                if entry not in self.decided:
                    self.pool[entry] = None
            if message.height < len(self.log) and self._answers(message):
                values = tuple(self.log[message.height : message.height + MAX_DECISIONS])
                self._tell(Decisions(message.sender, message.height, values, self._quorum))
        elif isinstance(message, Decisions):
            if message.target == self.index and message.height <= len(self.log):
                for value in message.values[len(self.log) - message.height :]:
                    self._commit(value)
        elif message.height == len(self.log):
            self._note(message)
            self._decide_what_is_due()

    def _answers(self, waiting: Waiting) -> bool:
        """Tell whether it is this robot's turn to help: another one's comes a second later."""
        return (int(self._now() / REPEAT_PERIOD) + waiting.sender) % self._count == self.index

    # One height

    def _start(self) -> None:
        """Begin the next height."""
        self._proposals: dict[int, Proposal] = {}
        self._votes: dict[tuple[int, int], dict[int, Value | None]] = {}
        self._locked: tuple[int, Value | None] = (-1, NIL)
        self._valid: tuple[int, Value | None] = (-1, NIL)
        self._said: list[Message] = []
        self._enter(0)

    def _enter(self, round_: int) -> None:
        self._round = round_
        self._step = PROPOSE
        self._deadline = None
        self._said = []

    def _open(self) -> None:
        """Propose if it is this robot's turn; in any case wait for the proposal only so long."""
        self._wait()
        if (len(self.log) + self._round) % self._count == self.index:
            round_, value = self._valid
            proposal = Proposal(
                self.index, len(self.log), self._round, value or tuple(self.pool), round_
            )
            self._say(proposal)

    def _wait(self) -> None:
        self._deadline = self._now() + TIMEOUTS[self._step] + TIMEOUT_GROWTH * self._round

    def _vote(self, step: int, value: Value | None) -> None:
        self._step = step
        self._deadline = None
        self._say(Vote(self.index, step, len(self.log), self._round, value))

    def _say(self, message: Vote | Proposal) -> None:
        self._said.append(message)
        self._tell(message)
        self._note(message)

    def _note(self, message: Vote | Proposal) -> None:
        if isinstance(message, Proposal):
            self._proposals.setdefault(message.round, message)
        else:
            votes = self._votes.setdefault((message.round, message.step), {})
            votes.setdefault(message.sender, message.value)

    def _cast(self, round_: int, step: int) -> dict[int, Value | None]:
        return self._votes.get((round_, step), {})

    def _has_quorum(self, round_: int, step: int, value: Value | None) -> bool:
        return list(self._cast(round_, step).values()).count(value) >= self._quorum

    def _decide_what_is_due(self) -> None:
        """Apply the rules of algorithm 1 until none applies (its line numbers beside them)."""
        while self._apply():
            pass

    def _apply(self) -> bool:
        for round_, proposal in self._proposals.items():  # 49
            if self._has_quorum(round_, PRECOMMIT, proposal.value):
                self._commit(proposal.value)
                return True
        voters: dict[int, set[int]] = {}
        for (round_, _), votes in self._votes.items():
            voters.setdefault(round_, set()).update(votes)
        later = [
            round_
            for round_, robots in voters.items()
            if round_ > self._round and len(robots) > (self._count - 1) // 3
        ]
        if later:  # 55
            self._enter(max(later))
            return True
        current = self._proposals.get(self._round)
        if self._step == PROPOSE and current is not None:  # 22, 28
            locked_round, locked = self._locked
            free = locked_round <= current.valid_round or locked == current.value
            known = current.valid_round < 0 or self._has_quorum(
                current.valid_round, PREVOTE, current.value
            )
            if known:
                self._vote(PREVOTE, current.value if free else NIL)
                return True
        if self._step == PREVOTE:
            if current is not None and self._has_quorum(self._round, PREVOTE, current.value):
                self._locked = self._valid = (self._round, current.value)  # 36
                self._vote(PRECOMMIT, current.value)
                return True
            if self._has_quorum(self._round, PREVOTE, NIL):  # 44
                self._vote(PRECOMMIT, NIL)
                return True
        waits = self._step != PROPOSE and self._deadline is None
        if waits and len(self._cast(self._round, self._step)) >= self._quorum:  # 34, 47
            self._wait()
        return False

    def _commit(self, value: Value) -> None:
        self.log.append(value)
        self.decided_at.append(self._now())
        self.decided.update(value)
        for entry in value:
            self.pool.pop(entry, None)
        self._start()
