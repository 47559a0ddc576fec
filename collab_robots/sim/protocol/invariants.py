"""
What must hold in every run; each check says which promise of DESIGN it guards.

The robots are compared with one account of the run that no robot sees: what was final anywhere,
which slot was decided how, when a record came to be.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from collab_robots.sim.protocol.scenario import Scenario
from collab_robots.tangle.block import ID_BYTES
from collab_robots.tangle.dag import Entry, FOREIGN
from collab_robots.tangle.equivocation import Proof
from collab_robots.tangle.ledger import Ledger


class ViolatedError(Exception):
    """
    An invariant does not hold.

    :param invariant: name of the check.
    :param robot: name of the robot where it shows.
    :param detail: what was expected and what is.
    """

    def __init__(self, invariant: str, robot: str, detail: str) -> None:
        super().__init__(f'{invariant}: {robot}: {detail}')
        self.invariant = invariant
        self.robot = robot
        self.detail = detail


@dataclass
class Birth:
    """
    When an honest record came to be.

    :param at: s.
    :param calls: it has some.
    """

    issuer: int
    at: float
    calls: bool


@dataclass
class Account:
    """
    What is known of a run as a whole.

    :param final: id of each position of the one final order.
    :param slots: by epoch and number: leader id of each decided slot, None where it is skipped.
    :param born: of each record of a robot that is no liar.
    :param two_handed: per robot: the issuers of which it held two records with one seq.
    """

    scenario: Scenario
    final: list[bytes] = field(default_factory=list)
    positions: dict[bytes, int] = field(default_factory=dict)
    slots: dict[tuple[int, int], bytes | None] = field(default_factory=dict)
    born: dict[bytes, Birth] = field(default_factory=dict)
    held: dict[str, dict[tuple[int, int], bytes]] = field(default_factory=dict)
    two_handed: dict[str, set[int]] = field(default_factory=dict)


def final_orders_are_prefixes(account: Account, robot: str, entry: Entry) -> None:
    """
    Rule 5: for any two honest robots one final order is a prefix of the other.

    It holds across crashes, too: what was final before is compared as well.
    """
    at, final = entry.position, account.final
    if at == len(final):
        if entry.id in account.positions:
            raise ViolatedError(
                'final_orders_are_prefixes',
                robot,
                f'record {tag(entry)} is final at {at} and at {account.positions[entry.id]}',
            )
        account.positions[entry.id] = at
        final.append(entry.id)
    elif not 0 <= at < len(final) or final[at] != entry.id:
        other = final[at].hex()[:8] if 0 <= at < len(final) else 'nothing'
        raise ViolatedError(
            'final_orders_are_prefixes',
            robot,
            f'position {at} is {tag(entry)} here and {other} elsewhere',
        )


def parents_are_final_first(account: Account, robot: str, entry: Entry) -> None:
    """Rule 5: the final order is topological, so a contract never sees an effect first."""
    for parent in entry.record.parents:
        position = account.positions.get(parent)
        if any(parent) and (position is None or position >= entry.position):
            raise ViolatedError(
                'parents_are_final_first',
                robot,
                f'{tag(entry)} is final at {entry.position}, its parent {parent.hex()[:8]} '
                f'{"is not" if position is None else f"at {position}"}',
            )


def slots_are_decided_once(
    account: Account, robot: str, epoch: int, slot: int, leader: Entry | None
) -> None:
    """Lemma 4 of finality.py: whoever decides a leader slot decides the same."""
    found = leader.id if leader is not None else None
    known = account.slots.setdefault((epoch, slot), found)
    if known != found:
        raise ViolatedError(
            'slots_are_decided_once',
            robot,
            f'slot {slot} of epoch {epoch} is {_choice(found)} here, {_choice(known)} elsewhere',
        )


def cut_off_side_finalises_nothing(
    account: Account, robot: str, entry: Entry, cut_since: float | None
) -> None:
    """
    Rule 4: a side below 2/3 of the roster never calls anything of its own final.

    :param cut_since: s; since when this robot hears less than a quorum, even over others; None if
        it does not.
    """
    birth = account.born.get(entry.id)
    if cut_since is not None and birth is not None and birth.at > cut_since:
        raise ViolatedError(
            'cut_off_side_finalises_nothing',
            robot,
            f'{tag(entry)}, issued at {birth.at:.2f} s, became final though the robot hears no '
            f'quorum since {cut_since:.2f} s',
        )


def no_honest_robot_is_called_equivocator(account: Account, ledger: Ledger) -> None:
    """Rules 1 and 2: only two records with one seq prove one, and honest robots sign no two."""
    for issuer in {*ledger.dag.forks, *ledger.proofs}:
        if issuer not in account.scenario.faults:
            raise ViolatedError(
                'no_honest_robot_is_called_equivocator',
                ledger.name,
                f'{ledger.fleet.robots[issuer].name} signed two records with one seq',
            )


def note_solid(account: Account, robot: str, entry: Entry) -> None:
    """Remember which two records with one seq a robot held together or one after the other."""
    if entry.issuer == FOREIGN:
        return
    seat = (entry.issuer, entry.record.seq)
    if account.held[robot].setdefault(seat, entry.id) != entry.id:
        account.two_handed[robot].add(entry.issuer)


def held_equivocations_are_proven(account: Account, ledgers: Iterable[Ledger]) -> None:
    """Rule 2: two records with one seq that a robot held are proven there; proofs hold offline."""
    proven: set[int] = set()
    for ledger in ledgers:
        for issuer in account.two_handed[ledger.name]:
            if issuer not in ledger.proofs:
                raise ViolatedError(
                    'held_equivocations_are_proven',
                    ledger.name,
                    f'two records of {ledger.fleet.robots[issuer].name} with one seq were here, '
                    'but there is no proof',
                )
        for issuer, proof in ledger.proofs.items():
            if Proof.decode(proof.encode(), ledger.fleet).issuer != issuer:
                raise ViolatedError(
                    'held_equivocations_are_proven', ledger.name, f'the proof of {issuer} is not'
                )
        proven |= ledger.proofs.keys()
    for ledger in ledgers:
        if proven != ledger.proofs.keys():
            raise ViolatedError(
                'held_equivocations_are_proven',
                ledger.name,
                f'proven elsewhere, not here: robots {sorted(proven - ledger.proofs.keys())}',
            )


def nothing_is_lost(account: Account, ledgers: Iterable[Ledger], quiet_at: float) -> None:
    """
    Rule 6: after a split of any shape heals, every honest record is final everywhere.

    At ``quiet_at`` each honest robot submits a call, so its records until then are in the past of
    a record with calls. Of those after it the last approvals need not be final. What a robot says
    after the others let it go counts only where somebody took it up, or when it comes back.
    """
    for ledger in ledgers:
        faulty = account.scenario.faults.keys() | ledger.fleet.left
        for identity, birth in account.born.items():
            if birth.issuer in faulty or not (birth.calls or birth.at < quiet_at):
                continue
            position = account.positions.get(identity)
            if position is None or position >= ledger.order.final:
                raise ViolatedError(
                    'nothing_is_lost',
                    ledger.name,
                    f'record {identity.hex()[:8]} of robot {birth.issuer:02}, issued at '
                    f'{birth.at:.2f} s, is not final; {ledger.order.final} records are',
                )


def robots_agree(account: Account, ledgers: Iterable[Ledger]) -> None:
    """
    Rules 3 and 5: once all is quiet, the robots hold the same records.

    That they have them in the same order, other invariants say. How many of the last approvals
    are final may differ: a robot may have counted records of a liar that are gone now. A robot
    that left keeps what it signed, for its return.
    """
    digests = {
        ledger.name: ledger.dag.digest.to_bytes(ID_BYTES, 'big')
        for ledger in ledgers
        if ledger.index not in ledger.fleet.left
    }
    for name, digest in digests.items():
        first = next(iter(digests))
        if digest != digests[first]:
            raise ViolatedError(
                'robots_agree',
                name,
                f'set {digest.hex()[:8]}, {first}: {digests[first].hex()[:8]}',
            )


def tag(entry: Entry) -> str:
    """Name a record: issuer, seq and the start of its id."""
    return f'{entry.issuer:02}#{entry.record.seq}/{entry.id.hex()[:8]}'


def _choice(identity: bytes | None) -> str:
    return 'skipped' if identity is None else identity.hex()[:8]
