"""What robots say about anchors by themselves, and whether it is what a ledger file proves."""

from anchored_team import FLEET, KEYS, NAMES, SIGNERS, Team
import pytest

from collab_robots.anchor.choice import choose, look_up
from collab_robots.anchor.deployed import Deployed
from collab_robots.anchor.notary import Notary
from collab_robots.anchor.replay import Replay
from collab_robots.anchor.roster import signers_of
from collab_robots.anchor.signatures import Collected
from collab_robots.anchor.statement import Place, signer_of, Statement
from collab_robots.contract.calls.fleet import register_signer, sign_anchor
from collab_robots.core.errors import ChainError, ConfigError
from collab_robots.tangle.memory import make_team
from collab_robots.tangle.order import Order

PLACE = Place(31337, b'c' * 20)
INTERVAL = 100


class Signing(Team):
    """A team whose robots say about anchors what they have to."""

    def __init__(self, folder, deployed=True, snapshots=2000):
        super().__init__(folder, interval=snapshots)
        self.deployment = folder / 'anchor.json'
        if deployed:
            self.deploy(PLACE)
        self.said = [[] for _ in NAMES]
        self.notaries = [
            Notary(key, FLEET, runner, self.deployment, INTERVAL)
            for key, runner in zip(KEYS, self.runners, strict=True)
        ]

    def deploy(self, place):
        address = '0x' + place.contract.hex()
        made = Deployed.named(place.chain_id, address, FLEET)
        self.deployment.write_text(made.model_dump_json(), encoding='utf-8')

    def look(self, robots=range(4)):
        self._execute()
        for robot in robots:
            call = self.notaries[robot].call(self.ledgers[robot].order)
            if call is not None:
                self.said[robot].append(call)
                self.ledgers[robot].submit(call)

    def work(self, seconds, robots=range(4)):
        for _ in range(round(seconds)):
            super().work(1)
            self.look(robots)
        super().work(1)


def signed(team, robot=0):
    replay = Replay(team.db(NAMES[robot]), FLEET)
    return replay, replay.at(replay.final).signed


def test_robots_sign_by_themselves_what_a_ledger_proves(tmp_path):
    team = Signing(tmp_path, snapshots=INTERVAL)
    team.work(12)
    team.close()
    replay, found = signed(team)
    assert set(found) == set(NAMES)
    for name, signer in zip(NAMES, SIGNERS, strict=True):
        height, signature = found[name]
        assert height % INTERVAL == INTERVAL // 2 and height >= replay.first
        assert signer_of(replay.at(height).statement, PLACE, signature) == signer
    heights = range(INTERVAL // 2, replay.final, INTERVAL)
    assert len(heights) >= 2
    for said, signer in zip(team.said, SIGNERS, strict=True):
        assert said[0] == register_signer(signer)
        assert len(said) <= 1 + len(heights)  # each once, and nothing else

    agreed = replay.at(replay.final)
    present, collected = signers_of(FLEET.id, 1, agreed.robots), Collected()
    look_up(collected, PLACE, present, replay)
    what, made = choose(collected, Statement, present, replay)
    assert what == replay.at(what.height).statement and set(made) == set(SIGNERS)


def test_nothing_is_signed_before_it_is_known_where_it_counts(tmp_path):
    team = Signing(tmp_path, deployed=False)
    team.work(6)
    assert [len(said) for said in team.said] == [1] * 4  # the address
    team.deploy(PLACE)
    team.look()
    assert [len(said) for said in team.said] == [2] * 4
    team.deploy(Place(1, b'd' * 20))  # another chain: signed anew
    team.look()
    assert [len(said) for said in team.said] == [3] * 4
    team.deployment.write_text('{')
    with pytest.raises(ConfigError, match=r'anchor\.json'):
        team.look([0])
    team.close()


def test_a_robot_that_starts_again_signs_what_it_has_not(tmp_path):
    team = Signing(tmp_path)
    team.work(6, [0])
    assert len(team.said[0]) >= 2
    again = Notary(KEYS[0], FLEET, team.runners[0], team.deployment, INTERVAL)
    assert again.call(team.ledgers[0].order) is None  # the ledger has its word
    late = Notary(KEYS[1], FLEET, team.runners[1], team.deployment, INTERVAL)
    team.register(1, 2)
    Team.work(team, 1)
    assert late.call(team.ledgers[1].order)[:4] == team.said[0][-1][:4]
    pruned = Order(team.final, b'd' * 32)
    lost = Notary(KEYS[2], FLEET, team.runners[2], team.deployment, INTERVAL)
    assert lost.call(pruned) is None  # it cannot know the digest there
    team.close()


def test_who_is_not_in_the_fleet_says_nothing(tmp_path):
    team = Signing(tmp_path)
    _, keys = make_team(5)
    stranger = Notary(keys[4], FLEET, team.runners[0], team.deployment, INTERVAL)
    assert stranger.call(team.ledgers[0].order) is None
    team.close()


def test_wrong_signatures_on_the_ledger_do_not_count(tmp_path):
    team = Signing(tmp_path)
    team.register(0, 1, 2, 3)
    team.work(4)
    replay = Replay(team.db(NAMES[0]), FLEET)
    height = replay.final - 5
    zeros = bytes(64) + b'\x1b'
    for robot, (at, signature) in enumerate(
        [(height, zeros), (height, bytes(65)), (height, b'\1' * 64 + b'\x1b'), (3, zeros)]
    ):
        team.ledgers[robot].submit(sign_anchor(at, signature))
    Team.work(team, 1)
    team.close()
    replay, _ = signed(team)
    present = signers_of(FLEET.id, 1, replay.at(replay.final).robots)
    collected = Collected()
    look_up(collected, PLACE, present, replay)
    assert not collected.signed
    reasons = {source.split()[1]: why for source, why in collected.refused.items()}
    assert 'of no key' in reasons[NAMES[0]] and 'expected r' in reasons[NAMES[1]]
    assert 'is no signer now' in reasons[NAMES[2]]
    assert reasons[NAMES[3]] == f'it is height 3, others signed {height}'
    with pytest.raises(ChainError, match='there is no signature that counts'):
        choose(collected, Statement, present, replay)
