"""How the things that a robot depends on are, for ``/diagnostics``; times are ns of its clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
import math
from pathlib import Path
import shutil
from typing import Any

from sensor_msgs.msg import BatteryState

from collab_robots.core.clock import SECOND
from collab_robots.core.errors import Refusal
from collab_robots.core.fleet import Fleet
from collab_robots.explorer.doctor.finding import Limits, listed, MIB
from collab_robots.nodes import qos
from collab_robots.nodes.diagnostics import ERROR, Health, OK, STALE, WARN
from collab_robots.nodes.managed import ManagedNode
from collab_robots.tangle.status import LedgerStatus

WINDOW_S = 5.0  # in which messages are counted
SILENT_S = 2.0  # without any
STUCK_S = 10.0  # in which nothing went on
LOW, EMPTY = 0.25, 0.1  # of a battery
LIMITS = Limits()
DOCTOR = '"collab-robots doctor" says more'

Now = Callable[[], int]


class Arrivals:
    """
    How often something usable comes on a topic.

    :param topic: its name.
    :param now: the clock.
    :param least: messages/s that are needed.
    :param silent: how bad it is if nothing comes.
    """

    def __init__(self, topic: str, now: Now, least: float, silent: bytes = ERROR) -> None:
        self._topic = topic
        self._now = now
        self._least = least
        self._silent = silent
        self._times: deque[int] = deque(maxlen=1000)

    def note(self) -> None:
        """Take note of a message."""
        self._times.append(self._now())

    def counted(self, callback: Callable[[Any], None]) -> Callable[[Any], None]:
        """Return a callback whose messages are noted, unless it refuses them."""

        def take(message: Any) -> None:
            callback(message)
            self.note()

        return take

    def health(self) -> Health:
        """Return how it is."""
        now = self._now()
        age = (now - self._times[-1]) / SECOND if self._times else math.inf
        count = sum(now - time <= WINDOW_S * SECOND for time in self._times)
        span = (now - self._times[-count]) / SECOND if count else WINDOW_S
        rate = (count - 1) / span if count > 1 and span > 0 else 0.0
        values = {'age_s': round(age, 3), 'rate_hz': round(rate, 2)}
        if age > SILENT_S:
            told = f'nothing usable on {self._topic}: is its driver there, and well? {DOCTOR}'
            return Health(self._silent, told, values)
        if rate < self._least and span >= SILENT_S:
            told = f'{rate:.1f} Hz on {self._topic}, less than {self._least:g}'
            return Health(WARN, told, values)
        return Health(OK, f'{rate:.1f} Hz', values)


def sense(
    node: ManagedNode,
    title: str,
    kind: type,
    topic: str,
    callback: Callable[[Any], None],
    least: float,
    silent: bytes = ERROR,
) -> None:
    """
    Have a node listen to a sensor, and tell how often something usable comes.

    :param title: of the diagnosis.
    :param least: see :class:`Arrivals`.
    """
    arrivals = Arrivals(
        node.resolve_topic_name(topic), lambda: node.get_clock().now().nanoseconds, least, silent
    )
    node.listen(kind, topic, arrivals.counted(callback), qos.SENSOR)
    node.diagnose(title, arrivals.health)


class LedgerHealth:
    """
    How a robot's ledger is.

    :param name: the robot.
    :param store: its ledger's file.
    :param now: the clock.
    """

    def __init__(self, name: str, store: Path, now: Now) -> None:
        self._name = name
        self._path = store
        self._now = now
        self._status: LedgerStatus | None = None
        self._fleet: Fleet
        self._alarm = ''
        self._final_at = self._whole_at = 0

    def note(self, status: LedgerStatus, fleet: Fleet, alarm: str) -> None:
        """
        Take note of what the ledger says of itself.

        :param fleet: with the roster of the present epoch.
        :param alarm: of all that belongs to it; empty when all is well.
        """
        now, before = self._now(), self._status
        if before is None or status.final > before.final or not _unsettled(status):
            self._final_at = now
        if before is None or not status.waiting:
            self._whole_at = now
        self._status, self._fleet, self._alarm = status, fleet, alarm

    def peers(self) -> Health:
        """Return whom it hears."""
        if self._status is None:
            return _not_begun()
        others = {one.name for one in self._fleet.robots if one.weight} - {self._name}
        heard = others & set(self._status.peers)
        foreign = self._status.refused.get(Refusal.FLEET, 0)
        values = {
            'heard': len(heard),
            'expected': len(others),
            'names': ' '.join(sorted(heard)),
            'refused': sum(self._status.refused.values()),
            'of_other_fleets': foreign,
        }
        if heard == others:
            return Health(OK, f'hears all {len(others)}' if others else 'is alone', values)
        why = 'has it another fleet.yaml, or is it out of reach' if foreign else 'out of reach'
        told = f'does not hear {listed(others - heard)}: {why}, or off? {DOCTOR}'
        return Health(WARN if heard else ERROR, told, values)

    def lag(self) -> Health:
        """Return whether it knows what others know."""
        if self._status is None:
            return _not_begun()
        waiting = self._status.waiting
        values = {'waiting': waiting, 'pending': self._status.pending}
        late = (self._now() - self._whole_at) / SECOND
        if waiting and late > STUCK_S:
            told = f'{waiting} blocks wait for others for {late:.0f} s: who holds these is away'
            return Health(WARN, told, values)
        return Health(OK, f'{waiting} blocks wait for others', values)

    def finality(self) -> Health:
        """Return whether what is said becomes final."""
        if self._status is None:
            return _not_begun()
        age = (self._now() - self._final_at) / SECOND
        unsettled = _unsettled(self._status)
        values = {'final': self._status.final, 'unsettled': unsettled, 'age_s': round(age, 1)}
        if unsettled and age > STUCK_S:
            told = f'{unsettled} blocks are not final for {age:.0f} s: no more than 2/3 of '
            return Health(WARN, f'{told}the fleet reach one another; work goes on', values)
        return Health(OK, f'{self._status.final} blocks are final', values)

    def alarm(self) -> Health:
        """Return what keeps it from its work."""
        return Health(ERROR, f'{self._alarm}; {DOCTOR}') if self._alarm else Health(OK, 'none')

    def store(self) -> Health:
        """Return how its file and its disk are."""
        if self._status is None:
            return _not_begun()
        free = shutil.disk_usage(self._path.parent).free
        files = (self._path, self._path.with_name(f'{self._path.name}-wal'))
        values = {
            'size_bytes': sum(file.stat().st_size for file in files if file.exists()),
            'free_bytes': free,
            'blocks': self._status.blocks,
            'pruned': self._status.pruned,
        }
        told = f'{free // MIB} MiB free'
        if free < LIMITS.free_disk:
            return Health(WARN, f'{told} on the disk of {self._path}: make room', values)
        return Health(OK, told, values)


class Battery:
    """How full the battery is, where the base tells it."""

    def __init__(self) -> None:
        self._said: BatteryState | None = None

    def note(self, message: BatteryState) -> None:
        """Take note of what the base says."""
        self._said = message

    def health(self) -> Health:
        """Return how full it is."""
        if self._said is None:
            return Health(OK, 'the base does not tell')
        share, volts = float(self._said.percentage), float(self._said.voltage)
        if share > 1.0:
            share /= 100.0  # some drivers count to 100, against the message's definition
        values = {'percentage': round(share, 3), 'voltage_v': round(volts, 2)}
        if not math.isfinite(share):
            return Health(OK, f'{volts:.1f} V', values)
        charging = self._said.power_supply_status == BatteryState.POWER_SUPPLY_STATUS_CHARGING
        level = OK if charging or share > LOW else WARN if share > EMPTY else ERROR
        told = f'{share:.0%}{", charging" if charging else ""}'
        if level != OK:
            told += ': charge it'
        return Health(level, told, values)


def pose_health(age_s: float, stale_s: float) -> Health:
    """
    Return whether the robot knows where it is.

    :param age_s: of the newest pose; infinity if there is none.
    :param stale_s: from when on it stands still.
    """
    values = {'age_s': round(age_s, 3)}
    if not -stale_s <= age_s <= stale_s:
        told = f'no pose for more than {stale_s:g} s, so the robot stands: is there odometry, are '
        return Health(ERROR, f'{told}there scans, is use_sim_time right? {DOCTOR}', values)
    return Health(OK, 'knows where it is', values)


def _unsettled(status: LedgerStatus) -> int:
    return status.pending + status.accepted


def _not_begun() -> Health:
    return Health(STALE, 'not begun: time stands still; is there a /clock, as use_sim_time says?')
