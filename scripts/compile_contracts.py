#!/usr/bin/env python3
"""
Compile contracts/*.sol with the solc that contracts/package-lock.json pins, into contracts/build/.

Needs node and npm; the compiler is installed into contracts/node_modules on the first call.
The artifacts are committed, so robots and their builds never run this.
"""

from __future__ import annotations

import json
from pathlib import Path
import shutil
import subprocess
import sys
from typing import Any

CONTRACTS = Path(__file__).resolve().parents[1] / 'contracts'
SETTINGS: dict[str, Any] = {
    'optimizer': {'enabled': True, 'runs': 200},
    'evmVersion': 'paris',  # runs on every EVM of today: pyrevm, py-evm, IOTA EVM
    'metadata': {'bytecodeHash': 'none'},  # the same source gives the same bytes anywhere
}


class CompileError(Exception):
    """The compiler is not there, or it refused the source."""


def solcjs() -> Path:
    """
    Find the pinned compiler, installing it if need be.

    :raises CompileError: without node or npm, or if it cannot be installed.
    """
    script = CONTRACTS / 'node_modules' / 'solc' / 'solc.js'
    if shutil.which('node') is None or shutil.which('npm') is None:
        raise CompileError('node and npm are needed to compile contracts; install nodejs')
    if not script.exists():
        done = subprocess.run(
            ['npm', 'ci', '--silent', '--no-audit', '--no-fund'],
            cwd=CONTRACTS,
            capture_output=True,
            text=True,
            timeout=300,
        )
        if done.returncode != 0:
            raise CompileError(f'npm ci in {CONTRACTS} failed: {done.stderr.strip()[-500:]}')
    return script


def compile_contract(name: str) -> str:
    """
    Compile one contract.

    :param name: of the file and of the contract in it.
    :returns: the artifact, JSON text.
    :raises CompileError: on errors, and on warnings too.
    """
    script = solcjs()
    source = f'{name}.sol'
    request = {
        'language': 'Solidity',
        'sources': {source: {'content': (CONTRACTS / source).read_text(encoding='utf-8')}},
        'settings': {
            **SETTINGS,
            'outputSelection': {source: {name: ['abi', 'evm.bytecode.object', 'metadata']}},
        },
    }
    done = subprocess.run(
        ['node', str(script), '--standard-json'],
        cwd=CONTRACTS,
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=120,
    )
    start = done.stdout.find('{')  # solcjs may print a line about SMT first
    if done.returncode != 0 or start < 0:
        raise CompileError(f'solc failed: {(done.stderr or done.stdout).strip()[-500:]}')
    answer = json.loads(done.stdout[start:])
    if answer.get('errors'):
        raise CompileError('\n'.join(item['formattedMessage'] for item in answer['errors']))
    contract = answer['contracts'][source][name]
    version = json.loads(contract['metadata'])['compiler']['version']
    artifact = {
        'contract': name,
        'compiler': f'solc {version}',
        'settings': SETTINGS,
        'abi': contract['abi'],
        'bytecode': contract['evm']['bytecode']['object'],
    }
    return json.dumps(artifact, indent=1) + '\n'


def main() -> int:
    """Compile every contract and write its artifact."""
    for path in sorted(CONTRACTS.glob('*.sol')):
        try:
            text = compile_contract(path.stem)
        except CompileError as error:
            print(error, file=sys.stderr)
            return 1
        target = CONTRACTS / 'build' / f'{path.stem}.json'
        target.parent.mkdir(exist_ok=True)
        target.write_text(text, encoding='utf-8')
        print(f'{path.name} -> {target.relative_to(CONTRACTS.parent)}: {len(text)} bytes')
    return 0


if __name__ == '__main__':
    sys.exit(main())
