"""The DAG: what fits its past and what does not, tips, heights, equivocation."""

import pytest

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.tangle.block import block_id, GENESIS
from collab_robots.tangle.dag import Dag
from collab_robots.tangle.memory import make_team
from collab_robots.tangle.record import encode_record, sign_record

FLEET, KEYS = make_team(3)


class Drawing:
    """A DAG whose records have aliases: ``a0`` is record 0 of robot a."""

    def __init__(self):
        self.dag = Dag([1] * 3)
        self.ids = {'genesis': GENESIS}

    def add(self, alias, *parents, at=10, seq=None, calls=()):
        issuer = 'abc'.index(alias[0])
        record = sign_record(
            KEYS[issuer],
            FLEET.id,
            int(alias[1]) if seq is None else seq,
            [self.ids[parent] for parent in parents],
            at,
            calls,
        )
        entry = self.dag.insert(block_id(encode_record(record)), record, issuer)
        self.ids[alias] = entry.id
        return entry

    @property
    def tips(self):
        return {alias for alias, block in self.ids.items() if block in self.dag.tips}


@pytest.fixture
def drawing():
    return Drawing()


def test_place_of_each_record(drawing):
    r"""
    Draw a diamond.

    ::

        a0 <- a1 <-- a2
          \- b0 <--/      c0 alone
    """
    drawing.add('a0', 'genesis')
    assert drawing.add('a1', 'a0').seen == (2, 0, 0)
    assert drawing.add('b0', 'genesis', 'a0').seen == (1, 1, 0)
    drawing.add('c0', 'genesis')
    last = drawing.add('a2', 'a1', 'b0')
    assert (last.seen, last.depth, last.issuer) == ((3, 1, 0), 3, 0)
    assert drawing.dag.heights() == (3, 1, 1)
    assert drawing.tips == {'a2', 'c0'}
    assert drawing.dag.newest(0) is last
    digest = 0
    for alias in ('a0', 'a1', 'a2', 'b0', 'c0'):
        digest ^= int.from_bytes(drawing.ids[alias], 'big')
    assert drawing.dag.digest == digest


def refuse(reason, add, *args, **kwargs):
    with pytest.raises(RefusedError) as refused:
        add(*args, **kwargs)
    assert refused.value.reason is reason


def test_sequence_is_refused(drawing):
    drawing.add('a0', 'genesis')
    drawing.add('a1', 'a0')
    drawing.add('b0', 'genesis', 'a0')
    before = (drawing.dag.digest, len(drawing.dag.entries), drawing.dag.heights())
    refuse(Refusal.SEQUENCE, drawing.add, 'a3', 'a1')  # skips one
    refuse(Refusal.SEQUENCE, drawing.add, 'a2', 'b0')  # previous only in the past, skips
    refuse(Refusal.SEQUENCE, drawing.add, 'a1', 'b0')  # previous only in the past
    refuse(Refusal.SEQUENCE, drawing.add, 'a1', 'a1')  # its own seq again on top of it
    refuse(Refusal.SEQUENCE, drawing.add, 'a0', 'genesis', 'a0')  # starts again
    refuse(Refusal.SEQUENCE, drawing.add, 'a0', 'genesis', 'b0')  # starts again
    refuse(Refusal.SEQUENCE, drawing.add, 'a1', 'a0', 'a1')  # knows its later one
    refuse(Refusal.SEQUENCE, drawing.add, 'c1', 'a0')  # was never first
    assert before == (drawing.dag.digest, len(drawing.dag.entries), drawing.dag.heights())


def test_time_does_not_go_back(drawing):
    drawing.add('a0', 'genesis', at=10)
    drawing.add('b0', 'genesis', at=20)
    refuse(Refusal.TIME, drawing.add, 'a1', 'a0', 'b0', at=19)
    refuse(Refusal.TIME, drawing.add, 'a1', 'a0', at=9)
    drawing.add('a1', 'a0', 'b0', at=20)


def test_missing_parents(drawing):
    drawing.add('a0', 'genesis')
    record = sign_record(KEYS[0], FLEET.id, 1, [drawing.ids['a0'], b'\1' * 32, b'\2' * 32], 10)
    assert drawing.dag.missing(record.parents) == [b'\1' * 32, b'\2' * 32]


def test_equivocation_is_kept_and_shown_and_breaks_nothing(drawing):
    drawing.add('a0', 'genesis')
    drawing.add('a1', 'a0')
    first = drawing.add('a2', 'a1')
    drawing.ids['first'] = first.id
    drawing.add('b0', 'genesis')
    assert drawing.dag.forks == {}
    drawing.add('a1', 'a0', at=11)  # the twin
    twin = drawing.add('a2', 'a1', at=12)  # its branch goes on, and further
    assert drawing.dag.forks == {0: 1}
    last = drawing.add('a3', 'a2', at=13)
    assert (twin.seen, twin.branch) == ((1, 0, 0, 3), 3)
    assert (last.seen, last.branch) == ((1, 0, 0, 4), 3)
    assert drawing.dag.heights() == (3, 1, 0)
    both = drawing.add('c0', 'genesis', 'a3', 'b0', at=14)
    assert both.seen == (1, 1, 1, 4)
    assert both.sees(last) and both.sees(twin) and not both.sees(first)
    assert not drawing.dag.proves(both, 0)
    proven = drawing.add('b1', 'b0', 'c0', 'first', at=15)
    assert drawing.dag.proves(proven, 0)
    assert len(drawing.dag.entries) == 9
