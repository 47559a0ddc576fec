"""Run nodes together until Ctrl-C, with errors in words and a clean end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import signal
import sys
import time

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from collab_robots.core import heap
from collab_robots.core.errors import CollabError
from collab_robots.nodes.managed import ManagedNode
from collab_robots.nodes.poller import Poller

BAD_INPUT = 2
ARENAS = 2  # with more, threads that compute in turn keep a network's memory each
IDLE_S = 0.004  # between two rounds: what a message waits at most beside the callbacks


def run(args: Sequence[str] | None, *factories: Callable[[], Node]) -> int:
    """
    Make nodes, start them, spin them together and close them in reverse order.

    :param args: ROS arguments, or None for those of the command line.
    :param factories: each makes one node.
    :returns: the exit status: 0 after Ctrl-C or SIGTERM, 2 if something that a person wrote is
        wrong (the reason is on standard error).
    """
    heap.share_arenas(ARENAS)
    # our own handlers: ROS' would take the context away while callbacks use it
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    asked: list[int] = []  # the signals that came: none cuts a callback or the end short
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda came, _frame: asked.append(came))
    nodes: list[Node] = []
    try:
        for factory in factories:
            if asked:
                break
            node = factory()
            nodes.append(node)
            if isinstance(node, ManagedNode) and node.get_parameter('autostart').value:
                node.begin()
        poller = Poller(nodes)
        while not asked:
            poller.poll()
            time.sleep(IDLE_S)  # the poller asks; nothing wakes it
    except ExternalShutdownException:
        pass
    except CollabError as error:
        print(f'error: {error}', file=sys.stderr)
        return BAD_INPUT
    finally:
        for node in reversed(nodes):
            node.destroy_node()
        rclpy.try_shutdown()
    return 0
