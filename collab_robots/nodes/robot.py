"""One robot: its four nodes composed in one process and served by one loop."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from collab_robots.core.clock import SteadyClock
from collab_robots.core.uplink import Uplink
from collab_robots.nodes.inference_node import InferenceNode
from collab_robots.nodes.ledger_node import LedgerNode
from collab_robots.nodes.mapper_node import MapperNode
from collab_robots.nodes.spin import run
from collab_robots.nodes.task_node import TaskNode


def main(args: Sequence[str] | None = None) -> int:
    """Run all nodes of a robot; the parameters of all of them may be given."""
    uplink = Uplink(SteadyClock())
    return run(
        args,
        partial(LedgerNode, uplink=uplink),
        partial(MapperNode, uplink=uplink),
        TaskNode,
        partial(InferenceNode, uplink=uplink),
    )


if __name__ == '__main__':
    raise SystemExit(main())
