"""
Vision node: camera pictures in, detections at a map position out.

What it is sure of is published on ``detections`` and put on the ledger. It recognises; it does
not track moving things.
"""

from __future__ import annotations

from rclpy.node import Node


class VisionNode(Node):
    """See the module."""

    def __init__(self) -> None:
        super().__init__('vision')
