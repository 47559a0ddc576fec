"""
A pytest plugin that notes the outcome of every conditional jump in the contracts tests deploy.

:mod:`solidity_coverage` runs pytest with it. Tests make their machines as always; what they get is
py-evm instead of pyrevm, with an instruction that can be watched. Hypothesis draws few examples.
"""

from __future__ import annotations

from collections import Counter
import hashlib
import importlib
import json
import os
from pathlib import Path
import sys
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple

import compile_contracts
from eth.vm.forks.cancun.computation import CancunComputation
from eth.vm.logic.flow import jumpi
from eth.vm.opcode import as_opcode
import hypothesis
import pyrevm
import pytest

from collab_robots.contract.evm import PyrevmEvm
from collab_robots.contract.pyevm import PyEvm
from collab_robots.core.errors import CallError

FOLDER = 'SOLIDITY_COVERAGE_FOLDER'  # environment of the tests: where to put what was seen
JUMPS = 'jumps.json'  # a list of jumps and how often each was seen
JUMPI = 0x57
EXAMPLES = 5
TESTS = compile_contracts.CONTRACTS.parent / 'test' / 'core'
_GAS = 10  # of the instruction


class Code(NamedTuple):
    """
    A piece of bytecode that is executed.

    :param contract: what it is of: source and name with a colon; empty if that is not known.
    :param creation: whether it is what creates the contract.
    """

    contract: str
    creation: bool


Jump = tuple[Code, int, bool]  # at which pc; whether it jumped


class _Watched:
    """
    Stands in for ``pyrevm.EVM``, with the same results: py-evm, which can be watched.

    :param options: pyrevm's; there is only one set of rules here.
    """

    jumps: ClassVar[Counter[tuple[bytes, int, bool]]] = Counter()
    """Outcomes of conditional jumps: of which code, at which pc, whether it jumped."""
    creations: ClassVar[dict[bytes, str]] = {}
    """Labels of contracts by what creates them, without arguments."""
    labels: ClassVar[dict[bytes, Code]] = {}
    """Of codes that were executed."""

    def __init__(self, **options: Any) -> None:
        self._machine = PyEvm()
        self._gas = 0

    def deploy(self, deployer: str, code: bytes) -> str:
        label = next(
            (name for known, name in self.creations.items() if code.startswith(known)), ''
        )
        self.labels[code] = Code(label, True)
        state = self._machine._state
        try:
            address = self._machine.deploy(code)
        except CallError as error:
            raise RuntimeError(str(error).replace('created: 0x', 'output: 0x')) from None
        self.labels[state.codes[address]] = Code(label, False)
        return '0x' + address.hex()

    def message_call(
        self, caller: str, to: str, calldata: bytes, gas: int = 1 << 60, is_static: bool = False
    ) -> bytes:
        sender, callee = bytes.fromhex(caller[2:]), bytes.fromhex(to[2:])
        done = self._machine._run(sender, callee, calldata, gas, is_static)
        if done.halt:
            raise RuntimeError(f'Halt {{ reason: {done.halt} (')
        if not done.ok:
            raise RuntimeError(f'output: 0x{done.output.hex()}')
        self._gas = done.gas
        return done.output

    @property
    def result(self) -> SimpleNamespace:
        logs = [
            SimpleNamespace(
                address='0x' + log.address.hex(),
                topics=['0x' + topic.hex() for topic in log.topics],
                data=(list(log.topics), log.data),
            )
            for log in self._machine.logs()
        ]
        return SimpleNamespace(logs=logs, gas_used=self._gas)

    def set_block_env(self, block: Any) -> None:
        self._machine._state.time = block.timestamp

    def snapshot(self) -> Any:
        return self._machine.mark()

    def commit(self) -> None:
        pass

    def revert(self, mark: Any) -> None:
        self._machine.rollback(mark)

    def get_code(self, address: str) -> bytes:
        return self._machine._state.codes[bytes.fromhex(address[2:])]

    def dump(self) -> list[bytes]:
        return self._machine.dump()


def _jumpi(computation: Any) -> None:
    """Do what the instruction does, and note it."""
    pc = computation.code.program_counter - 1
    condition = computation._stack.values[-2]
    taken = any(condition) if isinstance(condition, bytes) else condition != 0
    _Watched.jumps[computation.msg.code, pc, taken] += 1
    jumpi(computation)


def _label(text: str, contract: str) -> str:
    """Name a contract of a source that a test compiles."""
    return f'{hashlib.sha256(text.encode()).hexdigest()[:16]}.sol:{contract}'


def pytest_configure() -> None:
    """Watch every machine that a test makes from now on."""
    sys.path.insert(0, str(TESTS))
    solidity = importlib.import_module('solidity')
    compile_source, init = solidity.compile_source, hypothesis.settings.__init__

    def recorded(text: str) -> Any:
        found = compile_source(text)
        for name, artifact in found.items():
            label = _Watched.creations[artifact.bytecode] = _label(text, name)
            path = Path(os.environ[FOLDER], label.partition(':')[0])
            path.write_text(text, encoding='utf-8')
        return found

    def few(self: Any, *arguments: Any, **options: Any) -> None:
        most = min(options.get('max_examples') or EXAMPLES, EXAMPLES)
        init(self, *arguments, **{**options, 'max_examples': most})

    for path in (compile_contracts.CONTRACTS / 'build').glob('*.json'):
        code = bytes.fromhex(json.loads(path.read_text(encoding='utf-8'))['bytecode'])
        _Watched.creations[code] = f'{path.stem}.sol:{path.stem}'
    patch = pytest.MonkeyPatch()  # for good: this process only runs tests
    patch.setattr(solidity, 'compile_source', recorded)
    patch.setattr(hypothesis.settings, '__init__', few)
    patch.setattr(pyrevm, 'EVM', _Watched)
    patch.setattr(PyrevmEvm, 'dump', lambda self: self._evm.dump())
    patch.setitem(CancunComputation.opcodes, JUMPI, as_opcode(_jumpi, 'JUMPI', _GAS))


def pytest_unconfigure() -> None:
    """Hand over what was seen."""
    jumps = Counter[Jump]()
    for (code, pc, taken), count in _Watched.jumps.items():
        if _Watched.labels[code].contract:
            jumps[_Watched.labels[code], pc, taken] += count
    Path(os.environ[FOLDER], JUMPS).write_text(json.dumps(list(jumps.items())), encoding='utf-8')
