"""
How few bytes say enough: ours and DynO's at every cut, against the picture itself.

Which bits a cut needs is told by the accuracy that is left. Where no cut beats the smallest JPEG
that is as good, sending the JPEG is the right plan, and the planner's options have it.
"""

from __future__ import annotations

import math
from typing import Any

from benchmarks.inference_plots import Series
from benchmarks.inference_ways import Cost, Costs, DYNO, floor, JPEG, OURS, Way
from benchmarks.report import Report
from collab_robots.inference.model import Model
from collab_robots.inference.options import Kind, NO_EXIT

MAX_LOSS = 0.01  # of top-1
RATIO = 60.0  # DynO's "up to 60x" less than float32


def show(report: Report, model: Model, costs: Costs) -> None:
    """Print the fewest bytes of each cut at no more than a point below the whole model."""
    least = floor(costs, MAX_LOSS)
    good = {
        way: cost
        for way, cost in costs.items()
        if cost.top1 >= least and way.option.exit == NO_EXIT
    }
    picture = _fewest(good, JPEG)
    rows: list[list[Any]] = []
    for cut in model.cuts[1:-1]:
        here = {way: cost for way, cost in good.items() if way.option.cut == cut.index}
        ours, theirs = _fewest(here, OURS), _fewest(here, DYNO)
        if ours is None:
            continue
        way, cost = ours
        floats = 4 * math.prod(cut.shape)
        rows.append(
            [
                cut.index,
                'x'.join(map(str, cut.shape)),
                way.option,
                cost.bytes,
                floats / cost.bytes,
                theirs[1].bytes if theirs else None,
                cost.bytes / picture[1].bytes if picture else None,
                100 * cost.top1,
            ]
        )
    columns = ('cut', 'shape', 'ours', 'bytes', 'float32/ours', 'DynO bytes', 'of the JPEG')
    title = 'the fewest bytes of each cut at no more than 1 point below the whole model'
    figures = {str(way): cost._asdict() for way, cost in costs.items()}
    report.table('bytes', title, (*columns, 'top-1 %'), rows, figures)
    if picture is not None:
        way, cost = picture
        report.note(f'the smallest such JPEG: {way.option}, {cost.bytes:,.0f} B')
    report.note(f'wanted of a chosen cut: float32/ours >= {RATIO:g}, fewer bytes than the JPEG')


def _fewest(costs: Costs, packing: str) -> tuple[Way, Cost] | None:
    """Return the way of a packing with the fewest bytes; None if there is none."""
    found = [item for item in costs.items() if item[0].packing == packing]
    return min(found, key=lambda item: item[1].bytes, default=None)


def series(costs: Costs) -> Series:
    """Return points (bytes, top-1 in percent) that no other of the packing beats, for a figure."""
    points: dict[str, list[tuple[float, float]]] = {}
    for way, cost in sorted(costs.items(), key=lambda item: item[1].bytes):
        if way.option.exit != NO_EXIT or way.option.kind is Kind.LOCAL:
            continue
        line = points.setdefault(way.packing, [])
        if not line or 100 * cost.top1 > line[-1][1]:
            line.append((cost.bytes, 100 * cost.top1))
    return points
