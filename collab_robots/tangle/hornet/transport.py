"""A ledger's transport over a TIP-25 node; :meth:`HornetTransport.poll` keeps it going."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Protocol

from collab_robots.core.clock import Clock, SECOND
from collab_robots.core.errors import Refusal
from collab_robots.core.fleet import Fleet
from collab_robots.tangle.block import block_id, ID_BYTES
from collab_robots.tangle.dag import Dag
from collab_robots.tangle.equivocation import Proof
from collab_robots.tangle.hornet.node import Answer, Job, Kind, Node, Outcome
from collab_robots.tangle.hornet.upload import Upload
from collab_robots.tangle.hornet.walk import Walk
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.sync import Chunk, Have, Request


@dataclass(frozen=True)
class HornetConfig:
    """
    Times in seconds.

    :param poll_interval: between two looks at the node's tips.
    :param audit_interval: between two looks at whether the node still has what it should.
    :param retry: until an absent block is asked for again.
    :param backoff: after a failure; it doubles up to ``max_backoff``.
    :param max_backoff: the longest.
    :param patience: a node that fails for longer is an alarm.
    :param parallel: blocks asked for at a time.
    :param max_held: bytes of memory for blocks that wait for their parents.
    """

    poll_interval: float = 0.25
    audit_interval: float = 10.0
    retry: float = 1.0
    backoff: float = 0.25
    max_backoff: float = 15.0
    patience: float = 5.0
    parallel: int = 8
    max_held: int = 32 * 1024 * 1024


class Ledger(Protocol):
    """What this transport needs of the ledger that it serves."""

    name: str
    fleet: Fleet
    dag: Dag
    proofs: dict[int, Proof]

    def receive_block(self, raw: bytes, sender: str) -> None: ...
    def receive_have(self, have: Have) -> None: ...
    def raw_block(self, identity: bytes) -> bytes | None: ...


class HornetTransport:
    """
    Posts own blocks to a node, and reads everybody's from it.

    There are no announcements, requests or snapshots over a node: what is asked for is fetched by
    id, and a teammate's record says as much as an announcement of it: what it held.

    :param node: does the requests.
    :param clock: of the ledger.
    :param ledger_config: the pace at which the ledger takes records.
    """

    def __init__(
        self,
        node: Node,
        clock: Clock,
        config: HornetConfig | None = None,
        ledger_config: LedgerConfig | None = None,
    ) -> None:
        self._node = node
        self._clock = clock
        self._config = config or HornetConfig()
        self._pace = ledger_config or LedgerConfig()
        self.refused: Counter[Refusal] = Counter()
        """What came from the node and was refused before the ledger saw it."""
        # A record of a robot whose clock is ahead may say that it is from after the start.
        tolerance = round(self._pace.future_tolerance * SECOND)
        self._started_at = clock.now_ns() + tolerance
        self._ledger: Ledger | None = None
        self._walk: Walk
        self._upload: Upload
        self._under_way = 0
        self._tips_asked = False
        self._tips_at = 0.0
        self._failures = 0
        self._not_before = 0.0
        self._fails_since: float | None = None
        self._trouble = ''
        self._told: dict[int, int] = {}  # per issuer, seq of the record that announced

    def attach(self, ledger: Ledger) -> None:
        """Serve this ledger; before, nothing is sent."""
        config, pace = self._config, self._pace
        self._ledger = ledger
        self._walk = Walk(
            ledger,
            self.refused,
            config.max_held,
            config.retry,
            pace.new_rate * 3 // 4,
            pace.new_burst * 3 // 4,
        )
        self._upload = Upload(ledger, config.audit_interval)

    @property
    def posted(self) -> int:
        """How many blocks the node took."""
        return self._upload.posted

    @property
    def alarm(self) -> str:
        """What is wrong with the node; empty when all is well."""
        if self._ledger is None:
            return ''
        alarms = []
        now = self._now()
        if self._fails_since is not None and now - self._fails_since >= self._config.patience:
            waiting = self._upload.waiting
            alarms.append(f'node: {self._trouble}; {waiting} blocks wait to be posted')
        if self._upload.refused:
            identity, text = next(reversed(self._upload.refused.items()))
            alarms.append(f'node refuses block {identity.hex()[:16]}: {text}')
        return '; '.join(alarms)

    def broadcast_block(self, raw: bytes) -> None:
        """Post a block, as soon as the node takes it."""
        if self._ledger is None:
            return
        identity = block_id(raw)
        if identity in self._ledger.dag.entries:
            self._upload.add(identity)
        else:
            self._upload.add_loose(identity, raw)

    def broadcast_have(self, have: Have) -> None:
        """Nothing: a node carries blocks only."""

    def broadcast_chunk(self, chunk: Chunk) -> None:
        """Nothing: a node carries blocks only."""

    def send_request(self, target: str, request: Request) -> None:
        """Get the blocks that are asked for by id from the node."""
        if self._ledger is not None:
            self._walk.want(request.ids)

    def poll(self) -> None:
        """Take the node's answers and give it jobs; call it often, from the ledger's thread."""
        if self._ledger is None:
            return
        now = self._now()
        for answer in self._node.take():
            self._under_way -= 1
            self._take(answer, now)
        self._announce(self._ledger)
        if now < self._not_before:
            return
        self._walk.tick(now)
        self._upload.tick(now)
        # One job at a time shows whether a node that failed is back.
        limit = self._config.parallel if not self._failures else 1
        for job in self._upload.next() if self._under_way < limit else ():
            self._submit(job)
        if self._under_way < limit and self._is_tips_due(now):
            self._tips_asked = True
            self._submit(Job(Kind.TIPS))
        while self._under_way < limit and (wanted := self._walk.next(now)) is not None:
            self._submit(wanted)

    def _submit(self, job: Job) -> None:
        self._under_way += 1
        self._node.submit(job)

    def _is_tips_due(self, now: float) -> bool:
        return not self._tips_asked and now >= self._tips_at and self._walk.may_start

    def _take(self, answer: Answer, now: float) -> None:
        kind = answer.job.kind
        if answer.outcome is Outcome.FAILED:
            self._back_off(answer, now)
        else:
            self._failures = 0
            self._fails_since = None
        if kind is Kind.TIPS:
            self._tips_asked = False
            self._tips_at = now + self._config.poll_interval
            self._walk.want(answer.ids)
        elif kind is Kind.GET:
            self._walk.answered(answer, now)
        else:
            self._upload.answered(answer)

    def _back_off(self, answer: Answer, now: float) -> None:
        config = self._config
        wait = min(config.backoff * 2 ** min(self._failures, 16), config.max_backoff)
        self._failures += 1
        self._not_before = now + max(wait, answer.wait)
        self._trouble = answer.text
        if self._fails_since is None:
            self._fails_since = now

    def _announce(self, ledger: Ledger) -> None:
        """Take what a teammate's newest record had in its past as its announcement."""
        dag = ledger.dag
        for issuer, robot in enumerate(ledger.fleet.robots):
            entry = dag.newest(issuer)
            if (
                entry is None
                or robot.name == ledger.name
                or self._told.get(issuer) == entry.record.seq
                or entry.record.issued_at < self._started_at
            ):
                continue
            self._told[issuer] = entry.record.seq
            heights = [0] * dag.members
            for branch, height in enumerate(entry.seen[: dag.members]):
                heights[branch] = height
            ledger.receive_have(
                Have(
                    robot.name,
                    ledger.fleet.id,
                    tuple(heights),
                    dag.digest.to_bytes(ID_BYTES, 'big'),
                    forked=tuple(sorted(ledger.proofs)),
                )
            )

    def _now(self) -> float:
        return self._clock.now_ns() / SECOND
