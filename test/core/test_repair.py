"""``ledger repair``: what can be read and verified is kept, and nothing is said twice later."""

from contextlib import closing
import json
from pathlib import Path
import random
import shutil
import sqlite3

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest
from typer.testing import CliRunner

from collab_robots.cli import app, BAD_INPUT, FAILED, OK
from collab_robots.core.errors import StoreError
from collab_robots.core.fleet import Fleet
from collab_robots.core.identity import PrivateKey
from collab_robots.explorer.fleets import make_fleet
from collab_robots.tangle.block import block_id, encode_block, GENESIS
from collab_robots.tangle.dag import Dag, FOREIGN
from collab_robots.tangle.record import encode_record, sign_record
from collab_robots.tangle.repair import salvage
from collab_robots.tangle.salvage import PAGE, Pages
from collab_robots.tangle.store import Row, Store
from collab_robots.tangle.tangle import decode, Tangle

RUNNER = CliRunner()
ROBOTS = ('robot1', 'robot2', 'robot3')
FILES = ('ledger.db', 'ledger.db-wal', 'ledger.db.lock')
EACH = 60


def history(folder: Path, fleet: Fleet) -> list[Row]:
    """Return records of three robots that approve one another, and a foreign block among them."""
    keys = [PrivateKey.load(folder / robot / 'key') for robot in ROBOTS]
    dag, rows = Dag([1, 1, 1]), []
    rng = random.Random(1)

    def put(raw: bytes, issuer: int, received: int) -> None:
        entry = dag.insert(block_id(raw), decode(raw), issuer)
        record = entry.record
        rows.append(
            Row(entry.id, raw, issuer, record.seq, record.issued_at, received, entry.depth)
        )

    for step in range(3 * EACH):
        issuer = step % 3
        own = dag.newest(issuer)
        tips = [tip.id for tip in dag.tips.values() if tip is not own]
        record = sign_record(
            keys[issuer],
            fleet.id,
            own.record.seq + 1 if own else 0,
            [own.id if own else GENESIS, *tips],
            1_000 + step,
            tuple(rng.randbytes(rng.choice((5, 40, 5_000))) for _ in range(step % 3)),
        )
        put(encode_record(record), issuer, 5_000 + step)
        if step == 30:
            put(encode_block([rows[-1].id], b'client', b'hello'), FOREIGN, 5_500)
    return rows


def write(folder: Path, fleet: Fleet, rows: list[Row], stay_open: bool = False) -> Store:
    key = PrivateKey.load(folder / 'robot3' / 'key')
    store = Store(folder / 'robot1' / 'ledger.db', fleet, 'robot1')
    for count, row in enumerate(rows):
        store.add(row)
        if count % 20 == 19:
            store.commit()
        if count == 40:
            store.add_proof(
                2,
                *(encode_record(sign_record(key, fleet.id, 0, [GENESIS], at)) for at in (1, 2)),
            )
    store.commit()
    if not stay_open:
        store.close()
    return store


class Team:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fleet = make_fleet(folder, ROBOTS, name='test')
        self.rows = history(folder, self.fleet)
        with closing(write(folder, self.fleet, self.rows, stay_open=True)):
            (folder / 'crashed').mkdir()
            for name in FILES:
                shutil.copy(folder / 'robot1' / name, folder / 'crashed' / name)

    def copy(self, folder: Path, crashed: bool = False) -> Path:
        """Return a copy of the ledger, in one file or with the -wal file that a crash leaves."""
        robot = folder / 'robot1'
        shutil.rmtree(robot, ignore_errors=True)
        shutil.copytree(self.folder / ('crashed' if crashed else 'robot1'), robot)
        shutil.copy(self.folder / 'fleet.yaml', folder / 'fleet.yaml')
        return robot / 'ledger.db'


@pytest.fixture(scope='module')
def team(tmp_path_factory: pytest.TempPathFactory) -> Team:
    return Team(tmp_path_factory.mktemp('team'))


def run(*arguments: object) -> tuple[int, str]:
    result = RUNNER.invoke(app, ['ledger', 'repair', *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def check_kept(path: Path, team: Team, at_least: int) -> list[Row]:
    """Check a repaired file: it opens, is whole in itself, and says nothing that was not there."""
    with closing(Store(path, team.fleet, 'robot1')) as store:
        assert store.incomplete
        kept = list(store.load())
        entries = list(Tangle(team.fleet).load(kept))
    assert len(entries) == len(kept) >= at_least
    whole = {row.id: row for row in team.rows}
    for row in kept:  # when it came is not part of a block, so that may be lost alone
        assert row == whole[row.id]._replace(received_at=row.received_at)
    return kept


def flip(path: Path, at: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[at] ^= 0x55
    path.write_bytes(raw)


def test_what_is_whole_is_left_alone(team: Team, tmp_path: Path) -> None:
    path = team.copy(tmp_path)
    before = path.read_bytes()
    code, told = run(path)
    assert code == OK and 'nothing is damaged' in told
    assert path.read_bytes() == before and not list(path.parent.glob('*damaged*'))


def test_one_damaged_block_costs_it_and_what_came_after_it(team: Team, tmp_path: Path) -> None:
    path = team.copy(tmp_path)
    victim = team.rows[100]
    flip(path, path.read_bytes().index(victim.raw[: PAGE // 4]) + 2)  # in a parent's id
    before = path.read_bytes()

    code, told = run(path, '--dry-run')
    assert code == FAILED and 'damaged: ' in told and path.read_bytes() == before

    code, told = run(path, '--json')
    assert code == OK
    report = json.loads(told)
    name = ROBOTS[victim.issuer]
    assert report['records'][name]['kept'] == victim.seq
    assert report['records'][name]['lost'] == [[victim.seq, EACH - 1]]
    assert report['proofs_kept'] == ['robot3'] and report['foreign_blocks_kept'] == 1
    kept = check_kept(path, team, 99)
    assert [row for row in team.rows if row in kept] == kept, 'times and depths as they were'
    assert Path(report['damaged_file']).read_bytes() == before
    assert 'nothing is damaged, but it was repaired' in run(path)[1]
    path.write_bytes(path.read_bytes()[: 6 * PAGE])
    assert run(path)[0] == OK
    assert len(list(path.parent.glob('ledger.db.damaged-?'))) == 2


def test_a_damaged_index_costs_nothing(team: Team, tmp_path: Path) -> None:
    path = team.copy(tmp_path)
    with closing(sqlite3.connect(path)) as db:
        (page,) = db.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'blocks_by_chain'"
        ).fetchone()
    raw = path.read_bytes()
    at = (page - 1) * PAGE
    path.write_bytes(raw[:at] + bytes(PAGE) + raw[at + PAGE :])
    code, told = run(path)
    assert code == OK and 'repaired' in told
    assert set(check_kept(path, team, len(team.rows))) == set(team.rows)


@pytest.mark.parametrize('content', [b'', b'not a database' * 1_000, bytes(100_000)])
def test_what_holds_nothing_becomes_an_empty_ledger_that_waits(
    team: Team, tmp_path: Path, content: bytes
) -> None:
    path = team.copy(tmp_path)
    path.write_bytes(content)
    if content:
        assert run(path, '--dry-run')[0] == FAILED
    code, told = run(path)
    assert code == BAD_INPUT and '--robot' in told
    assert run(path, '--robot', 'robot1')[0] == OK
    check_kept(path, team, 0)


def test_the_first_page_is_not_needed(team: Team, tmp_path: Path) -> None:
    path = team.copy(tmp_path)
    path.write_bytes(bytes(PAGE) + path.read_bytes()[PAGE:])
    code, told = run(path)
    assert code == OK, told
    assert set(check_kept(path, team, len(team.rows))) == set(team.rows)


def test_what_was_only_in_the_wal_is_kept_beyond_its_damage(team: Team, tmp_path: Path) -> None:
    path = team.copy(tmp_path, crashed=True)
    wal = path.with_name('ledger.db-wal')
    assert wal.stat().st_size > 20 * PAGE
    flip(wal, 32 + 24 + 10)  # SQLite takes nothing of it any more
    saved = salvage(path, team.fleet)
    assert set(saved.rows) == set(team.rows)


def test_a_lost_end_is_told(team: Team, tmp_path: Path) -> None:
    path = team.copy(tmp_path, crashed=True)
    path.with_name('ledger.db-wal').unlink()
    with closing(Store(path, team.fleet, 'robot1')):
        pass
    code, told = run(path)
    assert code == OK and 'its end is lost: commits ' in told and 'heard all' in told


def test_the_robot_must_not_run(team: Team, tmp_path: Path) -> None:
    path = team.copy(tmp_path)
    with closing(Store(path, team.fleet, 'robot1')):
        with path.open('r+b') as file:
            file.seek(5 * PAGE)
            file.write(b'\xff' * 64)
        code, told = run(path)
    assert code == FAILED and 'stop it first' in told
    assert not list(path.parent.glob('*damaged*')) and not list(path.parent.glob('*repaired*'))


def test_wrong_input(team: Team, tmp_path: Path) -> None:
    path = team.copy(tmp_path)
    code, told = run(path.with_name('none.db'))
    assert code == FAILED and 'no ledger here' in told
    code, told = run(path, '--robot', 'nobody')
    assert code == BAD_INPUT and 'nobody' in told
    flip(path, 5 * PAGE)
    code, told = run(path, '--robot', 'robot2')
    assert code == BAD_INPUT and "is the ledger of 'robot1'" in told
    make_fleet(tmp_path / 'other', ROBOTS, name='other')
    code, told = run(team.copy(tmp_path), '--fleet', tmp_path / 'other' / 'fleet.yaml')
    assert code == BAD_INPUT and "'test', not 'other'" in told


def test_an_old_ledger_is_taken_over(team: Team, tmp_path: Path) -> None:
    path = team.copy(tmp_path)
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            'CREATE TABLE old (id BLOB PRIMARY KEY, raw BLOB NOT NULL, issuer INT NOT NULL, '
            'seq INT NOT NULL, issued_at INT NOT NULL, received_at INT NOT NULL, '
            'depth INT NOT NULL);'
            'INSERT INTO old SELECT id, raw, issuer, seq, issued_at, received_at, depth '
            'FROM blocks; DROP TABLE blocks; DROP TABLE proofs; DROP TABLE snapshots;'
            "ALTER TABLE old RENAME TO blocks; UPDATE meta SET value = '1' WHERE key = 'schema';"
            'VACUUM;'
        )
    with pytest.raises(StoreError, match='expected schema 2, found 1'):
        Store.read(path)
    assert run(path)[0] == OK
    assert set(check_kept(path, team, len(team.rows))) == set(team.rows)


def repair_anyhow(path: Path, team: Team) -> None:
    code, told = run(path, '--robot', 'robot1')
    assert code == OK, told
    if 'nothing is damaged' in told:
        with closing(Store(path, team.fleet, 'robot1')) as store:
            kept = list(store.load())
            assert store.incomplete or set(kept) == set(team.rows)
    else:
        kept = check_kept(path, team, 0)
    with closing(Store(path, team.fleet, 'robot1')) as store:
        if not store.incomplete:
            assert store.chain(0, EACH - 1, EACH - 1), 'or it would issue the same seq again'


@given(
    st.sampled_from(FILES[:2]),
    st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=9
    ),
    st.floats(0, 1),
)
@settings(max_examples=60, deadline=None)
def test_whatever_is_damaged_the_robot_never_speaks_twice(
    team, tmp_path_factory, name, flips, cut
):
    path = team.copy(tmp_path_factory.mktemp('any'), crashed=True)
    damaged = path.with_name(name)
    raw = bytearray(damaged.read_bytes())
    for where, change in flips:
        raw[int(where * len(raw))] ^= change
    damaged.write_bytes(raw if cut > 0.5 else raw[: int(2 * cut * len(raw))])
    repair_anyhow(path, team)


def readable(path: Path, team: Team) -> set[bytes]:
    ids = set()

    def take(values: tuple[object, ...]) -> bool:
        if len(values) == 8 and isinstance(values[1], bytes):
            ids.add(block_id(values[1]))
        return True

    Pages(path).rescue(take)
    return ids


@given(st.integers(0, 1 << 32))
@settings(max_examples=25, deadline=None)
def test_lost_pages_cost_only_what_was_on_them(team, tmp_path_factory, seed):
    path = team.copy(tmp_path_factory.mktemp('page'))
    raw = bytearray(path.read_bytes())
    page = random.Random(seed).randrange(len(raw) // PAGE) * PAGE
    raw[page : page + PAGE] = random.Random(seed).randbytes(PAGE)
    path.write_bytes(raw)
    lost = {row.id for row in team.rows} - readable(path, team)
    assert len(lost) <= PAGE // 200, 'rows of one page, before their future is dropped'
    repair_anyhow(path, team)
