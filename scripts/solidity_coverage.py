#!/usr/bin/env python3
"""
Measure which branches of contracts/*.sol the tests take, in the bytecode that robots run.

It runs the tests that deploy contracts (``test/core/solidity.py``) in py-evm, notes the outcome of
every conditional jump, and finds the place in the source by the compiler's source map. A branch of
the source (``if``, ``?:``, ``&&``, ``||``, a loop's condition) has two outcomes; one is covered
when some test took it. Jumps that the compiler adds by itself are counted apart.

Usage: ``python scripts/solidity_coverage.py [arguments for pytest]``; by default it runs the tests
of each contract alone. Exit status 1 if an outcome of the source was not taken, or a function not
called. The watching is done by :mod:`watch_jumps`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
import json
import os
from pathlib import Path
import re
import subprocess
import sys
import tempfile
from typing import Any, NamedTuple

import compile_contracts
from watch_jumps import Code, FOLDER, Jump, JUMPI, JUMPS, TESTS

ROOT = compile_contracts.CONTRACTS.parent
_TESTS = (
    'anchor_contract',
    'maps_contract',
    'models_contract',
    'roster_contract',
    'tasks_contract',
    'tasks_assign',
    'solidity_suite',
)
_SLOW = 'gas or limit'  # worst cases take many steps, and no other branches
_BRANCHES = ('IfStatement', 'Conditional', 'ForStatement', 'WhileStatement', 'DoWhileStatement')


class Place(NamedTuple):
    """
    Where a jump comes from.

    :param source: path of the source, or why there is none.
    :param start: byte in the source.
    """

    source: str
    start: int
    length: int


def run_tests(arguments: Sequence[str], folder: str) -> tuple[int, Counter[Jump]]:
    """
    Run pytest, and count the outcomes of all conditional jumps.

    :param folder: gets the sources that tests compile.
    :returns: pytest's exit status, and the jumps.
    """
    path = os.pathsep.join([str(ROOT / 'scripts'), str(ROOT)])
    options = ['-q', '-p', 'watch_jumps', '-o', 'timeout=0']
    status = subprocess.run(
        [sys.executable, '-m', 'pytest', *options, *arguments],
        cwd=ROOT,
        env={**os.environ, FOLDER: folder, 'PYTHONPATH': path},
    ).returncode
    found = json.loads(Path(folder, JUMPS).read_text(encoding='utf-8'))
    return status, Counter({(Code(*code), pc, taken): n for (code, pc, taken), n in found})


# ---------------------------------------------------------------------- the sources


class Sources:
    """
    What the compiler knows about sources: where in them each conditional jump comes from.

    :param extra: sources beside contracts/, by path; of these, what they import is measured.
    """

    def __init__(self, extra: dict[str, str]) -> None:
        sources = compile_contracts.sources()
        self.own = sorted(sources)
        sources |= {path: {'content': text} for path, text in extra.items()}
        wanted = ['evm.methodIdentifiers']
        wanted += [f'evm.{code}.{what}' for code in _KINDS for what in _WANTED]
        self._answer = compile_contracts.run_solc(
            {
                'language': 'Solidity',
                'sources': sources,
                'settings': {
                    **compile_contracts.SETTINGS,
                    'outputSelection': {'*': {'*': wanted, '': ['ast']}},
                },
            }
        )
        self.text = {path: item['content'].encode() for path, item in sources.items()}
        self._paths = {item['id']: path for path, item in self._answer['sources'].items()}
        self.nodes: dict[Place, dict[str, Any]] = {}
        """The innermost node of the syntax tree at each place."""
        for path in self.own:
            for node in _walk(self._answer['sources'][path]['ast']):
                start, length, _ = map(int, node['src'].split(':'))
                self.nodes[Place(path, start, length)] = node
        self.branches = {
            place: node['nodeType'] if node['nodeType'] in _BRANCHES else node['operator']
            for place, node in self.nodes.items()
            if (node['nodeType'] in _BRANCHES and node.get('condition', 1))
            or (node['nodeType'] == 'BinaryOperation' and node['operator'] in ('&&', '||'))
        }
        """The branches of all contracts and libraries, with their kinds."""

    def places(self, code: Code) -> dict[int, Place]:
        """Return where the conditional jumps of a code come from, by pc."""
        found = self._compiled(code)
        generated = {item['id']: item['contents'] for item in found['generatedSources']}
        entries = _entries(found['sourceMap'])
        places = {}
        for (pc, op), (start, length, index) in zip(
            _instructions(bytes.fromhex(found['object'])), entries, strict=False
        ):
            if op != JUMPI:
                continue
            if index in generated:
                places[pc] = Place(_function(generated[index], start), -1, 0)
            else:
                places[pc] = Place(self._paths.get(index, '?'), start, length)
        return places

    def functions(self, code: Code) -> dict[int, str]:
        """Return the functions that can be called, by the pc of the jump to each."""
        path, _, name = code.contract.partition(':')
        selectors = self._answer['contracts'][path][name]['evm']['methodIdentifiers']
        names = {bytes.fromhex(selector): function for function, selector in selectors.items()}
        raw = bytes.fromhex(self._compiled(code)['object'])
        return {
            match.end() - 1: f'{name}.{names[match[1]]}'
            for match in _SELECT.finditer(raw)
            if match[1] in names
        }

    def _compiled(self, code: Code) -> dict[str, Any]:
        path, _, name = code.contract.partition(':')
        found: dict[str, Any] = self._answer['contracts'][path][name]['evm']
        compiled: dict[str, Any] = found['bytecode' if code.creation else 'deployedBytecode']
        return compiled

    def words(self, place: Place) -> str:
        """Return line and text of a place."""
        text = self.text[place.source]
        line = text.count(b'\n', 0, place.start) + 1
        said = ' '.join(text[place.start : place.start + place.length].decode().split())
        return f'{place.source}:{line}: {said:.70}'


_KINDS = ('bytecode', 'deployedBytecode')
_WANTED = ('object', 'sourceMap', 'generatedSources')
_SELECT = re.compile(rb'\x63(.{4})\x14\x61..\x57', re.DOTALL)  # PUSH4 EQ PUSH2 JUMPI


def _walk(node: Any) -> Iterator[dict[str, Any]]:
    """Yield a syntax tree's nodes, each before those inside it."""
    if isinstance(node, dict):
        if 'nodeType' in node and 'src' in node:
            yield node
        for value in node.values():
            yield from _walk(value)
    elif isinstance(node, list):
        for item in node:
            yield from _walk(item)


def _entries(source_map: str) -> Iterator[tuple[int, int, int]]:
    """Decompress a source map: start, length and source of each instruction."""
    last = ['0', '0', '0']
    for item in source_map.split(';'):
        for field, value in enumerate(item.split(':')[:3]):
            last[field] = value or last[field]
        yield int(last[0]), int(last[1]), int(last[2])


def _instructions(code: bytes) -> Iterator[tuple[int, int]]:
    """Yield pc and opcode of each instruction."""
    pc = 0
    while pc < len(code):
        yield pc, code[pc]
        pc += 1 + max(0, code[pc] - 0x5F if code[pc] < 0x80 else 0)


def _function(yul: str, start: int) -> str:
    """Return the name of the function around a place in what the compiler wrote itself."""
    found = [(match.start(), match[1]) for match in re.finditer(r'function (\w+)', yul)]
    at = bisect_right(found, (start, '~'))
    return found[at - 1][1] if at else '?'


# ---------------------------------------------------------------------- the report

# Jumps that no line of the source asks for: the first pattern that fits what the compiler's own
# function, or the node of the syntax tree, is called.
_REASONS = (
    (r'abi_|validator_|calldata|allocate_memory', 'arguments and results have the right form'),
    (r'checked_|increment_|decrement_|negate_|mod_', 'numbers do not overflow'),
    (r'array_|copy_|clear_|storage', 'arrays are copied whole'),
    (r'ContractDefinition', 'a call is one of a function'),
    (r'FunctionDefinition', 'no ether comes with a call'),
    (r'IndexAccess', 'an index is inside its array'),
    (r'FunctionCall', 'the other contract is there and answers'),
    (r'', 'a number is one of its enum, an array fits into memory'),
)


def main(arguments: list[str]) -> int:
    """Run the tests and print what they covered."""
    default = [*(f'{TESTS}/test_{name}.py' for name in _TESTS), '-k', f'not ({_SLOW})']
    with tempfile.TemporaryDirectory() as folder:
        status, jumps = run_tests(arguments or default, folder)
        texts = {path.name: path.read_text('utf-8') for path in Path(folder).glob('*.sol')}
    if status:
        return status
    sources = Sources(texts)
    own = {
        Code(f'{path}:{Path(path).stem}', creation)
        for path in sources.own
        if not path.startswith('lib/')
        for creation in (True, False)
    }
    covered: set[tuple[Place, bool]] = set()
    present: set[Place] = set()
    added: dict[str, Counter[bool]] = defaultdict(Counter)  # by reason: whether taken
    for code in own | {code for code, _, _ in jumps}:
        for pc, place in sources.places(code).items():
            outcomes = {jumped for jumped in (True, False) if jumps[code, pc, jumped]}
            if place in sources.branches:
                present.add(place)
                covered |= {(place, jumped) for jumped in outcomes}
            elif code in own:
                node = sources.nodes.get(place)
                name = node['nodeType'] if node else place.source
                reason = next(words for form, words in _REASONS if re.search(form, name))
                added[reason][True] += len(outcomes)
                added[reason][False] += 2 - len(outcomes)
    report(sources, present, covered)
    silent = [
        name
        for code in sorted(own)
        if not code.creation
        for pc, name in sources.functions(code).items()
        if not jumps[code, pc, True]
    ]
    for name in silent:
        print(f'never called: {name}')
    print(f'\n{"what the compiler adds, to see that":56}{"outcomes":>10}{"covered":>10}')
    for reason, counts in sorted(added.items()):
        print(f'{reason:56}{counts.total():>10}{counts[True]:>10}')
    return int(len(covered) < 2 * len(present) or bool(silent))


def report(sources: Sources, present: set[Place], covered: set[tuple[Place, bool]]) -> None:
    """Print a table, and each outcome that no test took."""
    print(f'\n{"source":24}{"outcomes":>10}{"covered":>10}')
    for path in [*sources.own, '']:
        mine = {place for place in present if path in ('', place.source)}
        taken = sum(place in mine for place, _ in covered)
        if mine:
            share = taken / len(mine) / 2
            print(f'{path or "all":24}{2 * len(mine):>10}{taken:>10}{share:>8.1%}')
    for place, kind in sorted(sources.branches.items()):
        if place not in present:
            print(f'always the same, so without a jump: {sources.words(place)}')
        for jumped in (True, False):
            if place in present and (place, jumped) not in covered:
                # `a || b` jumps over b when a is true; all others jump when it is false.
                truth = str(jumped == (kind == '||')).lower()
                what = f'left side of {kind}' if kind in ('&&', '||') else 'condition'
                print(f'never: {what} is {truth}: {sources.words(place)}')


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
