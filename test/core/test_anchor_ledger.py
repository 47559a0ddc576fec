"""What a ledger file says at a height, and how it compares with the anchors on a real node."""

import shutil

from anchored_team import FLEET, KEYS, NAMES, SIGNERS, Team
from anvil import PAYER, running
import pytest

from collab_robots.anchor.chain import Chain
from collab_robots.anchor.choice import choose
from collab_robots.anchor.contract import AnchorContract
from collab_robots.anchor.deployed import Deployed
from collab_robots.anchor.deployment import deploy
from collab_robots.anchor.keys import anchor_key
from collab_robots.anchor.replay import Replay
from collab_robots.anchor.roster import check_signers, NOBODY, Robot, roster_in_file, signers_of
from collab_robots.anchor.signatures import Collected
from collab_robots.anchor.statement import sign, Signers, Statement
from collab_robots.anchor.verify import Outcome, verify
from collab_robots.contract.artifact import suite
from collab_robots.core.errors import ChainError, ConfigError
from collab_robots.tangle.memory import make_team

STEP = 20  # records between two anchors


@pytest.fixture(scope='module')
def team(tmp_path_factory):
    """Half of the history of two teams that part."""
    team = Team(tmp_path_factory.mktemp('team'))
    team.register(0, 1, 2, 3)
    team.work(5)
    team.close()
    return team


def go_on(team, folder, seed):
    """Return a team that goes on from where another stopped, in its own files."""
    shutil.copytree(team.folder, folder)
    after = Team(folder, seed)
    after.work(4)
    after.close()
    return after


@pytest.fixture(scope='module')
def honest(team, tmp_path_factory):
    return go_on(team, tmp_path_factory.mktemp('honest') / 'files', 5)


@pytest.fixture(scope='module')
def forked(team, tmp_path_factory):
    return go_on(team, tmp_path_factory.mktemp('forked') / 'files', 6)


def replay(team, robot=0):
    return Replay(team.db(NAMES[robot]), FLEET)


# What a file says


def test_a_file_says_what_its_robot_knew(honest):
    for robot in range(4):
        found = replay(honest, robot)
        assert (found.first, found.final) == (0, honest.final)
        agreed = found.at(found.final)
        assert agreed.statement == Statement(
            FLEET.id,
            0,
            honest.final,
            honest.ledgers[robot].order.final_digest,
            honest.runners[robot].final_root(),
        )
        assert agreed.signers.weights == tuple(sorted((one, 1) for one in SIGNERS))
        assert [one.name for one in agreed.robots] == NAMES


def test_all_robots_say_the_same_at_any_height(honest):
    files = [replay(honest, robot) for robot in range(4)]
    for height in range(0, honest.final, 7):
        assert len({found.at(height).statement for found in files}) == 1


def test_past_heights_are_what_robots_had_then(team):
    found = replay(team)
    assert len(team.roots) > 5
    for height, root in team.roots.items():
        assert found.at(height).statement.state_root == root
    assert len(set(team.roots.values())) > 5


def test_a_height_that_is_not_final_is_refused(honest):
    found = replay(honest)
    words = f'height {found.final + 1} is not final here: this ledger has {found.final}'
    with pytest.raises(ConfigError, match=words):
        found.at(found.final + 1)


def test_a_pruned_ledger_begins_with_its_snapshot(tmp_path):
    pruned = Team(tmp_path, interval=50)
    pruned.register(0, 1, 2, 3)
    pruned.work(8)
    pruned.close()
    found = replay(pruned)
    assert 0 < found.first < found.final
    with pytest.raises(ConfigError, match=f'is pruned: .* snapshot at {found.first}'):
        found.at(found.first - 1)
    checked = [height for height in pruned.roots if height >= found.first]
    assert len(checked) > 1
    for height in checked:
        assert found.at(height).statement.state_root == pruned.roots[height]
    assert found.at(found.first).statement.order_digest == found.digest(found.first)
    assert found.at(found.first).signers.total == 4


def test_a_ledger_of_another_fleet_is_refused(honest):
    with pytest.raises(ConfigError, match='not of'):
        Replay(honest.db(NAMES[0]), make_team(4, 'other')[0])


# Who signs


def test_robots_that_said_nothing_count_and_cannot_sign(tmp_path):
    team = Team(tmp_path)
    team.register(0, 2, 3)
    team.work(1)
    silent = replay(team).at(team.final)
    check_signers(silent.signers, silent.robots)
    assert silent.signers == Signers(
        FLEET.id, team.final, 4, tuple(sorted((SIGNERS[robot], 1) for robot in (0, 2, 3)))
    )
    team.register(1)
    team.ledgers[0].submit(_register(NOBODY))
    team.ledgers[2].submit(_register(NOBODY))
    team.work(1)
    team.close()
    agreed = replay(team).at(team.final)
    with pytest.raises(ConfigError, match=r'weight 2 of 4, .* known of robot_00, robot_02'):
        check_signers(agreed.signers, agreed.robots)


def _register(address):
    return suite().call_by_name['registerSigner'].encode(address)


def test_an_address_that_two_name_counts_once_with_the_greater_weight():
    robots = [
        Robot(*row) for row in (('a', b'1', 3, b'x'), ('b', b'2', 1, b'x'), ('c', b'3', 2, b'y'))
    ]
    assert signers_of(b'f', 0, robots) == Signers(b'f', 0, 6, ((b'x', 3), (b'y', 2)))


def test_signers_can_be_written_down(tmp_path):
    path = tmp_path / 'signers.yaml'
    path.write_text(f"signers:\n  robot_01: '0x{SIGNERS[1].hex()}'\n")
    robots = roster_in_file(path, FLEET)
    assert [robot.signer for robot in robots] == [NOBODY, SIGNERS[1], NOBODY, NOBODY]
    path.write_text("signers:\n  robot_09: '0x" + '11' * 20 + "'\n")
    with pytest.raises(ConfigError, match="'robot_09' is not in fleet"):
        roster_in_file(path, FLEET)


# Against a chain


@pytest.fixture(name='node')
def _node():
    yield from running()


class OnChain:
    """An Anchor.sol, and what the robots of a team sign for it."""

    def __init__(self, node, folder, team):
        self.replay = replay(team)
        self.chain = Chain(node.url, timeout=20.0, poll=0.02)
        start = self.replay.at(self.replay.final - 1)
        self.deployed = deploy(
            self.chain, PAYER, FLEET, start.statement.height, start.robots, folder / 'anchor.json'
        )
        self.contract = AnchorContract(self.chain, self.deployed.place.contract, FLEET)

    def sign(self, what, robots=(0, 1, 2)):
        place = self.deployed.place
        return {SIGNERS[robot]: sign(what, place, anchor_key(KEYS[robot])) for robot in robots}

    def anchor(self, what):
        return self.contract.anchor(PAYER, what, self.sign(what))

    def anchor_all(self, change=lambda what: what):
        for height in range(STEP, self.replay.final, STEP):
            self.anchor(change(self.replay.at(height).statement))


@pytest.fixture
def there(node, tmp_path, honest):
    return OnChain(node, tmp_path, honest)


def test_a_ledger_agrees_with_its_own_anchors(there, honest, team):
    there.anchor_all()
    newest = (honest.final - 1) // STEP * STEP
    for robot in range(4):
        report = verify(replay(honest, robot), there.contract)
        assert report.outcome is Outcome.AGREES
        assert report.agreed == report.latest and report.agreed.height == newest
        assert f'agrees in order and state at height {newest}' in report.words[0]
        assert f'older anchors, {newest // STEP - 1}' in report.words[1]
    behind = verify(replay(team), there.contract)
    assert behind.outcome is Outcome.AGREES
    assert behind.agreed.height == team.final // STEP * STEP
    assert f'the newest anchor, at {newest}, is not compared' in behind.words[-1]


def test_where_two_orders_part_is_found(there, team, honest, forked):
    there.anchor_all()
    own, other = replay(honest), replay(forked)
    report = verify(other, there.contract)
    last = max(
        height
        for height in range(min(own.final, other.final))
        if own.digest(height) == other.digest(height)
    )
    assert team.final <= last < honest.final
    assert report.outcome is Outcome.ORDER_PARTS
    assert report.agreed.height == last // STEP * STEP
    assert report.parted.height == report.agreed.height + STEP
    assert f'between heights {report.agreed.height} and {report.parted.height}' in report.words[0]
    assert own.digest(report.parted.height).hex() in report.words[1]
    assert other.digest(report.parted.height).hex() in report.words[2]


def test_an_order_that_parts_before_the_first_anchor(there, honest, forked):
    last = min(honest.final, forked.final)
    there.anchor(there.replay.at(last).statement)
    report = verify(replay(forked), there.contract)
    assert (report.outcome, report.agreed) == (Outcome.ORDER_PARTS, None)
    assert f'the orders part at height {last} or before' in report.words[0]


def test_where_states_part_is_found(there):
    wrong = 4 * STEP

    def change(what):
        root = b'x' * 32 if what.height >= wrong else what.state_root
        return Statement(what.fleet, what.epoch, what.height, what.order_digest, root)

    there.anchor_all(change)
    report = verify(there.replay, there.contract)
    assert report.outcome is Outcome.STATE_PARTS
    assert (report.agreed.height, report.parted.height) == (wrong - STEP, wrong)
    assert 'what came of them parts between heights 60 and 80' in report.words[0]
    assert (b'x' * 32).hex() in report.words[1] and 'epoch 0' in report.words[2]


def test_there_may_be_nothing_to_compare(there, team):
    report = verify(there.replay, there.contract)
    assert report.outcome is Outcome.NOTHING_TO_COMPARE and 'no anchor' in report.words[0]
    there.anchor(there.replay.at(team.final + 1).statement)
    report = verify(replay(team), there.contract)
    assert report.outcome is Outcome.NOTHING_TO_COMPARE
    assert f'from height 0 to {team.final}; the chain has no anchor there' in report.words[0]


def test_an_anchor_is_written_once(there):
    what = there.replay.at(5).statement
    receipt = there.anchor(what)
    assert receipt.gas < 200_000
    assert there.anchor(what) is None
    other = Statement(what.fleet, what.epoch, 5, b'x' * 32, what.state_root)
    with pytest.raises(ChainError, match='height 5 is not above 5, which the chain has already'):
        there.anchor(other)


def test_whoever_comes_second_is_told_that_it_is_there(there, monkeypatch):
    what = there.replay.at(5).statement
    honest, first = AnchorContract._holds, [True]

    def holds(self, statement):
        if first:  # another gateway anchors just after this one has looked
            first.clear()
            there.anchor(statement)
            return False
        return honest(self, statement)

    monkeypatch.setattr(AnchorContract, '_holds', holds)
    assert there.anchor(what) is None


def test_signers_change(there):
    old = there.contract.signers()
    assert old == there.replay.at(there.replay.final - 1).signers
    new = Signers(FLEET.id, old.height + 1, 3, tuple(sorted((one, 1) for one in SIGNERS[1:])))
    there.contract.set_signers(PAYER, new, there.sign(new))
    assert there.contract.signers() == new
    what = there.replay.at(7).statement
    there.contract.anchor(PAYER, what, there.sign(what, (1, 2)))
    words = verify(there.replay, there.contract).words[-1]
    final = there.replay.final
    assert f'takes the signers of height {final}, and this ledger names others at {final}' in words
    with pytest.raises(ChainError, match='is no signer'):
        there.anchor(there.replay.at(8).statement)


def test_what_is_no_anchor_contract_is_refused(there, node):
    fleet = bytes.fromhex(there.deployed.contracts['Fleet'][2:])
    with pytest.raises(ChainError, match=r'holds other code than our Anchor\.sol'):
        AnchorContract(there.chain, fleet, FLEET)
    with pytest.raises(ChainError, match='holds no contract'):
        AnchorContract(there.chain, b'x' * 20, FLEET)
    with pytest.raises(ChainError, match="not of 'other'"):
        AnchorContract(there.chain, there.deployed.place.contract, make_team(4, 'other')[0])


def test_a_deployment_goes_on_where_it_stopped(there, node, tmp_path, honest):
    path = tmp_path / 'anchor.json'
    count = node.rpc('eth_getTransactionCount', PAYER.address, 'latest')
    assert OnChain(node, tmp_path, honest).deployed == there.deployed
    assert node.rpc('eth_getTransactionCount', PAYER.address, 'latest') == count
    part = there.deployed.model_copy(
        update={'contracts': {'Fleet': there.deployed.contracts['Fleet']}}
    )
    path.write_text(part.model_dump_json())
    with pytest.raises(ConfigError, match=r'stopped before Anchor\.sol'):
        _ = Deployed.load(path, FLEET).place
    again = OnChain(node, tmp_path, honest).deployed
    assert again.contracts['Fleet'] == there.deployed.contracts['Fleet']
    assert again.contracts['Anchor'] != there.deployed.contracts['Anchor']
    assert set(again.contracts) == set(there.deployed.contracts)


# Which signatures are sent


def collected(there, *signed):
    found = Collected()
    for what, robots in signed:
        found.signed[what] = there.sign(what, robots)
    return found


def test_the_highest_that_enough_signed_is_chosen(there):
    low, high, highest = (there.replay.at(height).statement for height in (10, 20, 30))
    present = there.contract.signers()
    found = collected(there, (low, (0, 1, 2, 3)), (high, (1, 2, 3)), (highest, (0, 3)))
    what, made = choose(found, Statement, present, there.replay)
    assert what == high and set(made) == set(SIGNERS[1:])
    found = collected(there, (low, (0,)), (high, (1, 3)))
    words = 'height 20 is signed by weight 2 of 4, two thirds are needed; not by .*; they sign 2'
    with pytest.raises(ChainError, match=words) as caught:
        choose(found, Statement, present, there.replay)
    assert 'robot_00' in str(caught.value) and 'robot_01' not in str(caught.value)
    with pytest.raises(ChainError, match='there is no signature that counts'):
        choose(found, Signers, present, there.replay)


def test_what_the_ledger_does_not_say_is_not_sent(there):
    what = there.replay.at(10).statement
    other = Statement(what.fleet, what.epoch, 10, what.order_digest, b'x' * 32)
    found = collected(there, (other, (0, 1, 2)))
    with pytest.raises(ChainError, match='signed something else than this ledger says') as caught:
        choose(found, Statement, there.contract.signers(), there.replay)
    assert f'ledger: height 10, epoch 0, order {what.order_digest.hex()}' in str(caught.value)
