"""``collab-robots contract …`` on a real node: the whole way, and what it says when it fails."""

import json
from pathlib import Path
import subprocess
import sys
import time

from anchored_team import FLEET, KEYS, NAMES, SIGNERS, Team
from anvil import Anvil, CHAIN_ID, PAYER, running
from eth_account import Account
import pytest
from typer.testing import CliRunner

from collab_robots.anchor.chain import Chain
from collab_robots.anchor.notary import Notary
from collab_robots.cli import app, BAD_INPUT, FAILED, OK
from collab_robots.cli.common import UNREACHABLE

RUNNER = CliRunner()
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def team(tmp_path_factory):
    team = Team(tmp_path_factory.mktemp('team'))
    team.register(0, 1, 2, 3)
    team.work(4)
    team.close()
    return team


@pytest.fixture(name='node')
def _node():
    yield from running()


@pytest.fixture(name='idle')
def _idle():
    yield from running('--no-mining')


class Desk:
    """Somebody with a chain, a key that pays, and a team's files."""

    def __init__(self, node, team, folder):
        self.url, self.team, self.folder = node.url, team, folder
        self.payer = self.private('payer.key', bytes(PAYER.key).hex())
        self.deployment = folder / 'anchor.json'

    def private(self, name, text):
        path = self.folder / name
        path.write_text(text, encoding='utf-8')
        path.chmod(0o600)
        return path

    def run(self, command, *arguments, exit_code=OK, rpc=True, db=True, typed=None):
        options = ['--rpc', self.url, '--timeout', '20'] if rpc else []
        options += ['--db', str(self.team.db(NAMES[0]))] if db else []
        options += ['--deployment', str(self.deployment)]
        result = RUNNER.invoke(
            app,
            ['contract', command, *map(str, arguments), *options],
            input=typed,
            env={'COLUMNS': '200', 'NO_COLOR': '1'},
        )
        assert result.exit_code == exit_code, (result.output, result.exception)
        assert 'Traceback' not in result.output
        return result

    def deploy(self, *options, **more):
        return self.run('deploy', '--key', self.payer, *options, **more)

    def anchor(self, *arguments, **more):
        return self.run('anchor', '--key', self.payer, *arguments, **more)

    def sign(self, robots, *options):
        """Return the files that robots sign."""
        files = []
        for robot in robots:
            files.append(self.folder / f'{NAMES[robot]}.json')
            result = RUNNER.invoke(
                app,
                [
                    *('contract', 'sign', '--key', str(self.team.key(NAMES[robot]))),
                    *('--db', str(self.team.db(NAMES[robot]))),
                    *('--deployment', str(self.deployment), '--out', str(files[-1]), *options),
                ],
            )
            assert result.exit_code == OK, result.output
        return files


@pytest.fixture
def desk(node, team, tmp_path):
    return Desk(node, team, tmp_path)


def test_the_whole_way(desk, team):
    told = desk.deploy()
    addresses = json.loads(desk.deployment.read_text())['contracts']
    assert list(addresses) == ['Fleet', 'Maps', 'Models', 'Tasks', 'Anchor']
    assert all(address in told.stdout for address in addresses.values())
    none = desk.run('verify-anchor', exit_code=UNREACHABLE)
    assert none.stdout == 'the chain has no anchor of this fleet yet\n'
    files = desk.sign(range(3))
    assert json.loads(files[0].read_text())['anchor']['height'] == team.final
    sent = desk.anchor(*files)
    assert f'height {team.final}, epoch 0' in sent.stdout and 'transaction' in sent.stdout
    again = desk.anchor(*files)
    assert again.stdout == f'height {team.final} is on the chain already\n'
    agrees = desk.run('verify-anchor')
    assert agrees.stdout.startswith(f'agrees in order and state at height {team.final}, anchored')


def test_robots_that_sign_by_themselves_leave_nothing_to_collect(desk, tmp_path_factory):
    folder = tmp_path_factory.mktemp('signing')
    team = desk.team = Team(folder)
    team.register(0, 1, 2, 3)
    team.work(3)
    desk.deploy()
    height = team.final - 10
    notaries = [
        Notary(key, FLEET, runner, desk.deployment, 2 * height)
        for key, runner in zip(KEYS, team.runners, strict=True)
    ]
    for number in range(3):
        if number == 2:
            lacking = desk.anchor(exit_code=FAILED)
            assert 'weight 2 of 4, two thirds are needed; not by' in lacking.stderr
        ledger = team.ledgers[number]
        ledger.submit(notaries[number].call(ledger.order))
        team.work(1)
    team.close()
    sent = json.loads(desk.anchor('--json').stdout)
    assert (sent['sent'], sent['signatures'], sent['height']) == (True, 3, height)
    assert desk.run('verify-anchor').stdout.startswith('agrees')
    told = desk.anchor(desk.folder / 'none.json')
    assert 'none.json does not count' in told.stderr


def test_everything_is_also_told_as_json(desk, team):
    deployed = json.loads(desk.deploy('--json').stdout)
    assert deployed == json.loads(desk.deployment.read_text())
    assert deployed['chain_id'] == CHAIN_ID and deployed['fleet'] == FLEET.id.hex()
    none = json.loads(desk.run('verify-anchor', '--json', exit_code=UNREACHABLE).stdout)
    assert (none['outcome'], none['latest']) == ('nothing_to_compare', None)
    sent = json.loads(desk.anchor('--json', *desk.sign(range(4), '--height', '20')).stdout)
    assert (sent['sent'], sent['height'], sent['signatures']) == (True, 20, 4)
    assert len(sent['transaction']) == 66 and sent['fee'] > 0
    assert not json.loads(desk.anchor('--json', *desk.sign(range(3), '--height', '20')).stdout)[
        'sent'
    ]
    report = json.loads(desk.run('verify-anchor', '--json').stdout)
    assert report['outcome'] == 'agrees' and report['agreed'] == report['latest']
    assert report['agreed']['height'] == 20 and len(report['agreed']['state_root']) == 66
    assert report['ledger'] == {'first': 0, 'final': team.final}
    networks = json.loads(RUNNER.invoke(app, ['contract', 'networks', '--json']).stdout)
    assert networks['iota-evm']['chain_id'] == 8822
    assert 'chain 1076' in RUNNER.invoke(app, ['contract', 'networks']).stdout


def test_signers_can_be_given_in_a_file_and_changed_later(desk, team):
    keys = [str(team.key(name)) for name in NAMES[:3]]
    fleet = str(team.folder / 'fleet.yaml')
    result = RUNNER.invoke(app, ['contract', 'signer', *keys, '--fleet', fleet])
    assert f"  robot_00: '0x{SIGNERS[0].hex()}'\n" in result.stdout
    path = desk.folder / 'signers.yaml'
    path.write_text(result.stdout)
    desk.deploy('--fleet', fleet, '--signers', path, db=False)
    refused = desk.anchor(*desk.sign([0, 3]), exit_code=FAILED)
    assert 'robot_03.json does not count: 0x' in refused.stderr
    assert 'weight 1 of 4, two thirds are needed; not by robot_0' in refused.stderr
    changed = desk.run(
        'set-signers', '--key', desk.payer, *desk.sign(range(3), '--signers', '--height', '30')
    )
    assert 'height 30, fleet of weight 4, signers 0x' in changed.stdout
    desk.anchor(*desk.sign([0, 1, 3]))


def test_a_ledger_that_says_something_else_is_named_by_the_exit_code(desk, team, tmp_path):
    desk.deploy()
    desk.anchor(*desk.sign(range(3)))
    other = Team(_folder(tmp_path / 'other'), seed=9)
    other.register(0, 1, 2, 3)
    other.work(5)
    other.close()
    desk.team = other
    parts = desk.run('verify-anchor', exit_code=FAILED)
    assert f'the orders part at height {team.final} or before' in parts.stdout
    refused = desk.anchor(*desk.sign([0, 1]), exit_code=FAILED)
    assert 'weight 2 of 4' in refused.stderr


def _folder(path):
    path.mkdir()
    return path


@pytest.mark.parametrize(
    ('command', 'words'),
    [
        (['deploy', '--rpc', 'http://x'], 'say who signs'),
        (
            ['deploy', '--rpc', 'http://x', '--fleet', 'f', '--signers', 's', '--db', 'd'],
            'say who',
        ),
        (['deploy', '--db', '{db}'], 'name the chain: --rpc URL, or --network NAME'),
        (['deploy', '--db', '{db}', '--network', 'mars'], "no network 'mars'; known are iota-evm"),
        (['deploy', '--db', '{db}', '--rpc', 'x'], 'expected an RPC URL'),
        (['deploy', '--db', '{db}', '--rpc', 'http://x', '--timeout', '0'], '--timeout'),
        (['deploy', '--db', 'none.db', '--rpc', 'http://x'], 'no fleet file'),
    ],
)
def test_wrong_input_to_deploy_is_refused_in_words(command, words, desk):
    db = str(desk.team.db(NAMES[0]))
    command = [db if part == '{db}' else part for part in command]
    result = RUNNER.invoke(
        app,
        ['contract', *command, '--key', str(desk.payer)],
        env={'COLUMNS': '200', 'NO_COLOR': '1'},
    )
    assert result.exit_code == BAD_INPUT
    assert words in ' '.join(result.stderr.split())


def test_keys_that_are_refused(desk, team):
    desk.payer.chmod(0o644)
    assert 'lets others read' in desk.deploy(exit_code=BAD_INPUT).stderr
    desk.payer = team.key(NAMES[1])
    told = desk.deploy(exit_code=BAD_INPUT).stderr
    assert 'is the key that robot_01 signs records with' in told
    assert not desk.deployment.exists()


def test_a_keystore_pays(desk):
    stored = Account.encrypt(PAYER.key, 'secret', kdf='pbkdf2', iterations=2)
    desk.payer = desk.private('keystore', json.dumps(stored))
    password = desk.private('password', 'secret\n')
    told = desk.deploy(exit_code=BAD_INPUT, typed='wrong\n').stderr
    assert f'Password of {desk.payer}' in told and 'cannot be decrypted: MAC mismatch' in told
    assert 'wrong' not in told
    desk.deploy(typed='secret\n')
    desk.deploy('--password-file', password)
    password.chmod(0o604)
    files = desk.sign(range(3))
    refused = desk.anchor('--password-file', password, *files, exit_code=BAD_INPUT)
    assert 'lets others read' in refused.stderr


def test_the_wrong_chain_is_refused(desk, team):
    desk.deploy()
    other = Anvil(chain_id=1076)
    try:
        desk.url = other.url
        told = desk.run('verify-anchor', exit_code=BAD_INPUT).stderr
        assert f'is chain 1076, not {CHAIN_ID}' in told
        told = desk.deploy(exit_code=BAD_INPUT).stderr
        assert f'anchor.json: is of chain {CHAIN_ID}, and {other.url} is chain 1076' in told
    finally:
        other.kill()
    told = desk.run('verify-anchor', '--network', 'iota-evm', exit_code=BAD_INPUT).stderr
    assert f'iota-evm is chain 8822, the contracts are on {CHAIN_ID}' in told


def test_an_empty_account_is_told_what_it_needs(desk):
    desk.payer = desk.private('poor.key', bytes(Account.create().key).hex())
    told = desk.deploy(exit_code=FAILED).stderr
    assert 'has 0 coins on chain' in told and 'send it some' in told


def test_signing_needs_a_robot_and_a_place(desk, team):
    desk.deploy()
    stranger = desk.private('stranger', '77' * 32)
    options = {'rpc': False, 'exit_code': BAD_INPUT}
    told = desk.run('sign', '--key', stranger, **options).stderr
    assert 'is the key of no robot that is in the fleet there' in told
    key = team.key(NAMES[0])
    told = desk.run('sign', '--key', key, '--height', team.final + 1, **options).stderr
    assert 'is not final here' in told
    told = desk.run('sign', '--key', key, '--chain-id', 5, **options).stderr
    assert '--chain-id and --contract go together' in told
    told = desk.run('sign', '--key', key, '--chain-id', 5, '--contract', '0x12', **options).stderr
    assert 'contracts.Anchor' in told
    place = ('--chain-id', 5, '--contract', '0x' + 'ab' * 20)
    made = json.loads(desk.run('sign', '--key', key, *place, rpc=False).stdout)
    assert (made['chain_id'], made['contract']) == (5, '0x' + 'ab' * 20)
    told = desk.run('sign', '--key', key, '--out', '/nowhere/x', **options).stderr
    assert 'cannot be written' in told
    desk.deployment = desk.folder / 'none.json'
    told = desk.run('sign', '--key', key, **options).stderr
    assert 'none.json: cannot be read' in told


def test_no_node_is_said_in_time_and_nothing_is_lost(desk, node):
    desk.deploy()
    files = desk.sign(range(3))
    node.kill()
    began = time.monotonic()
    for command in (['verify-anchor'], ['anchor', '--key', desk.payer, *files]):
        told = desk.run(*command, '--timeout', '1', rpc=False, exit_code=BAD_INPUT)
        assert 'name the chain' in told.stderr
        told = desk.run(
            *command, '--rpc', node.url, '--timeout', 1, rpc=False, exit_code=UNREACHABLE
        )
        assert 'does not answer: no connection; try again later' in told.stderr
    assert time.monotonic() - began < 60


def test_an_anchor_that_was_not_mined_in_time_is_sent_once(idle, team, tmp_path):
    idle.rpc('evm_setAutomine', True)
    desk = Desk(idle, team, tmp_path)
    desk.deploy()
    files = desk.sign(range(3))
    idle.rpc('evm_setAutomine', False)
    late = ('--rpc', idle.url, '--timeout', 1)
    told = desk.anchor(*files, *late, rpc=False, exit_code=UNREACHABLE)
    assert 'is sent and not mined yet' in told.stderr and 'try again later' in told.stderr
    idle.rpc('anvil_mine', '0x1')
    assert 'is on the chain already' in desk.anchor(*files).stdout


def test_a_deployment_that_was_interrupted_goes_on(desk, node, monkeypatch):
    honest, left = Chain.send, [2]

    def send(self, *arguments):
        if not left[0]:
            node.kill()
        left[0] -= 1
        return honest(self, *arguments)

    monkeypatch.setattr(Chain, 'send', send)
    desk.run(
        'deploy',
        '--key',
        desk.payer,
        '--rpc',
        node.url,
        '--timeout',
        2,
        rpc=False,
        exit_code=UNREACHABLE,
    )
    partly = json.loads(desk.deployment.read_text())['contracts']
    assert list(partly) == ['Fleet', 'Maps']
    other = Anvil(port=node.port)
    try:
        desk.deploy()
    finally:
        other.kill()
    assert list(json.loads(desk.deployment.read_text())['contracts'])[-1] == 'Anchor'


def test_help_answers_at_once_and_shows_examples():
    code = (
        'import sys; from collab_robots.cli import main; sys.argv[1:] = ["contract", "anchor", '
        '"--help"]; import atexit; atexit.register(lambda: print("heavy:", *[m for m in ("web3", '
        '"eth_account", "numpy") if m in sys.modules])); main()'
    )
    result = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        check=True,
        env={'COLUMNS': '120'},
        cwd=ROOT,
    )
    assert 'collab-robots contract anchor --network iota-evm --key payer.key' in result.stdout
    assert 'Exit codes: 0 it is on the chain' in result.stdout
    assert result.stdout.rstrip().endswith('heavy:')
