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
import tempfile
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


def compile_contracts() -> dict[str, str]:
    """
    Compile the contracts that lie in contracts/, with what they import from contracts/lib/.

    :returns: by name, of the file and of the contract in it: the artifact, JSON text.
    :raises CompileError: on errors, and on warnings too.
    """
    selection = {
        path.name: {path.stem: ['abi', 'evm.bytecode.object', 'metadata']}
        for path in CONTRACTS.glob('*.sol')
    }
    answer = run_solc(
        {
            'language': 'Solidity',
            'sources': sources(),
            'settings': {**SETTINGS, 'outputSelection': selection},
        }
    )
    return {
        name: _artifact(name, contract)
        for found in answer['contracts'].values()
        for name, contract in found.items()
    }


def sources() -> dict[str, dict[str, str]]:
    """Return contracts/*.sol and contracts/lib/*.sol as the compiler wants them."""
    paths = [*CONTRACTS.glob('*.sol'), *CONTRACTS.glob('lib/*.sol')]
    return {
        path.relative_to(CONTRACTS).as_posix(): {'content': path.read_text(encoding='utf-8')}
        for path in sorted(paths)
    }


def run_solc(request: dict[str, Any]) -> dict[str, Any]:
    """
    Give a standard JSON request to the compiler.

    :raises CompileError: on errors, and on warnings too.
    """
    script = solcjs()
    with (  # solcjs would give up on a full pipe, and cut off what it writes to one
        tempfile.TemporaryFile('w+', encoding='utf-8') as asked,
        tempfile.TemporaryFile('w+', encoding='utf-8') as told,
    ):
        json.dump(request, asked)
        asked.seek(0)
        done = subprocess.run(
            ['node', str(script), '--standard-json'],
            cwd=CONTRACTS,
            stdin=asked,
            stdout=told,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
        told.seek(0)
        output = told.read()
    start = output.find('{')  # solcjs may print a line about SMT first
    if done.returncode != 0 or start < 0:
        raise CompileError(f'solc failed: {(done.stderr or output).strip()[-500:]}')
    answer: dict[str, Any] = json.loads(output[start:])
    if answer.get('errors'):
        raise CompileError('\n'.join(item['formattedMessage'] for item in answer['errors']))
    return answer


def _artifact(name: str, contract: dict[str, Any]) -> str:
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
    try:
        artifacts = compile_contracts()
    except CompileError as error:
        print(error, file=sys.stderr)
        return 1
    for name, text in sorted(artifacts.items()):
        target = CONTRACTS / 'build' / f'{name}.json'
        target.parent.mkdir(exist_ok=True)
        target.write_text(text, encoding='utf-8')
        code = len(json.loads(text)['bytecode']) // 2
        print(f'{name}.sol -> {target.relative_to(CONTRACTS.parent)}: {code} bytes of code')
    return 0


if __name__ == '__main__':
    sys.exit(main())
