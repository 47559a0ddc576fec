"""The order: topological, independent of arrival, honest about what changed."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from collab_robots.core.errors import RefusedError
from collab_robots.tangle.block import block_id, GENESIS
from collab_robots.tangle.dag import Dag
from collab_robots.tangle.memory import make_team
from collab_robots.tangle.order import Order
from collab_robots.tangle.record import encode_record, sign_record
from collab_robots.tangle.solidifier import Item, Solidifier

FLEET, KEYS = make_team(4)


@st.composite
def histories(draw, size=25):
    """
    Draw a DAG of four robots, as (id, record, issuer) in one possible order.

    Robot 0 equivocates now and then, times repeat often, parents are any known records.
    """
    history, dag = [], Dag([1] * 4)
    branches = [[None] for _ in KEYS]  # last entry of each branch of each robot
    for _ in range(draw(st.integers(0, size))):
        issuer = draw(st.integers(0, 3))
        heads = branches[issuer]
        own = heads[draw(st.integers(0, len(heads) - 1))]
        seq = own.record.seq + 1 if own else 0
        known = list(dag.entries.values())
        others = [entry for entry in known if entry.issuer != issuer and entry.seen[issuer] <= seq]
        chosen = draw(st.lists(st.sampled_from(others), max_size=3)) if others else []
        parents = [entry.id for entry in chosen] + [own.id if own else GENESIS]
        newest = max([entry.record.issued_at for entry in chosen + ([own] if own else [])] + [0])
        record = sign_record(
            KEYS[issuer], FLEET.id, seq, parents, newest + draw(st.integers(0, 2)), (b'x',)
        )
        identity = block_id(encode_record(record))
        if identity in dag.entries:
            continue
        try:
            entry = dag.insert(identity, record, issuer)
        except RefusedError:  # it goes on with an equivocator, its own twin perhaps
            continue
        history.append((identity, record, issuer))
        if issuer == 0 and len(heads) < 3 and draw(st.booleans()):
            heads.append(own)
        heads[heads.index(own)] = entry
    return history


def shuffle(history, draw):
    """Return the history in another order in which parents still come first."""
    left, done, result = list(history), {GENESIS}, []
    while left:
        ready = [item for item in left if all(parent in done for parent in item[1].parents)]
        item = ready[draw(st.integers(0, len(ready) - 1))]
        left.remove(item)
        done.add(item[0])
        result.append(item)
    return result


def build(history):
    dag, order = Dag([1] * 4), Order()
    for item in history:
        order.insert(dag.insert(*item))
    return dag, order


def facts(dag, order):
    entries = [
        (
            *(entry.id, entry.issuer, entry.depth, entry.round, entry.support, entry.witness),
            {other.id for other in order.entries if entry.sees(other)},
        )
        for entry in order.entries
    ]
    heights = {i: height for i, height in enumerate(dag.heights()) if i not in dag.forks}
    return entries, dag.digest, heights, dag.forks, set(dag.tips)


@settings(max_examples=60, deadline=None)
@given(histories(), st.data())
def test_any_arrival_gives_the_same(history, data):
    first = build(history)
    assert facts(*first) == facts(*build(shuffle(history, data.draw)))
    position = {entry.id: index for index, entry in enumerate(first[1].entries)}
    assert len(position) == len(history)
    for entry in first[1].entries:
        for parent in entry.record.parents:
            assert parent == GENESIS or position[parent] < position[entry.id]


@settings(max_examples=60, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_any_arrival_children_first_and_twice_gives_the_same(history, random):
    expected = facts(*build(history))
    arrivals = history * 2
    random.shuffle(arrivals)
    dag, order, refused = Dag([1] * 4), Order(), Counter()

    def attach(item, entry):
        dag.attach(entry)
        order.insert(entry)

    solidifier = Solidifier(dag, refused, 5 * len(arrivals), attach)
    for identity, record, issuer in arrivals:
        if identity not in dag.entries and identity not in solidifier:
            solidifier.add(Item(identity, b'', record, issuer, '', 0))
        absent = {parent for item in solidifier._all.values() for parent in item.record.parents}
        absent -= {GENESIS, *dag.entries, *solidifier._all}
        assert set(solidifier.missing()) == absent
    assert facts(dag, order) == expected
    assert (len(solidifier), len(solidifier._children), refused) == (0, 0, {})
    assert solidifier.seqs == (set(),) * 5


@settings(max_examples=60, deadline=None)
@given(histories(), st.data())
def test_changed_from_is_where_a_replay_must_start(history, data):
    """A consumer that re-executes from ``changed_from()`` always holds the whole order."""
    dag, order, copy = Dag([1] * 4), Order(), []
    for item in shuffle(history, data.draw):
        order.insert(dag.insert(*item))
        if data.draw(st.booleans()):
            start = order.changed_from()
            assert copy[:start] == list(order.entries[:start])
            copy[start:] = order.entries[start:]
            assert order.changed_from() == len(order.entries)
    start = order.changed_from()
    copy[start:] = order.entries[start:]
    assert copy == list(order.entries)


def test_ties_are_broken_by_depth_then_id():
    dag, order = Dag([1] * 4), Order()
    records = [sign_record(key, FLEET.id, 0, [GENESIS], 7) for key in KEYS]
    entries = [
        dag.insert(block_id(encode_record(record)), record, index)
        for index, record in enumerate(records)
    ]
    second = sign_record(KEYS[0], FLEET.id, 1, [entries[0].id], 7)
    deeper = dag.insert(block_id(encode_record(second)), second, 0)
    for entry in [deeper, *entries]:
        order.insert(entry)
    assert list(order.entries) == [*sorted(entries, key=lambda entry: entry.id), deeper]
