"""``ledger verify``: what is forged with right checksums is found, and named."""

from contextlib import closing
import json
from pathlib import Path
import shutil
import sqlite3

import pytest
from typer.testing import CliRunner

from benchmarks.explorer_ledger import make
from collab_robots.cli import app, BAD_INPUT, FAILED, OK
from collab_robots.core.errors import ConfigError, StoreError
from collab_robots.core.fleet import Fleet
from collab_robots.core.identity import PrivateKey
from collab_robots.explorer.verify import verify
from collab_robots.explorer.verify_fault import Fault, WrongRecordError
from collab_robots.tangle.attestation import attestation
from collab_robots.tangle.block import block_id, encode_block
from collab_robots.tangle.block_store import Row
from collab_robots.tangle.dag import FOREIGN
from collab_robots.tangle.memory import make_team
from collab_robots.tangle.record import encode_record, Record, sign_record, SIGNING_DOMAIN
from collab_robots.tangle.snapshot import Attested, Snapshot, snapshot_digest
from collab_robots.tangle.store import Store
from collab_robots.tangle.store_rows import (
    meta_checksum,
    proof_checksum,
    row_checksum,
)
from collab_robots.tangle.store_rows import (
    snapshot_digest as row_digest,
)
from collab_robots.tangle.tangle import decode

BLOCKS, SEED = 600, 6
FLEET, KEYS = make_team(4, 'hall')
STRANGER = PrivateKey(bytes(31) + b'\x99')
RUNNER = CliRunner()


@pytest.fixture(scope='module')
def made(tmp_path_factory) -> Path:
    """Return a real ledger, with a proof and a snapshot."""
    folder = tmp_path_factory.mktemp('made')
    return make(folder, BLOCKS, SEED, told=lambda done: None, split_for=5.0)


@pytest.fixture
def copy(made, tmp_path) -> Path:
    for file in made.parent.iterdir():
        shutil.copy(file, tmp_path)
    return tmp_path / made.name


@pytest.fixture
def rows(made) -> list[Row]:
    with closing(Store.read(made)) as store:
        return list(store.load())


def fault_of(path: Path, jobs: int = 1) -> Fault:
    with pytest.raises(WrongRecordError) as caught:
        verify(path, FLEET, jobs, lambda *said: None)
    return caught.value.fault


def check(path: Path):
    return verify(path, FLEET, 1, lambda *said: None)


def change(path: Path, *statements: tuple) -> None:
    with closing(sqlite3.connect(path)) as db:
        for statement, *values in statements:
            db.execute(statement, values)
        db.commit()


def replace(path: Path, old: Row, new: Row) -> None:
    """Put a row in the place of another, with the right checksum."""
    columns = ', '.join(f'{name} = ?' for name in (*Row._fields, 'checksum'))
    change(
        path,
        (f'UPDATE blocks SET {columns} WHERE id = ?', *new, row_checksum(new), old.id),
    )


def insert(path: Path, row: Row) -> None:
    statement = 'INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?, ?)'
    change(path, (statement, *row, row_checksum(row)))


def names(fault: Fault, row: Row) -> bool:
    """Tell whether a fault is said to be of a row's record."""
    robot = FLEET.robots[row.issuer].name
    return (fault.place, fault.robot, fault.seq) == ('blocks', robot, row.seq)


def forged(row: Row, record: Record) -> Row:
    raw = encode_record(record)
    return row._replace(id=block_id(raw), raw=raw)


def signed_by(row: Row, key: PrivateKey, issuer: bytes | None = None) -> Row:
    """Return a row whose record says the same, but is signed with another key."""
    was = decode(row.raw)
    record = sign_record(key, was.fleet, was.seq, was.parents, was.issued_at, was.calls)
    if issuer is not None:
        unsigned = Record(*(getattr(record, name) for name in Record.__slots__))
        object.__setattr__(unsigned, 'issuer', issuer)
        signature = key.sign(SIGNING_DOMAIN + unsigned.body())
        object.__setattr__(unsigned, 'signature', signature)
        record = unsigned
    return forged(row, record)


@pytest.mark.parametrize('jobs', [1, 2])
def test_a_record_signed_by_another_key_is_named(copy, rows, jobs):
    row = rows[len(rows) // 2]
    replace(copy, row, signed_by(row, STRANGER, decode(row.raw).issuer))
    fault = fault_of(copy, jobs)
    assert names(fault, row) and fault.what == 'signature'


def test_a_record_of_a_stranger_is_named(copy, rows):
    row = rows[50]
    replace(copy, row, signed_by(row, STRANGER))
    fault = fault_of(copy)
    assert names(fault, row) and fault.what == 'issuer'


def test_a_record_of_another_robot_is_named(copy, rows):
    row = rows[50]
    other = (row.issuer + 1) % 4
    replace(copy, row, signed_by(row, KEYS[other]))
    fault = fault_of(copy)
    assert names(fault, row) and fault.what == 'issuer'
    assert fault.expected.startswith(str(other)) and fault.found == str(row.issuer)


def test_a_record_of_a_robot_that_says_another_past_is_named(copy, rows):
    row = next(row for row in rows[100:] if len(decode(row.raw).parents) > 2)
    was = decode(row.raw)
    own = next(one.id for one in rows if (one.issuer, one.seq) == (row.issuer, row.seq - 1))
    parents = [parent for parent in was.parents if parent != own]
    key = KEYS[row.issuer]
    record = sign_record(key, was.fleet, was.seq, parents, was.issued_at, was.calls)
    replace(copy, row, forged(row, record))
    fault = fault_of(copy)
    assert names(fault, row) and fault.what == 'sequence'


def test_bytes_that_are_no_record_are_named(copy, rows):
    row = rows[77]
    record = decode(row.raw)
    raw = encode_block(record.parents, b'collab-robots/1', b'\x18\x07' + bytes(80))
    replace(copy, row, row._replace(id=block_id(raw), raw=raw))
    fault = fault_of(copy)
    assert names(fault, row) and fault.what == 'malformed'


@pytest.mark.parametrize('column', ['issuer', 'seq', 'issued_at', 'depth'])
def test_a_changed_column_with_a_right_checksum_is_named(copy, rows, column):
    row = rows[len(rows) // 3]
    replace(copy, row, row._replace(**{column: getattr(row, column) + 1}))
    fault = fault_of(copy)
    assert (fault.what, fault.block) == (column, row.id.hex())
    assert fault.expected.startswith(str(getattr(row, column)))


def test_when_a_block_arrived_is_the_robots_own_word(copy, rows):
    row = rows[len(rows) // 3]
    replace(copy, row, row._replace(received_at=row.received_at + 1))
    assert check(copy).blocks == len(rows)


def test_two_swapped_records_are_named(copy, rows):
    one, other = rows[60], rows[61]
    change(copy, ('DELETE FROM blocks WHERE id IN (?, ?)', one.id, other.id))
    for row, place in ((one, other), (other, one)):
        new = Row(row.id, row.raw, *place[2:])
        change(
            copy, ('INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?, ?)', *new, row_checksum(new))
        )
    assert fault_of(copy).what in ('issuer', 'seq')


@pytest.mark.parametrize('place', [0, 150, -40])
def test_a_removed_block_is_named(copy, rows, place):
    row = rows[place]
    change(copy, ('DELETE FROM blocks WHERE id = ?', row.id))
    fault = fault_of(copy)
    if fault.what == 'parents':  # what the snapshot does not stand for
        assert row.id.hex() in fault.expected
    else:
        assert names(fault, row) and fault.found == 'none'


def test_a_forked_past_is_no_fault_but_told(copy, rows):
    """Both records of an equivocator, one of them never named by anybody else."""
    last = max((row for row in rows if row.issuer == 1), key=lambda row: row.seq)
    was = decode(last.raw)
    record = sign_record(KEYS[1], was.fleet, was.seq, was.parents, was.issued_at, (b'12345678',))
    new = forged(last, record)
    insert(copy, new)
    found = check(copy)
    assert found.equivocators == ('robot_01', 'robot_03') and found.proofs == ('robot_03',)


def test_a_record_on_top_of_what_is_forgotten_on_the_way_is_no_fault(copy, rows):
    last = max((row for row in rows if row.issuer == 1), key=lambda row: row.seq)
    parents = [last.id, rows[5].id]
    record = sign_record(KEYS[1], FLEET.id, last.seq + 1, parents, last.issued_at + 1)
    new = forged(last, record)
    insert(copy, new._replace(seq=record.seq, issued_at=record.issued_at, depth=last.depth + 1))
    change(copy, ('DELETE FROM snapshots',))
    found = verify(copy, FLEET, 1, lambda *said: None, interval=20)
    assert (found.blocks, found.unplaced) == (len(rows) + 1, 0)
    assert found.final + found.tentative == found.blocks


@pytest.mark.parametrize('issued_later', [0, 1])
def test_an_unsigned_block_is_as_old_as_its_parent(copy, rows, issued_later):
    parent = rows[-1]
    raw = encode_block([parent.id], b'note', b'<b>hello</b>')
    at = parent.issued_at + issued_later
    insert(copy, Row(block_id(raw), raw, FOREIGN, 0, at, 0, parent.depth + 1))
    if issued_later:
        fault = fault_of(copy)
        assert (fault.what, fault.block) == ('issued_at', block_id(raw).hex())
    else:
        assert check(copy).foreign == 1


def stored(path: Path) -> tuple[Attested, Snapshot]:
    with closing(Store.read(path)) as store:
        return Attested.decode(store.snapshot()[1], FLEET)


def put_snapshot(path: Path, attested: Attested) -> None:
    data = attested.encode()
    index = stored(path)[1].cut.index
    change(
        path,
        ('UPDATE snapshots SET data = ?, digest = ?', data, row_digest(index, data)),
    )


def other_state(path: Path) -> bytes:
    """Return the stored snapshot with one byte of the contracts' state changed."""
    snapshot = stored(path)[1]
    state = snapshot.state
    at = len(state) // 2
    state = state[:at] + bytes((state[at] ^ 1,)) + state[at + 1 :]
    return Snapshot(snapshot.fleet, snapshot.cut, state).encode()


def test_a_snapshot_that_nobody_attests_is_named(copy):
    put_snapshot(copy, stored(copy)[0]._replace(body=other_state(copy)))
    fault = fault_of(copy)
    assert (fault.place, fault.what) == ('snapshots', 'data') and 'attest' in fault.found


def test_a_snapshot_that_the_records_do_not_come_to_is_named_though_all_attest_it(copy):
    body = other_state(copy)
    attested, snapshot = stored(copy)
    call = attestation(snapshot.cut.index, snapshot_digest(body))
    blocks = tuple(
        encode_record(sign_record(key, FLEET.id, 9_000, [bytes(31) + b'\1'], 1, (call,)))
        for key in KEYS
    )
    put_snapshot(copy, attested._replace(body=body, blocks=blocks))
    fault = fault_of(copy)
    assert (fault.place, fault.what) == ('snapshots', 'state')


def test_a_snapshot_with_another_number_is_named(copy):
    attested, snapshot = stored(copy)
    data = attested.encode()
    other = snapshot.cut.index + 1
    change(
        copy,
        ('UPDATE snapshots SET number = ?, digest = ?', other, row_digest(other, data)),
    )
    fault = fault_of(copy)
    assert (fault.place, fault.what) == ('snapshots', 'number')


def test_a_proof_that_proves_nothing_is_named(copy, rows):
    one, other = rows[10].raw, rows[11].raw
    checksum = proof_checksum(3, one, other)
    change(copy, ('UPDATE proofs SET first = ?, second = ?, checksum = ?', one, other, checksum))
    fault = fault_of(copy)
    assert (fault.place, fault.what, fault.robot) == ('proofs', 'blocks', 'robot_03')


def test_a_proof_against_another_robot_is_named(copy):
    with closing(Store.read(copy)) as store:
        ((first, second),) = store.proofs().values()
    change(
        copy,
        ('UPDATE proofs SET issuer = 1, checksum = ?', proof_checksum(1, first, second)),
    )
    fault = fault_of(copy)
    assert (fault.place, fault.what, fault.found) == ('proofs', 'issuer', '1')


def prune(path: Path, rows: list[Row]) -> Snapshot:
    """Drop what the snapshot stands for, as a robot without archive."""
    snapshot = stored(path)[1]
    heights = snapshot.cut.heights
    gone = [row.id for row in rows if row.seq < heights[row.issuer]]
    change(path, *(('DELETE FROM blocks WHERE id = ?', one) for one in gone))
    return snapshot


def test_a_pruned_ledger_is_checked_from_its_snapshot(copy, made, rows):
    whole = check(made)
    snapshot = prune(copy, rows)
    found = check(copy)
    assert found.begins_at == snapshot.cut.position > 0 and not found.snapshot_recomputed
    assert found.blocks < whole.blocks
    for root in ('state_root', 'final_root', 'final_digest', 'set_digest'):
        assert getattr(found, root) == getattr(whole, root)


def test_a_block_removed_from_a_pruned_ledger_is_named(copy, rows):
    snapshot = prune(copy, rows)
    kept = [row for row in rows if row.seq >= snapshot.cut.heights[row.issuer]]
    row = kept[len(kept) // 2]
    change(copy, ('DELETE FROM blocks WHERE id = ?', row.id))
    fault = fault_of(copy)
    assert fault.what == 'parents' and row.id.hex() in fault.expected


def test_a_ledger_that_was_kept_whole_from_some_time_on_is_genuine(copy, rows):
    heights = stored(copy)[1].cut.heights
    old = [row for row in rows[:200] if row.seq < heights[row.issuer]]
    change(copy, *(('DELETE FROM blocks WHERE id = ?', row.id) for row in old))
    found = verify(copy, FLEET, 1, lambda *said: None, interval=200)
    assert found.begins_at == stored(copy)[1].cut.position


def test_a_ledger_that_lacks_the_end_of_an_epoch_is_genuine(copy):
    """The robot was behind, and its teammates handed over meanwhile."""
    snapshot = stored(copy)[1]
    for issuer, height in enumerate(snapshot.cut.heights):
        change(copy, ('DELETE FROM blocks WHERE issuer = ? AND seq = ?', issuer, height - 1))
    assert check(copy).begins_at == snapshot.cut.position


def test_a_ledger_with_another_snapshot_interval_says_so(copy):
    with pytest.raises(WrongRecordError, match='a snapshot every 100'):
        verify(copy, FLEET, 1, lambda *said: None, interval=100)


def test_the_ledger_of_another_fleet_says_whose_it_is(copy):
    other, _ = make_team(3, 'other')
    with pytest.raises(ConfigError, match="robot 'robot_00' in fleet 'hall'"):
        verify(copy, other, 1, lambda *said: None)


def test_a_lock_file_that_is_gone_is_told(copy):
    meta = {}
    with closing(sqlite3.connect(copy)) as db:
        meta = dict(db.execute('SELECT key, value FROM meta')) | {'in_use': '1'}
    change(
        copy,
        ("INSERT INTO meta VALUES ('in_use', '1')",),
        ("UPDATE meta SET value = ? WHERE key = 'checksum'", meta_checksum(meta)),
    )
    copy.with_name(f'{copy.name}.lock').unlink()
    assert 'may be missing' in check(copy).warning


def test_what_is_no_ledger_is_refused(tmp_path):
    path = tmp_path / 'ledger.db'
    with pytest.raises(StoreError, match='no ledger here'):
        check(path)
    path.write_text('a letter')
    assert fault_of(path).place == 'file header'
    path.write_bytes(b'')
    assert fault_of(path).place == 'file header'


def test_the_command_names_the_first_wrong_record(copy, rows):
    said = RUNNER.invoke(app, ['ledger', 'verify', str(copy), '--jobs', '1', '--json'])
    assert said.exit_code == OK
    told = json.loads(said.stdout)
    assert told['genuine'] and told['blocks'] == len(rows)
    said = RUNNER.invoke(app, ['ledger', 'verify', str(copy), '--jobs', '1'])
    assert said.exit_code == OK and told['final_root'] in said.stdout.replace('\n', '')
    row = rows[99]
    replace(copy, row, row._replace(depth=row.depth + 1))
    said = RUNNER.invoke(app, ['ledger', 'verify', str(copy), '--jobs', '1', '--json'])
    assert said.exit_code == FAILED
    wrong = json.loads(said.stdout)
    assert not wrong['genuine'] and wrong['first_wrong']['block'] == row.id.hex()
    said = RUNNER.invoke(app, ['ledger', 'verify', str(copy), '--jobs', '1'])
    assert said.exit_code == FAILED and row.id.hex() in said.stderr.replace('\n', '')
    assert FLEET.robots[row.issuer].name in said.stderr and str(row.seq) in said.stderr
    other = copy.with_name('other.yaml')
    other.write_text(Fleet(fleet='other', robots=FLEET.robots).model_dump_json())
    said = RUNNER.invoke(app, ['ledger', 'verify', str(copy), '--fleet', str(other)])
    assert said.exit_code == BAD_INPUT and 'hall' in said.stderr
