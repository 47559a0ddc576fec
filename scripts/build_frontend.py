#!/usr/bin/env python3
"""
Build the web pages of ``collab-robots ledger web`` into collab_robots/explorer/web/static/.

The sources are frontend/, with the packages that frontend/package-lock.json pins. Called by
the set-up and by the build of a wheel, which go on without the pages where it fails: without node
and npm, or without their registry. Nothing is done when what was built is newer than all sources,
unless ``--force`` is given. Exit status 1 if the pages are not there.
"""

from __future__ import annotations

from pathlib import Path
import shutil
import subprocess
import sys

ROOT = Path(__file__).resolve().parents[1]
FRONTEND = ROOT / 'frontend'
BUILT = ROOT / 'collab_robots' / 'explorer' / 'web' / 'static' / 'index.html'
PARTS = ('src', 'public', 'index.html', 'package-lock.json', 'tsconfig.json', 'vite.config.ts')
SOURCES = tuple(FRONTEND / part for part in PARTS)
WITHOUT = (
    'No web pages: {}. `collab-robots ledger web` will serve its REST API only, and all else '
    'works. To have them later: python scripts/build_frontend.py'
)


class BuildError(Exception):
    """The pages cannot be built; the message says why."""


def up_to_date() -> bool:
    """Say whether what was built is newer than all sources."""
    if not BUILT.is_file():
        return False
    files = [file for part in SOURCES for file in (part, *part.rglob('*')) if file.is_file()]
    return BUILT.stat().st_mtime > max(file.stat().st_mtime for file in files)


def run(*command: str) -> str:
    """
    Run a command in frontend/, and return what it says.

    :raises BuildError: if it fails, with the end of what it says.
    """
    done = subprocess.run(
        command, cwd=FRONTEND, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        raise BuildError(f'{" ".join(command)} failed: {done.stdout.strip()[-800:]}')
    return done.stdout


def build() -> None:
    """
    Build the pages.

    :raises BuildError: without node and npm, without their packages, or if a source is wrong.
    """
    missing = [name for name in ('node', 'npm') if shutil.which(name) is None]
    if missing:
        raise BuildError(f'{" and ".join(missing)} is not installed')
    run('npm', 'ci', '--no-audit', '--no-fund', '--engine-strict')
    run('npm', 'run', 'build')


def main(arguments: list[str]) -> int:
    """Build the pages if need be."""
    if up_to_date() and '--force' not in arguments:
        return 0
    try:
        build()
    except BuildError as error:
        print(WITHOUT.format(error))
        return 1
    print(f'Web pages: {BUILT.parent.relative_to(ROOT)}')
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
