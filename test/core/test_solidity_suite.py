"""What holds for every contract: size, documentation, constants, selectors."""

from functools import cache
import importlib
import re

from hypothesis import given
from hypothesis import strategies as st
import pytest
from solidity import _script, address, built, Chain, signature

from collab_robots.contract import calls
from collab_robots.contract.artifact import ORDER, suite, WORD

CONTRACTS = [*ORDER, 'Anchor']
MOST_CODE = 24_576  # bytes: EIP-170
ROBOTS, WEIGHTS = [address(number) for number in range(4)], [1] * 4


@cache
def compiled():
    """Return what the compiler says of all sources, with documentation and syntax trees."""
    script = _script()
    wanted = ['userdoc', 'devdoc', 'evm.deployedBytecode.object']
    selection = {'*': {'*': wanted, '': ['ast']}}
    return script.run_solc(
        {
            'language': 'Solidity',
            'sources': script.sources(),
            'settings': {**script.SETTINGS, 'outputSelection': selection},
        }
    )


@cache
def deployed():
    """Return a chain and the suite's contracts on it, by name."""
    chain = Chain()
    fleet = chain.deploy('Fleet', ROBOTS, WEIGHTS)
    maps = chain.deploy('Maps', fleet)
    models = chain.deploy('Models', fleet)
    tasks = chain.deploy('Tasks', fleet, maps)
    return chain, dict(zip(ORDER, (fleet, maps, models, tasks), strict=True))


def undocumented(name):
    """Yield what of a contract's interface lacks a word of documentation."""
    found = compiled()['contracts'][f'{name}.sol'][name]
    user, dev = found['userdoc'], found['devdoc']
    if not {'title', 'notice'} <= dev.keys() | user.keys():
        yield 'the contract'
    tree = compiled()['sources'][f'{name}.sol']['ast']
    variables = {
        node['name']
        for contract in tree['nodes']
        for node in contract.get('nodes', ())
        if node.get('stateVariable')
    }
    for item in built(name).abi:
        kind, what = item['type'], item.get('name') and signature(item)
        if kind not in _PLACES:
            continue
        notices, details = (docs.get(_PLACES[kind], {}).get(what, {}) for docs in (user, dev))
        if kind == 'error':  # there may be several of one signature
            notices, details = notices[0] if notices else {}, details[0] if details else {}
        if 'notice' not in notices:
            yield f'{kind} {what}'
        for part in item['inputs']:
            if part['name'] not in details.get('params', {}):
                yield f'{kind} {what}: {part["name"]}'
        returned = () if item['name'] in variables else item.get('outputs', ())
        if len(returned) > len(details.get('returns', ())):
            yield f'{kind} {what}: what it returns'


_PLACES = {'function': 'methods', 'event': 'events', 'error': 'errors'}


@pytest.mark.parametrize('name', CONTRACTS)
def test_every_function_event_and_error_is_documented(name):
    assert list(undocumented(name)) == []


@pytest.mark.parametrize('name', CONTRACTS)
def test_code_fits_on_any_chain(name):
    found = compiled()['contracts'][f'{name}.sol'][name]['evm']['deployedBytecode']
    assert 0 < len(found['object']) // 2 < MOST_CODE


def test_constants_are_the_same_in_python():
    chain, contracts = deployed()
    compared = set()
    for name, contract in contracts.items():
        module = importlib.import_module(f'{calls.__name__}.{name.lower()}')
        for item in contract.abi:
            if item['type'] == 'function' and item['name'].isupper():
                value = chain.view(contract, item['name'])
                if hasattr(module, item['name']):
                    assert getattr(module, item['name']) == value, (name, item['name'])
                    compared.add(name)
    assert compared >= {'Fleet', 'Maps', 'Tasks'}


def test_contracts_know_one_another():
    chain, contracts = deployed()
    for name in ('Maps', 'Models'):
        assert chain.view(contracts[name], 'fleet') == contracts['Fleet'].address


def test_calls_are_told_apart_by_their_selectors():
    changing = [
        item
        for name in ORDER
        for item in built(name).abi
        if item['type'] == 'function' and item['stateMutability'] == 'nonpayable'
    ]
    assert len(suite().calls) == len(suite().call_by_name) == len(changing)


@pytest.mark.parametrize('name', CONTRACTS)
def test_no_call_takes_ether(name):
    assert all(item.get('stateMutability') != 'payable' for item in built(name).abi)


CALLS = sorted(suite().calls.values(), key=lambda call: call.name)
HUGE = b'\x7f' + b'\xff' * (WORD - 1)
NARROW = re.compile(r'u?int(?!256)\d+|bool|address')  # types that leave bits of their word unused


def words(call):
    """Return the types of a call's words; None if it has arguments of any length."""
    flat = re.sub('[()]', '', ','.join(call.types)).split(',')
    return None if '[]' in ''.join(flat) else flat


@pytest.mark.parametrize('call', CALLS, ids=lambda call: call.name)
def test_calls_that_are_cut_off_or_overflow_are_refused(call):
    chain, contracts = deployed()
    kinds = words(call) or ['uint256']  # of an array: where it begins
    broken = {(number, HUGE) for number, kind in enumerate(kinds) if NARROW.match(kind)}
    if words(call) is None:
        broken = {(0, HUGE), (0, (1 << 64).to_bytes(WORD, 'big'))}
    good = [bytes(WORD)] * len(kinds)
    bad = [[*good[:number], word, *good[number + 1 :]] for number, word in broken]
    for data in [b''.join(good)[:-1], b'', *map(b''.join, bad)]:
        done = chain.send(ROBOTS[0], contracts[call.contract], call.selector + data)
        assert not done.ok and not done.halt, data.hex()
        if call.name != 'propose':  # it reads its terms last, and refuses kind 0 before that
            assert done.error == ('', b''), data.hex()


@given(st.sampled_from(CALLS), st.binary(max_size=10 * WORD))
def test_no_bytes_stop_the_machine(call, data):
    chain, contracts = deployed()
    done = chain.send(ROBOTS[0], contracts[call.contract], call.selector + data)
    assert not done.halt and (done.ok or done.error)
