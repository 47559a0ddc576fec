"""The final order on drawn DAGs: how fast, when not, and that observers never contradict."""

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

from collab_robots.core.errors import RefusedError
from collab_robots.tangle.block import block_id, GENESIS
from collab_robots.tangle.memory import make_team
from collab_robots.tangle.quorum import Quorum
from collab_robots.tangle.record import encode_record, sign_record
from collab_robots.tangle.tangle import Tangle


class Drawing:
    """Records of a team, each placed by one all-knowing observer."""

    def __init__(self, count):
        self.fleet, self.keys = make_team(count)
        self.tangle = Tangle(self.fleet)
        self.history = []

    def add(self, issuer, parents=None, previous=...):
        """Add a record on all tips, or on the given entries, and the issuer's previous one."""
        dag = self.tangle.dag
        own = dag.newest(issuer) if previous is ... else previous
        parents = list(dag.tips.values())[:7] if parents is None else parents
        ids = {entry.id for entry in parents} | {own.id if own else GENESIS}
        at = max([entry.record.issued_at for entry in [*parents, *([own] if own else [])]] + [0])
        seq = own.record.seq + 1 if own else 0
        record = sign_record(self.keys[issuer], self.fleet.id, seq, ids, at + 1, (b'x',))
        item = (block_id(encode_record(record)), record, issuer)
        entry = dag.place(*item)
        if entry.id in dag.entries:
            return dag.entries[entry.id]
        self.tangle.add(entry)
        self.history.append(item)
        return entry

    def steps(self, count, robots):
        """Let robots speak in lock-step: each names what all said one step before."""
        said = list(self.tangle.dag.tips.values())
        for _ in range(count):
            said = [self.add(robot, said) for robot in robots]
        return said


def observe(fleet, history):
    tangle = Tangle(fleet)
    for item in history:
        tangle.add(tangle.dag.place(*item))
    return tangle


def final_ids(tangle):
    return [entry.id for entry in tangle.order.entries[: tangle.order.final]]


@pytest.mark.parametrize('weights', [(1, 1, 1, 1), (1, 1, 1), (5, 1, 1, 1), (2, 2, 3)])
def test_two_quorums_share_more_than_can_be_byzantine(weights):
    quorum, total = Quorum(weights), sum(weights)
    masks = [mask for mask in range(1 << len(weights)) if quorum.reached(mask)]
    for one in masks:
        for other in masks:
            shared = sum(w for i, w in enumerate(weights) if one & other & 1 << i)
            assert 3 * shared >= total
    assert all(
        quorum.reached(mask)
        == (3 * sum(w for i, w in enumerate(weights) if mask & 1 << i) >= 2 * total)
        for mask in range(1 << len(weights))
    )


@pytest.mark.parametrize('count', [1, 2, 3, 4, 5, 7])
def test_all_is_final_three_steps_later(count):
    drawing = Drawing(count)
    leaders = min(count, 4)
    for step in range(8):
        drawing.steps(1, range(count))
        if step >= 2:  # the leaders of two steps ago are voted on, certified and heard
            assert drawing.tangle.order.final >= count * (step - 2) + leaders


def test_a_silent_robot_is_skipped():
    drawing = Drawing(4)
    decided = {}
    drawing.tangle.finality.on_decided = decided.__setitem__
    drawing.steps(9, (0, 1, 2))
    assert drawing.tangle.order.final >= len(drawing.history) - 9
    by_robot = {}
    for slot, leader in decided.items():
        by_robot.setdefault(drawing.tangle.finality.issuer_of(slot), set()).add(leader is None)
    assert by_robot == {0: {False}, 1: {False}, 2: {False}, 3: {True}}


def test_below_two_thirds_nothing_is_final_and_rounds_stand_still():
    drawing = Drawing(4)
    drawing.steps(12, (0, 1))
    assert drawing.tangle.order.final == 0
    assert {entry.round for entry in drawing.tangle.dag.entries.values()} == {0}
    drawing.steps(6, (0, 1, 2))
    assert drawing.tangle.order.final >= 24  # nothing of the lonely time is lost


def test_the_order_is_topological_and_positions_fit():
    drawing = Drawing(4)
    drawing.steps(10, range(4))
    order = drawing.tangle.order
    for position, entry in enumerate(order.entries[: order.final]):
        assert entry.position == position
        for parent in entry.record.parents:
            assert parent == GENESIS or drawing.tangle.dag.entries[parent].position < position


def test_an_equivocating_leader_is_committed_once_at_most():
    """Half of the team sees one twin first, half the other; nobody gets a quorum for both."""
    drawing = Drawing(4)
    decided = {}
    drawing.tangle.finality.on_decided = decided.__setitem__
    zero = [drawing.add(robot, []) for robot in range(4)]
    twins = [drawing.add(0, zero[:3], zero[0]), drawing.add(0, zero[:4], zero[0])]
    assert twins[0].round == twins[1].round == 1
    said = [
        drawing.add(1, [twins[0], *zero]),
        drawing.add(2, [twins[0], *zero]),
        drawing.add(3, [twins[1], *zero]),
    ]
    for _ in range(8):
        said = [drawing.add(robot, said) for robot in (1, 2, 3)]
    leaders = [leader for leader in decided.values() if leader is not None]
    assert len(set(leaders)) == len(leaders)
    assert sum(leader in twins for leader in leaders) <= 1
    assert all(twin.position >= 0 for twin in twins)


@st.composite
def schedules(draw):
    """Draw who speaks when on what, robot 0 with up to three faces."""
    count = draw(st.sampled_from([4, 7]))
    drawing = Drawing(count)
    heads = {robot: [None] for robot in range(count)}
    groups = [set(range(count))]
    for _ in range(draw(st.integers(20, 90))):
        if draw(st.integers(0, 14)) == 0:
            side = draw(st.sets(st.integers(0, count - 1), max_size=count // 2))
            groups = [side, set(range(count)) - side]
        robot = draw(st.integers(0, count - 1))
        face = draw(st.integers(0, len(heads[robot]) - 1))
        own = heads[robot][face]
        group = next(group for group in groups if robot in group)
        others = [
            entry
            for other in group - {robot}
            for entry in heads[other][draw(st.integers(0, len(heads[other]) - 1)) :][:1]
            if entry is not None
        ]
        try:
            entry = drawing.add(robot, others[:7], own)
        except RefusedError:  # it names what its own past convicts
            continue
        if robot == 0 and len(heads[0]) < 3 and draw(st.integers(0, 5)) == 0:
            heads[0].append(own)
        heads[robot][face] = entry
    return drawing


@settings(max_examples=120, deadline=None)
@given(schedules(), st.data())
def test_what_observers_call_final_is_one_order(drawing, data):
    """Any two observers, of any part of the DAG that is closed under parents, in any order."""
    whole = final_ids(drawing.tangle)
    for _ in range(3):
        wanted = set(data.draw(st.sets(st.sampled_from([item[0] for item in drawing.history]))))
        if data.draw(st.booleans()):
            wanted = {item[0] for item in drawing.history[: data.draw(st.integers(0, 90))]}
        closed = set()
        for identity, record, _ in reversed(drawing.history):
            if identity in wanted:
                closed.add(identity)
                wanted.update(record.parents)
        left, known, part = [i for i in drawing.history if i[0] in closed], {GENESIS}, []
        while left:
            ready = [item for item in left if known.issuperset(item[1].parents)]
            item = ready[data.draw(st.integers(0, len(ready) - 1))]
            left.remove(item)
            known.add(item[0])
            part.append(item)
        seen = final_ids(observe(drawing.fleet, part))
        short = min(len(seen), len(whole))
        assert seen[:short] == whole[:short]
        assert len(seen) <= len(whole)
