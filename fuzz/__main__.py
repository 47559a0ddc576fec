"""Run one target under atheris (libFuzzer), guided by coverage."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
import sys

import atheris

with atheris.instrument_imports(
    include=['collab_robots', 'cbor2', 'json'], enable_loader_override=False
):
    from fuzz.targets import CORPUS, TARGETS, try_out


def main() -> None:
    """Fuzz until the time is over or a fault is found; the input is then written to a file."""
    parser = argparse.ArgumentParser(prog='python -m fuzz', description=__doc__)
    parser.add_argument('target', choices=sorted(TARGETS))
    parser.add_argument('--seconds', type=int, default=600, help='at most; default 600')
    parser.add_argument(
        '--work', type=Path, default=Path('runs/fuzz'), help='folder for what is found'
    )
    parser.add_argument('--seed', type=int, default=1)
    options, more = parser.parse_known_args()
    found = options.work / options.target
    found.mkdir(parents=True, exist_ok=True)
    arguments = [
        sys.argv[0],
        str(found),
        str(CORPUS / options.target),
        f'-max_total_time={options.seconds}',
        f'-seed={options.seed}',
        f'-artifact_prefix={options.work}/{options.target}-',
        '-timeout=10',
        '-rss_limit_mb=2048',
        '-max_len=40000',
        '-print_final_stats=1',
        *more,
    ]

    def one_input(data: bytes) -> None:
        try_out(options.target, data)

    logging.disable(logging.CRITICAL)  # millions of refusals are expected here
    atheris.Setup(arguments, one_input)
    atheris.Fuzz()


if __name__ == '__main__':
    main()
