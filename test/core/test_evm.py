"""The machines: several contracts, events, marks, storage that is taken out and put back."""

from eth_abi import encode
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st
import pytest
from solidity import address, compile_source

from collab_robots.contract import evm
from collab_robots.contract.evm import Log, make_evm, PyrevmEvm
from collab_robots.contract.pyevm import PyEvm
from collab_robots.core.errors import CallError

SOURCE = """
// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

contract Shelf {
    error Full(uint256 count);
    event Put(bytes32 indexed id, address indexed by, uint256 count);

    uint256[] public items;
    mapping(bytes32 => uint256) public timeOf;

    constructor(uint256 first) {
        if (first == 0) revert Full(0);
        put(bytes32(first));
    }

    function put(bytes32 id) public {
        if (items.length == 8) revert Full(8);
        items.push(uint256(id));
        timeOf[id] = block.timestamp;
        emit Put(id, msg.sender, items.length);
    }

    function take() external {
        delete timeOf[bytes32(items[items.length - 1])];
        items.pop();
    }

    function sum(uint256 count) external view returns (uint256 total) {
        for (uint256 i = 0; i < count; i++) total += items[i % items.length];
    }

    function all() external view returns (uint256[] memory) {
        return items;
    }
}

contract Reader {
    event Read(bytes32 indexed id, uint256 time);

    Shelf private immutable shelf;
    uint256 public last;

    constructor(Shelf shelf_) {
        shelf = shelf_;
    }

    function read(bytes32 id) external returns (uint256) {
        last = shelf.timeOf(id);
        emit Read(id, last);
        return last;
    }

    function copy(bytes32 id) external {
        last = block.timestamp;
        shelf.put(id);
        emit Read(id, 0);
    }

    function careful(bytes32 id) external {
        try shelf.put(id) { last = 1; } catch { last = 2; }
        try this.copy(id) { last += 10; } catch { last += 20; }
    }
}
"""
KEY = b'k' * 32
PUT = keccak(text='put(bytes32)')[:4]
TAKE = keccak(text='take()')[:4]
READ = keccak(text='read(bytes32)')[:4]
COPY = keccak(text='copy(bytes32)')[:4]
CAREFUL = keccak(text='careful(bytes32)')[:4]
SUM = keccak(text='sum(uint256)')[:4]
ALL = keccak(text='all()')[:4]
TIME = keccak(text='timeOf(bytes32)')[:4]
FULL = keccak(text='Full(uint256)')[:4]
PUT_TOPIC = keccak(text='Put(bytes32,address,uint256)')
READ_TOPIC = keccak(text='Read(bytes32,uint256)')
ALICE = address(1)


def word(number):
    return number.to_bytes(32, 'big')


def deploy(machine):
    """Return the addresses of a shelf with one item, another one, and a reader of the first."""
    codes = compile_source(SOURCE)
    shelf = codes['Shelf'].bytecode + word(1)
    first, second = machine.deploy(shelf), machine.deploy(shelf)
    reader = machine.deploy(codes['Reader'].bytecode + encode(['address'], [first]))
    return first, second, reader


def items(machine, shelf):
    raw = machine.read(shelf, ALL)
    return [int.from_bytes(raw[at : at + 32], 'big') for at in range(64, len(raw), 32)]


@pytest.fixture(params=[PyrevmEvm, PyEvm])
def machine(request):
    return request.param()


def test_contracts_keep_their_own_storage(machine):
    first, second, reader = deploy(machine)
    assert len({first, second, reader}) == 3
    assert machine.call(ALICE, first, PUT + KEY, 100).ok
    assert items(machine, first) == [1, int.from_bytes(KEY, 'big')] and items(machine, second) == [
        1
    ]
    assert machine.call(ALICE, reader, READ + KEY, 105).output == word(100)
    shelf, other, read = machine.dump()
    assert (len(shelf), len(other), len(read)) == (5 * 64 - 64, 2 * 64, 64)
    assert read == word(0) + word(100)


def test_addresses_depend_on_nothing_but_the_order(machine):
    assert deploy(machine) == deploy(PyrevmEvm())


def test_events_say_which_contract_and_come_in_order(machine):
    first, _, reader = deploy(machine)
    assert machine.call(ALICE, reader, COPY + KEY, 100).ok
    assert machine.logs() == (
        Log(first, (PUT_TOPIC, KEY, bytes(12) + reader), word(2)),
        Log(reader, (READ_TOPIC, KEY), word(0)),
    )
    assert machine.call(ALICE, first, TAKE, 100).ok and machine.logs() == ()


def test_the_events_of_a_creation_can_be_read(machine):
    code = compile_source(SOURCE)['Shelf'].bytecode
    where = machine.deploy(code + word(7))
    assert machine.logs() == (Log(where, (PUT_TOPIC, word(7), bytes(12) + evm.DEPLOYER), word(1)),)


def test_a_revert_changes_nothing_and_says_why(machine):
    first, *_ = deploy(machine)
    for item in range(7):
        assert machine.call(ALICE, first, PUT + word(item), 100).ok
    before = machine.dump()
    assert machine.call(ALICE, first, PUT + KEY, 100) == (False, FULL + word(8), '', 0)
    assert machine.call(ALICE, first, PUT + b'short', 100) == (False, b'', '', 0)
    assert machine.call(ALICE, first, b'none', 100) == (False, b'', '', 0)
    assert machine.call(ALICE, first, b'', 100) == (False, b'', '', 0)
    assert machine.dump() == before


@pytest.mark.parametrize('gas', [20_000, 22_000, 50_000])
def test_gas_runs_out_without_a_trace(machine, gas):
    first, *_ = deploy(machine)
    before = machine.dump()
    assert machine.call(ALICE, first, PUT + KEY, 100, gas) == (False, b'', 'OutOfGas', 0)
    assert machine.dump() == before


def test_an_inner_revert_undoes_only_the_inner_call(machine):
    first, _, reader = deploy(machine)
    for item in range(6):
        machine.call(ALICE, first, PUT + word(item), 100)
    assert machine.call(ALICE, reader, CAREFUL + KEY, 100).ok  # room for one, not for two
    assert [log.address for log in machine.logs()] == [first]
    assert len(items(machine, first)) == 8
    assert int.from_bytes(machine.dump()[2][32:], 'big') == 21


def test_a_creation_may_be_refused(machine):
    with pytest.raises(CallError, match=FULL.hex()):
        machine.deploy(compile_source(SOURCE)['Shelf'].bytecode + word(0))


def test_reading_leaves_no_trace(machine):
    first, *_ = deploy(machine)
    before = machine.dump()
    machine.read(first, SUM + word(5))
    with pytest.raises(CallError):
        machine.read(first, TAKE)  # views are asked as such
    with pytest.raises(CallError):
        machine.read(first, SUM + word(5000), 100_000)
    with pytest.raises(CallError):
        machine.read(first, b'none')
    assert machine.dump() == before


def test_marks_go_back_however_many_there_are(machine):
    first, *_ = deploy(machine)
    start, dumped = machine.mark(), machine.dump()
    marks = []
    for number in range(1100):
        marks.append((machine.mark(), items(machine, first) if number < 3 else None))
        machine.call(ALICE, first, PUT + word(number) if number % 2 else TAKE, 100)
    for mark, there in reversed(marks[:3]):
        machine.rollback(mark)
        assert items(machine, first) == there
    machine.rollback(start)
    assert machine.dump() == dumped
    assert machine.call(ALICE, first, PUT + KEY, 100).ok


def test_storage_goes_on_in_another_machine(machine):
    first, _, reader = deploy(machine)
    machine.call(ALICE, first, PUT + KEY, 100)
    machine.call(ALICE, reader, READ + KEY, 101)
    other = machine.with_storage(machine.dump())
    assert other.dump() == machine.dump()
    assert other.call(ALICE, first, TAKE, 102).ok
    assert items(other, first) == [1] and len(items(machine, first)) == 2
    again = other.with_storage(other.dump())
    assert again.dump() == other.dump() != machine.dump()
    assert again.call(ALICE, reader, READ + KEY, 103).output == word(0)


def test_without_pyrevm_py_evm_takes_its_place(monkeypatch):
    assert isinstance(make_evm(), PyrevmEvm)
    monkeypatch.setattr(evm, 'pyrevm', None)
    assert isinstance(make_evm(), PyEvm)


ACTIONS = st.one_of(
    st.tuples(
        st.just('call'),
        st.sampled_from([PUT, TAKE, READ, COPY, CAREFUL, SUM, b'', b'none']),
        st.one_of(st.integers(0, 6).map(word), st.binary(max_size=40)),
        st.integers(0, 2),
        st.sampled_from([evm.GAS_LIMIT] * 6 + [21_500, 30_000, 45_000, 60_000]),
    ),
    st.tuples(st.sampled_from(['mark', 'rollback', 'reload'])),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ACTIONS, max_size=30))
def test_both_machines_do_the_same(actions):
    machines = [PyrevmEvm(), PyEvm()]
    contracts = deploy(machines[0])
    deploy(machines[1])
    marks, loaded = [], False
    for second, (action, *details) in enumerate(actions):
        if action == 'call':
            head, tail, which, gas = details
            gas = evm.GAS_LIMIT if loaded else gas  # loaded storage is warm in one, cold in one
            results = [
                machine.call(ALICE, contracts[which], head + tail, 100 + second, gas)
                for machine in machines
            ]
            assert results[0][:3] == results[1][:3]
            assert loaded or results[0].gas == results[1].gas
            if results[0].ok:
                assert machines[0].logs() == machines[1].logs()
        elif action == 'mark':
            marks.append([machine.mark() for machine in machines])
        elif action == 'rollback' and marks:
            for machine, mark in zip(machines, marks.pop(), strict=True):
                machine.rollback(mark)
        elif action == 'reload':
            machines = [machine.with_storage(machine.dump()) for machine in machines]
            marks, loaded = [], True
        assert len({tuple(items(machine, contracts[0])) for machine in machines}) == 1
    assert machines[0].dump() == machines[1].dump()
