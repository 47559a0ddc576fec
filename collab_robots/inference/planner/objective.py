"""What a plan is to be good at."""

from __future__ import annotations

from dataclasses import dataclass
import math

from collab_robots.core.errors import ConfigError


@dataclass(frozen=True)
class Objective:
    """
    What counts, and what must hold.

    The cost of a frame is the sum of its parts times these weights.

    :param latency: per second until the answer.
    :param period: per second of the busiest of robot, link and helper: what limits how many frames
        a second go through.
    :param energy: per joule that this robot spends.
    :param accuracy: per share of the pictures more that are named wrong.
    :param max_loss: share of the pictures more than the whole model's that may be named wrong.
    :param deadline_s: until when the answer must be there, with many bytes and no help of an exit;
        if nothing is so quick, the quickest is taken.
    :raises ConfigError: if a number is negative or NaN, or no weight is positive.
    """

    latency: float = 1.0
    period: float = 0.0
    energy: float = 0.0
    accuracy: float = 0.0
    max_loss: float = 0.01
    deadline_s: float = math.inf

    def __post_init__(self) -> None:
        """Refuse what nothing can be good at."""
        weights = (self.latency, self.period, self.energy, self.accuracy)
        if not all(0.0 <= weight < math.inf for weight in weights) or not any(weights):
            raise ConfigError(f'expected weights of 0 or more, one of them above, got {weights}')
        if not 0.0 <= self.max_loss <= 1.0 or not self.deadline_s > 0.0:
            raise ConfigError(
                'expected 0 <= max_loss <= 1 and deadline_s > 0, '
                f'got {self.max_loss} and {self.deadline_s}'
            )


LATENCY = Objective()
ENERGY = Objective(latency=0.0, energy=1.0)
THROUGHPUT = Objective(latency=0.0, period=1.0)
