"""
The final order, read off the DAG: Mysticeti's commit rule on computed rounds.

Source: Babel et al., *Mysticeti: Reaching the Limits of Latency with Uncertified DAGs*, arXiv
2310.14821, §3. It needs no message of its own. Two things differ, and docs/adr/0005 says why:
robots issue irregularly, so a block's round is computed from its past (:class:`.dag.Entry`)
instead of declared; and a vote need not wait for the next round.

Each round has leader *slots*; the roster takes turns. A *candidate* of a slot is a witness of that
round by that robot: one, unless it equivocated. Robot Y's *vote* on a candidate of round r is its
first record that has the candidate in its past or is of a later round than r. The vote is yes if
it has the candidate, and no other candidate of the slot, in its past. A *certifier* of a candidate
has a quorum of yes votes in its past, and is of round r + 1 at most or a witness of round r + 2.

- A quorum of robots with a certifier commits the candidate: three message delays after it.
- A quorum of no votes against each candidate skips the slot.
- Otherwise the first slot of round r + 3 or later that is not skipped decides, once it is
  committed: it commits the candidate of which it has a certifier in its past, or skips the slot.

Committed leaders in the order of their slots hand what is in their past, and not yet final, to the
final order, by ``(issued_at, depth, id)``.

Why no two robots disagree, as long as less than a third of the weight is Byzantine (each line is
an invariant of ``collab-robots ledger sim``):

1. *One candidate at most is certified per slot*: an honest robot says yes to one of them at most,
   and two quorums share an honest robot.
2. *A skipped slot has no certifier, anywhere*, for the same reason.
3. *A committed candidate has a certifier in the past of every record of round r + 3*: that past
   holds r + 2 witnesses of a quorum, one of them of an honest robot with a certifier, and its
   certifier is that witness or before it.
4. *So whoever decides a slot decides the same*, by induction from later slots to earlier ones.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_

from collab_robots.tangle.dag import Dag, Entry, FOREIGN

LEADERS = 4  # slots of a round, at most
WAVE = 3  # rounds from a slot to the first that can decide it


def slots_of(weights: Sequence[int], leaders: int = LEADERS) -> int:
    """Return how many slots a round has: robots without weight do not lead."""
    return min(leaders, sum(weight > 0 for weight in weights))


@dataclass(eq=False, slots=True)
class Candidate:
    """
    A witness that may lead its round, and who voted on it as far as is known here.

    :param no: bit mask of the robots that voted no.
    :param yes: the same for yes; :attr:`votes` are those records.
    :param certified: bit mask of the robots with a certifier; :attr:`certifiers` are the first
        ones of each.
    """

    entry: Entry
    no: int
    yes: int = 0
    certified: int = 0
    votes: list[Entry] = field(default_factory=list)
    certifiers: list[Entry] = field(default_factory=list)


class Finality:
    """
    Decides leader slots as records are added, parents first.

    :param leaders: slots of a round.
    """

    def __init__(self, dag: Dag, leaders: int = LEADERS) -> None:
        self._dag = dag
        self._quorum = dag.quorum
        self._turns = [issuer for issuer, weight in enumerate(dag.weights) if weight]
        self._turn = {issuer: turn for turn, issuer in enumerate(self._turns)}
        self.leaders = slots_of(dag.weights, leaders)
        self.next = 0
        """The first slot, in order, that is not decided; ``round * leaders + rank``."""
        self.on_decided: Callable[[int, Entry | None], None] = lambda slot, leader: None
        """Called for each slot in order, with its leader or None if it is skipped."""
        self._decided: dict[int, Entry | None] = {}  # slots beyond the next
        self._candidates: dict[int, dict[int, list[Candidate]]] = {}  # by round, by slot
        self._top = [-1] * dag.members  # per issuer, its highest round on any branch
        self._passed = -1  # the last round that a quorum is beyond
        self._dirty = False

    def issuer_of(self, slot: int) -> int:
        """Return the roster index of the robot that leads in a slot."""
        round_, rank = divmod(slot, self.leaders)
        return self._turns[(round_ + rank) % len(self._turns)]

    def slots(self, round_: int) -> range:
        """Return the leader slots of a round."""
        return range(round_ * self.leaders, (round_ + 1) * self.leaders)

    def slot_of(self, witness: Entry) -> int:
        """Return the slot that a witness would lead in; the round may have fewer slots."""
        turn = self._turn.get(witness.issuer)
        rank = self.leaders if turn is None else (turn - witness.round) % len(self._turns)
        return witness.round * self.leaders + rank

    def add(self, entry: Entry) -> list[Entry]:
        """
        Take an attached entry into account.

        :returns: the leaders that are committed now and were not before, in order.
        """
        if entry.issuer == FOREIGN:
            return []
        if entry.witness:
            self._nominate(entry)
        self._vote(entry)
        self._certify(entry)
        self._pass_rounds(entry)
        if not self._dirty:
            return []
        self._dirty = False
        return self._decide()

    def remove(self, entries: Collection[Entry]) -> None:
        """
        Forget entries that were taken out of the DAG; what they decided stays.

        They are of proven equivocators, so no proof of the rule relies on them.
        """
        gone = set(entries)
        for by_slot in self._candidates.values():
            for slot, candidates in by_slot.items():
                by_slot[slot] = [one for one in candidates if one.entry not in gone]
                for one in by_slot[slot]:
                    one.votes = [vote for vote in one.votes if vote not in gone]
                    one.certifiers = [known for known in one.certifiers if known not in gone]
                    one.yes = reduce(or_, (1 << vote.issuer for vote in one.votes), 0)
                    one.certified = reduce(or_, (1 << known.issuer for known in one.certifiers), 0)

    def can_help(self, own: Entry | None, tips: Sequence[Entry]) -> bool:
        """
        Tell whether a record on these tips would be a new witness, vote or certifier.

        :param own: the robot's newest record.
        """
        round_, support = _reached(tips)
        if own is None or round_ > own.round:
            return True
        if self._quorum.reached(support | (own.support if own.round == round_ else 0)):
            return True
        past = [own, *tips]

        def visible(entry: Entry) -> bool:
            return any(one.sees(entry) for one in past)

        bit = 1 << own.issuer
        for at in (own.round, own.round - 1):
            for candidate in self._open(at):
                witness = candidate.entry
                if at == own.round and not own.sees(witness) and visible(witness):
                    return True
                if not candidate.certified & bit and self._quorum.reached(candidate.yes):
                    votes = (1 << vote.issuer for vote in candidate.votes if visible(vote))
                    if self._quorum.reached(reduce(or_, votes, 0)):
                        return True
        return False

    @property
    def lag(self) -> int:
        """How many rounds are open beyond the one whose leaders are decided next."""
        return max(self._top) - self.next // self.leaders

    def awaits_leaders(self, own: Entry, tips: Sequence[Entry]) -> bool:
        """
        Tell whether a record on these tips would vote against leaders that may only be late.

        It would begin a round. Where some robots' records always come later than others', each
        half may vote against the leaders of the other for ever, so that no slot is decided; a
        little patience ends that. A leader that takes no part is not waited for.

        :param own: the robot's newest record.
        """
        round_, support = _reached([own, *tips])
        if round_ < own.round or not self._quorum.reached(support):
            return False
        since = self.next // self.leaders
        leaders = {self.issuer_of(slot) for slot in self.slots(round_)}
        return any(not support >> one & 1 and self._top[one] >= since for one in leaders)

    def _open(self, round_: int) -> Iterator[Candidate]:
        for candidates in self._candidates.get(round_, {}).values():
            yield from candidates

    def _nominate(self, entry: Entry) -> None:
        slot = self.slot_of(entry)
        leads = slot < (entry.round + 1) * self.leaders
        if not leads or slot < self.next or slot in self._decided:
            return
        # Who is in a later round already cannot have it in its past.
        against = self._later_than(entry.round)
        by_slot = self._candidates.setdefault(entry.round, {})
        by_slot.setdefault(slot, []).append(Candidate(entry, against))

    def _vote(self, entry: Entry) -> None:
        previous, bit = entry.previous, 1 << entry.issuer
        first = max(previous.round if previous is not None else 0, self.next // self.leaders)
        for round_ in range(first, entry.round + 1):
            for candidates in self._candidates.get(round_, {}).values():
                for candidate in candidates:
                    witness = candidate.entry
                    if previous is not None and previous.sees(witness):
                        continue
                    if entry.sees(witness):
                        if self._is_alone(candidate, candidates, entry):
                            candidate.votes.append(entry)
                            candidate.yes |= bit
                            continue
                    elif entry.round <= round_:
                        continue
                    candidate.no |= bit
                    self._dirty |= self._quorum.reached(candidate.no)

    def _is_alone(self, candidate: Candidate, rivals: list[Candidate], entry: Entry) -> bool:
        """Tell whether no other candidate of the slot is in an entry's past."""
        return len(rivals) == 1 or not any(
            entry.sees(rival.entry) for rival in rivals if rival is not candidate
        )

    def _certify(self, entry: Entry) -> None:
        bit, is_forked = 1 << entry.issuer, entry.issuer in self._dag.forks
        for round_ in range(entry.round, entry.round - (3 if entry.witness else 2), -1):
            for candidate in self._open(round_):
                if candidate.certified & bit and not is_forked:
                    continue  # by an earlier record
                if self._quorum.reached(candidate.yes):
                    self._certify_one(candidate, entry)

    def _certify_one(self, candidate: Candidate, entry: Entry) -> None:
        if any(
            known.issuer == entry.issuer and entry.sees(known) for known in candidate.certifiers
        ):
            return
        voters = 0
        for vote in candidate.votes:
            if entry.sees(vote):
                voters |= 1 << vote.issuer
        if not self._quorum.reached(voters):
            return
        candidate.certifiers.append(entry)
        candidate.certified |= 1 << entry.issuer
        if self._quorum.reached(candidate.certified):
            self._decided.setdefault(self.slot_of(candidate.entry), candidate.entry)
            self._dirty = True

    def _pass_rounds(self, entry: Entry) -> None:
        """Take note that a robot is in a later round; it matters where a quorum is now."""
        if entry.round <= self._top[entry.issuer]:
            return
        self._top[entry.issuer] = entry.round
        round_ = max(self._passed + 1, self.next // self.leaders)
        while self._quorum.reached(self._later_than(round_)):
            self._passed, self._dirty = round_, True
            round_ += 1

    def _later_than(self, round_: int) -> int:
        mask = 0
        for issuer, top in enumerate(self._top):
            if top > round_:
                mask |= 1 << issuer
        return mask

    def _decide(self) -> list[Entry]:
        """Skip what can be skipped, let later slots decide earlier ones, and move on."""
        for slot in range((self._passed + 1) * self.leaders - 1, self.next - 1, -1):
            if slot not in self._decided:
                self._decide_slot(slot)
        leaders = []
        while self.next in self._decided:
            slot, leader = self.next, self._decided.pop(self.next)
            self.next += 1
            self._forget(slot)
            self.on_decided(slot, leader)
            if leader is not None:
                leaders.append(leader)
        return leaders

    def _decide_slot(self, slot: int) -> None:
        """
        Decide a slot that lacks a quorum of certifiers, if that can be done.

        Slots after it were tried before. A quorum is in later rounds, so that it votes against
        candidates that nobody here knows.
        """
        round_ = slot // self.leaders
        candidates = self._candidates.get(round_, {}).get(slot, [])
        if all(self._quorum.reached(candidate.no) for candidate in candidates):
            self._decided[slot] = None
            return
        end = (max(self._top) + 1) * self.leaders  # from there on there are no records yet
        for later in range((round_ + WAVE) * self.leaders, end):
            if later not in self._decided:
                return
            anchor = self._decided[later]
            if anchor is not None:
                self._decided[slot] = next(
                    (
                        candidate.entry
                        for candidate in candidates
                        if any(anchor.sees(certifier) for certifier in candidate.certifiers)
                    ),
                    None,
                )
                return

    def _forget(self, slot: int) -> None:
        """Drop what decided a slot, now that all slots before it are decided, too."""
        round_ = slot // self.leaders
        by_slot = self._candidates.get(round_)
        if by_slot is not None:
            by_slot.pop(slot, None)
            if not by_slot:
                del self._candidates[round_]


def _reached(entries: Sequence[Entry]) -> tuple[int, int]:
    """Return the highest round, and whose witnesses of it are in the past, as a mask."""
    round_, support = -1, 0
    for entry in entries:
        if entry.round > round_:
            round_, support = entry.round, entry.support
        elif entry.round == round_:
            support |= entry.support
    return round_, support
