"""What computing and sending cost this robot's battery: measured where it can be, else stated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import math
from pathlib import Path
import re

from collab_robots.core.clock import Clock, SECOND
from collab_robots.core.errors import Refusal, RefusedError

POWERCAP = Path('/sys/class/powercap')
PACKAGE = re.compile(r'intel-rapl:[0-9]+')  # a socket; its parts are in it
MICRO = 1e-6
MEASURE_NS = SECOND  # each of rest and work; the counters move every millisecond
# MAHPPO's tables of a Jetson Nano (https://arxiv.org/abs/2205.11854): ResNet-18 takes 98.4 mJ in
# 45.887 ms, what computing adds to rest; its radio sends 12.97 Mbit/s with 1 W at 50 m.
STATED_CPU_W = 98.4 / 45.887
STATED_RADIO_J_PER_BYTE = 8.0 / 12.97e6


@dataclass(frozen=True)
class EnergyModel:
    """
    What a robot spends on a frame beyond what it spends at rest.

    :param cpu_w: W while it computes.
    :param radio_j_per_byte: J for each byte sent.
    :param source: where the figures come from.
    :raises RefusedError: if a figure is negative, infinite or NaN.
    """

    cpu_w: float = STATED_CPU_W
    radio_j_per_byte: float = STATED_RADIO_J_PER_BYTE
    source: str = 'stated: Jetson Nano, 1 W radio at 12.97 Mbit/s (arXiv 2205.11854)'

    def __post_init__(self) -> None:
        """Refuse what is no model."""
        if not (0.0 <= self.cpu_w < math.inf and 0.0 <= self.radio_j_per_byte < math.inf):
            raise RefusedError(Refusal.MALFORMED, f'expected an energy model, got {self!r}')


def joules(powercap: Path = POWERCAP) -> dict[Path, tuple[int, int]]:
    """
    Read the processor's energy counters (RAPL).

    :returns: of each socket: its counter and where that begins again, uJ; empty where there are
        none or only the administrator may read them.
    """
    found = {}
    for zone in sorted(powercap.glob('intel-rapl:*')):
        if PACKAGE.fullmatch(zone.name):
            try:
                counter = int((zone / 'energy_uj').read_text(encoding='ascii'))
                wraps = int((zone / 'max_energy_range_uj').read_text(encoding='ascii'))
            except (OSError, ValueError):
                continue
            found[zone] = (counter, wraps)
    return found


def spent(before: dict[Path, tuple[int, int]], after: dict[Path, tuple[int, int]]) -> float:
    """Return the energy between two readings, J; a counter may have begun again once."""
    both = before.keys() & after.keys()
    return MICRO * sum(
        (after[zone][0] - before[zone][0]) % max(after[zone][1], 1) for zone in both
    )


def measure_energy(
    work: Callable[[], object],
    rest: Callable[[float], object],
    clock: Clock,
    powercap: Path = POWERCAP,
) -> EnergyModel:
    """
    Measure what computing adds to rest; sending cannot be measured and stays as stated.

    :param work: computes a while, such as one inference.
    :param rest: waits this many seconds.
    :returns: the stated model where there are no counters to read.
    """
    start = joules(powercap)
    if not start:
        return EnergyModel()
    begun = clock.now_ns()
    rest(MEASURE_NS / SECOND)
    middle, rested = joules(powercap), clock.now_ns()
    while clock.now_ns() - rested < MEASURE_NS:
        work()
    end, ended = joules(powercap), clock.now_ns()
    idle_w = spent(start, middle) * SECOND / (rested - begun)
    busy_w = spent(middle, end) * SECOND / (ended - rested)
    return EnergyModel(
        cpu_w=max(busy_w - idle_w, 0.0), source='processor: RAPL; radio: as in the stated model'
    )
