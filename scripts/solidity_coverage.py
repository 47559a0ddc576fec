#!/usr/bin/env python3
"""
Measure which branches of contracts/*.sol the tests take, in the bytecode that robots run.

It runs the tests that deploy contracts (``test/core/solidity.py``) in py-evm, notes the outcome of
every conditional jump, and finds the place in the source by the compiler's source map. A branch of
the source (``if``, ``?:``, ``&&``, ``||``, a loop's condition) has two outcomes; one is covered
when some test took it. Jumps that the compiler adds by itself are counted apart.

Usage: ``python scripts/solidity_coverage.py [arguments for pytest]``. Exit status 1 if an outcome
of the source was not taken. The watching is done by :mod:`watch_jumps`.
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
        wanted = [f'evm.{code}.{what}' for code in _KINDS for what in _WANTED]
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

    def places(self, code: Code) -> dict[int, Place]:
        """Return where the conditional jumps of a code come from, by pc."""
        path, _, name = code.contract.partition(':')
        found = self._answer['contracts'][path][name]['evm'][_KINDS[not code.creation]]
        generated = {item['id']: item['contents'] for item in found['generatedSources']}
        entries = _entries(found['sourceMap'])
        raw = re.sub('__.{38}', '0' * 40, found['object'])  # addresses of libraries
        places = {}
        for (pc, op), (start, length, index) in zip(
            _instructions(bytes.fromhex(raw)), entries, strict=False
        ):
            if op != JUMPI:
                continue
            if index in generated:
                places[pc] = Place(_function(generated[index], start), -1, 0)
            else:
                places[pc] = Place(self._paths.get(index, '?'), start, length)
        return places

    def branches(self) -> dict[Place, str]:
        """Return the branches of all contracts and libraries, with their kind."""
        return {
            place: node['nodeType'] if node['nodeType'] in _BRANCHES else node['operator']
            for place, node in self.nodes.items()
            if (node['nodeType'] in _BRANCHES and node.get('condition', 1))
            or (node['nodeType'] == 'BinaryOperation' and node['operator'] in ('&&', '||'))
        }

    def words(self, place: Place) -> str:
        """Return line and text of a place."""
        text = self.text[place.source]
        line = text.count(b'\n', 0, place.start) + 1
        said = ' '.join(text[place.start : place.start + place.length].decode().split())
        return f'{place.source}:{line}: {said:.70}'


_KINDS = ('bytecode', 'deployedBytecode')
_WANTED = ('object', 'sourceMap', 'generatedSources')


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
    (r'checked_|increment_|decrement_|negate_', 'numbers do not overflow'),
    (r'array_|copy_|clear_|mapping_|convert_|storage', 'copying and clearing of arrays'),
    (r'ContractDefinition', 'finding the function of a call'),
    (r'FunctionDefinition|VariableDeclaration', 'no ether comes with a call'),
    (r'IndexAccess', 'an index is inside its array'),
    (r'FunctionCall', 'a called contract is there and answers; a number is one of its enum'),
    (r'', 'other'),
)


def main(arguments: list[str]) -> int:
    """Run the tests and print what they covered."""
    with tempfile.TemporaryDirectory() as folder:
        status, jumps = run_tests(arguments or tests(), folder)
        extra = {
            path.name: path.read_text(encoding='utf-8') for path in Path(folder).glob('*.sol')
        }
    if status:
        return status
    sources = Sources(extra)
    covered: set[tuple[Place, bool]] = set()
    made: dict[str, Counter[bool]] = defaultdict(Counter)  # by reason: whether taken
    own = {Code(f'{path}:{Path(path).stem}', new) for path in sources.own for new in (True, False)}
    branches, present = sources.branches(), set()
    for code in own | {code for code, _, _ in jumps}:
        if code.contract.startswith('lib/'):
            continue
        for pc, place in sources.places(code).items():
            outcomes = {taken for taken in (True, False) if jumps[code, pc, taken]}
            if place in branches:
                present.add(place)
                covered |= {(place, taken) for taken in outcomes}
            elif code in own:
                node = sources.nodes.get(place)
                name = node['nodeType'] if node else place.source
                reason = next(words for form, words in _REASONS if re.search(form, name))
                made[reason][True] += len(outcomes)
                made[reason][False] += 2 - len(outcomes)
    report(sources, {place: branches[place] for place in present}, covered, made)
    return int(len(covered) < 2 * len(present))


def report(
    sources: Sources,
    branches: dict[Place, str],
    covered: set[tuple[Place, bool]],
    made: dict[str, Counter[bool]],
) -> None:
    """Print tables, and each outcome that no test took."""
    print(f'\n{"source":24}{"outcomes":>10}{"covered":>10}')
    for path in [*sources.own, '']:
        mine = {place for place in branches if path in ('', place.source)}
        taken = sum(place in mine for place, _ in covered)
        if mine:
            print(
                f'{path or "all":24}{2 * len(mine):>10}{taken:>10}{taken / len(mine) / 2:>10.1%}'
            )
    for place, kind in sorted(branches.items()):
        for jumped in (True, False):
            if (place, jumped) not in covered:
                # `a || b` jumps over b when a is true; all others jump when it is false.
                truth = str(jumped == (kind == '||')).lower()
                what = f'left side of {kind}' if kind in ('&&', '||') else 'condition'
                print(f'never taken: {what} is {truth}: {sources.words(place)}')
    print(f'\n{"what the compiler adds, to see that":64}{"outcomes":>10}{"covered":>10}')
    for reason, counts in sorted(made.items()):
        print(f'{reason:64}{counts.total():>10}{counts[True]:>10}')


def tests() -> list[str]:
    """Return the tests that deploy contracts: those that import the helper, or one that does."""
    texts = {path: path.read_text(encoding='utf-8') for path in sorted(TESTS.glob('*.py'))}
    found, names = set[Path](), {'solidity'}
    while names:
        form = re.compile(rf'^(?:from|import) (?:{"|".join(names)})\b', re.MULTILINE)
        new = {path for path, text in texts.items() if form.search(text)} - found
        found |= new
        names = {path.stem for path in new}
    return [str(path) for path in sorted(found) if path.name.startswith('test_')]


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
