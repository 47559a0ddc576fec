"""Declare a table of parameters at a node, and read their values."""

from __future__ import annotations

from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node

from collab_robots.bringup.parameters import Parameter, Table
from collab_robots.core.errors import ConfigError


def _descriptor(parameter: Parameter) -> ParameterDescriptor:
    """Return the description that ``ros2 param describe`` shows."""
    result = ParameterDescriptor(
        description=parameter.text, additional_constraints=parameter.allowed
    )
    if parameter.low is not None and parameter.high is not None:
        low, high = parameter.low, parameter.high
        if isinstance(parameter.default, int):
            result.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
        else:
            limits = FloatingPointRange(from_value=float(low), to_value=float(high))
            result.floating_point_range = [limits]
    return result


def declare(node: Node, table: Table) -> None:
    """
    Declare parameters.

    :raises ConfigError: naming the parameter whose value is of another type or out of range.
    """
    for name, parameter in table.items():
        try:
            node.declare_parameter(name, parameter.default, _descriptor(parameter))
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            raise ConfigError(
                f'{node.get_name()}: parameter {name!r}: expected {parameter.allowed}. '
                f'{parameter.text} {error}'
            ) from None


def read(node: Node, table: Table) -> dict[str, Any]:
    """
    Return the values of declared parameters.

    :raises ConfigError: naming the first that is not what is allowed.
    """
    values = {}
    for name, parameter in table.items():
        value = node.get_parameter(name).value
        values[name] = plain(parameter, value)
        parameter.check(name, values[name])
    return values


def plain(parameter: Parameter, value: Any) -> Any:
    """Return a value with arrays as lists."""
    return list(value) if isinstance(parameter.default, list) else value
