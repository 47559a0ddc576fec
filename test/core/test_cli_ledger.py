"""``collab-robots ledger …`` on ledger files of a run, as a person and as a script would."""

from collections.abc import Iterator
from contextlib import closing
import json
from pathlib import Path
import signal
import subprocess
import sys
from typing import Any

from explorer_web import serving
from fabricated import fabricate
from pydantic import TypeAdapter
import pytest
from typer.testing import CliRunner

from collab_robots.cli import app, BAD_INPUT, FAILED, INTERRUPTED, OK
from collab_robots.cli.common import UNREACHABLE
from collab_robots.core.clock import SECOND
from collab_robots.core.fleet import Fleet
from collab_robots.core.identity import PrivateKey
from collab_robots.explorer.book import answers
from collab_robots.explorer.book.open import open_reader
from collab_robots.explorer.fleets import make_fleet
from collab_robots.explorer.terminal.compare import Difference
from collab_robots.explorer.terminal.print_replay import Replay
from collab_robots.tangle.block import block_id, encode_block, GENESIS
from collab_robots.tangle.dag import FOREIGN
from collab_robots.tangle.record import encode_record, sign_record
from collab_robots.tangle.store import Row, Store

RUNNER = CliRunner()
EVIL = b'[red]\x1b]0;gotcha\x07\x1b[2J'
TASK = 'explore (0, 7) round 0'


def ledger(*arguments: object) -> Any:
    result = RUNNER.invoke(app, ['ledger', *map(str, arguments)], env={'COLUMNS': '80'})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture(scope='module', autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what is found out about the files away from the person's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('XDG_CACHE_HOME', str(tmp_path_factory.mktemp('cache')))
        yield


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run of two robots, with a stranger's data block in the first one's ledger."""
    made = fabricate(tmp_path_factory.mktemp('runs') / 'run', robots=2)
    with closing(Store(made.folder('robot1') / 'ledger.db', made.fleet, 'robot1')) as store:
        parent = max(store.load(), key=lambda row: row.depth)
        raw = encode_block([parent.id], EVIL, EVIL)
        issued, depth = parent.issued_at, parent.depth + 1
        store.add(Row(block_id(raw), raw, FOREIGN, FOREIGN, issued, issued, depth))
        store.commit()
    return made.directory


@pytest.fixture(scope='module')
def db(run: Path) -> Path:
    return run / 'robot1' / 'ledger.db'


COMMANDS = [
    (['status'], answers.Overview, 'state root'),
    (['tail'], answers.Page[answers.Block], 'heartbeat'),
    (['find', 'robot2'], answers.Found, 'robot2'),
    (['dag'], answers.Dag, 'robot2'),
    (['robots'], tuple[answers.Robot, ...], 'robot2'),
    (['robot', 'robot2'], answers.RobotDetails, 'award'),
    (['tasks'], answers.Page[answers.Task], 'explore'),
    (['task', TASK], answers.TaskDetails, 'robot1'),
    (['trust'], answers.Trust, 'Witnesses'),
    (['models'], answers.Models, 'nobody offers a model'),
    (['splits'], tuple[answers.Split, ...], 'robot2'),
    (['replay', '--to', '60'], Replay, 'Tasks that were open'),
    (['replay', '--to', '@100'], Replay, 'state root'),
]


@pytest.mark.parametrize(('arguments', 'kind', 'words'), COMMANDS, ids=lambda one: str(one)[:30])
def test_each_command_answers_people_and_programs(
    db: Path, arguments: list[str], kind: Any, words: str
) -> None:
    plain = ledger(*arguments, db)
    assert plain.exit_code == OK, plain.output
    assert words in plain.stdout
    assert max(map(len, plain.stdout.splitlines())) <= 80
    told = ledger(*arguments, db, '--json')
    assert told.exit_code == OK and told.stdout.isascii()
    assert TypeAdapter(kind).validate_json(told.stdout)


@pytest.mark.parametrize('command', [name for name, *_ in (c[0] for c in COMMANDS)])
def test_each_command_helps_with_examples(command: str) -> None:
    told = ledger(command, '--help').stdout
    assert f'collab-robots ledger {command}' in told and 'Exit codes: 0' in told


def test_a_block_goes_by_the_beginning_of_its_id(db: Path) -> None:
    newest = json.loads(ledger('tail', db, '--kind', 'award', '--json').stdout)['items'][0]
    told = ledger('block', newest['id'][:12], db)
    assert told.exit_code == OK and newest['id'] in told.stdout
    assert newest['calls'][0]['words'] in ' '.join(told.stdout.split())
    other = ledger('block', newest['id'][2:12], db, '--json')
    block = answers.BlockDetails.model_validate_json(other.stdout)
    assert block.id == newest['id'] and block_id(bytes.fromhex(block.raw)).hex() == block.id[2:]


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['block', '0xfffffffff'], 'no block has an id'),
        (['block', 'xyz'], "got 'xyz'"),
        (['robot', 'robot9'], 'there are: robot1, robot2'),
        (['task', 'sing'], "'sing'"),
        (['tail', '--since', 'noon'], "expected a time, s or ISO 8601, got 'noon'"),
        (['tail', '--page', 'last'], "got 'last'"),
        (['tail', '--robot-name', 'robot9'], 'there are: robot1, robot2'),
        (['tail', '-f', '--state', 'final'], 'it goes with neither --state'),
        (['replay', '--to', '@x'], "expected @ and a number of final records, got '@x'"),
        (['dag', '--dot', '--svg'], 'choose one of'),
        (['dag', '--out', 'x'], 'goes with --dot or --svg'),
        (['status', '--robot', 'http://127.0.0.1:1'], 'not both'),
        (['status', '--robot', 'ftp://robot1'], 'expected http://HOST:PORT'),
        (['trust', '--robot-name', 'robot9'], 'there are: robot1, robot2'),
    ],
)
def test_wrong_input_is_refused_in_words(db: Path, arguments: list[str], words: str) -> None:
    result = ledger(*arguments, db)
    assert result.exit_code == BAD_INPUT, result.output
    assert words in ' '.join(result.stderr.split()), result.stderr
    assert not result.stdout


def test_who_does_not_answer_is_told_from_what_is_wrong() -> None:
    result = ledger('status', '--robot', 'http://127.0.0.1:1')
    assert result.exit_code == UNREACHABLE and '127.0.0.1:1' in result.stderr


def test_a_ledger_elsewhere_answers_as_one_here(db: Path) -> None:
    block = json.loads(ledger('tail', db, '--json').stdout)['items'][0]['id']
    with serving(lambda: open_reader(db)) as server:
        for arguments in (*(one for one, *_ in COMMANDS), ['block', block]):
            here = json.loads(ledger(*arguments, db, '--json').stdout)
            there = json.loads(ledger(*arguments, '--robot', server.url, '--json').stdout)
            for told in (here, there):
                told = told.get('overview', told) if isinstance(told, dict) else {}
                told.pop('source', None)
            assert here == there, arguments


def test_nothing_found_is_said_with_what_can_be_found(db: Path) -> None:
    result = ledger('find', 'a needle', db)
    assert result.exit_code == FAILED
    assert "nothing found for 'a needle'" in result.stdout and 'finds' in result.stdout
    assert ledger('tail', '--kind', 'award', '--until', '1', db).exit_code == FAILED


def test_pages_are_all_there_is(db: Path) -> None:
    seen: list[str] = []
    page: list[str] = []
    while True:
        told = json.loads(ledger('tail', db, '--limit', '100', '--json', *page).stdout)
        seen += [block['id'] for block in told['items']]
        if told['next'] is None:
            break
        assert f'--page {told["next"]}' in ledger('tail', db, '--limit', '100', *page).stdout
        page = ['--page', told['next']]
    assert len(seen) == len(set(seen)) == told['total'] == 237


def test_the_newest_run_is_the_default(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run.parent)
    found = ledger('status', '--json')
    assert found.exit_code == OK and json.loads(found.stdout)['robot'] == 'robot1'
    assert "reading run/robot1/ledger.db, the newest run's first of 2 ledgers" in found.stderr
    only = ledger('status', run / 'robot2', '--json')
    assert json.loads(only.stdout)['robot'] == 'robot2' and not only.stderr
    monkeypatch.chdir(tmp_path)
    none = ledger('status')
    assert none.exit_code == BAD_INPUT and 'no ledger.db here' in none.stderr


def test_a_stranger_cannot_write_on_the_terminal(db: Path) -> None:
    told = json.loads(ledger('tail', db, '--robot-name', 'unsigned', '--json').stdout)
    (found,) = told['items']
    for arguments in (['block', found['id']], ['find', found['id']], ['tail'], ['find', 'gotcha']):
        result = ledger(*arguments, db)
        assert result.exit_code == OK, result.output
        assert all(line.isprintable() for line in result.stdout.splitlines())
    shown = ''.join(ledger('block', found['id'], db).stdout.split())
    assert '[red]\\x1b]0;gotcha\\x07' in shown
    assert '\x1b' not in ledger('block', found['id'], db, '--json').stdout


def test_a_split_is_seen_with_what_each_side_did(db: Path) -> None:
    (split,) = json.loads(ledger('splits', db, '--json').stdout)
    assert 38 < split['begin'] < 42 and 80 < split['end'] < 84
    assert [side['robots'] for side in split['sides']] == [['robot1'], ['robot2']]
    assert all(side['done'] for side in split['sides'])


def test_the_dag_is_drawn_in_files(db: Path, tmp_path: Path) -> None:
    out = tmp_path / 'dag.svg'
    assert ledger('dag', db, '--svg', '--out', out).exit_code == OK
    assert out.read_text().lstrip().startswith(('<svg', '<?xml'))
    assert 'digraph' in ledger('dag', db, '--dot').stdout
    nowhere = ledger('dag', db, '--dot', '--out', tmp_path / 'no' / 'dag.dot')
    assert nowhere.exit_code == BAD_INPUT and 'cannot be written' in nowhere.stderr


def test_a_file_that_is_none_or_of_others_is_refused(run: Path, tmp_path: Path) -> None:
    make_fleet(tmp_path, ('robot1',), name='other')
    missing = ledger('status', tmp_path / 'ledger.db')
    assert missing.exit_code == FAILED and 'there is no ledger here' in missing.stderr
    db = run / 'robot1' / 'ledger.db'
    foreign = ledger('status', db, '--fleet', tmp_path / 'fleet.yaml')
    assert foreign.exit_code == BAD_INPUT and "of fleet 'demo', not of" in foreign.stderr


def test_a_ledger_that_lost_its_end_is_not_well(run: Path, tmp_path: Path) -> None:
    fleet = Fleet.load(run / 'fleet.yaml')
    with closing(Store(tmp_path / 'ledger.db', fleet, 'robot1')) as store:
        store.mark_incomplete('its end is gone')
    result = ledger('status', tmp_path / 'ledger.db', '--fleet', run / 'fleet.yaml')
    assert result.exit_code == FAILED and 'its end is gone' in result.stdout


def test_a_ledger_is_looked_into_as_of_a_time(db: Path) -> None:
    then = json.loads(ledger('task', TASK, db, '--at', '15', '--json').stdout)
    now = json.loads(ledger('task', TASK, db, '--json').stdout)
    assert then['state'] == 'held' and now['state'] == 'done'
    blocks = json.loads(ledger('tail', db, '--state', 'final', '--json').stdout)['items']
    position = blocks[0]['position']
    by_block = json.loads(ledger('replay', '--to', blocks[0]['id'], db, '--json').stdout)
    by_number = json.loads(ledger('replay', '--to', f'@{position + 1}', db, '--json').stdout)
    assert by_block == by_number and by_block['overview']['final'] == position + 1


def test_two_robots_differ_in_what_they_heard_and_never_in_what_is_final(run: Path) -> None:
    result = ledger('diff', run / 'robot1' / 'ledger.db', run / 'robot2' / 'ledger.db', '--json')
    assert result.exit_code == OK
    told = Difference.model_validate_json(result.stdout)
    assert (told.common, told.first.robots, told.second.blocks) == (236, {'unsigned': 1}, ())
    assert told.compared > 200 and told.parts_at is None and told.same_digest
    plain = ledger('diff', run / 'robot1' / 'ledger.db', run / 'robot2' / 'ledger.db')
    assert 'The final orders do not part' in plain.stdout


def test_files_whose_final_orders_part_are_told(tmp_path: Path) -> None:
    fleet = make_fleet(tmp_path, ('robot1', 'robot2'), name='test')
    keys = [PrivateKey.load(tmp_path / robot.name / 'key') for robot in fleet.robots]
    for name, start in (('robot1', 100), ('robot2', 200)):
        with closing(Store(tmp_path / name / 'ledger.db', fleet, name)) as store:
            own = [GENESIS, GENESIS]
            for seq in range(12):
                for issuer, key in enumerate(keys):
                    at = (start + 2 * seq + issuer) * SECOND
                    record = sign_record(key, fleet.id, seq, set(own), at, ())
                    raw = encode_record(record)
                    own[issuer] = block_id(raw)
                    depth = 2 * seq + issuer + 1
                    store.add(Row(own[issuer], raw, issuer, seq, at, at, depth))
            store.commit()
    result = ledger('diff', *(tmp_path / name / 'ledger.db' for name in ('robot1', 'robot2')))
    assert result.exit_code == FAILED, result.output
    assert 'The final orders PART at number 0' in result.stdout


def test_ledgers_of_two_fleets_are_not_compared(run: Path, tmp_path: Path) -> None:
    fleet = make_fleet(tmp_path, ('robot1',), name='other')
    Store(tmp_path / 'robot1' / 'ledger.db', fleet, 'robot1').close()
    result = ledger('diff', run / 'robot1' / 'ledger.db', tmp_path / 'robot1' / 'ledger.db')
    assert result.exit_code == BAD_INPUT and "'other'" in result.stderr


def test_a_growing_ledger_is_followed(tmp_path: Path) -> None:
    fleet = make_fleet(tmp_path, ('robot1',), name='test')
    key = PrivateKey.load(tmp_path / 'robot1' / 'key')
    path = tmp_path / 'robot1' / 'ledger.db'
    with closing(Store(path, fleet, 'robot1')) as store:
        newest = GENESIS
        command = [sys.executable, '-m', 'collab_robots.cli', 'ledger', 'tail', '-f', '--json']
        for seq in range(3):
            record = sign_record(key, fleet.id, seq, [newest], (seq + 1) * SECOND, ())
            raw = encode_record(record)
            newest = block_id(raw)
            store.add(Row(newest, raw, 0, seq, record.issued_at, record.issued_at, seq + 1))
            store.commit()
            if seq == 0:
                follower = subprocess.Popen([*command, str(path)], stdout=subprocess.PIPE)
            assert follower.stdout is not None
            assert json.loads(follower.stdout.readline())['id'] == f'0x{newest.hex()}'
        follower.send_signal(signal.SIGINT)
        assert follower.wait() == INTERRUPTED
        follower.stdout.close()


def test_names_of_robots_are_completed(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run)
    told = subprocess.run(
        [
            sys.executable,
            '-c',
            'import sys; from collab_robots.cli import main; '
            'sys.argv[0] = "collab-robots"; main()',
        ],
        env={
            'PYTHONPATH': str(Path(__file__).parents[2]),
            '_COLLAB_ROBOTS_COMPLETE': 'complete_bash',
            'COMP_WORDS': 'collab-robots ledger robot r',
            'COMP_CWORD': '3',
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == ['robot1', 'robot2'] and not told.stderr
