"""``collab-robots infer profile`` and ``plan``: what options cost here, and which one to take."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
import json
from pathlib import Path
from typing import Annotated, TYPE_CHECKING

import typer

from collab_robots.cli.common import plain_errors
from collab_robots.cli.infer_common import (
    busy,
    ImagesArgument,
    JsonOption,
    load_model,
    load_outfit,
    ModelArgument,
    profile_folder,
    ProfileOption,
    progress,
    read_good_pictures,
    SlowOption,
)

if TYPE_CHECKING:
    from collab_robots.inference.planner import Plan

HELPER = 'helper'
RATES = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)  # Mbit/s


class Goal(str, Enum):
    """What a plan is to be good at."""

    LATENCY = 'latency'
    ENERGY = 'energy'
    THROUGHPUT = 'throughput'


def profile(
    model: ModelArgument,
    images: ImagesArgument,
    labels: Annotated[
        Path | None,
        typer.Option(
            help='Table (CSV) with the columns file and class_index; without one, an answer is '
            'right if it is the whole model’s.'
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help='Folder for the figures.', show_default='MODEL.profile'),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """
    Measure a model: bytes and accuracy of every option with pictures, times of every piece.

    Bytes and accuracy are the same on all robots. Times are of this computer; robots keep theirs
    fresh while they work. Takes a second or two a picture.
    """
    with plain_errors():
        from collab_robots.core.errors import ConfigError
        from collab_robots.inference.album import labelled
        from collab_robots.inference.model import save
        from collab_robots.inference.outfit import load_trained, TIMES_FILE
        from collab_robots.inference.profile.measure import measure_sheet
        from collab_robots.inference.profile.sheet import SHEET_FILE

        folder = profile_folder(model, out)
        if folder is None:
            raise ConfigError('name a folder with --out: the default belongs to the package')
        network = load_model(model)
        pictures = read_good_pictures(images)
        right = None
        if labels is not None:
            known = {path.name: label for path, label in labelled(labels)}
            pictures = {path: rgb for path, rgb in pictures.items() if path.name in known}
            right = [known[path.name] for path in pictures]
            if not pictures:
                raise ConfigError(f'{labels}: lists none of these pictures')
        rgbs = list(pictures.values())
        with progress('Measuring', len(rgbs)) as told:
            sheet = measure_sheet(network, *load_trained(network), rgbs, right, told)
        save(sheet.dump().encode(), folder / SHEET_FILE)
        (folder / TIMES_FILE).unlink(missing_ok=True)
        whole_ms = 1e3 * load_outfit(model, folder, 1.0).engine.times.whole
        if as_json:
            summary = {
                'folder': str(folder),
                'pictures': sheet.pictures,
                'options': len(sheet.rows),
                'whole_ms': round(whole_ms, 3),
            }
            typer.echo(json.dumps(summary, indent=2))
        else:
            typer.echo(
                f'{folder}: {len(sheet.rows)} options of {sheet.pictures} pictures; the whole '
                f'model takes {whole_ms:.1f} ms here'
            )


def plan(
    model: ModelArgument,
    rate: Annotated[
        list[float] | None,
        typer.Option(
            min=0.001,
            max=1e5,
            help='Of the link, Mbit/s; repeatable.',
            show_default=', '.join(f'{rate:g}' for rate in RATES),
        ),
    ] = None,
    delay: Annotated[
        float, typer.Option(min=0.0, max=1000.0, help='Of the link, both ways, ms.')
    ] = 2.0,
    queue: Annotated[
        float, typer.Option(min=0.0, max=1e5, help='What waits at the helper already, ms.')
    ] = 0.0,
    slow: SlowOption = 1.0,
    goal: Annotated[Goal, typer.Option('--objective', help='What counts.')] = Goal.LATENCY,
    max_loss: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            help='Share of the pictures that may be named wrong beyond those of the whole model.',
        ),
    ] = 0.01,
    deadline: Annotated[
        float | None, typer.Option(min=0.1, help='Until the answer must be there, ms.')
    ] = None,
    profile: ProfileOption = None,
    why: Annotated[
        bool, typer.Option('--why', help='Explain: what else there was, what would change it.')
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """
    Say what a robot would do with a frame, with a helper that is as fast as this computer.

    Robots plan anew for every frame, with the link, the queues and the times that they measure.
    """
    with plain_errors():
        from dataclasses import asdict, replace
        import math
        import time

        from collab_robots.core.clock import SteadyClock
        from collab_robots.inference.planner import (
            ENERGY,
            HelperState,
            LATENCY,
            Planner,
            THROUGHPUT,
        )
        from collab_robots.inference.profile.link import LinkEstimate

        outfit = load_outfit(model, profile, 1.0)
        here = outfit.engine.times
        own = here.like(slow * here.whole)
        with busy('Measuring power'):
            energy = outfit.energy(SteadyClock(), time.sleep)
        goals = {Goal.LATENCY: LATENCY, Goal.ENERGY: ENERGY, Goal.THROUGHPUT: THROUGHPUT}
        objective = replace(
            goals[goal],
            max_loss=max_loss,
            deadline_s=math.inf if deadline is None else deadline / 1e3,
        )
        rows = []
        for mbit in rate or RATES:
            helper = HelperState(HELPER, LinkEstimate(mbit * 1e6, delay / 1e3), queue / 1e3, here)
            rows.append((mbit, Planner(energy).plan(own, outfit.sheet, [helper], objective)))
        if as_json:
            typer.echo(
                json.dumps(
                    [
                        {
                            'rate_mbit': mbit,
                            **asdict(found.chosen),
                            'option': str(found.option),
                            'reason': found.reason,
                        }
                        for mbit, found in rows
                    ],
                    indent=2,
                )
            )
        elif why:
            for mbit, found in rows:
                typer.echo(f'At {mbit:g} Mbit/s:\n{found.why()}\n')
        else:
            _table(rows)
        if not as_json:
            typer.echo(f'Energy is {energy.source}')


def _table(rows: Sequence[tuple[float, Plan]]) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    names = ('Mbit/s', 'here', 'link', 'waits', 'there', 'ms', 'bytes', 'mJ', 'right')
    table = Table(
        *(Column(name, justify='right') for name in names[:1]),
        'option',
        *(Column(name, justify='right') for name in names[1:]),
        box=None,
    )
    for mbit, found in rows:
        one = found.chosen
        parts = (one.head_s, one.wire_s, one.queue_s, one.tail_s, one.total_s)
        table.add_row(
            f'{mbit:g}',
            str(one.option),
            *(f'{1e3 * seconds:.1f}' for seconds in parts),
            f'{one.bytes:,.0f}',
            f'{1e3 * one.joule:.1f}',
            f'{100 * one.accuracy:.1f} %',
        )
    Console().print(table)
