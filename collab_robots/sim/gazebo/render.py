"""Fill in the templates of the files that Gazebo reads."""

from __future__ import annotations

from typing import Any

import jinja2

CAMERA_ONLY = 1 << 2
"""Visibility of what a lidar looks through: MuJoCo's geom group 2. Bits 0 and 1 are the GUI's."""


def render(template: str, **values: Any) -> str:
    """
    Return a filled-in template.

    :param template: its name without ``.j2``.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader('collab_robots.sim.gazebo'),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(f'{template}.j2').render(values)


def numbers(*values: float) -> str:
    """Return numbers as SDF and URDF write vectors."""
    return ' '.join(str(float(value)) for value in values)
