"""An empty ROS node in the loop that ours run in: what a process costs before it does anything."""

from __future__ import annotations

from rclpy.node import Node

from collab_robots.nodes.spin import run


def main() -> int:
    """Run it until SIGTERM."""
    return run(None, lambda: Node('bare'))


if __name__ == '__main__':
    raise SystemExit(main())
