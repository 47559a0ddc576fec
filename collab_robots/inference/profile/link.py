"""What a link can do, told from the traffic that it carries anyway."""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np
import numpy.typing as npt

from collab_robots.core.clock import SECOND
from collab_robots.core.errors import Refusal, RefusedError

Grid = npt.NDArray[np.float64]
MIN_RATE, MAX_RATE = 5e4, 1e9  # bit/s
MIN_DELAY, MAX_DELAY = 3e-4, 0.5  # s
MAX_BYTES = 1 << 26
MAX_SECONDS = 600.0
# What a link lets pass at once before it shapes: a token bucket's depth, a radio's buffer.
BURSTS = np.array([0.0, 2e3, 4e3, 8e3, 16e3])  # bytes
BURST_PRIOR = np.array([16.0, 8.0, 4.0, 2.0, 1.0]) / 31.0
RATES = np.geomspace(MIN_RATE, MAX_RATE, 80)  # 13 % apart
DELAYS = np.geomspace(MIN_DELAY, MAX_DELAY, 32)  # 27 % apart
PRIOR = np.broadcast_to(
    BURST_PRIOR[:, None] / (len(RATES) * len(DELAYS)), (len(RATES), len(BURSTS), len(DELAYS))
)
SPREAD = 0.12  # of the logarithm of a usual exchange's time
OUTLIERS = 0.02  # share of exchanges whose time says nothing
OUTLIER_RANGE = 10.0  # of the logarithm of their times
RATE_LIFE = 5.0  # s, the mean time between two jumps of the rate, and of the burst
DELAY_LIFE = 60.0  # s, the same of the delay
# Where chunks are lost: how large they are, and how long until missing ones are asked for, s.
CHUNK_BYTES, AGAIN_S = 4000, 0.02
# Small payloads may pass a link without meeting its rate: what tells the rate is larger.
INFORMS = 1.5  # bursts
LOSS_GAIN = 0.01  # of one chunk
CAREFUL = 0.25  # likelihood that the rate is less than what is told: of what is fast enough for
# small exchanges alone, only the slow end is believed
NEAR = 3  # grid steps around that rate that count as the same one


@dataclass(frozen=True)
class LinkEstimate:
    """
    A link as it is now.

    :param rate_bps: bit/s, of the bytes that the robots say to one another.
    :param delay_s: what an exchange takes beyond its bytes and the helper's work, both ways.
    :param burst: bytes of each exchange that pass without waiting for the rate.
    :param loss: share of the chunks that do not arrive.
    :param age_s: since the last exchange that told the rate; infinity if none did.
    :raises RefusedError: if a number is none.
    """

    rate_bps: float
    delay_s: float = 0.001
    burst: float = 0.0
    loss: float = 0.0
    age_s: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no link."""
        if not (
            0.0 < self.rate_bps < math.inf
            and 0.0 <= self.delay_s <= MAX_SECONDS
            and 0.0 <= self.burst <= MAX_BYTES
            and 0.0 <= self.loss <= 1.0
            and self.age_s >= 0.0
        ):
            raise RefusedError(Refusal.MALFORMED, f'expected a link, got {self!r}')

    def seconds(self, size: npt.ArrayLike) -> Grid:
        """
        Return what exchanges take on the link; what is lost is sent again until it arrives.

        With many chunks there are many rounds: all of them have to arrive.

        :param size: bytes of each exchange.
        :returns: s, of the same shape; infinite where all is lost.
        """
        shaped = np.maximum(np.asarray(size, dtype=np.float64) - self.burst, 0.0)
        if not 0.0 < self.loss < 1.0:
            once = self.delay_s + 8.0 * shaped / self.rate_bps
            return np.full_like(once, np.inf) if self.loss else once
        chunks = np.maximum(np.asarray(size, dtype=np.float64) / CHUNK_BYTES, 1.0)
        again = self.loss / (1.0 - self.loss) - np.log(chunks) / math.log(self.loss)  # rounds
        sent = 8.0 * shaped / self.rate_bps / (1.0 - self.loss)
        takes: Grid = self.delay_s + sent + again * (self.delay_s + AGAIN_S)
        return takes


class Link:
    """
    A Bayes filter over (rate, burst, delay) of one link.

    Each exchange says ``seconds = delay + 8 (bytes - burst) / rate``, with an error and, seldom,
    no truth at all. Between exchanges the rate may have jumped, the more likely the longer it is:
    so one slow exchange is an outlier, and a second one like it a new rate. What rate, burst and
    delay there are together is kept, so sizes that were not sent lately are foretold too.
    """

    def __init__(self) -> None:
        self._belief: Grid = PRIOR
        self._last_ns: int | None = None
        self._told_ns: int | None = None
        self._loss = 0.0

    def add(self, size: int, seconds: float, now: int, *, arrived: bool = True) -> None:
        """
        Take an exchange in.

        One in which chunks were sent again is none: its time says little about the link.

        :param size: bytes sent.
        :param seconds: from the first of them to the answer, without the helper's waiting and
            computing; or, if not arrived, how long the answer has been waited for in vain.
        :param now: ns.
        :raises RefusedError: if these are no such numbers.
        """
        if not (0 < size <= MAX_BYTES and 0.0 < seconds <= MAX_SECONDS):
            raise RefusedError(Refusal.MALFORMED, f'no exchange: {size!r} B in {seconds!r} s')
        self._age(now)
        shaped = 8.0 * np.maximum(size - BURSTS, 0.0)
        expected = (shaped / RATES[:, None])[..., None] + DELAYS
        off = np.log(seconds / expected) / SPREAD
        if arrived:
            usual = np.exp(-0.5 * off**2) / (SPREAD * math.sqrt(2.0 * math.pi))
            likely = (1.0 - OUTLIERS) * usual + OUTLIERS / OUTLIER_RANGE
        else:  # it takes longer than that, or the helper is gone
            likely = 0.1 + 0.9 / (1.0 + np.exp(np.clip(2.0 * off, -50.0, 50.0)))
        belief = self._belief * likely
        self._belief = belief / belief.sum()
        if size > INFORMS * self.estimate(now).burst:
            self._told_ns = now

    def lost(self, sent: int, lost: int) -> None:
        """
        Take in how many chunks of a message did not arrive.

        :raises RefusedError: unless 0 <= lost <= sent, sent > 0.
        """
        if not 0 <= lost <= sent or sent == 0:
            raise RefusedError(Refusal.MALFORMED, f'{lost!r} of {sent!r} chunks cannot be lost')
        kept = (1.0 - LOSS_GAIN) ** sent
        self._loss = kept * self._loss + (1.0 - kept) * lost / sent

    def estimate(self, now: int) -> LinkEstimate:
        """
        Return the link as it is now.

        :param now: ns.
        """
        rates = self._belief.sum(axis=(1, 2))
        middle = int(np.searchsorted(rates.cumsum(), CAREFUL))
        near = slice(max(middle - NEAR, 0), middle + NEAR + 1)
        belief = self._belief[near] / self._belief[near].sum()
        delays, bursts = belief.sum(axis=(0, 1)), belief.sum(axis=(0, 2))
        return LinkEstimate(
            rate_bps=float(np.exp(belief.sum(axis=(1, 2)) @ np.log(RATES[near]))),
            delay_s=float(np.exp(delays @ np.log(DELAYS))),
            burst=float(bursts @ BURSTS),
            loss=self._loss,
            age_s=math.inf if self._told_ns is None else max(now - self._told_ns, 0) / SECOND,
        )

    def _age(self, now: int) -> None:
        """Let rate and burst have jumped since the last exchange, and, more seldom, the delay."""
        if self._last_ns is not None:
            passed = max(now - self._last_ns, 0) / SECOND
            jumped = -math.expm1(-passed / RATE_LIFE)
            moved = -math.expm1(-passed / DELAY_LIFE)
            belief = self._belief
            belief = (1.0 - jumped) * belief + jumped * belief.mean(axis=0)
            burst = BURST_PRIOR[:, None]
            belief = (1.0 - jumped) * belief + jumped * belief.sum(axis=1, keepdims=True) * burst
            self._belief = (1.0 - moved) * belief + moved * belief.mean(axis=2, keepdims=True)
        self._last_ns = now
