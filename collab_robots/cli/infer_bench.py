"""What ``collab-robots infer bench`` compares: ways to name the same pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
import json
from pathlib import Path
import statistics
import subprocess
import sys
from typing import Any, TYPE_CHECKING

from collab_robots.cli.infer_common import busy

if TYPE_CHECKING:
    from collab_robots.inference.options import Option
    from collab_robots.inference.outfit import Outfit
    from collab_robots.inference.pictures import Rgb
    from collab_robots.inference.runtime.course import Chooser
    from collab_robots.nodes.infer_client import Client, Named

START_S = 30.0  # until a helper on this computer has measured its times and is heard
QUALITIES = (75, 90)


def compare(
    outfit: Outfit,
    model: str,
    profile: Path | None,
    pictures: Sequence[Rgb],
    slow: float,
    wait: float,
    elsewhere: bool,
) -> dict[str, Any]:
    """
    Name the pictures in every way.

    :param elsewhere: helpers are on other computers, or none: start none here.
    :returns: who helped, and the figures of each way.
    """
    from collab_robots.nodes.infer_client import Client

    with closing(Client(outfit, 'bench', slow)) as client:
        with busy('Looking for helpers'):
            client.look_for_helpers(wait)
        with _helper(client, model, profile, elsewhere):
            ways = _ways(outfit, client)
            rows = {}
            for name, choose in ways.items():
                client.choose = choose
                with busy(f'{name}: {len(pictures)} pictures'):
                    client.name_picture(pictures[0])  # the first one of its kind loads the stages
                    rows[name] = [client.name_picture(rgb) for rgb in pictures]
            return {
                'pictures': len(pictures),
                'helpers': client.helpers,
                'ways': [_figures(name, named, rows['alone']) for name, named in rows.items()],
            }


def tell(result: dict[str, Any], as_json: bool) -> None:
    """Print the comparison."""
    import typer

    if as_json:
        typer.echo(json.dumps(result, indent=2))
        return
    from rich.console import Console
    from rich.table import Column, Table

    heads = ('median ms', 'p95 ms', 'bytes', 'helped', 'as the whole model')
    table = Table('', *(Column(head, justify='right') for head in heads), box=None)
    for row in result['ways']:
        table.add_row(
            row['way'],
            f'{row["median_ms"]:.1f}',
            f'{row["p95_ms"]:.1f}',
            f'{row["bytes"]:,.0f}',
            f'{100 * row["helped"]:.0f} %',
            f'{100 * row["agreement"]:.0f} %',
        )
    helpers = ', '.join(result['helpers']) or 'nobody'
    Console().print(f'{result["pictures"]} pictures; helpers: {helpers}')
    Console().print(table)


@contextmanager
def _helper(client: Client, model: str, profile: Path | None, elsewhere: bool) -> Iterator[None]:
    """Start a helper on this computer if nobody helps."""
    if client.helpers or elsewhere:
        yield
        return
    command = [sys.executable, '-m', 'collab_robots.cli', 'infer', 'serve', model]
    command += ['--profile', str(profile)] if profile else []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            with busy('Starting a helper on this computer'):
                client.look_for_helpers(START_S)
            yield
        finally:
            process.terminate()


def _ways(outfit: Outfit, client: Client) -> dict[str, Chooser]:
    from collab_robots.inference.options import Kind, LOCAL, Option

    last = outfit.engine.last
    ways = {'alone': _always(LOCAL, '', last)}
    if client.helpers:
        for quality in QUALITIES:
            option = Option(Kind.JPEG, quality=quality)
            if option in outfit.sheet.rows:
                ways[f'JPEG {quality}'] = _always(option, client.helpers[0], last)
    return ways | {'planned': client.choose}


def _always(option: Option, helper: str, last: int) -> Chooser:
    """Return what does the same with every picture."""
    from collab_robots.inference.runtime.course import ANSWER_BITS, Course
    from collab_robots.inference.runtime.messages import Hop

    course = Course(option, (Hop(helper, last, ANSWER_BITS),) if helper else ())
    return lambda own, helpers: course


def _figures(name: str, named: list[Named], alone: list[Named]) -> dict[str, Any]:
    import numpy as np

    seconds = [one.answer.trace.seconds for one in named]
    same = [
        one.named and one.top()[0][0] == other.top()[0][0]
        for one, other in zip(named, alone, strict=True)
    ]
    return {
        'way': name,
        'median_ms': round(1e3 * statistics.median(seconds), 3),
        'p95_ms': round(1e3 * float(np.quantile(seconds, 0.95)), 3),
        'bytes': statistics.mean(one.answer.trace.sent_bytes for one in named),
        'helped': statistics.mean(bool(one.answer.trace.route) for one in named),
        'agreement': statistics.mean(same),
    }
