"""Files that are written once for all robots: ``<robot>`` and ``<robot_namespace>`` in them."""

from __future__ import annotations

from typing import Any


def filled(value: Any, robot: str) -> Any:
    """
    Return a value of a YAML file with a robot in the place of placeholders, also in keys.

    :param robot: its namespace without the leading slash.
    """
    if isinstance(value, dict):
        return {filled(key, robot): filled(one, robot) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, robot) for one in value]
    if isinstance(value, str):
        return value.replace('<robot_namespace>', f'/{robot}').replace('<robot>', robot)
    return value
