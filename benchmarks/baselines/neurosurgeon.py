"""
Neurosurgeon's choice (Kang et al., ASPLOS 2017): the best cut for a rate, tensors as they are.

From a measured time per layer and the rate it takes the cut with the least latency, sending the
picture and computing everything here among them. Tensors are float32. It is asked once, for a
rate known in advance: a static split.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.baselines.offload import Candidate, fastest
from collab_robots.inference.options import Kind

FLOAT_BITS = 32


def choose(candidates: Sequence[Candidate], rate: float, delay: float) -> Candidate:
    """Return the fastest of all splits in float32, the raw picture and the robot itself."""
    return fastest(
        (
            one
            for one in candidates
            if one.option.kind in (Kind.LOCAL, Kind.RAW) or one.option.bits == FLOAT_BITS
        ),
        rate,
        delay,
    )
