"""Where the time goes, by looking at the stack a thousand times a second."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
import signal
import time
from types import FrameType

PERIOD = 0.001  # s


class Sampler:
    """
    Attributes wall time to stages of work.

    :param stages: stage of a function by ``(end of its file's path, its name)``, or of a whole
        file by ``(end of its path, '')``. The innermost frame that is named decides.

    A look lasts until the next: what runs outside Python (libsodium, SQLite, the EVM) holds looks
    back, and its whole time is then given to the frame that called it.
    """

    def __init__(self, stages: Mapping[tuple[str, str], str]) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._stages = stages
        self._known: dict[tuple[str, str], str | None] = {}
        self._last = 0.0

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Sample while the body runs; only in the main thread."""
        before = signal.signal(signal.SIGALRM, self._look)
        self._last = time.perf_counter()
        signal.setitimer(signal.ITIMER_REAL, PERIOD, PERIOD)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def shares(self) -> dict[str, float]:
        """Return each stage's share of the time, 0 to 1."""
        total = sum(self.seconds.values())
        return {stage: spent / total for stage, spent in self.seconds.items()}

    def _look(self, _signal: int, frame: FrameType | None) -> None:
        now = time.perf_counter()
        stage = None
        while frame is not None and stage is None:
            stage = self._stage(frame.f_code.co_filename, frame.f_code.co_name)
            frame = frame.f_back
        self.seconds[stage or 'rest'] += now - self._last
        self._last = now

    def _stage(self, file: str, function: str) -> str | None:
        key = (file, function)
        if key not in self._known:
            found = [
                stage
                for (end, name), stage in sorted(self._stages.items(), key=lambda item: item[0][1])
                if file.endswith(end) and name in ('', function)
            ]
            self._known[key] = found[-1] if found else None
        return self._known[key]
