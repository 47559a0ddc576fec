"""The compiled suite: what its selectors and topics mean, and that they mean one thing."""

import json

from eth_utils import keccak
import pytest

from collab_robots.contract import artifact
from collab_robots.contract.artifact import (
    CODEC,
    load_contract,
    ORDER,
    read_contract,
    Suite,
    suite,
)
from collab_robots.core.errors import CallError, ConfigError

CODE_LIMIT = 24_576  # bytes of a deployed contract, EIP-170


def function(name, *types, mutability='nonpayable', outputs=()):
    return {
        'type': 'function',
        'name': name,
        'inputs': [{'name': f'a{n}', 'type': kind} for n, kind in enumerate(types)],
        'outputs': [{'name': '', 'type': kind} for kind in outputs],
        'stateMutability': mutability,
    }


def test_every_call_finds_its_one_contract():
    assert tuple(suite().contracts) == ORDER
    changing = [
        contract.functions[name]
        for contract in suite().contracts.values()
        for name in contract.changing
    ]
    assert len(suite().calls) == len(suite().call_by_name) == len(changing)
    for call in changing:
        assert suite().calls[keccak(text=f'{call.name}({",".join(call.types)})')[:4]] is call
        assert suite().contracts[call.contract].functions[call.name] is call


def test_every_contract_says_what_it_knows_in_the_same_way():
    for contract in suite().contracts.values():
        fact = contract.functions['fact']
        assert (fact.types, fact.returns) == (('bytes32',), ('bytes',))


def test_the_first_topic_of_every_event_is_the_id_of_a_fact():
    for contract in suite().contracts.values():
        for event in contract.events:
            assert (event.types[0], event.indexed[0]) == ('bytes32', True), event


def test_no_selector_means_two_errors_and_no_topic_two_events():
    for contract in suite().contracts.values():
        for error in contract.errors:
            known = suite().errors[error.selector]
            assert (known.name, known.types) == (error.name, error.types)
        for event in contract.events:
            known = suite().events[event.hash]
            assert (known.name, known.indexed) == (event.name, event.indexed)


def test_contracts_can_be_deployed():
    for contract in suite().contracts.values():
        assert len(contract.bytecode) < 2 * CODE_LIMIT  # EIP-3860


def test_addresses_are_bytes_wherever_they_are():
    kinds = ('address', 'address[]', '(uint8,(address,bool))[2]')
    values = (b'a' * 20, (b'b' * 20,), ((1, (b'c' * 20, True)), (2, (bytes(20), False))))
    assert CODEC.decode(kinds, CODEC.encode(kinds, values)) == values


def test_an_event_gives_its_arguments_in_their_order():
    event = suite().events[keccak(text='Bid(bytes32,address,uint32)')]
    topics = [b'k' * 32, bytes(12) + b'r' * 20]
    assert event.told(topics, (7).to_bytes(32, 'big')) == (b'k' * 32, b'r' * 20, 7)
    with pytest.raises(CallError):
        event.told(topics[:1], (7).to_bytes(32, 'big'))
    with pytest.raises(CallError):
        event.told(topics, b'')


@pytest.mark.parametrize(
    'values', [(b'k' * 33, 1), (b'k' * 32, 1 << 32), (b'k' * 32, -1), ('k', 1)]
)
def test_values_that_do_not_fit_are_refused(values):
    with pytest.raises(CallError, match='bid'):
        suite().call_by_name['bid'].encode(*values)


def test_two_calls_of_one_name_cannot_be_told_apart():
    one = read_contract('One', [function('do', 'uint8')], b'')
    with pytest.raises(ConfigError, match=r'One.do and Two.do'):
        Suite([one, read_contract('Two', [function('do', 'bool')], b'')])
    Suite([one, read_contract('Two', [function('do', 'bool', mutability='view')], b'')])
    with pytest.raises(ConfigError, match='two functions'):
        read_contract('One', [function('do', 'uint8'), function('do', 'bool')], b'')


@pytest.mark.parametrize('text', ['', '[]', '{}', '{"abi": [], "bytecode": "xy"}', '{"abi": 3}'])
def test_a_damaged_artifact_is_named(tmp_path, monkeypatch, text):
    monkeypatch.setattr(artifact, 'BUILD', tmp_path)
    with pytest.raises(ConfigError, match='compile_contracts'):
        load_contract('Fleet')
    (tmp_path / 'Fleet.json').write_text(text)
    with pytest.raises(ConfigError, match=r'Fleet\.json: not a compiled contract'):
        load_contract('Fleet')
    (tmp_path / 'Fleet.json').write_text(json.dumps({'abi': [], 'bytecode': '00'}))
    assert load_contract('Fleet').bytecode == b'\0'
