#!/usr/bin/env python3
"""
Look for known kinds of mistakes in contracts/*.sol with slither. Exit status 1 if it finds any.

Slither wants other versions of libraries than ours, so it gets a virtual environment of its own,
build/slither; and it knows solc as a program only, so this script stands in for that program and
asks the compiler that contracts/package-lock.json pins. What it shall not report is listed in
contracts/slither.config.json, each with its reason in docs/contracts.md.
"""

from __future__ import annotations

import json
from pathlib import Path
import shlex
import subprocess
import sys
import tempfile
from typing import Any

import compile_contracts

SLITHER = 'slither-analyzer==0.11.6'
ROOT = compile_contracts.CONTRACTS.parent
ENVIRONMENT = ROOT / 'build' / 'slither'
CONFIGURATION = compile_contracts.CONTRACTS / 'slither.config.json'
AS_SOLC = '--as-solc'


def slither() -> Path:
    """
    Return slither, installing it if need be.

    :raises subprocess.CalledProcessError: if it cannot be installed.
    """
    installed = ENVIRONMENT / SLITHER
    if not installed.exists():
        subprocess.run([sys.executable, '-m', 'venv', '--clear', str(ENVIRONMENT)], check=True)
        pip = [str(ENVIRONMENT / 'bin' / 'python'), '-m', 'pip', 'install', '--quiet', SLITHER]
        subprocess.run(pip, check=True)
        installed.touch()
    return ENVIRONMENT / 'bin' / 'slither'


def solc(arguments: list[str]) -> None:
    """Do what solc would, as far as slither asks: say the version, or answer a JSON request."""
    if '--version' in arguments:
        package = compile_contracts.CONTRACTS / 'package.json'
        print(f'Version: {json.loads(package.read_text("utf-8"))["devDependencies"]["solc"]}')
        return
    request: dict[str, Any] = json.load(sys.stdin)
    folder = compile_contracts.CONTRACTS.name
    request['sources'] = {
        f'{folder}/{path}': content for path, content in compile_contracts.sources().items()
    }
    request['settings'] |= compile_contracts.SETTINGS
    print(json.dumps(compile_contracts.run_solc(request)))


def main(arguments: list[str]) -> int:
    """Run slither on all contracts."""
    if AS_SOLC in arguments:
        solc(arguments)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, 'solc')
        command = shlex.join([sys.executable, str(Path(__file__).resolve()), AS_SOLC])
        program.write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding='utf-8')
        program.chmod(0o755)
        options = ['--solc-standard-json', '--solc', str(program)]
        options += ['--config-file', str(CONFIGURATION), *arguments]
        target = compile_contracts.CONTRACTS.name
        done = subprocess.run([str(slither()), target, *options], cwd=ROOT)
    return int(done.returncode != 0)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
