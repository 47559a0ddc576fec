"""Keep processes running, show what they say, and tell when one ends and what becomes of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from queue import Empty, SimpleQueue
import signal
from threading import Thread
import time

from collab_robots.bringup.processes import Process
from collab_robots.explorer.processes import Child, Children

BAD_INPUT = 2  # what a process exits with when it was told something wrong
GRACE = 8.0  # s between SIGTERM and SIGKILL
LAST_LINES = 5
CLEAN = (0, -signal.SIGTERM)  # the latter while it still loads: unlike SIGINT it ends it quietly

Say = Callable[[str, str], None]
"""Called with a process' name, or an empty text for the supervisor, and a line."""


class Supervisor:
    """
    Processes that are started and ended together.

    :param processes: what is started, in this order.
    :param env: their environment.
    :param say: called with every line.
    :param respawn: s after which one that ended is started again; None: it is not.
    """

    def __init__(
        self,
        processes: Sequence[Process],
        env: Mapping[str, str],
        say: Say,
        respawn: float | None = None,
    ) -> None:
        self._processes = {process.name: process for process in processes}
        self._children = Children(env)
        self._say = say
        self._respawn = respawn
        self._lines: SimpleQueue[tuple[str, str | None]] = SimpleQueue()
        self._last: dict[str, deque[str]] = {}
        self._started: dict[str, Child] = {}
        self._reading: dict[str, Thread] = {}
        self._due: dict[str, float] = {}

    def run(self) -> bool:
        """
        Run until a person interrupts, a vital process ends, or none is left.

        :returns: whether a person ended it and all processes ended cleanly.
        """
        going, asked = True, False
        try:
            for name in self._processes:
                self._start(name)
            while going and (self._reading or self._due):
                going = self._look()
        except KeyboardInterrupt:
            asked = True
        self._stop()
        return asked and all(child.process.returncode in CLEAN for child in self._started.values())

    def _start(self, name: str) -> None:
        child = self._children.start(name, self._processes[name].command)
        self._started[name] = child
        self._last[name] = deque(maxlen=LAST_LINES)
        self._reading[name] = Thread(target=self._read, args=(child,), daemon=True)
        self._reading[name].start()

    def _read(self, child: Child) -> None:
        assert child.process.stdout is not None
        with child.process.stdout as output:
            for line in output:
                self._lines.put((child.name, line.decode(errors='replace').rstrip()))
        self._lines.put((child.name, None))

    def _look(self) -> bool:
        """Wait for a line, an end, or a start that is due; tell whether to go on."""
        now = time.monotonic()
        for name in [name for name, due in self._due.items() if due <= now]:
            del self._due[name]
            self._start(name)
        try:
            name, line = self._lines.get(timeout=min(self._due.values(), default=now + 60.0) - now)
        except Empty:
            return True
        if line is None:
            return self._end(name)
        self._last[name].append(line)
        self._say(name, line)
        return True

    def _end(self, name: str) -> bool:
        """Tell that a process ended and what becomes of it; return whether to go on."""
        self._reading.pop(name).join()
        code = self._started[name].process.wait()
        vital = self._processes[name].vital
        if vital:
            then = 'all ends with it'
        elif self._respawn is None:
            then = 'the others go on without it' if self._reading else 'nothing is left'
        elif code == BAD_INPUT:
            then = 'not started again, as it would say the same'
        else:
            then = f'started again in {self._respawn:g} s'
            self._due[name] = time.monotonic() + self._respawn
        how = f'by {signal.Signals(-code).name}' if code < 0 else f'with code {code}'
        last = self._last[name]
        self._say('', f'{name} ended {how}: {then}{"; its last lines:" if last else ""}')
        for line in last:
            self._say('', f'  {line}')
        return not vital

    def _stop(self) -> None:
        """End all, and say what they said meanwhile."""
        killed = self._children.stop(GRACE, signal.SIGTERM)
        for thread in self._reading.values():
            thread.join()
        while not self._lines.empty():
            name, line = self._lines.get()
            if line is not None:
                self._say(name, line)
        for name in killed:
            self._say('', f'{name} did not end within {GRACE:g} s and was killed')
