"""Facts: what changed is read again, and the digest is of nothing else."""

import hashlib
from random import Random

from contract_history import ADDRESSES, FLEET
from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

from benchmarks.calls import RandomCalls
from collab_robots.contract.artifact import suite
from collab_robots.contract.calls import maps
from collab_robots.contract.calls.common import encode
from collab_robots.contract.deployment import Deployment
from collab_robots.contract.evm import make_evm
from collab_robots.contract.facts import Facts, STATE_DOMAIN

ALICE, BOB = ADDRESSES[:2]


def deployed():
    """Return a deployment and facts that know its beginning."""
    deployment, facts = Deployment(suite(), FLEET, make_evm()), Facts()
    facts.touch(deployment.genesis)
    facts.refresh(deployment)
    return deployment, facts


def run(deployment, sender, data, time=100):
    result = deployment.call(sender, data, time)
    return deployment.touched(deployment.evm.logs()) if result.ok else []


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1 << 32))
def test_what_calls_say_they_touched_is_all_that_changed(seed):
    deployment, facts = deployed()
    source, marks = RandomCalls(ADDRESSES, Random(seed)), []
    seen = set(facts.known)
    for second in range(40):
        data = source.call()
        if data[:4] not in suite().calls:
            continue
        marks.append((deployment.evm.mark(), len(seen)))
        touched = run(deployment, source.sender(), data, 100 + second)
        if second % 10 == 9:
            touched += deployment.close_epoch(100 + second)
        facts.touch(touched)
        facts.refresh(deployment)
        before, seen = dict(facts.known), seen | set(touched)
        facts.touch(seen)
        facts.refresh(deployment)
        assert facts.known == before  # nothing else changed
        assert all(facts.known.values())
    fresh = Facts()
    fresh.touch(seen)
    deployment.evm.rollback(marks[0][0])
    facts.touch(seen)
    facts.refresh(deployment)
    fresh.refresh(deployment)
    assert facts.known == fresh.known == deployed()[1].known


def test_every_change_of_storage_is_a_change_of_facts():
    """Or robots with unlike storage could take themselves for equal."""
    random = Random(3)
    deployment, facts = deployed()
    source, changes = RandomCalls(ADDRESSES, random), 0
    for second in range(150):
        data = source.call()
        if data[:4] not in suite().calls:
            continue
        storage, known = deployment.evm.dump(), dict(facts.known)
        facts.touch(run(deployment, source.sender(), data, 100 + second))
        facts.refresh(deployment)
        if deployment.evm.dump() != storage:
            assert facts.known != known, suite().calls[data[:4]]
            changes += 1
        else:
            assert facts.known == known
    assert changes > 30


def test_the_digest_is_pinned():
    """A change here makes robots of two versions disagree: raise the domain's version."""
    facts = Facts()
    facts.known = {
        ('Tasks', b'b' * 32): b'two',
        ('Fleet', b'c' * 32): b'',
        ('Tasks', b'a' * 32): b'1',
    }
    fed = (
        b'Fleet\0' + b'c' * 32 + b'\0\0\0\0',
        b'Tasks\0' + b'a' * 32 + b'\0\0\0\x01' + b'1',
        b'Tasks\0' + b'b' * 32 + b'\0\0\0\x03' + b'two',
    )
    data = STATE_DOMAIN + FLEET.id + b''.join(fed)
    assert facts.digest(FLEET.id) == hashlib.blake2b(data, digest_size=32).digest()
    assert facts.digest(FLEET.id) != facts.digest(bytes(32))


def test_copies_are_apart():
    deployment, facts = deployed()
    facts.touch(run(deployment, ALICE, encode('setCapabilities', 5)))
    other = facts.copy()
    facts.refresh(deployment)
    assert other.known != facts.known
    other.refresh(deployment)
    assert other.known == facts.known


def test_facts_of_one_contract():
    deployment, facts = deployed()
    facts.touch(run(deployment, BOB, maps.submit_tiles([(1, 2, b'd' * 32), (3, 4, b'e' * 32)])))
    facts.refresh(deployment)
    assert len(facts.of('Maps')) == 2 and facts.of('Tasks') == {}
    assert sum(len(facts.of(name)) for name in suite().contracts) == len(facts.known)


def test_only_the_ledger_closes_epochs():
    deployment, _ = deployed()
    data = encode('closeEpoch', 1)
    result = deployment.call(ALICE, data, 100)
    assert not result.ok
    assert deployment.close_epoch(100)
    assert deployment.ask('Fleet', 'epoch') == (1,)


def test_an_epoch_that_cannot_be_closed_is_a_bug(monkeypatch):
    deployment, _ = deployed()
    monkeypatch.setattr('collab_robots.contract.deployment.EPOCH_GAS', 30_000)
    with pytest.raises(RuntimeError, match='OutOfGas'):
        deployment.close_epoch(100)
