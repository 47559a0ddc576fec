"""Histories for the tests of the contract: a DAG of records by alias, in any order."""

from random import Random

from hypothesis import strategies as st

from benchmarks.calls import RandomCalls
from collab_robots.contract.calls import tasks
from collab_robots.contract.calls.common import Kind
from collab_robots.contract.runner import Runner
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.tangle.block import block_id, GENESIS
from collab_robots.tangle.dag import Dag
from collab_robots.tangle.memory import make_team
from collab_robots.tangle.order import Order
from collab_robots.tangle.record import encode_record, sign_record

FLEET, KEYS = make_team(4)
NAMES = [robot.name for robot in FLEET.robots]
ADDRESSES = [robot.address for robot in FLEET.robots]
KEY = tasks.task_key(Kind.EXPLORE, 5, 7, 0)
PROPOSE = tasks.propose(Kind.EXPLORE, 5, 7, 0)

_SOURCE = RandomCalls(ADDRESSES, Random(1))
any_call = st.sampled_from([PROPOSE, *(_SOURCE.call() for _ in range(600))])
"""Good ones and bad ones, of all contracts."""

gaps = st.sampled_from([0, 0, 0.4, 1, 2, 6, 12])  # s between a record and its newest parent


class Listed:
    """Stands in for an Order: entries exactly as given, all of them new."""

    def __init__(self, entries):
        self.entries = list(entries)
        self.base = self.final = 0

    def changed_from(self):
        return 0


class History:
    """Records of a team, in the order in which they were made."""

    def __init__(self):
        self.dag = Dag([1] * len(KEYS))
        self.entries = []

    def say(self, robot, seconds, *said, past=None, own=...):
        """
        Add a record; by default its past is everything said so far.

        :param own: the robot's record before, its newest one by default; another one, or None,
            makes it equivocate.
        :raises RefusedError: if that very record is there already.
        """
        own = self.dag.newest(robot) if own is ... else own
        past = list(self.dag.tips.values()) if past is None else past
        parents = {entry.id for entry in past if entry.id != (own and own.id)}
        parents |= {own.id if own else GENESIS}
        record = sign_record(
            KEYS[robot],
            FLEET.id,
            own.record.seq + 1 if own else 0,
            parents,
            round(seconds * SECOND),
            said,
        )
        identity = block_id(encode_record(record))
        if identity in self.dag.entries:
            raise RefusedError(Refusal.SEQUENCE, 'the same record again')
        entry = self.dag.insert(identity, record, robot)
        self.entries.append(entry)
        return entry

    def order(self):
        order = Order()
        for entry in self.entries:
            order.insert(entry)
        return order


def execute(entries):
    """Execute entries as they come, from nothing."""
    runner = Runner(FLEET)
    runner.update(Listed(entries))
    return runner


def finals(entries, count, epochs=()):
    """
    Return a runner that executed entries of which the first ones are final.

    :param epochs: how many records each epoch ends after.
    """
    runner, begin = Runner(FLEET), 0
    for end in epochs:
        runner.follow(ordered(entries[begin:], begin, end))
        later = FLEET.later(runner.fleet.epoch + 1, runner.next_roster(end))
        runner.restore(end, runner.state_at(end), later)
        begin = end
    runner.update(ordered(entries[begin:], begin, count))
    return runner


def ordered(entries, base, final):
    """Return an order of records from a position on."""
    order = Order(base)
    for entry in entries:
        order.insert(entry)
    order.finalise(entries[: final - base])
    return order


def storage(runner):
    """Return all storage of the tentative state."""
    return runner.tentative().evm.dump()


@st.composite
def histories(draw, size=16, groups=None):
    """
    Draw a causal history.

    :param groups: robots that hear one another; by default any record may hear of any other.
    """
    history = History()
    robots = list(range(len(KEYS)))
    for _ in range(draw(st.integers(1, size))):
        robot = draw(st.sampled_from(robots))
        side = next(group for group in groups or [robots] if robot in group)
        own = history.dag.newest(robot)
        heard = [
            entry for entry in history.entries if entry.issuer in side and entry.issuer != robot
        ]
        past = draw(st.lists(st.sampled_from(heard), max_size=3)) if heard else []
        newest = [entry.record.issued_at / SECOND for entry in [*past, own] if entry]
        said = draw(st.lists(any_call, max_size=3))
        history.say(robot, max(newest, default=100) + draw(gaps), *said, past=past)
    return history


def topological(entries, random):
    """Return entries in another order in which parents come first."""
    left, done, result = list(entries), {GENESIS}, []
    while left:
        ready = [entry for entry in left if done.issuperset(entry.record.parents)]
        entry = random.choice(ready)
        left.remove(entry)
        done.add(entry.id)
        result.append(entry)
    return result
