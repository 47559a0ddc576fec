"""
Merge safety of the whole suite: facts are a function of the set of calls, not of order or split.

The histories hold nonsense too (awards too early, bids on what nobody proposed, impossible votes,
sketches that lie): a wrong call may not make two robots disagree either. What one contract has to
keep over a merge besides is tested with that contract.
"""

from random import Random

from contract_history import ADDRESSES, execute, histories, storage, topological
from hypothesis import given, settings
from hypothesis import strategies as st


def outcomes(runner, history):
    """Tell what became of every call, by the kind of reason."""
    return [
        [(item.call, item.ok, item.reason[:9]) for item in runner.receipts.get(entry.id, ())]
        for entry in history.entries
    ]


@settings(max_examples=150, deadline=None)
@given(histories(size=24), st.integers(0, 1 << 32))
def test_every_causal_order_gives_the_same_facts(history, seed):
    one = execute(history.order().entries)
    other = execute(topological(history.entries, Random(seed)))
    assert one.facts().known == other.facts().known
    assert one.state_root() == other.state_root()
    assert storage(one) == storage(other)
    assert outcomes(one, history) == outcomes(other, history)  # nor does any depend on the order


@settings(max_examples=80, deadline=None)
@given(st.sampled_from([[{0, 1}, {2, 3}], [{0}, {1, 2, 3}], [{0, 3}, {1}, {2}]]), st.data())
def test_sides_that_act_apart_join_to_the_same_facts(groups, data):
    history, seed = data.draw(histories(size=24, groups=groups)), data.draw(st.integers(0, 99))
    sides = [[e for e in history.entries if e.issuer in group] for group in groups]
    one = execute([entry for side in sides for entry in side])
    other = execute([entry for side in reversed(sides) for entry in side])
    mixed = execute(topological(history.entries, Random(seed)))
    assert storage(one) == storage(other) == storage(mixed)
    assert one.facts().known == other.facts().known == mixed.facts().known
    for side in sides:  # nothing that a side knew is forgotten
        assert execute(side).facts().known.keys() <= one.facts().known.keys()


@settings(max_examples=60, deadline=None)
@given(histories())
def test_a_call_cannot_look_at_what_others_wrote(history):
    """Every robot's calls alone have the same outcome as among those of all others."""
    together = execute(history.entries)
    for robot in range(len(ADDRESSES)):
        mine = [entry for entry in history.entries if entry.issuer == robot]
        alone = execute(mine)
        for entry in mine:
            said, there = alone.receipts.get(entry.id, ()), together.receipts.get(entry.id, ())
            assert [item.ok for item in said] == [item.ok for item in there]
