"""Place and execute the records of a ledger file one after another, and forget what is done."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import cast, NamedTuple

from collab_robots.contract.runner import Runner
from collab_robots.core.errors import RefusedError
from collab_robots.core.fleet import Fleet
from collab_robots.explorer.verify_fault import Fault
from collab_robots.explorer.verify_rows import name_of
from collab_robots.tangle.block_store import Row
from collab_robots.tangle.cut import Cut
from collab_robots.tangle.dag import Entry
from collab_robots.tangle.order import Order
from collab_robots.tangle.record import Record
from collab_robots.tangle.snapshot import Attested, Snapshot
from collab_robots.tangle.tangle import decode, Tangle

_CUTS = 5  # snapshots from one forgetting to the next: it takes a while


class _Final:
    """
    The final part of an order, for the runner: what may yet change is not executed meanwhile.

    It never changes, it only grows.
    """

    def __init__(self, order: Order) -> None:
        self._order = order

    @property
    def base(self) -> int:
        return self._order.base

    @property
    def final(self) -> int:
        return self._order.final

    @property
    def entries(self) -> Sequence[Entry]:
        return self._order.entries[: self.final - self.base]

    def changed_from(self) -> int:
        return self.final


class Item(NamedTuple):
    """A record to be placed; the last two as its row has them."""

    id: bytes
    record: Record
    issuer: int
    issued_at: int
    depth: int


class Course:
    """
    What the records of a file come to, over all epochs.

    :param fleet: the fleet file.
    :param stored: the file's snapshot.
    :param whole: begin with the first record of all, else with the snapshot.
    :param interval: final records between two snapshots, as the robots have it.
    :param prune: forget what is final for long, as robots do.
    """

    def __init__(
        self,
        fleet: Fleet,
        stored: tuple[Attested, Snapshot] | None,
        whole: bool,
        interval: int,
        prune: bool,
    ) -> None:
        self.runner = Runner(fleet)
        self.tangle = Tangle(fleet, interval, self.runner)
        """Of the last epoch."""
        self.waiting: dict[bytes, Item] = {}
        """What cannot be placed, by id: its parents are not here."""
        self.is_compared = False
        """The stored snapshot is the one that the records come to."""
        self.begins_at = 0
        """How many final records are not executed here, as the snapshot stands for them."""
        self._stored = stored
        self._interval = interval
        self._prune = prune
        self._previous: Cut | None = None
        self._items: deque[Item] = deque()
        if stored is not None and not whole:
            attested, snapshot = stored
            cut = snapshot.cut
            self.begins_at = cut.position
            self.tangle.install(snapshot, attested.chain(snapshot.fleet))
            self.runner.restore(cut.position, snapshot.state, snapshot.fleet)
        self._follow()

    def take(self, row: Row) -> None:
        """
        Take the next row, parents first.

        :raises WrongRecordError: if it breaks a rule, or the stored snapshot is another one than
            the records come to.
        """
        tangle = self.tangle
        has_joined = row.issuer < tangle.dag.members
        if has_joined and (tangle.covers(row.issuer, row.seq) or row.id in tangle.dag.entries):
            return  # the snapshot that all begins with stands for it
        self._items.append(Item(row.id, decode(row.raw), row.issuer, row.issued_at, row.depth))
        while self._items:
            item = self._items.popleft()
            tangle = self.tangle
            if item.issuer >= tangle.dag.members or tangle.dag.missing(item.record.parents):
                self.waiting[item.id] = item
                continue
            try:
                entry = tangle.dag.place(item.id, item.record, item.issuer)
            except RefusedError as error:
                raise self.fault(item).wrong(
                    error.reason.value, 'a record that fits its past', error
                ) from None
            for what, expected in ('depth', entry.depth), ('issued_at', entry.record.issued_at):
                if getattr(item, what) != expected:
                    raise self.fault(item).wrong(what, expected, getattr(item, what))
            tangle.add(entry)
            while tangle.cuts:
                self._cut(*tangle.cuts.pop(0))

    def fault(self, item: Item) -> Fault:
        """Return a fault of a record that says whose it is."""
        name = name_of(item.issuer, self.tangle.fleet)
        return Fault('blocks', '', '', '', '', item.id.hex(), name, item.record.seq)

    def lost(self) -> Fault | None:
        """Return the first record whose past is not here, though robots would have it."""
        for item in self.waiting.values():
            if item.issuer not in self.tangle.unvouched:
                gone = self.tangle.dag.missing(item.record.parents)
                names = ', '.join(one.hex() for one in gone)
                return self.fault(item).wrong('parents', f'blocks {names}', 'none').fault
        return None

    def finish(self) -> None:
        """Execute what is not final, too."""
        order = self.tangle.order
        self.runner.update(self._final)
        order.changed_from()  # forget it: what was executed is what is final now
        self.runner.update(order)

    def _follow(self) -> None:
        # All that the runner asks of an order:
        self._final = cast(Order, _Final(self.tangle.order))
        self.runner.follow(self._final)

    def _cut(self, fleet: Fleet, cut: Cut) -> None:
        """Compare the snapshot that robots made here; forget what is behind from time to time."""
        is_stored = self._stored is not None and self._stored[1].cut.index == cut.index
        is_over = self.tangle.is_over
        if is_stored or is_over or cut.index % _CUTS == 0:
            snapshot = Snapshot(fleet, cut, self.runner.state_at(cut.position))
            if is_stored:
                self._compare(snapshot)
            if is_over:
                self._begin_epoch(snapshot)
            elif self._previous is not None and self._prune:
                self.tangle.prune(self._previous)
        self._previous = None if is_over else cut

    def _begin_epoch(self, snapshot: Snapshot) -> None:
        self._items.extend(
            Item(one.id, one.record, one.issuer, one.record.issued_at, one.depth)
            for one in self.tangle.order.tentative
        )
        self._items.extend(self.waiting.values())
        self.waiting.clear()
        self.tangle = Tangle(snapshot.fleet, self._interval, self.runner)
        self.tangle.install(snapshot)
        self.runner.restore(snapshot.cut.position, snapshot.state, snapshot.fleet)
        self._follow()

    def _compare(self, made: Snapshot) -> None:
        """Compare a snapshot with the stored one."""
        assert self._stored is not None
        attested, stored = self._stored
        self.is_compared = True
        if made.encode() == attested.body:
            return
        here = Fault('snapshots', str(made.cut.index), '', '', '')
        for what, expected in (*vars(made.cut).items(), ('state', made.state)):
            found = vars(stored.cut).get(what, stored.state)
            if expected != found:
                rule = f'as the records come to with a snapshot every {self._interval}'
                raise here.wrong(what, f'{_words(expected)}, {rule}', _words(found))
        raise here.wrong('roster', made.fleet.robots, stored.fleet.robots)


def _words(value: object) -> str:
    return value.hex()[:64] if isinstance(value, bytes) else str(value)[:64]
