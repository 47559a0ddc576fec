"""The scripts that measure and analyse contracts."""

import json
import os
from pathlib import Path
import subprocess
import sys

from solidity import built

ROOT = Path(__file__).resolve().parents[2]


def run(script, *arguments, said=''):
    return subprocess.run(
        [sys.executable, str(ROOT / 'scripts' / script), *arguments],
        cwd=ROOT,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        input=said,
        capture_output=True,
        text=True,
        timeout=110,
    )


def test_coverage_tells_what_a_test_takes_and_what_it_does_not():
    source = (ROOT / 'contracts' / 'Models.sol').read_text(encoding='utf-8').splitlines()
    condition = 'if (part.model == 0 || part.digest == 0'
    (line,) = (number for number, text in enumerate(source, 1) if condition in text)
    tests = 'test/core/test_models_contract.py'
    done = run('solidity_coverage.py', tests, '-k', 'test_a_bad_part_cannot_be_registered')
    assert done.returncode == 1, done.stdout + done.stderr
    told = done.stdout.splitlines()
    assert '3 passed' in done.stdout
    about = [text for text in told if f'Models.sol:{line}: {condition}' in text]
    assert len(about) == 1 and about[0].startswith('never: condition is false: ')
    calls = {text.partition(': ')[2].partition('(')[0] for text in told if 'never called' in text}
    assert {'Models.offer', 'Models.audit', 'Models.servers'} <= calls
    assert not {'Models.permit', 'Fleet.indexOf'} & calls


def test_the_analyser_gets_the_pinned_compiler():
    version = run('analyse_contracts.py', '--as-solc', '--version').stdout
    assert version == 'Version: 0.8.37\n'
    settings = {'outputSelection': {'*': {'Models': ['evm.bytecode.object']}}}
    request = {
        'language': 'Solidity',
        'sources': {'contracts/Models.sol': {'urls': ['contracts/Models.sol']}},
        'settings': {**settings, 'optimizer': {'enabled': False}},
    }
    said = json.dumps(request)
    answer = json.loads(
        run('analyse_contracts.py', '--as-solc', '--standard-json', said=said).stdout
    )
    code = answer['contracts']['contracts/Models.sol']['Models']['evm']['bytecode']['object']
    assert bytes.fromhex(code) == built('Models').bytecode
