"""``ledger prove``: who signed twice, taken from a ledger and checked without one."""

from contextlib import closing
import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest
from typer.testing import CliRunner

from collab_robots.cli import app, BAD_INPUT, FAILED, OK
from collab_robots.contract.calls import maps, tasks
from collab_robots.contract.calls.common import Kind
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import RefusedError
from collab_robots.core.fleet import Fleet
from collab_robots.core.identity import PrivateKey
from collab_robots.explorer.fleets import make_fleet
from collab_robots.explorer.proofs import read_proofs, write_proofs
from collab_robots.tangle.block import block_id, GENESIS
from collab_robots.tangle.equivocation import Proof
from collab_robots.tangle.record import encode_record, sign_record
from collab_robots.tangle.store import Row, Store

RUNNER = CliRunner()
ROBOTS = ('robot1', 'robot2', 'robot3')
TIMES = (1_767_323_045 * SECOND, 1_767_323_046 * SECOND)


def twice(folder: Path, fleet: Fleet, robot: str, seq: int = 0) -> tuple[bytes, bytes]:
    """Return two blocks of one robot with one seq."""
    key = PrivateKey.load(folder / robot / 'key')
    parent = GENESIS if seq == 0 else bytes([1]) * 32
    first, second = (
        encode_record(
            sign_record(key, fleet.id, seq, [parent], at, (maps.report_sighting(7, 900, at, 0),))
        )
        for at in (1, 2)
    )
    return first, second


@pytest.fixture
def team(tmp_path: Path) -> Fleet:
    return make_fleet(tmp_path, ROBOTS, name='test')


@pytest.fixture
def db(tmp_path: Path, team: Fleet) -> Path:
    """Return a ledger that holds a proof against robot3 and two blocks of robot2 with one seq."""
    path = tmp_path / 'robot1' / 'ledger.db'
    key = PrivateKey.load(tmp_path / 'robot2' / 'key')
    with closing(Store(path, team, 'robot1')) as store:
        store.add_proof(2, *twice(tmp_path, team, 'robot3', seq=4))
        for at, call in zip(TIMES, (tasks.propose(Kind.EXPLORE, 3, -4, 0), None), strict=True):
            record = sign_record(key, team.id, 0, [GENESIS], at, (call,) if call else ())
            raw = encode_record(record)
            store.add(Row(block_id(raw), raw, 1, 0, at, 9, 1))
        store.commit()
    return path


def prove(*arguments: object) -> tuple[int, str]:
    result = RUNNER.invoke(app, ['ledger', 'prove', *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def test_a_ledger_tells_who_signed_what_twice(db: Path) -> None:
    code, told = prove(db)
    assert code == OK
    assert 'robot2 signed two different records with seq 0' in told
    assert 'robot3 signed two different records with seq 4' in told
    assert '2026-01-02 03:04:05 UTC' in told and 'explore (3, -4) round 0' in told
    assert 'no calls' in told and 'saw class 7' in told


def test_a_proof_convinces_who_has_only_the_fleet_file(db: Path, team: Fleet) -> None:
    elsewhere = db.parent / 'elsewhere'
    elsewhere.mkdir()
    proof = elsewhere / 'robot3.proof'
    assert prove(db, '--robot', 'robot3', '-o', proof)[0] == OK
    code, told = prove('--check', proof, '--fleet', db.parents[1] / 'fleet.yaml', '--json')
    (found,) = json.loads(told)['proofs']
    assert code == OK and found['robot'] == 'robot3' and found['seq'] == 4
    ids = {block_id(raw).hex() for raw in twice(db.parents[1], team, 'robot3', seq=4)}
    assert {record['id'] for record in found['records']} == ids
    assert [record['issued_at_ns'] for record in found['records']] in ([1, 2], [2, 1])
    both = elsewhere / 'both.proof'
    assert prove(db, '-o', both)[0] == OK
    assert [proof.issuer for proof in read_proofs(both, team)] == [1, 2]


def test_who_is_honest_cannot_be_proven_guilty(db: Path) -> None:
    code, told = prove(db, '--robot', 'robot1', '-o', db.parent / 'none')
    assert code == FAILED and 'not proven' in told
    assert not (db.parent / 'none').exists()


def test_two_good_blocks_that_prove_nothing(db: Path, team: Fleet, tmp_path: Path) -> None:
    one, _ = twice(tmp_path, team, 'robot2')
    other, _ = twice(tmp_path, team, 'robot3')
    again, _ = twice(tmp_path, team, 'robot2', seq=3)
    forged = bytearray(twice(tmp_path, team, 'robot2')[1])
    forged[-12] ^= 1  # in the signature
    path = db.parent / 'some.proof'
    for blocks in ((one, other), (one, again), (one, bytes(forged)), (one, one)):
        first, second = sorted(blocks, key=block_id)
        path.write_bytes(Proof(1, 0, first, second).encode())
        code, told = prove('--check', path, '--json')
        answer = json.loads(told)
        assert code == FAILED and not answer['proven'] and answer['reason'], told
    make_fleet(tmp_path / 'other', ROBOTS, name='other')
    write_proofs([Proof.of(*twice(tmp_path, team, 'robot2'), team)], path)
    code, told = prove('--check', path, '--fleet', tmp_path / 'other' / 'fleet.yaml')
    assert code == FAILED and 'record of fleet' in told


def test_wrong_input(db: Path, tmp_path: Path) -> None:
    path = db.parent / 'bad.proof'
    for content, words in (
        (b'', 'not the bytes of a proof'),
        (b'garbage', 'not the bytes of a proof'),
        (bytes(10_000_000), 'at most'),
    ):
        path.write_bytes(content)
        code, told = prove('--check', path)
        assert code == BAD_INPUT and words in told
    for arguments, words in (
        ((), 'name a ledger.db'),
        ((db, '--check', path), 'name a ledger.db'),
        ((db, '--robot', 'nobody'), "'nobody'"),
        (('--check', db.parent / 'missing'), 'cannot be read'),
        ((db, '-o', db.parent), 'cannot be written'),
        ((db, '--fleet', tmp_path / 'missing.yaml'), 'cannot be read'),
    ):
        code, told = prove(*arguments)
        assert code == BAD_INPUT and words in told, told
    assert prove(db.parent / 'missing.db')[0] == FAILED  # as ledger status does


@pytest.fixture(scope='module')
def two_proofs(tmp_path_factory) -> tuple[Fleet, Path, bytes]:
    folder = tmp_path_factory.mktemp('proofs')
    team = make_fleet(folder, ROBOTS, name='test')
    proofs = [Proof.of(*twice(folder, team, robot), team) for robot in ROBOTS[:2]]
    write_proofs(proofs, folder / 'two.proof')
    assert read_proofs(folder / 'two.proof', team) == proofs
    return team, folder, (folder / 'two.proof').read_bytes()


@given(st.floats(0, 1, exclude_max=True), st.integers(0, 255), st.booleans())
@settings(deadline=None)
def test_no_changed_byte_leaves_a_proof(two_proofs, where, change, cut):
    team, folder, raw = two_proofs
    at = int(where * len(raw))
    path = folder / 'changed.proof'
    path.write_bytes(raw[:at] if cut else raw[:at] + bytes([raw[at] ^ change]) + raw[at + 1 :])
    try:
        proofs = read_proofs(path, team)
    except RefusedError:
        return
    assert b''.join(proof.encode() for proof in proofs) == path.read_bytes()
    assert {proof.issuer for proof in proofs} <= {0, 1}
    assert len(proofs) == 1 if cut else change == 0


def test_status_names_who_is_proven_and_what_may_be_lost(db: Path) -> None:
    def status() -> dict[str, object]:
        result = RUNNER.invoke(app, ['ledger', 'status', str(db), '--json'])
        summary = json.loads(result.stdout)
        assert result.exit_code == (FAILED if summary['warning'] else OK), result.output
        return summary

    assert status()['equivocators'] == ['robot3'] and status()['warning'] == ''
    assert status()['snapshot'] == 0
    with closing(Store(db, Fleet.load(db.parents[1] / 'fleet.yaml'), 'robot1')) as store:
        store.mark_incomplete('its end is lost')
    assert status()['warning'] == 'its end is lost'
    plain = RUNNER.invoke(app, ['ledger', 'status', str(db)]).stdout
    assert 'its end is lost' in plain and 'robot3' in plain
