#!/usr/bin/env python3
"""
Write the tables of docs/nodes.md: start every node, and list what it has on the ROS graph.

Usage: ``python scripts/document_nodes.py``. Whoever gives a node another topic runs it; a test
says when somebody forgot. Prose between the tables is written by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
import re
import tempfile
import time
from typing import Any

import rclpy
from rclpy.action import (
    get_action_client_names_and_types_by_node,
    get_action_server_names_and_types_by_node,
)
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from collab_robots.bringup import topics
from collab_robots.explorer.fleets import make_fleet
from collab_robots.explorer.processes import Domain
from collab_robots.nodes import qos
from collab_robots.nodes.inference_node import InferenceNode
from collab_robots.nodes.ledger_node import LedgerNode
from collab_robots.nodes.managed import ManagedNode
from collab_robots.nodes.mapper_node import MapperNode
from collab_robots.nodes.markers_node import MarkersNode
from collab_robots.nodes.poller import Poller
from collab_robots.nodes.sim_node import SimNode
from collab_robots.nodes.sim_robot import MESSAGES
from collab_robots.nodes.task_node import TaskNode

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / 'docs' / 'nodes.md'
ROBOT = 'robot1'
PATIENCE = 30.0  # s that a node may take to have all its topics
MARK = re.compile(r'(<!-- begin (\w+) (\w+) -->\n)(.*?)(<!-- end -->)', re.DOTALL)
PROFILES = {name: each for name, each in vars(qos).items() if isinstance(each, QoSProfile)}
LATE = {'inference': ('work', 'reply')}
"""Kinds of messages whose topic to teammates a node makes when it sends the first."""
CHOICES: Mapping[str, tuple[dict[str, Any], ...]] = {
    'mapper': ({'mapper': 'external'},),
    'tasks': ({'navigator': 'nav2'},),
    'inference': ({'image_transport': 'compressed'},),
}
"""Parameters that change which topics a node has."""
SENTENCES = {
    topics.SCAN: 'The lidar.',
    topics.ODOM: 'Wheel odometry: the pose in the frame `odom`, and the speed.',
    topics.TF: 'Transforms; `map` to `odom` is the mapper’s, the rest the base’s.',
    topics.TF_STATIC: 'Where lidar and camera are on the robot, and another program’s map.',
    topics.IMAGE: 'The camera’s pictures: rgb8, bgr8, mono8 or mono16.',
    topics.IMAGE_COMPRESSED: 'The same as JPEG or PNG.',
    topics.CAMERA_INFO: 'The camera’s focal length and centre.',
    topics.CMD_VEL: 'Velocity commands; zero when it may not move, or does not know where it is.',
    topics.BATTERY: 'The battery; only diagnostics use it.',
    topics.SLAM_MAP: 'The grid of another mapper, such as slam_toolbox.',
    topics.GROUND_TRUTH: 'Where the robot truly is; only reports use it.',
    topics.CALL: 'Contract calls for the robot’s own ledger to put on record.',
    topics.REFUSED: 'What a node refused from outside; the ledger’s status counts it.',
    topics.LEDGER_STATUS: 'Health of the ledger: counts, peers, digests, alarms, convicted.',
    topics.TASKS: 'All tasks that are not long over, as the contract sees them.',
    topics.TILES: 'The digest of every map tile, sketches, and whose maps do not count.',
    topics.ROSTER: 'Who is in the fleet and what is voted on; sent while somebody listens.',
    topics.MAP: 'The team’s map: the sum of the trusted layers.',
    topics.POSE: 'Where the robot is, in the frame `map`.',
    topics.PATH: 'The way that the robot is about to drive.',
    topics.TASK_STATE: 'What the robot is doing, in words.',
    topics.DETECTIONS: 'What the camera recognised, and where it is in the map.',
    topics.INFERENCE: 'How the answer to one picture came about.',
    topics.INFER: 'Name what a picture shows, with the help of teammates.',
    topics.CLOCK: 'Simulated time.',
    topics.MISSION: '`run` or `hold`, from the operator to all robots.',
    topics.RADIO_STATUS: 'Who hears whom over the simulated radio, and what it carried.',
    topics.REAL_TIME_FACTOR: 'Simulated seconds per second.',
    topics.MARKERS_TASKS: 'Tasks where they are, in the colour of their state.',
    topics.MARKERS_TRUST: 'Robots in the colour of where they stand with the team.',
    topics.MARKERS_LINKS: 'Lines between robots: whole where they hear each other.',
    topics.MARKERS_DETECTIONS: 'What cameras recognised, with its name.',
    'navigate_to_pose': 'Nav2’s action that drives the robot to a pose.',
}
CARRIED = {
    'block': 'blocks of the ledger',
    'have': 'what a ledger holds',
    'request': 'questions for blocks, snapshots and tiles',
    'chunk': 'pieces of a snapshot',
    'tile': 'map tiles',
    'work': 'pictures and tensors to compute on',
    'reply': 'what became of them',
    'offer': 'what a robot can compute for others',
}
COMMON = {
    'tells': ('/parameter_events', '/rosout', topics.DIAGNOSTICS, topics.REFUSED),
    'hears': (topics.CLOCK,),
}
"""What every node has, besides the topic of its transitions."""
HEADS = {
    'tells': 'Publishes',
    'hears': 'Subscribes to',
    'serves': 'Serves the actions',
    'asks': 'Uses the actions',
}


@dataclass(frozen=True)
class Entry:
    """
    One topic or action of a node.

    :param way: of ``HEADS``.
    :param name: without the namespace of the robot whose node it is; of other nodes' topics
        ``<robot>`` stands for any robot.
    :param kind: its type.
    :param profile: its quality of service, by name; empty for an action.
    """

    way: str
    name: str
    kind: str
    profile: str


def factories(folder: Path) -> dict[str, Callable[..., Node]]:
    """Return what makes each node, for parameters beside those that it needs."""
    fleet = folder / 'fleet.yaml'

    def of(kind: Callable[..., Node], namespace: str, **needed: Any) -> Callable[..., Node]:
        def make(**chosen: Any) -> Node:
            values = {**needed, **chosen}
            overrides = [Parameter(name, value=value) for name, value in values.items()]
            return kind(namespace=namespace, parameter_overrides=overrides)

        return make

    own = {'name': ROBOT, 'fleet': str(fleet)}
    files = {'key': str(folder / ROBOT / 'key'), 'store': str(folder / 'ledger.db')}
    world = str(ROOT / 'worlds' / 'office.yaml')
    return {
        'ledger': of(LedgerNode, f'/{ROBOT}', **own, **files),
        'mapper': of(MapperNode, f'/{ROBOT}', name=ROBOT),
        'tasks': of(TaskNode, f'/{ROBOT}', **own),
        'inference': of(InferenceNode, f'/{ROBOT}', name=ROBOT),
        'simulator': of(SimNode, '/', world=world, robots=1),
        'markers': of(MarkersNode, '/', fleet=str(fleet)),
    }


@contextmanager
def graph() -> Iterator[tuple[Node, dict[str, Callable[..., Node]]]]:
    """Give a node that looks, and what makes nodes, on a ROS domain of their own."""
    domain = Domain()
    rclpy.init(args=[], domain_id=domain.id)
    try:
        with tempfile.TemporaryDirectory() as folder:
            make_fleet(Path(folder), [ROBOT], name='documented')
            yield Node('looker'), factories(Path(folder))
    finally:
        rclpy.shutdown()
        domain.close()


def entries(name: str, **chosen: Any) -> set[Entry]:
    """Start a node, return what it has on the graph, and end it."""
    with graph() as (looker, nodes):
        node = nodes[name](**chosen)
        try:
            if isinstance(node, ManagedNode):
                node.begin()
            poller = Poller([node])
            deadline = time.monotonic() + PATIENCE
            while not _whole(node):
                if time.monotonic() > deadline:
                    raise RuntimeError(f'{name} does not get its topics')
                poller.poll()
                time.sleep(0.01)  # the poller asks; nothing wakes it
            return set(_entries(looker, node)) | set(map(_late, LATE.get(name, ())))
        finally:
            node.destroy_node()


def _whole(node: Node) -> bool:
    """Tell whether a node has all its topics: the ledger hears nothing until time has begun."""
    heard = [one.topic_name for one in node.subscriptions]
    return node.get_name() != 'ledger' or f'/{ROBOT}/{topics.CALL}' in heard


def _entries(looker: Node, node: Node) -> Iterator[Entry]:
    at = (node.get_name(), node.get_namespace())
    profiles = {
        'tells': {one.topic_name: one.qos_profile for one in node.publishers},
        'hears': {one.topic_name: one.qos_profile for one in node.subscriptions},
    }
    for way, ask in (
        ('tells', looker.get_publisher_names_and_types_by_node),
        ('hears', looker.get_subscriber_names_and_types_by_node),
    ):
        for topic, (kind,) in ask(*at):
            name = _name(topic, node)
            own = topic == f'{node.get_fully_qualified_name()}/transition_event'
            if not own and _bare(name) not in map(_bare, COMMON[way]):
                yield Entry(way, name, kind, _profile(profiles[way][topic]))
    for way, ask in (
        ('serves', get_action_server_names_and_types_by_node),
        ('asks', get_action_client_names_and_types_by_node),
    ):
        aside = (f'{at[0]}_actions', at[1])
        if aside in looker.get_node_names_and_namespaces():
            for action, (kind,) in ask(looker, *aside):
                yield Entry(way, _name(action, node), kind, '')


def _name(topic: str, node: Node) -> str:
    if node.get_namespace() == f'/{ROBOT}':
        return topic.removeprefix(f'/{ROBOT}/')
    return topic.replace(f'/{ROBOT}/', '/<robot>/')


def _bare(topic: str) -> str:
    return topic.removeprefix('/')


def _late(kind: str) -> Entry:
    message = MESSAGES[kind]
    package = message.__module__.partition('.')[0]
    return Entry('tells', topics.sent(kind), f'{package}/msg/{message.__name__}', 'RADIO')


def _profile(profile: QoSProfile) -> str:
    """Return the name of a profile of qos.py."""
    return {_policies(each): name for name, each in PROFILES.items()}[_policies(profile)]


def _policies(profile: QoSProfile) -> tuple[Any, ...]:
    return profile.history, profile.depth, profile.reliability, profile.durability


def documented(name: str) -> dict[Entry, str]:
    """Return a node's topics and actions, each with the choice that it takes, if any."""
    usual = entries(name)
    found = dict.fromkeys(usual, '')
    for choice in CHOICES.get(name, ()):
        chosen = entries(name, **choice)
        said = ', '.join(f'`{key}: {value}`' for key, value in choice.items())
        found |= dict.fromkeys(chosen - usual, f'with {said}')
        found |= dict.fromkeys(usual - chosen, f'not with {said}')
    return found


def page(text: str) -> str:
    """Return the page with its tables made anew."""

    def table(match: re.Match[str]) -> str:
        begin, what, which, _, end = match.groups()
        made = _qos() if what == 'qos' else _table(documented(which))
        return f'{begin}\n{made}\n{end}'

    return MARK.sub(table, text)


def _qos() -> str:
    lines = ['| intent | reliability | durability | depth |', '| --- | --- | --- | ---: |']
    for name, profile in PROFILES.items():
        reliable = profile.reliability is ReliabilityPolicy.RELIABLE
        latched = profile.durability is DurabilityPolicy.TRANSIENT_LOCAL
        lines.append(
            f'| {name} | {"reliable" if reliable else "best effort"} '
            f'| {"transient local" if latched else "volatile"} | {profile.depth} |'
        )
    return '\n'.join([*lines, ''])


def _table(found: Mapping[Entry, str]) -> str:
    lines = []
    for way, head in HEADS.items():
        rows = sorted((one for one in found if one.way == way), key=lambda one: one.name)
        if not rows:
            continue
        lines += [f'| {head} | type | QoS | |', '| --- | --- | --- | --- |']
        for one in rows:
            when = f' ({found[one]})' if found[one] else ''
            lines.append(
                f'| `{one.name}` | `{one.kind}` | {one.profile} | {sentence(one.name)}{when} |'
            )
        lines.append('')
    return '\n'.join(lines)


def sentence(name: str) -> str:
    """Return what is said of a topic or an action."""
    own = name.removeprefix('/<robot>/')
    for prefix, way in (('radio/tx/', 'To'), ('radio/rx/', 'From')):
        if own.startswith(prefix):
            return f'{way} teammates: {CARRIED[own.removeprefix(prefix)]}.'
    return {_bare(topic): text for topic, text in SENTENCES.items()}[_bare(own)]


if __name__ == '__main__':
    PAGE.write_text(page(PAGE.read_text(encoding='utf-8')), encoding='utf-8')
