"""
Roots of a snapshot: which final records it keeps, how it describes them, and back.

A robot numbers the branches of an equivocator as they come, so their numbers differ from robot to
robot. A snapshot names them by records instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from collab_robots.core.clock import SECOND
from collab_robots.tangle.cut import Root
from collab_robots.tangle.dag import Dag, Entry, FOREIGN
from collab_robots.tangle.record import Record

ROOT_WINDOW = 500  # final records
ROOT_LAG = 60 * SECOND


def choose_roots(
    held: Sequence[Entry], span: tuple[int, int], round_: int, forks: Mapping[int, int]
) -> list[Entry]:
    """
    Return the final records that others may still name, or that decide later slots.

    A record names tips, which are in the past of nothing that its issuer knew. Where a robot is
    away since a while, its next record names what it knew then: so, for each robot, what its
    newest final record has not in its past and was issued shortly after it, at the latest.

    :param held: the roots of the cut before and what became final since, in final order.
    :param span: positions of the cut before and of this one.
    :param round_: of the slot that is decided next.
    :param forks: lowest final seq that an issuer used twice, for those who did.
    """
    newest = {entry.issuer: entry for entry in held if entry.issuer != FOREIGN}
    away = [last for issuer, last in newest.items() if issuer not in forks]

    def is_root(entry: Entry) -> bool:
        record = entry.record
        return (
            entry.round >= round_
            or entry.position >= span[1] - ROOT_WINDOW
            or (entry.issuer == FOREIGN and entry.position >= span[0])
            or newest.get(entry.issuer) is entry
            or (entry.issuer in forks and record.seq >= forks[entry.issuer] - 1)
            or any(
                record.issued_at <= last.record.issued_at + ROOT_LAG and not last.sees(entry)
                for last in away
            )
        )

    return [entry for entry in held if is_root(entry)]


def describe(dag: Dag, entries: Sequence[Entry], forks: Mapping[int, int]) -> tuple[Root, ...]:
    """
    Return entries as the roots of a snapshot.

    :param entries: in final order.
    :param forks: the issuers with branches among what is final.
    """
    held = {entry.id for entry in entries}
    branches = {
        (entry.branch, entry.record.seq): entry for entry in entries if entry.issuer in forks
    }

    def seen(entry: Entry, issuer: int) -> int | tuple[bytes, ...]:
        if issuer in forks:
            return _heads(dag, entry, issuer, branches)
        return dag.height(entry.seen, issuer)

    return tuple(
        Root(
            entry.id,
            entry.issuer,
            entry.record.seq,
            entry.record.issued_at,
            entry.depth,
            entry.round,
            entry.support,
            entry.witness,
            entry.position,
            previous.id if (previous := entry.previous) and previous.id in held else b'',
            tuple(seen(entry, issuer) for issuer in range(dag.members)),
        )
        for entry in entries
    )


def install(dag: Dag, root: Root) -> Entry:
    """
    Add a root to a DAG that holds only the roots before it.

    :returns: its entry, whose record has neither parents nor calls.
    """
    seen = [0] * len(dag.branches)
    for issuer, what in enumerate(root.seen):
        if isinstance(what, int):
            seen[issuer] = what
            continue
        for head in what:
            for branch, height in enumerate(dag.entries[head].seen):
                if dag.branches[branch][0] == issuer:
                    seen[branch] = max(height, seen[branch])
    previous = dag.entries.get(root.previous)
    branch = root.issuer
    if branch != FOREIGN:
        if previous is not None:
            branch = previous.branch
        if dag.branches[branch][2] > root.seq:
            branch = len(dag.branches)
            seen.append(0)
        seen[branch] = root.seq + 1
    entry = Entry(
        root.id,
        Record(b'', b'', root.seq, (), root.issued_at, (), b''),
        root.issuer,
        branch,
        root.depth,
        tuple(seen),
        root.round,
        root.support,
        root.witness,
        previous,
        root.position,
    )
    dag.adopt(entry)
    return entry


def _heads(
    dag: Dag, entry: Entry, issuer: int, branches: Mapping[tuple[int, int], Entry]
) -> tuple[bytes, ...]:
    """
    Return an equivocator's records in an entry's past that none other of them is after.

    :param branches: records by branch and seq.
    """
    found = [
        branches[branch, height - 1]
        for branch, height in enumerate(entry.seen)
        if dag.branches[branch][0] == issuer and (branch, height - 1) in branches
    ]
    if entry in found:  # it is named by its id anyway, but not what it went on from
        found.remove(entry)
        previous = entry.previous
        if previous is not None and (previous.branch, previous.record.seq) in branches:
            found.append(previous)
    return tuple(
        sorted(
            one.id
            for one in {*found}
            if not any(other.sees(one) for other in found if other is not one)
        )
    )
