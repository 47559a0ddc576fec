"""
What happens to a block before it is solid: checks, limits, waiting, proofs of equivocation.

It decides neither what a solid record means nor what to ask for.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection

from collab_robots.core.budget import Budget
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.core.fleet import Fleet
from collab_robots.tangle.block import block_id, decode_block, MAX_BLOCK_BYTES
from collab_robots.tangle.dag import Entry, FOREIGN
from collab_robots.tangle.equivocation import Proof
from collab_robots.tangle.record import decode_record, foreign_record, RECORD_TAG, verify_record
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.solidifier import Item, Solidifier
from collab_robots.tangle.tangle import Tangle

MAX_UNVOUCHED = 512
MAX_SEEN = 512


class Intake:
    """
    Takes blocks in any order and hands on those that are solid.

    A block of a foreign or a proven equivocator is not taken for itself: it is kept aside until a
    record of somebody else names it as parent.

    :param refused: counts what is refused, dropped or put off.
    :param recent: the first block that came with each seq, by issuer and seq, the oldest first: id
        and bytes; kept from epoch to epoch.
    :param attach: called with each record that became solid, parents first; adds it to the DAG.
    :param prove: called with each new proof of equivocation.
    :param raw_of: gives the bytes of a block that is solid.
    """

    def __init__(
        self,
        fleet: Fleet,
        tangle: Tangle,
        config: LedgerConfig,
        refused: Counter[Refusal],
        recent: dict[tuple[int, int], tuple[bytes, bytes]],
        attach: Callable[[Item, Entry], None],
        prove: Callable[[Proof], None],
        raw_of: Callable[[bytes], bytes | None],
    ) -> None:
        self._fleet = fleet
        self._tangle = tangle
        self._config = config
        self._refused = refused
        self._prove = prove
        self._raw_of = raw_of
        self._solidifier = Solidifier(tangle.dag, refused, config.max_waiting, attach)
        self._early: dict[bytes, Item] = {}
        self._unvouched: dict[bytes, Item] = {}  # oldest first
        self._recent = recent
        self._bad: defaultdict[str, Budget] = defaultdict(
            lambda: Budget(config.bad_rate, config.bad_burst)
        )
        self._new: defaultdict[int, Budget] = defaultdict(
            lambda: Budget(config.new_rate, config.new_burst)
        )

    def __len__(self) -> int:
        """Return how many blocks wait for their parents or their time."""
        return len(self._solidifier) + len(self._early)

    @property
    def items(self) -> list[Item]:
        """All blocks that are not solid."""
        early, aside = self._early.values(), self._unvouched.values()
        return [*self._solidifier.items, *early, *aside]

    @property
    def waiting(self) -> tuple[set[int], ...]:
        """Per issuer, the seqs of what waits for its parents."""
        return self._solidifier.seqs

    def missing(self) -> dict[bytes, str]:
        """Return the ids that somebody waits for and nobody brought, each with whom to ask."""
        return {
            identity: sender
            for identity, sender in self._solidifier.missing().items()
            if identity not in self._early
        }

    def miss(self, gone: Collection[bytes]) -> None:
        """Take note that blocks were taken out of the DAG: what waits may need them again."""
        self._solidifier.miss(gone)

    def take(self, raw: bytes, sender: str, now: int, asked: bool) -> bool:
        """
        Take a block.

        :param sender: who sent this copy; may be false.
        :param now: ns, local clock.
        :param asked: blocks were asked for, so that many may come at once.
        :returns: whether it was new.
        :raises RefusedError: if it is not taken; the caller counts it.
        """
        budget = self._bad[sender if sender in self._fleet.index_by_name else '']
        if not budget.has(now, 1):
            raise RefusedError(Refusal.FLOOD, f'{sender!r:.80} sends too much that is refused')
        try:
            return self._take(raw, sender, now, asked)
        except RefusedError:
            budget.take(now, 1)
            raise

    def release(self, now: int) -> None:
        """Go on with what was put off until its time came."""
        limit = now + self._config.future_tolerance * SECOND
        for item in [early for early in self._early.values() if early.record.issued_at <= limit]:
            del self._early[item.id]
            if item.issuer in self._tangle.unvouched:
                self._vouch(item)
            else:
                self.add(item)

    def _take(self, raw: bytes, sender: str, now: int, asked: bool) -> bool:
        if len(raw) > MAX_BLOCK_BYTES:
            raise RefusedError(Refusal.TOO_LARGE, f'block of {len(raw)} bytes')
        identity = block_id(raw)
        entry = self._tangle.dag.entries.get(identity)
        if entry is not None:
            if 0 <= entry.position < self._tangle.order.base:  # a root: maybe without its bytes
                self._look_for_equivocation(entry.issuer, entry.record.seq, identity, raw)
            return False
        if identity in self._solidifier or identity in self._early:
            return False
        if identity in self._unvouched:
            if self._solidifier.needs(identity):
                self.add(self._unvouched.pop(identity))
            return False
        block = decode_block(raw)
        if block.tag != RECORD_TAG:
            self._spend(FOREIGN, identity, now, asked)
            item = Item(identity, raw, foreign_record(block), FOREIGN, sender, now)
            self._vouch(item)
            return True
        record = decode_record(block)
        issuer = verify_record(record, self._fleet)
        item = Item(identity, raw, record, issuer, sender, now)
        self._look_for_equivocation(issuer, record.seq, identity, raw)
        if issuer in self._tangle.unvouched:
            self._vouch(item)
            return True
        if self._tangle.covers(issuer, record.seq):
            raise RefusedError(Refusal.PRUNED, f'record {record.seq} of robot {issuer} is pruned')
        self._spend(issuer, identity, now, asked)
        if record.issued_at > now + self._config.future_tolerance * SECOND:
            self._put_off(item)
        else:
            self.add(item)
        return True

    def _spend(self, issuer: int, identity: bytes, now: int, asked: bool) -> None:
        within = self._new[issuer].take(now, 1)
        if not (within or asked or self._solidifier.needs(identity)):
            raise RefusedError(Refusal.FLOOD, f'issuer {issuer} sends too much')

    def _look_for_equivocation(self, issuer: int, seq: int, identity: bytes, raw: bytes) -> None:
        """Prove one if another block with that seq is at hand."""
        if issuer == FOREIGN or issuer in self._tangle.proofs:
            return
        recent, other = self._recent.setdefault((issuer, seq), (identity, raw))
        if len(self._recent) > MAX_SEEN:
            del self._recent[next(iter(self._recent))]
        others: list[bytes | None] = [other] if recent != identity else []
        others += [
            self._raw_of(entry.id)
            for entry in self._tangle.dag.all_at(issuer, seq)
            if entry.id != identity
        ]
        for other in filter(None, others):
            self._prove(Proof.of(raw, other, self._fleet))
            return

    def _vouch(self, item: Item) -> None:
        """Keep a block aside, unless a record that is here names it."""
        if self._solidifier.needs(item.id):
            self.add(item)
            return
        self._refused[Refusal.EQUIVOCATION] += item.issuer != FOREIGN
        self._unvouched[item.id] = item
        if len(self._unvouched) > MAX_UNVOUCHED:
            del self._unvouched[next(iter(self._unvouched))]

    def add(self, item: Item) -> None:
        """Take a checked block for itself; what waits for it goes on, too."""
        todo = [item]
        while todo:
            item = todo.pop()
            self._solidifier.add(item)
            todo += [
                self._unvouched.pop(parent)
                for parent in item.record.parents
                if parent in self._unvouched and self._solidifier.needs(parent)
            ]

    def alarm(self, now: int) -> str:
        """Say whose records wait for their time; empty if none does."""
        ahead = [item for item in self._early.values() if item.record.issued_at > now]
        if not ahead:
            return ''
        names = sorted({self._fleet.robots[item.issuer].name for item in ahead})
        seconds = max(item.record.issued_at - now for item in ahead) / SECOND
        return (
            f'records of {", ".join(names)} are dated {seconds:.0f} s ahead of this clock: set '
            "this robot's clock or theirs (chronyc tracking)"
        )

    def _put_off(self, item: Item) -> None:
        self._refused[Refusal.FUTURE] += 1
        self._early[item.id] = item
        if len(self._early) > self._config.max_early:
            latest = max(self._early.values(), key=lambda early: early.record.issued_at)
            del self._early[latest.id]
