"""The committed artifact is what the pinned compiler makes of the committed source."""

import importlib.util
from pathlib import Path
import subprocess

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_the_artifact_is_reproducible():
    spec = importlib.util.spec_from_file_location(
        'compile_contracts', ROOT / 'scripts' / 'compile_contracts.py'
    )
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    try:
        script.solcjs()
    except (script.CompileError, OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(f'no compiler here: {error}')
    for name, artifact in script.compile_contracts().items():
        committed = ROOT / 'contracts' / 'build' / f'{name}.json'
        # equal byte for byte: compile again after every change of the source
        assert artifact == committed.read_text(encoding='utf-8')
