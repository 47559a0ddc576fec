"""Quality of service, named by intent."""

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy


def _profile(reliable: bool, latched: bool, depth: int) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


SENSOR = _profile(reliable=False, latched=False, depth=5)
"""Newest matters, a lost one does not: scans, pictures, odometry."""

STATUS = _profile(reliable=True, latched=False, depth=10)
"""Inside one robot: calls, poses, velocity commands, detections."""

LATCHED = _profile(reliable=True, latched=True, depth=1)
"""A late subscriber gets the last one: maps, task lists, the mission (as Nav2's map topics)."""

TF = _profile(reliable=True, latched=False, depth=100)
"""As tf2's own broadcasters."""

RADIO = _profile(reliable=True, latched=False, depth=200)
"""Between a robot and its radio; what the radio itself loses, the ledger's sync brings back."""
