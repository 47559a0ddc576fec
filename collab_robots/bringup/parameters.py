"""What can be chosen about a node: each parameter with its type, range, unit and a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import math
from typing import Any

from collab_robots.core.errors import ConfigError

NAMES = {bool: 'true or false', int: 'a whole number', float: 'a number', str: 'a text'}


@dataclass(frozen=True)
class Parameter:
    """
    One parameter of a node.

    :param default: its value when nobody sets it; its type is the parameter's type.
    :param text: one sentence.
    :param low: smallest allowed number; with ``high``.
    :param high: largest allowed number.
    :param unit: of the number, such as s or bytes/s.
    :param choices: the texts that are allowed, if not all are.
    :param size: how many elements a list has to have; 0: any number.
    :param required: whether the node cannot do without.
    """

    default: Any
    text: str
    low: float | None = None
    high: float | None = None
    unit: str = ''
    choices: tuple[str, ...] = ()
    size: int = 0
    required: bool = False

    @property
    def kind(self) -> str:
        """Its type, in words."""
        if isinstance(self.default, list):
            each = NAMES[type(self.default[0])].removeprefix('a ')
            return f'a list of {self.size or "any number of"} {each}s'
        return NAMES[type(self.default)]

    @property
    def allowed(self) -> str:
        """What may be given, in words."""
        if self.choices:
            return 'one of ' + ', '.join(map(repr, self.choices))
        limits = f' from {self.low:.12g} to {self.high:.12g}' if self.low is not None else ''
        return f'{self.kind}{limits}{f" {self.unit}" if self.unit and limits else ""}'

    def accepts(self, value: Any) -> bool:
        """Tell whether a value may be given."""
        if isinstance(self.default, list):
            each = (
                list(value)
                if isinstance(value, (list, tuple)) or hasattr(value, 'tolist')
                else [value]
            )
            return (not self.size or len(each) == self.size) and all(
                _is_a(type(self.default[0]), one) for one in each
            )
        if not _is_a(type(self.default), value):
            return False
        if self.choices:
            return value in self.choices
        return self.low is None or self.high is None or self.low <= value <= self.high

    def check(self, name: str, value: Any) -> None:
        """
        Refuse what may not be given.

        :raises ConfigError: saying what was expected and what came.
        """
        if self.required and value == '':
            raise ConfigError(f'parameter {name!r} is not set; pass: -p {name}:=VALUE')
        if not self.accepts(value):
            shown = repr(value) if isinstance(value, str) else value
            raise ConfigError(
                f'parameter {name!r}: expected {self.allowed}, got {shown!s:.80}. {self.text}'
            )


def _is_a(kind: type, value: Any) -> bool:
    if kind is float:
        return (
            isinstance(value, (int, float))
            and not isinstance(value, bool)
            and math.isfinite(value)
        )
    return type(value) is kind


Table = Mapping[str, Parameter]
"""A node's parameters by name."""
