"""
Draw charts as SVG text: no library, no scripts, colours from the page's style sheet.

Lines take the colour of their robot through the classes ``r0`` … ``r7``; a split is a band of
class ``split``. Everything is drawn in pixels of a fixed view box that the page scales.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
import math
from typing import NamedTuple

from collab_robots.explorer.timeline import Split

WIDTH = 1060
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 22, 30
MAX_POINTS = 500  # per line; more than pixels help nobody

Point = tuple[float, float]


class Line(NamedTuple):
    """One curve: its name, its style class, and its points in data units."""

    name: str
    style: str
    points: Sequence[Point]


class Bar(NamedTuple):
    """One stretch of a row in a Gantt chart."""

    row: int
    start: float
    end: float
    style: str
    title: str


def ticks(top: float, wanted: int = 4) -> list[float]:
    """Return round numbers from 0 to at least ``top``."""
    if top <= 0 or not math.isfinite(top):
        return [0.0, 1.0]
    raw = top / wanted
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= raw - 1e-12)
    return [step * index for index in range(math.ceil(top / step - 1e-9) + 1)]


def thin(points: Sequence[Point]) -> Sequence[Point]:
    """Leave out points until few enough are left, never the last."""
    step = math.ceil(len(points) / MAX_POINTS) or 1
    return [*points[:-1:step], points[-1]] if points else points


class _Canvas:
    """A plot area with a time axis; y grows upward in data units."""

    def __init__(self, end: float, top: float, height: int) -> None:
        self.end = max(end, 1e-9)
        self.top = max(top, 1e-9)
        self.height = height
        self.parts: list[str] = []

    def x(self, t: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * min(max(t / self.end, 0.0), 1.0)

    def y(self, value: float) -> float:
        span = self.height - TOP - BOTTOM
        return TOP + span * (1.0 - min(max(value / self.top, 0.0), 1.05))

    def text(self, x: float, y: float, text: str, style: str = 'tick', anchor: str = '') -> None:
        where = f' text-anchor="{anchor}"' if anchor else ''
        self.parts.append(
            f'<text class="{style}" x="{x:.1f}" y="{y:.1f}"{where}>{escape(text)}</text>'
        )

    def rule(self, x0: float, y0: float, x1: float, y1: float, style: str) -> None:
        self.parts.append(
            f'<line class="{style}" x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}"/>'
        )

    def time_axis(self, split: Split | None) -> None:
        floor = self.height - BOTTOM
        if split is not None and split.start < self.end:
            x0, x1 = self.x(split.start), self.x(split.end)
            self.parts.append(
                f'<rect class="split" x="{x0:.1f}" y="{TOP}" width="{x1 - x0:.1f}" '
                f'height="{floor - TOP}"><title>split from {split.start:g} s to {split.end:g} s'
                '</title></rect>'
            )
            self.text((x0 + x1) / 2, TOP - 7, 'network split', 'split-name', 'middle')
        for t in ticks(self.end, 8):
            if t <= self.end * 1.001:
                last = t > self.end * 0.97
                self.text(
                    self.x(t),
                    floor + 18,
                    f'{t:g} s' if t else '0',
                    anchor='end' if last else 'middle',
                )
        self.rule(LEFT, floor, WIDTH - RIGHT, floor, 'axis')

    def svg(self, name: str) -> str:
        return (
            f'<svg viewBox="0 0 {WIDTH} {self.height}" role="img" aria-label="{escape(name)}">'
            + ''.join(self.parts)
            + '</svg>'
        )


def line_chart(
    name: str,
    lines: Sequence[Line],
    end: float,
    split: Split | None,
    unit: str = '',
    top: float | None = None,
    target: float | None = None,
    height: int = 250,
    dots: bool = False,
) -> str:
    """
    Return curves over time.

    :param end: of the time axis, s.
    :param unit: written behind the numbers of the y axis; ``%`` shows shares as percent.
    :param top: of the y axis; the highest value if not given.
    :param target: a dashed line to reach.
    :param dots: no lines between the points.
    """
    highest = max((value for line in lines for _, value in line.points), default=0.0)
    marks = ticks(highest if top is None else top)
    canvas = _Canvas(end, marks[-1], height)
    canvas.time_axis(split)
    for mark in marks:
        if mark:
            canvas.rule(LEFT, canvas.y(mark), WIDTH - RIGHT, canvas.y(mark), 'grid')
        label = f'{mark:.0%}' if unit == '%' else f'{mark:,g}{unit if mark else ""}'
        canvas.text(LEFT - 8, canvas.y(mark) + 4, label, anchor='end')
    if target is not None:
        canvas.rule(LEFT, canvas.y(target), WIDTH - RIGHT, canvas.y(target), 'target')
    for line in lines:
        points = [(canvas.x(t), canvas.y(v)) for t, v in thin(line.points)]
        if dots:
            canvas.parts += [
                f'<circle class="dot {line.style}" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>'
                for x, y in points
            ]
            continue
        path = ' '.join(f'{x:.1f},{y:.1f}' for x, y in points)
        canvas.parts.append(
            f'<polyline class="line {line.style}" points="{path}">'
            f'<title>{escape(line.name)}</title></polyline>'
        )
    return canvas.svg(name)


def gantt(
    name: str,
    rows: Sequence[str],
    bars: Iterable[Bar],
    deaths: Iterable[tuple[int, float]],
    end: float,
    split: Split | None,
) -> str:
    """
    Return one row of stretches for each robot.

    :param deaths: (row, time) of robots that were killed.
    """
    pitch = 34
    canvas = _Canvas(end, 1.0, TOP + BOTTOM + pitch * len(rows))
    canvas.time_axis(split)
    for index, title in enumerate(rows):
        middle = TOP + pitch * (index + 0.5)
        canvas.text(LEFT - 8, middle + 4, title, 'row', 'end')
        if index:
            canvas.rule(LEFT, TOP + pitch * index, WIDTH - RIGHT, TOP + pitch * index, 'grid')
    for bar in bars:
        x0, x1 = canvas.x(bar.start), canvas.x(bar.end)
        canvas.parts.append(
            f'<rect class="{bar.style}" x="{x0:.1f}" y="{TOP + pitch * bar.row + 7}" rx="3" '
            f'width="{max(x1 - x0, 2.0):.1f}" height="{pitch - 14}">'
            f'<title>{escape(bar.title)}</title></rect>'
        )
    for row, t in deaths:
        canvas.text(canvas.x(t), TOP + pitch * (row + 0.5) + 5, '✕', 'death', 'middle')
    return canvas.svg(name)


def steps(times: Iterable[float], end: float) -> list[Point]:
    """Return how many of the times have passed, as a curve of steps up to ``end``."""
    points: list[Point] = [(0.0, 0.0)]
    for count, t in enumerate(sorted(times), start=1):
        points += [(t, count - 1.0), (t, float(count))]
    points.append((end, points[-1][1]))
    return points


def sampled(points: Sequence[Point], period: float, end: float) -> list[Point]:
    """Return the value that a stepped curve has at the end of each period."""
    result, index, value = [], 0, 0.0
    for number in range(int(end / period) + 1):
        t = number * period
        while index < len(points) and points[index][0] <= t:
            value = points[index][1]
            index += 1
        result.append((t, value))
    return result
