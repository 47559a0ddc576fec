"""Robots: how they are, what they did, and how far they are trusted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
import json
from typing import Any

from collab_robots.contract.views import maps
from collab_robots.contract.views.roster import Standing
from collab_robots.core.clock import SECOND
from collab_robots.explorer.book.answers import Conflict, Evidence, Robot, Trust, Verdict
from collab_robots.explorer.book.blocks import Blocks
from collab_robots.explorer.book.ids import shown
from collab_robots.explorer.book.index import Index
from collab_robots.explorer.book.states import differing, sketch_of, StateView
from collab_robots.tangle.block import block_id

_MINUTE = 60 * SECOND


class People:
    """Answers about robots, of an index and a state."""

    def __init__(self, index: Index, blocks: Blocks) -> None:
        self._index = index
        self._blocks = blocks

    def robots(
        self,
        state: StateView,
        now: int,
        held: Mapping[str, Sequence[str]],
        equivocators: Sequence[int],
    ) -> tuple[Robot, ...]:
        """
        Tell of all robots at a time.

        :param now: ns.
        :param held: ids of tasks, by robot.
        :param equivocators: roster indices.
        """
        names, latest = self._blocks.names, self._latest(now)
        present = max((row[1] for row in latest.values()), default=0)
        convicted = state.convicted()
        done = dict(
            self._index.db.execute(
                'SELECT robot, count(DISTINCT task) FROM acts JOIN blocks ON n = block '
                "WHERE name = 'complete' AND issued_at <= ? GROUP BY robot",
                (now,),
            ).fetchall()
        )
        found = []
        for robot in state.roster.roster().robots:
            own = [index for index, name in enumerate(names) if name == robot.name]
            counts = self._counts(own, now)
            index = own[-1] if own else -1
            last = latest[index][1] if index in latest else 0
            found.append(
                Robot(
                    name=robot.name,
                    key=robot.key.hex(),
                    weight=robot.weight,
                    standing=robot.standing.value,
                    **counts,
                    last=last / SECOND,
                    silent=(present - last) / SECOND,
                    rate=self._rate(own, last),
                    tasks_done=done.get(robot.name, 0),
                    holds=tuple(held.get(robot.name, ())),
                    convicted=robot.name in convicted,
                    equivocated=any(one in equivocators for one in own),
                    behind=self._behind(index, latest, present),
                )
            )
        return tuple(found)

    def trust(
        self,
        state: StateView,
        proofs: Mapping[int, tuple[bytes, bytes]],
    ) -> Trust:
        """
        Say who is trusted, and why.

        :param proofs: of equivocation, by roster index.
        """
        roster, convicted, failures = (
            state.roster.roster(),
            state.convicted(),
            state.failures(),
        )
        by_name = {self._blocks.names[index]: proof for index, proof in proofs.items()}
        verdicts = []
        for robot in roster.robots:
            evidence = tuple(self._evidence(robot.name, one) for one in state.evidence(robot.name))
            proof = by_name.get(robot.name, ())
            verdicts.append(
                Verdict(
                    robot=robot.name,
                    standing=robot.standing.value,
                    convicted=robot.name in convicted,
                    equivocated=bool(proof),
                    proof=tuple(shown(block_id(raw)) for raw in proof),
                    evidence=evidence,
                    failures=failures.get(robot.name, {}),
                    words=_words(robot.name, robot.standing, convicted, evidence, bool(proof)),
                )
            )
        return Trust(
            needed=-(-len(roster.active) // 3),
            verdicts=tuple(verdicts),
            disputes=state.disputes(),
        )

    def _latest(self, now: int) -> dict[int, tuple[int, int, Sequence[int]]]:
        """Return seq, time and what it saw of each issuer's newest record, by roster index."""
        found = {}
        for index in range(len(self._blocks.names)):
            row = self._index.db.execute(
                'SELECT seq, issued_at, seen FROM blocks WHERE issuer = ? AND issued_at <= ? '
                'ORDER BY issued_at DESC LIMIT 1',
                (index, now),
            ).fetchone()
            if row is not None:
                found[index] = (row[0], row[1], json.loads(row[2]))
        return found

    def _counts(self, own: Sequence[int], now: int) -> dict[str, Any]:
        marks = ','.join('?' * len(own))
        blocks, final, calls, reverted = self._index.db.execute(
            'SELECT count(*), count(position), coalesce(sum(calls), 0), '
            f'coalesce(sum(reverted), 0) FROM blocks WHERE issuer IN ({marks}) AND issued_at <= ?',
            (*own, now),
        ).fetchone()
        return {'blocks': blocks, 'final': final, 'calls': calls, 'reverted': reverted}

    def _rate(self, own: Sequence[int], last: int) -> float:
        """Return records a second of the minute before a robot's last record."""
        marks = ','.join('?' * len(own))
        count, first = self._index.db.execute(
            f'SELECT count(*), min(issued_at) FROM blocks WHERE issuer IN ({marks}) '
            'AND issued_at BETWEEN ? AND ?',
            (*own, last - _MINUTE, last),
        ).fetchone()
        return (count - 1) * SECOND / (last - first) if count > 1 and last > first else 0.0

    def _behind(
        self, index: int, latest: Mapping[int, tuple[int, int, Sequence[int]]], present: int
    ) -> dict[str, float]:
        """Return how long a robot has not heard each other one."""
        if index not in latest:
            return {}
        seen, behind = latest[index][2], {}
        for other in latest:
            if other == index:
                continue
            height = seen[other] if other < len(seen) else 0
            row = self._index.db.execute(
                'SELECT min(issued_at) FROM blocks WHERE issuer = ? AND seq = ?', (other, height)
            ).fetchone()
            since = row[0] if row[0] is not None and row[0] <= present else present
            behind[self._blocks.names[other]] = (present - since) / SECOND
        return behind

    def _evidence(self, robot: str, evidence: maps.Evidence) -> Evidence:
        return Evidence(
            region=evidence.region,
            suffices=evidence.suffices,
            witnesses=tuple(sorted(evidence.witnesses)),
            conflicts=tuple(
                Conflict(
                    time=one.at / SECOND,
                    sketch=sketch_of(one.sketch),
                    block=self._submission(robot, evidence.region, one.at),
                    witness=one.witness,
                    witness_time=one.witness_at / SECOND,
                    witness_sketch=sketch_of(one.witness_sketch),
                    witness_block=self._submission(one.witness, evidence.region, one.witness_at),
                    cells=differing(one.sketch, one.witness_sketch),
                )
                for one in evidence.conflicts
            ),
        )

    def _submission(self, robot: str, region: tuple[int, int], at: int) -> str | None:
        """Return the block in which a robot submitted a sketch, by its second."""
        row = self._index.db.execute(
            "SELECT id FROM blocks JOIN calls ON n = block WHERE name = 'submitSketch' "
            'AND words = ? AND ok AND issuer = ? AND issued_at BETWEEN ? AND ?',
            (
                f'sketch region ({region[0]}, {region[1]})',
                self._blocks.index_of(robot),
                at,
                at + SECOND - 1,
            ),
        ).fetchone()
        return shown(row[0]) if row else None


def _words(
    robot: str,
    standing: Standing,
    convicted: Collection[str],
    evidence: Sequence[Evidence],
    equivocated: bool,
) -> str:
    """Say in a sentence how far a robot is trusted."""
    said = []
    if robot in convicted:
        enough = [one for one in evidence if one.suffices]
        where = ', '.join(f'({one.region[0]}, {one.region[1]})' for one in enough)
        who = ', '.join(sorted({name for one in enough for name in one.witnesses}))
        said.append(f'convicted of a wrong map: of region {where} {who} saw otherwise')
    if equivocated:
        said.append('signed two records with one number')
    if standing is not Standing.ACTIVE:
        said.append(f'has {standing.value}' if standing is Standing.LEFT else 'is expelled')
    doubts = [one for one in evidence if not one.suffices and {*one.witnesses} - {*convicted}]
    if doubts and robot not in convicted:
        where = ', '.join(f'({one.region[0]}, {one.region[1]})' for one in doubts)
        said.append(f'in conflict about region {where}, with too few witnesses to judge')
    return f'{robot}: {"; ".join(said) or "trusted"}'
