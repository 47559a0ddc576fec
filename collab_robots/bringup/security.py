"""
The SROS2 policy of a fleet: what each process may say and hear on the network, and nothing more.

A robot's process has one enclave, ``/robot1``. Whatever publishes its sensors and drives it has
another, ``/robot1/base``, and those who look at the robots a third, ``/operator``. The format is
that of ``sros2``, version 0.2.0 (``sros2/policy/schemas/policy.xsd``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from collab_robots.bringup import topics

VERSION = '0.2.0'
NAVIGATE = 'navigate_to_pose'
OPERATOR, BASE = 'operator', 'base'
_DIAGNOSTICS = topics.DIAGNOSTICS.removeprefix('/')
_EVERY_NODE = ('/rosout', '/parameter_events')
_LIFE = ('change_state', 'get_available_states', 'get_available_transitions', 'get_state')
_PARAMETERS = ('describe_parameters', 'get_parameter_types', 'get_parameters', 'list_parameters')
_SERVICES = (
    *(*_LIFE, 'get_transition_graph'),
    *(*_PARAMETERS, 'set_parameters', 'set_parameters_atomically', 'get_type_description'),
)


@dataclass(frozen=True)
class Rights:
    """
    What a node may do; names without a slash are below its namespace.

    :param publish: topics.
    :param subscribe: topics.
    :param execute: actions that it serves.
    :param call: actions that it uses.
    :param request: services that it uses.
    """

    publish: Sequence[str] = ()
    subscribe: Sequence[str] = ()
    execute: Sequence[str] = ()
    call: Sequence[str] = ()
    request: Sequence[str] = ()


def _fleet(*kinds: str) -> tuple[str, ...]:
    return tuple(f'/fleet/{kind}' for kind in kinds)


def robot_rights(robot: str) -> dict[str, Rights]:
    """Return what each node of a robot may do where DDS is the radio."""
    ledger = _fleet('block', 'have', 'request', 'chunk')
    reports = (topics.REFUSED, _DIAGNOSTICS)
    return {
        'ledger': Rights(
            publish=(
                *ledger,
                *(topics.LEDGER_STATUS, topics.ROSTER, topics.TASKS, topics.TILES, *reports),
            ),
            subscribe=(*ledger, topics.CALL, topics.REFUSED, topics.MISSION),
        ),
        'mapper': Rights(
            publish=(
                *_fleet('tile', 'request'),
                *(topics.MAP, topics.POSE, topics.TF, topics.TF_STATIC, topics.CALL, *reports),
            ),
            subscribe=(
                *_fleet('tile', 'request'),
                *(topics.SCAN, topics.ODOM, topics.TILES),
                *(topics.SLAM_MAP, topics.TF, topics.TF_STATIC),
            ),
        ),
        'tasks': Rights(
            publish=(topics.CMD_VEL, topics.PATH, topics.TASK_STATE, topics.CALL, *reports),
            subscribe=(
                *(topics.MISSION, topics.TASKS, topics.MAP, topics.POSE, topics.SCAN),
                topics.BATTERY,
            ),
            call=(NAVIGATE,),
        ),
        'inference': Rights(
            publish=(
                *_fleet('offer', 'work/*', 'reply/*'),
                *(topics.DETECTIONS, topics.INFERENCE, topics.CALL, *reports),
            ),
            subscribe=(
                *_fleet('offer', f'work/{robot}', f'reply/{robot}'),
                *(topics.IMAGE, topics.IMAGE_COMPRESSED, topics.CAMERA_INFO),
                *(topics.POSE, topics.SCAN, topics.TASKS, topics.ROSTER),
            ),
        ),
        'inference_actions': Rights(execute=(topics.INFER,)),
    }


def base_rights() -> Rights:
    """Return what a robot's drivers may do."""
    return Rights(
        publish=(
            *(topics.SCAN, topics.ODOM, topics.TF, topics.TF_STATIC),
            *(topics.IMAGE, topics.IMAGE_COMPRESSED, topics.CAMERA_INFO, topics.BATTERY),
        ),
        subscribe=(topics.CMD_VEL,),
    )


def operator_rights(robots: Iterable[str]) -> Rights:
    """Return what those may do who look at robots, let them vote, and say when to work."""
    robots = list(robots)
    everything = tuple(f'/{robot}/*' for robot in robots)
    return Rights(
        publish=(topics.MISSION, '/markers/*', *(f'/{robot}/{topics.CALL}' for robot in robots)),
        subscribe=(*everything, '/fleet/*', '/markers/*', topics.DIAGNOSTICS, *_EVERY_NODE),
        call=tuple(f'/{robot}/{topics.INFER}' for robot in robots),
        request=everything,
    )


def policy(robots: Sequence[str]) -> str:
    """Return a fleet's policy as XML: enclaves for each robot, its drivers, and the operator."""
    root = ElementTree.Element('policy', version=VERSION)
    enclaves = ElementTree.SubElement(root, 'enclaves')
    for robot in robots:
        profiles = _enclave(enclaves, f'/{robot}')
        for node, rights in robot_rights(robot).items():
            _profile(profiles, f'/{robot}', node, rights)
        _profile(_enclave(enclaves, f'/{robot}/{BASE}'), f'/{robot}', BASE, base_rights())
    _profile(_enclave(enclaves, f'/{OPERATOR}'), '/', OPERATOR, operator_rights(robots))
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding='unicode')
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _enclave(enclaves: ElementTree.Element, path: str) -> ElementTree.Element:
    return ElementTree.SubElement(
        ElementTree.SubElement(enclaves, 'enclave', path=path), 'profiles'
    )


def _profile(profiles: ElementTree.Element, namespace: str, node: str, rights: Rights) -> None:
    profile = ElementTree.SubElement(profiles, 'profile', ns=namespace, node=node)
    own = ('~/transition_event', *_EVERY_NODE)
    for kind, right, names in (
        ('topic', 'publish', (*rights.publish, *own)),
        ('topic', 'subscribe', rights.subscribe),
        ('service', 'reply', tuple(f'~/{service}' for service in _SERVICES)),
        ('service', 'request', rights.request),
        ('action', 'execute', rights.execute),
        ('action', 'call', rights.call),
    ):
        if names:
            group = ElementTree.SubElement(profile, f'{kind}s', {right: 'ALLOW'})
            for name in sorted(set(names)):
                ElementTree.SubElement(group, kind).text = name
