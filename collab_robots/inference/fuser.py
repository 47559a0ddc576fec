"""What many looks at one picture say together, and when that is worth telling the team."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from collab_robots.core.clock import SECOND
from collab_robots.core.geometry import Array
from collab_robots.inference.sightings import Sighting, thumbnail

CLUSTER_RADIUS = 0.8  # m; pictures hang farther apart, robots know their place better
MAX_CLUSTERS = 256
REPORT_CONFIDENCE = 0.3  # of two looks or more
SURE = 0.5  # one look is enough
PART_WEIGHT = 0.1  # of the place of a part against that of a whole picture
REPORT_AFTER_NS = 5 * SECOND  # at least between two reports of one picture
CONFIDENCE_STEP = 0.2
POSITION_STEP = 0.3  # m


@dataclass(frozen=True)
class Finding:
    """
    What a robot says of one picture.

    :param key: the same for the same picture as long as the robot's process lives.
    :param stamp_ns: of the best look.
    :param position: (2,) m in the map frame.
    :param thumbnail: JPEG of the best look.
    """

    key: int
    stamp_ns: int
    class_id: int
    confidence: float
    position: Array
    thumbnail: bytes


class _Cluster:
    """All looks at one picture, summed."""

    def __init__(self, first: Sighting) -> None:
        self.best = first
        self.count = 0
        self._evidence = np.zeros(len(first.probabilities))
        self._weight = 0.0
        self._position = np.zeros(2)
        self._position_weight = 0.0
        self.reported: Finding | None = None
        self.reported_ns = 0

    def add(self, sighting: Sighting) -> None:
        """Count a look as much as it is sure of itself; its place the more the nearer it was."""
        self.count += 1
        self._evidence += sighting.confidence * sighting.probabilities
        self._weight += sighting.confidence
        near = (1.0 if sighting.whole else PART_WEIGHT) / max(sighting.distance, 0.5) ** 2
        self._position += near * sighting.position
        self._position_weight += near
        if sighting.confidence > self.best.confidence:
            self.best = sighting

    @property
    def position(self) -> Array:
        """Weighted mean (2,) m."""
        return self._position / self._position_weight

    @property
    def answer(self) -> tuple[int, float]:
        """The best class and its weighted mean probability."""
        best = int(self._evidence.argmax())
        return best, float(self._evidence[best] / self._weight)

    def is_news(self, now_ns: int) -> bool:
        """Tell whether the team should hear of it (again)."""
        class_id, confidence = self.answer
        if confidence < (REPORT_CONFIDENCE if self.count > 1 else SURE):
            return False
        last = self.reported
        if last is None:
            return True
        if now_ns - self.reported_ns < REPORT_AFTER_NS:
            return False
        moved = float(np.hypot(*(self.position - last.position)))
        return (
            class_id != last.class_id
            or confidence - last.confidence >= CONFIDENCE_STEP
            or moved >= POSITION_STEP
        )


class SightingFuser:
    """
    Groups sightings by place, sums what they say, and tells what is new.

    Two pictures nearer to each other than :data:`CLUSTER_RADIUS`, as on the two faces of a thin
    wall, are taken for one.
    """

    def __init__(self) -> None:
        self._clusters: list[_Cluster] = []

    def __len__(self) -> int:
        return len(self._clusters)

    def add(self, sighting: Sighting) -> None:
        """Count one look; beyond :data:`MAX_CLUSTERS` pictures new ones are ignored."""
        nearest, distance = None, CLUSTER_RADIUS
        for cluster in self._clusters:
            away = float(np.hypot(*(cluster.position - sighting.position)))
            if away < distance:
                nearest, distance = cluster, away
        if nearest is None:
            if len(self._clusters) >= MAX_CLUSTERS:
                return
            nearest = _Cluster(sighting)
            self._clusters.append(nearest)
        nearest.add(sighting)

    def news(self, now_ns: int) -> list[Finding]:
        """
        Return what the team should hear: pictures that are new, or whose answer changed.

        What is returned counts as told.
        """
        findings = []
        for key, cluster in enumerate(self._clusters):
            if not cluster.is_news(now_ns):
                continue
            class_id, confidence = cluster.answer
            best = cluster.best
            finding = Finding(
                key, best.stamp_ns, class_id, confidence, cluster.position, thumbnail(best.crop)
            )
            cluster.reported, cluster.reported_ns = finding, now_ns
            findings.append(finding)
        return findings
