"""The in-memory store answers as the file does: same operations, also after a crash."""

from contextlib import closing
from pathlib import Path
import shutil
import tempfile

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, RuleBasedStateMachine
import pytest

from collab_robots.core.errors import StoreError
from collab_robots.tangle.block import block_id
from collab_robots.tangle.block_store import BlockStore, Row
from collab_robots.tangle.memory import make_team
from collab_robots.tangle.memory_store import MemoryStore
from collab_robots.tangle.store import Store

FLEET, KEYS = make_team(2)
NAME = 'robot_00'


def row(number: int) -> Row:
    """Return a block of robot 0, robot 1 or of no robot; pairs of them share a seq."""
    raw = b'block %d' % number
    return Row(block_id(raw), raw, number % 3 - 1, number // 6, 1_000 + number, 7, number + 1)


ROWS = [row(number) for number in range(18)]
SOME = st.lists(st.sampled_from(ROWS), max_size=4)


class Twins(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / 'ledger.db'
        self.file = Store(self.path, FLEET, NAME)
        self.memory = MemoryStore()
        self.index = 0

    def both(self) -> tuple[BlockStore, BlockStore]:
        return self.file, self.memory

    @rule(rows=SOME)
    def add(self, rows):
        for store in self.both():
            for one in rows:
                store.add(one)

    @rule(rows=SOME)
    def remove(self, rows):
        for store in self.both():
            store.remove(one.id for one in rows)

    @rule(issuer=st.integers(0, 1), which=st.integers(0, 9))
    def add_proof(self, issuer, which):
        for store in self.both():
            store.add_proof(issuer, b'first %d' % which, b'second %d' % which)

    @rule()
    def commit(self):
        for store in self.both():
            store.commit()
            assert store.uncommitted == 0

    @rule(drop=SOME)
    def save_snapshot(self, drop):
        self.index += 1
        for store in self.both():
            store.save_snapshot(self.index, b'state %d' % self.index, [one.id for one in drop])

    @rule()
    def crash(self):
        """Read what the file and its -wal held at that moment: the next process finds that."""
        crashed = self.folder / 'crashed'
        crashed.mkdir()
        for name in ('ledger.db', 'ledger.db-wal', 'ledger.db.lock'):
            if (self.folder / name).exists():
                shutil.copy(self.folder / name, crashed / name)
        self.file.close()
        for path in crashed.iterdir():
            path.replace(self.folder / path.name)
        crashed.rmdir()
        self.file = Store(self.path, FLEET, NAME)
        self.memory.crash()
        assert list(self.file.load()) == list(self.memory.load())

    @invariant()
    def they_answer_the_same(self):
        for one in ROWS:
            assert self.file.get(one.id) == self.memory.get(one.id)
        for issuer in (-1, 0, 1):
            for first, last in ((0, 0), (1, 2), (0, 9)):
                chains = [sorted(store.chain(issuer, first, last)) for store in self.both()]
                assert chains[0] == chains[1]
        assert self.file.proofs() == self.memory.proofs()
        assert self.file.snapshot() == self.memory.snapshot()
        assert self.file.incomplete == self.memory.incomplete is False
        assert list(self.file.load()) == list(self.memory.load())

    def teardown(self):
        self.file.close()
        shutil.rmtree(self.folder)


Twins.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestTwins = Twins.TestCase


def test_a_full_disk_takes_nothing_and_forgets_nothing():
    store = MemoryStore()
    store.add(ROWS[0])
    store.full = True
    for attempt in (
        store.commit,
        store.mark_complete,
        lambda: store.save_snapshot(1, b'state', [ROWS[0].id]),
    ):
        with pytest.raises(StoreError, match='full'):
            attempt()
    assert store.get(ROWS[0].id) == ROWS[0] and store.snapshot() is None
    store.full = False
    store.commit()
    store.crash()
    assert list(store.load()) == [ROWS[0]]


def test_a_lost_disk_is_told_until_all_is_back():
    with closing(MemoryStore(incomplete=True)) as store:
        assert store.incomplete
        store.mark_complete()
        assert not store.incomplete
