"""
Collaborative inference beside what others do: time, bytes, accuracy, faults, lines of robots.

Real processes in network namespaces, with DDS between them (Linux, root). The robot that asks is
slower than this computer by a stated factor: it waits after each job as many times as long as the
job took. ``python -m benchmarks.inference --help`` has the options.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from enum import Enum
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks import (
    inference_bytes,
    inference_failure,
    inference_pipeline,
    inference_rates,
    inference_runtimes,
    inference_trace,
)
from benchmarks.inference_pictures import FOLDER, Labelled, load
from benchmarks.inference_plots import chart, Series
from benchmarks.inference_team import Line, Team
from benchmarks.inference_ways import (
    Cost,
    dump,
    FILE,
    measure,
    measure_others,
    others,
    ours,
    Way,
)
from benchmarks.inference_ways import load as load_costs
from benchmarks.namespaces import missing
from benchmarks.report import OutOption, Report
from collab_robots.core.clock import SteadyClock
from collab_robots.core.errors import ConfigError
from collab_robots.inference.classifier import model_path
from collab_robots.inference.exits import Trained
from collab_robots.inference.model import Model
from collab_robots.inference.outfit import load_times, save_times, TIMES_FILE
from collab_robots.inference.profile.energy import EnergyModel
from collab_robots.inference.profile.measure import measure_sheet, measure_times
from collab_robots.inference.profile.sheet import Sheet, SHEET_FILE
from collab_robots.inference.profile.times import Times

SLOWNESS = 8.0  # of the robot that asks
TWO = {inference_rates.ASKER: SLOWNESS, inference_rates.HELPER: 1.0}
FEW = 12  # pictures of a quick run
MAX_LOSS = 0.1  # ways with more are not timed: nobody chooses them


class Part(str, Enum):
    """What to measure."""

    RUNTIMES = 'runtimes'
    BYTES = 'bytes'
    RATES = 'rates'
    TRACE = 'trace'
    FAILURE = 'failure'
    PIPELINE = 'pipeline'


NEEDS_NETWORK = (Part.RATES, Part.TRACE, Part.FAILURE, Part.PIPELINE)


def prepare(
    report: Report, model: Model, pictures: Sequence[Labelled], folder: Path
) -> dict[Way, Cost]:
    """
    Measure bytes and accuracy of all ways on all pictures, and times of our pieces of work.

    Ours and others' options take a core each; then, with nothing beside it, come the times.

    :param folder: where the robots' processes find it; what is there already is taken.
    :raises ConfigError: if what is there is of another model, or of other pictures.
    """
    trained = Trained.load(None, model)
    exits = {early.cut: early for early in trained.exits}
    rgbs, labels = [one.rgb for one in pictures], [one.label for one in pictures]
    if (folder / FILE).is_file():
        if Sheet.load(folder / SHEET_FILE, model.hash).pictures != len(pictures):
            raise ConfigError(f'{folder}: not of {len(pictures)} pictures')
        return load_costs(folder)
    with (
        ProcessPoolExecutor(1, get_context('spawn')) as pool,
        report.console.status('all options') as status,
    ):
        theirs = pool.submit(measure_others, pictures)
        sheet = measure_sheet(
            model,
            exits,
            trained.bottlenecks,
            rgbs,
            labels,
            lambda done: status.update(f'all options: {done} of {len(rgbs)} pictures'),
        )
        costs = {**ours(sheet), **theirs.result()}
    timed = [option for option in sheet.rows if sheet.loss(option) <= MAX_LOSS]
    with report.console.status('times'):
        times = measure_times(model, exits, trained.bottlenecks, timed, rgbs[0], SteadyClock())
        for way, cost in measure(model, others(model), pictures[:FEW]).items():
            seconds = {'encode_s': cost.encode_s, 'helper_s': cost.helper_s}
            costs[way] = costs[way]._replace(**seconds)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SHEET_FILE).write_text(sheet.dump(), encoding='utf-8')
    save_times(times, folder / TIMES_FILE, model.hash)
    dump(costs, folder)
    return costs


def measure_rates(
    report: Report, common: Line, costs: dict[Way, Cost], quick: bool, seed: int
) -> Series:
    """Measure policies at fixed rates; return figures to draw."""
    rates, frames, rounds = ((1.0, 20.0), 6, 1) if quick else (inference_rates.RATES, 10, 4)
    statics = inference_rates.statics(costs)
    with Team(TWO, common) as team:
        cells = inference_rates.measure(report, team, rates, frames, rounds, statics, seed)
    inference_rates.show(report, cells, costs, EnergyModel())
    return inference_rates.series(cells)


def measure_trace(
    report: Report, common: Line, model: Model, folder: Path, quick: bool, seed: int
) -> Series:
    """Measure policies under a trace; return figures to draw."""
    walk = inference_trace.trace(seed, 2 if quick else 10)
    sheet = Sheet.load(folder / SHEET_FILE, model.hash)
    times = load_times(folder / TIMES_FILE, model.hash) or Times({})
    slow = Times({step: SLOWNESS * seconds for step, seconds in times.items()})
    statics = inference_trace.statics(slow, sheet, times)
    with Team(TWO, common) as team:
        lived = inference_trace.measure(report, team, walk, statics)
    inference_trace.show(report, walk, lived)
    return inference_trace.series(lived)


def draw(path: Path, drawn: dict[str, Series]) -> None:
    """Write figures beside the JSON file."""
    for name, (title, axes, logarithmic) in {
        'bytes': ('top-1 against bytes', ('bytes of a picture', 'top-1, %'), 'x'),
        'rates': ('median time against the rate', ('Mbit/s', 'ms'), 'xy'),
        'trace': ('time of each frame under a changing rate', ('s', 'ms'), 'y'),
    }.items():
        if name in drawn:
            chart(path.with_name(f'{path.stem}-{name}.svg'), title, axes, drawn[name], logarithmic)


def main(
    parts: Annotated[
        list[Part] | None, typer.Option('--part', help='What to measure; repeatable.')
    ] = None,
    images: Annotated[
        Path, typer.Option(help='Folder of pictures and their index.csv (file, class_index).')
    ] = FOLDER,
    seed: Annotated[int, typer.Option(min=0, help='Of orders, losses and the trace.')] = 1,
    quick: Annotated[
        bool, typer.Option('--quick', help='Few pictures, rates and frames: three minutes.')
    ] = False,
    folder: Annotated[
        Path | None,
        typer.Option(help='Keeps bytes, accuracy and times of all options for the next run.'),
    ] = None,
    out: OutOption = None,
) -> None:
    r"""
    Measure collaborative inference: policies at link rates, bytes, faults, lines, runtimes.

    \b
    Examples:
      python -m benchmarks.inference --quick
      python -m benchmarks.inference
      python -m benchmarks.inference --part rates --folder runs/inference
    """
    chosen = parts or list(Part)
    options = {'parts': [part.value for part in chosen], 'seed': seed, 'quick': quick}
    pictures = load(images, FEW if quick else None)
    report = Report('inference', {**options, 'pictures': len(pictures), 'slowness': SLOWNESS})
    model, drawn = Model.load(model_path()), dict[str, Series]()
    if Part.RUNTIMES in chosen:
        tensors = [model.prepare(picture.rgb) for picture in pictures[:FEW]]
        inference_runtimes.show(report, tensors, 20 if quick else 200)
    reason = missing()
    if reason and (left := set(chosen) & set(NEEDS_NETWORK)):
        report.note(f'not measured: {", ".join(sorted(left))}: {reason}')
        chosen = [part for part in chosen if part not in NEEDS_NETWORK]
    with ExitStack() as cleanup:
        kept = folder or Path(cleanup.enter_context(TemporaryDirectory()))
        common = {
            'folder': str(kept),
            'images': str(images),
            'pictures': len(pictures),
            'seed': seed,
        }
        # A part that fails takes nothing from those before it.
        cleanup.callback(lambda: draw(report.write(out), drawn))
        if set(chosen) - {Part.RUNTIMES}:
            costs = prepare(report, model, pictures, kept)
        if Part.BYTES in chosen:
            inference_bytes.show(report, model, costs)
            drawn['bytes'] = inference_bytes.series(costs)
        if Part.RATES in chosen:
            drawn['rates'] = measure_rates(report, common, costs, quick, seed)
        if Part.TRACE in chosen:
            drawn['trace'] = measure_trace(report, common, model, kept, quick, seed)
        if Part.FAILURE in chosen:
            inference_failure.show(report, common, 14.0 if quick else 120.0)
        if Part.PIPELINE in chosen:
            inference_pipeline.show(report, common, (2,) if quick else (2, 3, 4), 30)


if __name__ == '__main__':
    typer.run(main)
