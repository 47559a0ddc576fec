"""Where records wait for their parents; it neither asks for them nor knows time."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection
from dataclasses import dataclass

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.tangle.dag import Dag, Entry
from collab_robots.tangle.record import Record

MAX_REMEMBERED = 4_096  # ids of refused records


@dataclass(eq=False, slots=True)
class Item:
    """
    A record as it came: decoded, signature checked.

    :param issuer: roster index, or ``FOREIGN``.
    :param sender: robot that sent this copy; may be false.
    :param received_at: ns, local clock.
    """

    id: bytes
    raw: bytes
    record: Record
    issuer: int
    sender: str
    received_at: int


class Solidifier:
    """
    Hands records to the DAG when their whole past is there.

    :param refused: counts what is refused or dropped here.
    :param attach: called with each record that became solid, parents first; adds it to the DAG.
    :param limit: records that may wait. Each issuer has an equal share of it, so that one robot
        cannot crowd out the others; above its share its oldest is dropped and counted as FLOOD.
    """

    def __init__(
        self,
        dag: Dag,
        refused: Counter[Refusal],
        limit: int,
        attach: Callable[[Item, Entry], None],
    ) -> None:
        self._dag = dag
        self._attach = attach
        self._refused = refused
        self._share = max(1, limit // dag.members)
        # Foreign blocks share the last place: their issuer is -1.
        self._waiting: tuple[dict[bytes, Item], ...] = tuple({} for _ in range(dag.members + 1))
        self._all: dict[bytes, Item] = {}
        self._children: dict[bytes, dict[bytes, None]] = {}  # absent parent: who waits for it
        self._bad: dict[bytes, None] = {}
        self.seqs: tuple[set[int], ...] = tuple(set() for _ in range(dag.members + 1))
        """Per issuer, the seqs of what waits."""

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, block_id: bytes) -> bool:
        """Tell whether a record waits here, or was refused: either way it need not come again."""
        return block_id in self._all or block_id in self._bad

    def missing(self) -> dict[bytes, str]:
        """Return the ids that somebody waits for and nobody brought, each with whom to ask."""
        return {
            parent: self._all[next(iter(children))].sender
            for parent, children in self._children.items()
            if parent not in self._all
        }

    def needs(self, block_id: bytes) -> bool:
        """Tell whether a record waits for this block, which is not here."""
        return block_id in self._children and block_id not in self._all

    def add(self, item: Item) -> None:
        """Take one record that is neither solid nor waiting; attach what became solid by it."""
        if not self._bad.keys().isdisjoint(item.record.parents):
            self._refuse(item, Refusal.PARENTS)
            return
        missing = self._dag.missing(item.record.parents)
        if missing:
            self._wait(item, missing)
            return
        ready = deque([item])
        while ready:
            item = ready.popleft()
            try:
                entry = self._dag.place(item.id, item.record, item.issuer)
            except RefusedError as error:
                self._refuse(item, error.reason)
                continue
            self._attach(item, entry)
            for child_id in self._children.pop(item.id, ()):
                child = self._all[child_id]
                missing = self._dag.missing(child.record.parents)
                if not missing:
                    self._drop(child)
                    ready.append(child)
                for parent in missing:  # one may have been taken out again meanwhile
                    self._children.setdefault(parent, {})[child_id] = None

    def miss(self, gone: Collection[bytes]) -> None:
        """Take note that blocks were taken out of the DAG: what waits may need them again."""
        for item in self._all.values():
            for parent in item.record.parents:
                if parent in gone:
                    self._children.setdefault(parent, {})[item.id] = None

    def _wait(self, item: Item, missing: list[bytes]) -> None:
        own = self._waiting[item.issuer]
        if len(own) >= self._share:
            self._drop(next(iter(own.values())))
            self._refused[Refusal.FLOOD] += 1
        own[item.id] = item
        self.seqs[item.issuer].add(item.record.seq)
        self._all[item.id] = item
        for parent in missing:
            self._children.setdefault(parent, {})[item.id] = None

    def _forget(self, item: Item) -> None:
        del self._all[item.id]
        del self._waiting[item.issuer][item.id]
        self.seqs[item.issuer].discard(item.record.seq)

    def _drop(self, item: Item) -> None:
        self._forget(item)
        for parent in item.record.parents:
            children = self._children.get(parent)
            if children is not None:
                children.pop(item.id, None)
                if not children:
                    del self._children[parent]

    def _refuse(self, item: Item, reason: Refusal) -> None:
        """Refuse a record and, because they can never be solid, all that wait for it."""
        self._refused[reason] += 1
        doomed = [item]
        while doomed:
            bad = doomed.pop()
            self._bad[bad.id] = None
            if len(self._bad) > MAX_REMEMBERED:
                del self._bad[next(iter(self._bad))]
            for child_id in self._children.pop(bad.id, ()):
                child = self._all.get(child_id)
                if child is not None:
                    self._drop(child)
                    self._refused[Refusal.PARENTS] += 1
                    doomed.append(child)
