"""Figures of the inference benchmark, as SVG files beside its JSON file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

SIZE = (7.0, 4.2)  # inches
OURS = 'ours'
# Text stays text, and equal figures are equal files.
STYLE: Any = {'svg.fonttype': 'none', 'svg.hashsalt': 'inference'}
Series = Mapping[str, Sequence[tuple[float, float]]]


def chart(
    path: Path,
    title: str,
    axes: tuple[str, str],
    series: Series,
    logarithmic: str = '',
    steps: bool = False,
) -> None:
    """
    Draw lines; ours is the thick black one.

    :param axes: what x and y are, with their units.
    :param series: points (x, y) of each line, by its name.
    :param logarithmic: which of 'x' and 'y' are.
    :param steps: whether a value holds until the next one.
    """
    figure = Figure(figsize=SIZE, layout='constrained')
    FigureCanvasSVG(figure)
    plot = figure.add_subplot()
    for name, points in series.items():
        style: dict[str, Any] = {'color': 'black', 'linewidth': 2.5} if name == OURS else {}
        xs, ys = zip(*sorted(points), strict=True)
        drawstyle = 'steps-post' if steps else 'default'
        plot.plot(xs, ys, marker='' if steps else '.', label=name, drawstyle=drawstyle, **style)
    if 'x' in logarithmic:
        plot.set_xscale('log')
    if 'y' in logarithmic:
        plot.set_yscale('log')
    plot.set_title(title, loc='left', fontsize='medium')
    plot.set_xlabel(axes[0])
    plot.set_ylabel(axes[1])
    plot.grid(alpha=0.3, which='both')
    plot.legend(fontsize='small')
    path.parent.mkdir(parents=True, exist_ok=True)
    with rc_context(STYLE):
        figure.savefig(path, metadata={'Date': None})
