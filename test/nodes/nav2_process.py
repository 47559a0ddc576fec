"""Starts and steers the process that stands for Nav2, for the tests."""

from __future__ import annotations

import os
from pathlib import Path
import subprocess
import sys

from harness import Harness
from std_msgs.msg import String

from collab_robots.nodes import qos


class Stub:
    """
    The process that stands for Nav2 and the base of robot1.

    :param domain: its ROS domain.
    """

    def __init__(self, harness: Harness, domain: int) -> None:
        self._harness = harness
        arguments = ['--ros-args', '-r', '__ns:=/robot1', '-p', 'use_sim_time:=true']
        path = Path(__file__).with_name('nav2_stub.py')
        environment = {**os.environ, 'ROS_DOMAIN_ID': str(domain)}
        self.process = subprocess.Popen([sys.executable, path, *arguments], env=environment)
        self.told = harness.listen(String, '/robot1/stub/told', qos.LATCHED)
        self._mode = harness.probe.create_publisher(String, '/robot1/stub/mode', qos.LATCHED)

    def mode(self, name: str) -> None:
        """Have it behave in another way, and wait until it does."""
        self.told.clear()
        self._mode.publish(String(data=name))
        self._harness.wait(lambda: self.has_told(f'mode {name}'))

    def has_told(self, text: str) -> bool:
        return any(message.data == text for message in self.told)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
