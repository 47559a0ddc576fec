"""A team of real ledgers whose files a book is to read; they differ only in what happens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
import json
from pathlib import Path
from typing import Any

from benchmarks.explorer_work import Work
from collab_robots.contract.runner import Runner
from collab_robots.core.clock import SECOND
from collab_robots.core.fleet import Fleet
from collab_robots.explorer.book.answers import Event, Page
from collab_robots.explorer.book.answers.base import Item
from collab_robots.explorer.book.book import Book
from collab_robots.explorer.book.index import Index
from collab_robots.explorer.book.open import silent
from collab_robots.explorer.book.reader import Told
from collab_robots.tangle.block import encode_block
from collab_robots.tangle.block_store import BlockStore, Row
from collab_robots.tangle.ledger import Ledger
from collab_robots.tangle.memory import make_team, MemoryNetwork
from collab_robots.tangle.memory_store import MemoryStore
from collab_robots.tangle.record import encode_record, sign_record
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.store import Store
from collab_robots.tangle.store_reader import StoreReader

ROBOTS, LIAR = 4, 3
FLEET, KEYS = make_team(ROBOTS, 'hall')
NAMES = [robot.name for robot in FLEET.robots]
PACE = 0.25  # s between two records of a robot
WORDS = 'gotcha, déjà vu'


class Memory(MemoryStore):
    """Remembers in which order blocks came."""

    def __init__(self) -> None:
        super().__init__()
        self._came: dict[bytes, None] = {}

    def add(self, row: Row) -> None:
        """Take a block."""
        super().add(row)
        self._came[row.id] = None

    def arrived(self) -> list[Row]:
        """Return the blocks as they came."""
        return [row for identity in self._came if (row := self.get(identity)) is not None]


class Team:
    """
    Four robots that explore, in virtual time.

    :param interval: final records between two snapshots.
    :param archive: they keep blocks that a snapshot stands for.
    :param file: the first robot's store, in place of one in memory.
    """

    def __init__(
        self,
        seed: int = 1,
        interval: int = 100_000,
        archive: bool = True,
        file: Store | None = None,
    ) -> None:
        self.network = MemoryNetwork(FLEET, seed)
        self.work = Work(FLEET, self._submit, seed)
        self._config = LedgerConfig(
            min_interval=PACE,
            heartbeat_interval=PACE,
            snapshot_interval=interval,
            archive=archive,
        )
        self.store = Memory()
        self._stores: dict[str, BlockStore] = {name: MemoryStore() for name in NAMES[1:]}
        self._stores[NAMES[0]] = file or self.store
        self.runners: dict[str, Runner] = {}
        for name in NAMES:
            self.start(name)
        self.network.run(1)

    @property
    def ledger(self) -> Ledger:
        """That of the first robot."""
        return self.network.ledgers[NAMES[0]]

    @property
    def runner(self) -> Runner:
        """That of the first robot."""
        return self.runners[NAMES[0]]

    @property
    def now(self) -> float:
        """S."""
        return self.network.clock.now_ns() / SECOND

    def start(self, name: str) -> None:
        """Start a robot, with what it knew when it was stopped."""
        runner = self.runners[name] = Runner(FLEET)
        key = KEYS[NAMES.index(name)]
        self.network.start(key, self._stores[name], self._config, state=runner)

    def run(self, seconds: float, *sides: Sequence[int], liar: int | None = None) -> None:
        """
        Let the team work for a while.

        :param sides: robots that hear one another; all do if none is given.
        """
        groups = sides or [range(ROBOTS)]
        self.network.split(*([NAMES[robot] for robot in side] for side in groups))
        working = [
            [robot for robot in side if NAMES[robot] in self.network.ledgers] for side in groups
        ]
        self.work.plan(seconds, [side for side in working if side], liar)
        self.network.run(seconds)
        self.runner.update(self.ledger.order)

    def rest(self, seconds: float) -> None:
        """Let time pass without any work."""
        self.network.heal()
        self.network.run(seconds)
        self.runner.update(self.ledger.order)

    def post(self, text: str = WORDS) -> bytes:
        """Let a client post a data block; return its id."""
        raw = encode_block(self.ledger.tips(), b'sensor/7', text.encode())
        return self.ledger.post(raw)

    def equivocate(self, robot: int) -> None:
        """Let a robot sign two records with one number, and stop."""
        own = self.ledger.dag.newest(robot)
        assert own is not None
        self.network.stop(NAMES[robot])
        now = self.network.clock.now_ns()
        for calls in ((), (bytes(8),)):
            record = sign_record(KEYS[robot], FLEET.id, own.record.seq + 1, [own.id], now, calls)
            for ledger in self.network.ledgers.values():
                ledger.receive_block(encode_record(record), NAMES[robot])

    def rows(self) -> list[Row]:
        """Return the blocks of the first robot, as they came."""
        return self.store.arrived()

    def write(self, folder: Path) -> Path:
        """Write the first robot's ledger and its fleet file."""
        path = folder / 'ledger.db'
        with writing(path) as store:
            fill(store, self)
        return path

    def _submit(self, seconds: float, robot: int, call: bytes) -> None:
        def submit() -> None:
            ledger = self.network.ledgers.get(NAMES[robot])
            if ledger is not None and ledger.index not in ledger.fleet.left:
                ledger.submit(call)

        self.network.call_at(seconds, submit)


def fill(store: Store, team: Team) -> None:
    """Write all that a team's first robot has."""
    add(store, team.rows())
    for issuer, proof in team.store.proofs().items():
        store.add_proof(issuer, *proof)
    store.commit()
    snapshot = team.store.snapshot()
    if snapshot is not None:
        store.save_snapshot(*snapshot, ())


def add(store: Store, rows: Iterable[Row]) -> None:
    """Write blocks."""
    for row in rows:
        store.add(row)
    store.commit()


@contextmanager
def writing(path: Path, fleet: Fleet = FLEET) -> Iterator[Store]:
    """Give a ledger's file to write, and its fleet file beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    robots = [{'name': one.name, 'public_key': one.public_key} for one in fleet.robots]
    text = json.dumps({'fleet': fleet.fleet, 'robots': robots})
    (path.parent / 'fleet.yaml').write_text(text, 'utf-8')
    with closing(Store(path, fleet, fleet.robots[0].name)) as store:
        yield store


@contextmanager
def reading(path: Path, index: Path | None = None, told: Told = silent) -> Iterator[Book]:
    """Give a book of a ledger's file; None keeps its index in memory."""
    with closing(StoreReader(path)) as store, closing(Index(index, {})) as made:
        yield Book(str(path), FLEET, store, made, told)


@cache
def tale() -> Team:
    """
    Return a team that everything happened to.

    Work, a split of three robots from one, a liar that is convicted and expelled, a data block of
    a client, and an equivocation of the expelled one.
    """
    team = Team()
    team.run(8)
    team.run(16, (0, 1, 2), (3,))
    team.run(6)
    team.post()
    team.work.accuse(LIAR, (0, 1, 2))
    team.run(10, liar=LIAR)
    assert team.ledger.fleet.epoch == 1 and team.ledger.fleet.left == {LIAR}
    team.equivocate(LIAR)
    team.run(5, (0, 1, 2))
    assert set(team.ledger.proofs) == {LIAR}
    return team


def everything(book: Book) -> dict[str, Any]:
    """Return all that a book has to say about its file, whenever and however it was read."""
    blocks = list(pages(lambda page: book.blocks(page=page, limit=100)))
    robots = book.robots()
    dag = book.dag(limit=10_000)
    edges = list(zip(dag.edges[::2], dag.edges[1::2], strict=True))
    tasks = list(pages(lambda page: book.tasks(page=page, limit=100)))
    found = book.find('bid', limit=500).hits
    return {
        'overview': book.overview().model_copy(update={'version': 0, 'source': ''}),
        'blocks': blocks,
        'details': [book.block(block.id) for block in blocks[::9]],
        'dag': dag.model_copy(update={'edges': tuple(sorted(edges))}),
        'robots': robots,
        'histories': [list(history(book, robot.name)) for robot in robots],
        'tasks': [book.task(task.id) for task in tasks],
        'timeline': book.timeline(),
        'trust': book.trust(),
        'models': book.models(),
        'map': book.map(),
        'splits': book.splits(),
        'activity': book.activity(),
        'found': (found.total, {(hit.id, hit.words) for hit in found.items}),
    }


def history(book: Book, robot: str) -> Iterator[Event]:
    """Yield all that a robot did."""
    return pages(lambda page: book.robot(robot, page, 100).history)


def pages(ask: Callable[[str | None], Page[Item]]) -> Iterator[Item]:
    """Yield what is on all pages."""
    page = None
    while True:
        found = ask(page)
        yield from found.items
        if found.next is None:
            return
        page = found.next
