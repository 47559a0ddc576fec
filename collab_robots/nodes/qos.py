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
"""Inside one robot: poses, velocity commands, detections."""

CALLS = _profile(reliable=True, latched=False, depth=200)
"""Inside one robot, and each counts: what is decided at once comes in one burst."""

LATCHED = _profile(reliable=True, latched=True, depth=1)
"""A late subscriber gets the last one: maps, task lists, the mission (as Nav2's map topics)."""

TF = _profile(reliable=True, latched=False, depth=100)
"""As tf2's own broadcasters."""

TF_STATIC = _profile(reliable=True, latched=True, depth=100)
"""As tf2's own listeners: several nodes publish, and what each said holds."""

RADIO = _profile(reliable=False, latched=False, depth=200)
"""
Between robots; what is lost, they ask for again.

Not reliable, because DDS then sends anew all that a slow link still lacks: at 100 kbit/s a robot
that once fell behind never caught up (docs/adr/0006-best-effort-radio.md).
"""
