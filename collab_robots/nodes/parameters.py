"""Declare node parameters once: with type, range, unit and a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node

from collab_robots.core.errors import ConfigError


@dataclass(frozen=True)
class Parameter:
    """
    One parameter of a node.

    :param default: its value when nobody sets it; its type is the parameter's type.
    :param text: one sentence with the unit.
    :param low: smallest allowed number.
    :param high: largest allowed number.
    """

    default: Any
    text: str
    low: float | None = None
    high: float | None = None

    def descriptor(self) -> ParameterDescriptor:
        """Return the description that ``ros2 param describe`` shows."""
        result = ParameterDescriptor(description=self.text, read_only=True)
        if self.low is not None and self.high is not None:
            if isinstance(self.default, int):
                result.integer_range = [IntegerRange(from_value=self.low, to_value=self.high)]
            else:
                limits = FloatingPointRange(from_value=self.low, to_value=self.high)
                result.floating_point_range = [limits]
        return result


def declare(node: Node, parameters: dict[str, Parameter]) -> dict[str, Any]:
    """
    Declare parameters and return their values.

    :raises ConfigError: naming the parameter whose value is of another type or out of range.
    """
    values = {}
    for name, parameter in parameters.items():
        try:
            values[name] = node.declare_parameter(
                name, parameter.default, parameter.descriptor()
            ).value
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            raise ConfigError(f'{node.get_name()}: {parameter.text} {error}') from None
    return values


def required(values: dict[str, Any], *names: str) -> None:
    """
    Refuse empty parameters that a node cannot do without.

    :raises ConfigError: naming the first empty one.
    """
    for name in names:
        if values[name] == '':
            raise ConfigError(f'parameter {name!r} is not set; pass: -p {name}:=VALUE')


ROBOT = {
    'name': Parameter('', "This robot's name in the fleet file."),
    'fleet': Parameter('', 'Path of the fleet file, the same on every robot.'),
}
