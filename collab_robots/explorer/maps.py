"""Maps as pictures and files: nav2's pgm and yaml, a PNG for people, layers for the report."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from collab_robots.core.geometry import FREE, Grid
from collab_robots.explorer.measures import FREE_UP_TO, lookup, Mask, OCCUPIED_FROM
from collab_robots.explorer.timeline import Waypoint

COLOURS = (  # one per robot; the report's style sheet has the same
    '#2a78d6',
    '#d9531e',
    '#138a5e',
    '#b07c00',
    '#b5408f',
    '#5b4fc7',
    '#008ea3',
    '#c5303f',
)
PIXELS = 4  # of the PNG per cell
WALL, OPEN, UNKNOWN = 0, 254, 205  # grey values of map_server's trinary pictures


def trinary(grid: Grid) -> npt.NDArray[np.uint8]:
    """Return the grid as nav2's map_server stores it: row 0 is the highest y."""
    picture = np.full(grid.data.shape, UNKNOWN, dtype=np.uint8)
    picture[(grid.data >= FREE) & (grid.data <= FREE_UP_TO)] = OPEN
    picture[grid.data >= OCCUPIED_FROM] = WALL
    return picture[::-1]


def write_nav2(grid: Grid, directory: Path) -> None:
    """Write ``map.pgm`` and ``map.yaml`` so that nav2's map_server can load them."""
    Image.fromarray(trinary(grid)).save(directory / 'map.pgm')
    (directory / 'map.yaml').write_text(
        'image: map.pgm\nmode: trinary\n'
        f'resolution: {grid.resolution:.6g}\n'
        f'origin: [{grid.origin[0]:.6g}, {grid.origin[1]:.6g}, 0.0]\n'
        'negate: 0\noccupied_thresh: 0.65\nfree_thresh: 0.25\n',
        encoding='utf-8',
    )


def write_picture(grid: Grid, paths: Mapping[str, Sequence[Waypoint]], path: Path) -> None:
    """Write the map with each robot's way in its colour as a PNG."""
    size = (grid.data.shape[1] * PIXELS * 2, grid.data.shape[0] * PIXELS * 2)
    big = Image.fromarray(trinary(grid)).convert('RGB').resize(size, Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(big)
    scale = 2 * PIXELS / grid.resolution
    for index, points in enumerate(paths.values()):
        way = [
            ((p.x - grid.origin[0]) * scale, big.height - (p.y - grid.origin[1]) * scale)
            for p in points
        ]
        if not way:
            continue
        colour = COLOURS[index % len(COLOURS)]
        draw.line(way, fill=colour, width=2 * PIXELS, joint='curve')
        x, y = way[-1]
        draw.ellipse((x - 20, y - 20, x + 20, y + 20), fill=colour, outline='white', width=5)
    big.resize((big.width // 2, big.height // 2), Image.Resampling.LANCZOS).save(
        path, optimize=True
    )


def onto(truth: Grid, mapped: Grid) -> Grid:
    """Return the map on the true grid's cells, to lay one over the other."""
    cells = np.argwhere(np.ones(truth.data.shape, dtype=bool))
    values = lookup(mapped, truth.centres(cells)).reshape(truth.data.shape)
    return Grid(values, truth.resolution, truth.origin)


def data_uri(picture: Image.Image) -> str:
    """Return a picture as a PNG inside a URI."""
    buffer = io.BytesIO()
    picture.save(buffer, 'PNG', optimize=True)
    return 'data:image/png;base64,' + base64.b64encode(buffer.getvalue()).decode('ascii')


def layer(grid: Grid) -> str:
    """Return the map as a grey picture with unknown cells left transparent."""
    grey = trinary(grid)
    alpha = np.where(grey == UNKNOWN, 0, 255).astype(np.uint8)
    return data_uri(Image.fromarray(np.stack([grey, alpha], axis=-1)))


def overlay(marks: Sequence[tuple[Mask, tuple[int, int, int]]]) -> str:
    """Return masks of one shape, each in its colour, on a transparent picture."""
    picture = np.zeros((*marks[0][0].shape, 4), dtype=np.uint8)
    for mask, colour in marks:
        picture[mask] = (*colour, 255)
    return data_uri(Image.fromarray(picture[::-1]))
