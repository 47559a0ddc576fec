"""The models that the benchmarks compare the ledger with keep the rules they are named after."""

from itertools import pairwise
import random

import pytest

from benchmarks.baselines.clique import Block, CliqueNode, GENESIS, IN_TURN, OUT_OF_TURN, Pool
from benchmarks.baselines.quorum import NIL, PRECOMMIT, PREVOTE, Proposal, QuorumNode, Vote
from benchmarks.network import Network
from benchmarks.teams import CliqueTeam, QuorumTeam
from collab_robots.tangle.memory import make_team, Weather

NAMES = [f'robot_{index:02}' for index in range(4)]


def network(seed=1, robots=4, **weather):
    return Network(make_team(robots)[0], seed, Weather(**weather))


def halves(net, first=2):
    net.split(net.names[:first], net.names[first:])


def say(net, team, seconds, prefix=b'call'):
    """Let each robot say something every second."""
    said = set()
    for second in range(seconds):
        for robot in range(len(net.names)):
            call = b'%b %d %d' % (prefix, robot, second)
            said.add(call)
            team.submit(robot, call)
        net.run(1.0)
    return said


def chained(*signers, count=4, transactions=()):
    """Return blocks in a row, signed by these robots."""
    blocks, parent = [], GENESIS
    for signer in signers:
        number = parent.number + 1
        weight = IN_TURN if number % count == signer else OUT_OF_TURN
        parent = Block(number, parent.id, signer, float(number), weight, tuple(transactions))
        blocks.append(parent)
    return blocks


def lone(**rules):
    """Return a signer that hears nobody by itself, and what it said."""
    said = []
    rules.setdefault('depths', (1, 2))
    return CliqueNode(0, 4, lambda: 0.0, said.append, seed=1, **rules), said


def test_clique_signs_in_turn_when_all_is_well():
    net = network()
    team = CliqueTeam(net, 1, depth=1)
    said = say(net, team, 20)
    net.run(5.0)
    chain = team.nodes[0].chain
    assert said == set(team.done(0)) == set(team.done(3))
    assert len(chain) > 15
    assert sum(block.difficulty == IN_TURN for block in chain) > 0.8 * len(chain)
    assert all(b.time - a.time >= 1.0 - 1e-9 for a, b in pairwise(chain))


def test_clique_lets_no_signer_sign_two_of_three():
    net = network()
    team = CliqueTeam(net, 1)
    net.run(5.0)
    halves(net, 3)  # out-of-turn blocks are needed now
    net.run(30.0)
    signers = [block.signer for block in team.nodes[0].chain[1:]]
    assert len(signers) > 15
    assert all(
        len(set(signers[i : i + 3])) == len(signers[i : i + 3]) for i in range(len(signers))
    )
    node, _ = lone()
    first, second, third = chained(1, 2, 1)
    for block in (first, second, third):
        node.receive(block)
    assert node.head is second


def test_clique_stops_where_half_of_the_signers_are():
    net = network()
    team = CliqueTeam(net, 1)
    net.run(5.0)
    heights = [node.head.number for node in team.nodes]
    halves(net)
    net.run(60.0)
    assert all(
        node.head.number - before <= 2 for node, before in zip(team.nodes, heights, strict=True)
    )


def test_the_heavier_chain_wins_and_what_was_left_returns():
    node, _ = lone()
    node.receive(Pool((b'a', b'b')))
    light, heavy = chained(3, transactions=(b'a',)), chained(1, 2, transactions=(b'b',))
    node.receive(light[0])
    assert node.confirmed[1] == {b'a'}
    assert list(node.pool) == [b'b']
    for block in heavy:
        node.receive(block)
    assert node.head is heavy[-1]
    assert node.confirmed == {1: {b'b'}, 2: {b'b'}}
    assert node.withdrawn == {1: {b'a'}, 2: set()}
    assert list(node.pool) == [b'a']


def test_dropped_means_forgotten():
    node, _ = lone(reinject=False)
    for block in (*chained(3, transactions=(b'a',)), *chained(1, 2)):
        node.receive(block)
    assert node.withdrawn[1] == {b'a'}
    assert not node.pool


def test_of_equal_difficulty_the_shorter_chain_wins():
    long, short = chained(3, 0), chained(1)  # 1 + 1 and 2
    assert sum(block.difficulty for block in long) == short[0].difficulty == 2
    node = CliqueNode(2, 4, lambda: 0.0, lambda message: None, seed=1)
    for block in (*long, *short):
        node.receive(block)
    assert node.head is short[0]


def test_without_the_limit_both_halves_go_on_and_one_is_reorganised_away():
    net = network()
    team = CliqueTeam(net, 1, depth=6, limited=False)
    say(net, team, 5, b'before')
    halves(net)
    said = say(net, team, 30, b'apart')
    assert any(call in team.done(0) for call in said)
    assert any(call in team.done(3) for call in said)
    net.heal()
    net.run(30.0)
    assert team.equal()
    assert 0 < team.withdrawn() <= len(said)
    assert said <= set(team.done(0))


def test_a_long_branch_comes_over_in_several_answers():
    net = network()
    team = CliqueTeam(net, 1, depth=1, limited=False)
    halves(net, 3)
    net.run(400.0)
    assert team.nodes[0].head.number > 256
    net.heal()
    net.run(10.0)
    assert len({node.chain[-4].id for node in team.nodes}) == 1


def test_the_quorum_log_decides_in_a_second_and_passes_over_an_absent_proposer():
    net = network()
    team = QuorumTeam(net)
    said = say(net, team, 5)
    net.run(2.0)
    assert all(set(team.done(robot)) == said for robot in range(4))
    halves(net, 3)
    said |= say(net, team, 30, b'apart')
    net.run(10.0)
    here = {call for call in said if not call.startswith(b'apart 3')}
    assert all(set(team.done(robot)) == here for robot in range(3))
    assert not any(call.startswith(b'apart') for call in team.done(3))


def test_a_half_decides_nothing_and_the_backlog_is_in_after_the_heal():
    net = network()
    team = QuorumTeam(net)
    before = say(net, team, 3)
    net.run(2.0)
    halves(net)
    said = say(net, team, 30, b'apart')
    assert all(set(team.done(robot)) == before for robot in range(4))
    net.heal()
    net.run(20.0)
    assert all(set(team.done(robot)) == before | said for robot in range(4))


@pytest.mark.parametrize('seed', range(6))
def test_logs_are_prefixes_of_one_another_whatever_the_weather(seed):
    net = network(seed, robots=7, delay=(0.01, 2.0), loss=0.2, duplication=0.2)
    team = QuorumTeam(net)
    chance = random.Random(seed)
    for _ in range(12):
        say(net, team, 2, b'%d' % round(net.seconds()))
        names = list(net.names)
        chance.shuffle(names)
        cut = chance.randrange(1, 7)
        net.split(names[:cut], names[cut:])
    net.heal()
    net.run(60.0)
    logs = [node.log for node in team.nodes]
    longest = max(logs, key=len)
    assert len(longest) > 1
    assert all(log == longest[: len(log)] for log in logs)


def test_a_locked_robot_does_not_vote_for_another_value():
    said = []
    node = QuorumNode(3, 4, lambda: 0.0, said.append)

    def votes(step):
        return [
            (vote.round, vote.value)
            for vote in said
            if isinstance(vote, Vote) and vote.step == step
        ]

    node.receive(Proposal(0, 0, 0, (b'a',), -1))
    for sender in (0, 1):
        node.receive(Vote(sender, PREVOTE, 0, 0, (b'a',)))
    assert votes(PRECOMMIT) == [(0, (b'a',))]  # locked on a
    for sender in (0, 1):
        node.receive(Vote(sender, PRECOMMIT, 0, 1, NIL))  # the others go on
    node.receive(Proposal(1, 0, 1, (b'b',), -1))
    assert votes(PREVOTE) == [(0, (b'a',)), (1, NIL)]


def test_two_thirds_are_not_enough_where_they_are_not_more():
    node = QuorumNode(2, 3, lambda: 0.0, lambda message: None)
    node.receive(Proposal(0, 0, 0, (b'a',), -1))
    node.receive(Vote(0, PREVOTE, 0, 0, (b'a',)))
    node.receive(Vote(0, PRECOMMIT, 0, 0, (b'a',)))
    assert node.log == []
    node.receive(Vote(1, PREVOTE, 0, 0, (b'a',)))
    node.receive(Vote(1, PRECOMMIT, 0, 0, (b'a',)))
    assert node.log == [(b'a',)]
