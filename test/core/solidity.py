"""
Contracts for tests: compile, deploy, call, and read what happened by name.

::

    chain = Chain()
    fleet = chain.deploy('Fleet', [ALICE, BOB], [1, 1])        # contracts/build/Fleet.json
    toy = chain.deploy(compile_source(SOURCE)['Toy'], fleet)   # or Solidity of the test's own
    done = chain.call(ALICE, toy, 'poke', 7, at=100)
    assert done.events == [('Poked', KEY, 7)] and chain.view(toy, 'pokes', KEY).count == 1
    assert chain.call(EVE, toy, 'poke', 7).error == ('NotMember', EVE)

Addresses are 20 bytes everywhere. Structs are named tuples: compare them with plain ones.
"""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from functools import cache
import importlib.util
import json
from pathlib import Path
import subprocess
from typing import Any

from eth_abi import decode, encode
from eth_utils import keccak
import pytest

from collab_robots.contract import evm
from collab_robots.contract.evm import DEPLOYER, GAS_LIMIT, PyrevmEvm
from collab_robots.contract.pyevm import PyEvm
from collab_robots.core.errors import CallError

pyrevm = pytest.importorskip('pyrevm', reason='has wheels for x86-64 only')

ROOT = Path(__file__).resolve().parents[2]
SYSTEM = evm.SYSTEM
_BUILT_IN = [
    {'type': 'error', 'name': 'Error', 'inputs': [{'name': 'reason', 'type': 'string'}]},
    {'type': 'error', 'name': 'Panic', 'inputs': [{'name': 'code', 'type': 'uint256'}]},
]


def address(number: int) -> bytes:
    """Return an address for a test; higher numbers are higher addresses."""
    return b'\xa0' + number.to_bytes(19, 'big')


@cache
def built(name: str) -> Artifact:
    """Return the committed artifact of a contract."""
    data = json.loads((ROOT / 'contracts' / 'build' / f'{name}.json').read_text(encoding='utf-8'))
    return Artifact(name, data['abi'], bytes.fromhex(data['bytecode']))


@cache
def compile_source(text: str) -> dict[str, Artifact]:
    """
    Compile a source that may import from ``contracts/``; warnings are errors, as there.

    :returns: the contracts in it, by name.
    """
    script = _script()
    try:
        script.solcjs()
    except (script.CompileError, OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(f'no compiler here: {error}')
    answer = script.run_solc(
        {
            'language': 'Solidity',
            'sources': {
                **(script.sources() if 'import' in text else {}),
                'Test.sol': {'content': text},
            },
            'settings': {
                **script.SETTINGS,
                'outputSelection': {'Test.sol': {'*': ['abi', 'evm.bytecode.object']}},
            },
        }
    )
    return {
        name: Artifact(name, item['abi'], bytes.fromhex(item['evm']['bytecode']['object']))
        for name, item in answer['contracts']['Test.sol'].items()
    }


@cache
def _script() -> Any:
    spec = importlib.util.spec_from_file_location(
        'compile_contracts', ROOT / 'scripts' / 'compile_contracts.py'
    )
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


@dataclass(frozen=True, eq=False)
class Artifact:
    name: str
    abi: list[dict[str, Any]]
    bytecode: bytes


@dataclass(frozen=True, eq=False)
class Contract:
    """A deployed contract; as an argument it stands for its address."""

    name: str
    address: bytes
    abi: list[dict[str, Any]]


@dataclass(frozen=True)
class Outcome:
    """
    What became of a call.

    :param value: what it returned; several values come as a tuple.
    :param error: name and arguments of the error it reverted with; ``('', data)`` if unknown.
    :param halt: why the machine stopped it (``OutOfGas`` …), empty unless it did.
    :param events: name and arguments, indexed ones in their place.
    """

    ok: bool
    value: Any
    error: tuple[Any, ...] | None
    halt: str
    events: list[tuple[Any, ...]]
    gas: int


class RevertedError(Exception):
    """A view or constructor reverted; ``error`` is as in :class:`Outcome`."""

    def __init__(self, error: tuple[Any, ...]) -> None:
        super().__init__(f'{error!r:.300}')
        self.error = error


class Chain:
    """A machine with contracts in it. Its time stands still unless a call gives one."""

    def __init__(self, at: int = 100) -> None:
        self.time = at
        self._machine = PyrevmEvm()
        self._evm = self._machine._evm
        self._known = list(_BUILT_IN)

    def deploy(self, artifact: str | Artifact, *arguments: Any) -> Contract:
        """
        Create a contract.

        :param artifact: or the name of one in ``contracts/build``.
        :raises RevertedError: if its constructor reverts.
        """
        if isinstance(artifact, str):
            artifact = built(artifact)
        self._known += artifact.abi
        items = [item for item in artifact.abi if item['type'] == 'constructor']
        inputs = items[0]['inputs'] if items else []
        try:
            where = self._machine.deploy(artifact.bytecode + _encode(inputs, arguments))
        except CallError as error:
            raise RevertedError(self._error(_revert(error.__context__))) from None
        return Contract(artifact.name, where, artifact.abi)

    def call(
        self,
        sender: bytes,
        contract: Contract,
        function: str,
        *arguments: Any,
        at: int | None = None,
        gas: int = GAS_LIMIT,
    ) -> Outcome:
        """
        Execute a call.

        :param at: ``block.timestamp`` from now on, s.
        """
        item = _item(contract, function, len(arguments))
        return self.send(sender, contract, calldata(item, arguments), at, gas, item['outputs'])

    def send(
        self,
        sender: bytes,
        contract: Contract,
        data: bytes,
        at: int | None = None,
        gas: int = GAS_LIMIT,
        outputs: Any = (),
    ) -> Outcome:
        """Execute a call with any bytes."""
        self.time = self.time if at is None else at
        self._evm.set_block_env(pyrevm.BlockEnv(number=1, timestamp=self.time))
        try:
            raw = self._evm.message_call(_hex(sender), _hex(contract.address), data, gas=gas)
        except RuntimeError as error:
            if 'output: 0x' in str(error):
                return Outcome(False, None, self._error(_revert(error)), '', [], 0)
            reason = str(error).partition('reason: ')[2].partition('(')[0].split()
            return Outcome(False, None, None, reason[0] if reason else 'OutOfGas', [], 0)
        result = self._evm.result
        events = [self._event(log) for log in result.logs]
        return Outcome(True, _values(outputs, raw), None, '', events, result.gas_used)

    def cold_gas(self, sender: bytes, contract: Contract, function: str, *arguments: Any) -> int:
        """
        Return what a call that succeeds takes where nothing was touched before; it is not kept.

        What :meth:`call` says is less: its machine has everything warm that was touched once.
        """
        cold = PyEvm()
        for address in self._machine._loaded:
            cold._state.codes[address] = self._evm.get_code(_hex(address))
        cold = cold.with_storage(self._machine.dump())
        data = calldata(_item(contract, function, len(arguments)), arguments)
        result = cold.call(sender, contract.address, data, self.time)
        assert result.ok, f'{function}: {result}'
        return result.gas

    def view(
        self, contract: Contract, function: str, *arguments: Any, at: int | None = None
    ) -> Any:
        """
        Ask a view; leaves no trace.

        :raises RevertedError: if it reverts.
        """
        item = _item(contract, function, len(arguments))
        return _values(item['outputs'], self.read(contract, calldata(item, arguments), at))

    def read(self, contract: Contract, data: bytes, at: int | None = None) -> bytes:
        """Ask a view with any bytes, for any bytes."""
        self.time = self.time if at is None else at
        self._evm.set_block_env(pyrevm.BlockEnv(number=1, timestamp=self.time))
        before = self._evm.snapshot()
        try:
            return bytes(
                self._evm.message_call(
                    _hex(DEPLOYER), _hex(contract.address), data, is_static=True
                )
            )
        except RuntimeError as error:
            raise RevertedError(self._error(_revert(error))) from None
        finally:
            self._evm.revert(before)

    def fact(self, contract: Contract, key: bytes) -> bytes:
        """Return everything that the contract stores under an id."""
        return self.view(contract, 'fact', key)

    def mark(self) -> Any:
        """Return a mark of the present state; cheap."""
        mark = self._evm.snapshot()
        self._evm.commit()
        return self.time, mark

    def rollback(self, mark: Any) -> None:
        """Return to a mark."""
        self.time, checkpoint = mark
        self._evm.snapshot()
        self._evm.revert(checkpoint)

    def _error(self, data: bytes) -> tuple[Any, ...]:
        for item in self._known:
            if item['type'] == 'error' and selector(item) == data[:4]:
                return item['name'], *_decode(item['inputs'], data[4:])
        return '', data

    def _event(self, log: Any) -> tuple[Any, ...]:
        topics = [bytes.fromhex(topic[2:]) for topic in log.topics]
        item = next(
            item
            for item in self._known
            if item['type'] == 'event' and keccak(text=signature(item)) == topics[0]
        )
        indexed = iter(topics[1:])
        rest = iter(_decode([x for x in item['inputs'] if not x['indexed']], log.data[1]))
        values = (
            _decode([x], next(indexed))[0] if x['indexed'] else next(rest) for x in item['inputs']
        )
        return item['name'], *values


def selector(item: dict[str, Any]) -> bytes:
    """Return the first four bytes of a call or of an error."""
    return keccak(text=signature(item))[:4]


def signature(item: dict[str, Any]) -> str:
    """Return the canonical signature of a function, error or event."""
    return f'{item["name"]}({",".join(_type(part) for part in item["inputs"])})'


def calldata(item: dict[str, Any], arguments: Any) -> bytes:
    """Return the bytes of a call."""
    return selector(item) + _encode(item['inputs'], arguments)


def _item(contract: Contract, function: str, count: int) -> dict[str, Any]:
    for item in contract.abi:
        if (item['type'], item.get('name')) == ('function', function):
            assert len(item['inputs']) == count, f'{signature(item)} got {count} arguments'
            return item
    raise AttributeError(f'{contract.name} has no function {function}')


def _type(part: dict[str, Any]) -> str:
    kind = part['type']
    if not kind.startswith('tuple'):
        return kind
    return f'({",".join(_type(item) for item in part["components"])}){kind[5:]}'


def _encode(parts: Any, values: Any) -> bytes:
    assert len(parts) == len(values), f'expected {len(parts)} arguments, got {len(values)}'
    return encode([_type(part) for part in parts], [_plain(value) for value in values])


def _plain(value: Any) -> Any:
    if isinstance(value, Contract):
        return value.address
    if isinstance(value, (list, tuple)):
        return type(value)(map(_plain, value)) if type(value) in (list, tuple) else tuple(value)
    return value


def _values(parts: Any, data: bytes) -> Any:
    values = _decode(parts, data)
    return values[0] if len(values) == 1 else values or None


def _decode(parts: Any, data: bytes) -> tuple[Any, ...]:
    return _named(parts, decode([_type(part) for part in parts], data))


def _named(parts: Any, values: Any) -> tuple[Any, ...]:
    """Give decoded values their names; addresses become bytes."""
    found = tuple(
        _value(part, part['type'], value) for part, value in zip(parts, values, strict=True)
    )
    names = tuple(part['name'].rstrip('_') for part in parts)
    return _tuple(names)(*found) if all(names) and len(names) > 1 else found


@cache
def _tuple(names: tuple[str, ...]) -> Any:
    return namedtuple('Values', names, rename=True)


def _value(part: dict[str, Any], kind: str, value: Any) -> Any:
    if kind.endswith(']'):
        return [_value(part, kind[: kind.rindex('[')], item) for item in value]
    if kind == 'tuple':
        return _named(part['components'], value)
    return bytes.fromhex(value[2:]) if kind == 'address' else value


def _hex(raw: bytes) -> str:
    return '0x' + raw.hex()


def _revert(error: RuntimeError) -> bytes:
    """Return the data that a call reverted with; pyrevm says it in words only."""
    return bytes.fromhex(str(error).partition('output: 0x')[2].partition(' ')[0].rstrip(','))
