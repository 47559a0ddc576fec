"""The SROS2 policy allows what the nodes do, nothing else, and no robot another's part."""

from __future__ import annotations

from itertools import permutations
import re
from xml.etree import ElementTree

from documented import ROOT, rows
import pytest

from collab_robots.bringup import topics
from collab_robots.bringup.security import policy, robot_rights

ROBOTS = ('robot1', 'robot2', 'robot3')
NODES = ('ledger', 'mapper', 'tasks', 'inference')
EVERY = {topics.REFUSED, topics.DIAGNOSTICS.removeprefix('/')}  # of docs/nodes.md, for all
FIELD = dict(topics.direct_remappings())
WORDS = {
    'topics': {'publish', 'subscribe'},
    'services': {'request', 'reply'},
    'actions': {'call', 'execute'},
}
MAX_BYTES = 1 << 16  # of a permission file: larger ones break the handshake (ros2/sros2#228)


def on_the_graph(node: str, way: str) -> set[str]:
    """Return what docs/nodes.md says, and a test holds to the ROS graph, of a real robot."""
    names = {row.name for row in rows() if (row.node, row.way) == (node, way)}
    return {FIELD.get(name, name) for name in names}


@pytest.mark.parametrize('node', NODES)
def test_a_node_may_do_exactly_what_it_does(node: str) -> None:
    rights = robot_rights('robot1')[node]
    own = {'/fleet/work/robot1': '/fleet/work', '/fleet/reply/robot1': '/fleet/reply'}
    told = {name.removesuffix('/*') for name in rights.publish}
    assert told - EVERY == on_the_graph(node, 'Publishes') - EVERY
    assert EVERY <= set(rights.publish)
    heard = {own.get(name, name) for name in rights.subscribe}
    assert heard - EVERY == on_the_graph(node, 'Subscribes to') - EVERY
    assert (topics.REFUSED in heard) == (node == 'ledger')


def test_actions_are_those_of_the_page() -> None:
    text = (ROOT / 'docs' / 'nodes.md').read_text(encoding='utf-8')
    found = {
        way: re.findall(rf'\| {way} the actions .*\n\| -.*\n\| `(\w+)`', text)
        for way in ('Serves', 'Uses')
    }
    rights = robot_rights('robot1').values()
    assert found['Serves'] == [name for one in rights for name in one.execute]
    assert found['Uses'] == [name for one in rights for name in one.call]


def enclaves() -> dict[str, ElementTree.Element]:
    root = ElementTree.fromstring(policy(ROBOTS))
    assert (root.tag, root.attrib) == ('policy', {'version': '0.2.0'})
    (content,) = root
    return {enclave.attrib['path']: enclave for enclave in content}


def test_it_is_a_policy_as_sros2_has_it() -> None:
    """The structure of policy.xsd of sros2."""
    found = enclaves()
    assert set(found) == {
        *(f'/{robot}' for robot in ROBOTS),
        *(f'/{robot}/base' for robot in ROBOTS),
        '/operator',
    }
    for enclave in found.values():
        (profiles,) = enclave
        assert profiles.tag == 'profiles' and len(profiles)
        for profile in profiles:
            assert set(profile.attrib) == {'ns', 'node'}
            for group in profile:
                ((right, allowed),) = group.attrib.items()
                assert right in WORDS[group.tag] and allowed == 'ALLOW'
                names = [expression.text for expression in group]
                assert names == sorted(set(names)) and names
                assert {expression.tag for expression in group} == {group.tag.removesuffix('s')}
        assert len(ElementTree.tostring(enclave)) < MAX_BYTES / 2


def full(profile: ElementTree.Element, name: str) -> str:
    """Return a name as ROS expands it."""
    if name.startswith('/'):
        return name
    space = profile.attrib['ns'].rstrip('/')
    node = f'{space}/{profile.attrib["node"]}'
    return f'{node}{name[1:]}' if name.startswith('~') else f'{space}/{name}'


def test_no_robot_may_take_the_part_of_another() -> None:
    found = enclaves()
    shared = {topics.MISSION, '/rosout', '/parameter_events', '/fleet/work/*', '/fleet/reply/*'}
    shared |= {f'/fleet/{kind}' for kind in topics.KINDS}
    for robot, other in permutations(ROBOTS, 2):
        for path in (f'/{robot}', f'/{robot}/base'):
            for profile in found[path].iter('profile'):
                for group in profile:
                    for expression in group:
                        name = full(profile, expression.text)
                        assert other not in name
                        assert name in shared or robot in name.split('/'), name
                    if 'publish' in group.attrib:  # the mission is the operator's
                        assert topics.MISSION not in [one.text for one in group]
    calls = [
        (path, full(profile, name.text))
        for path, enclave in found.items()
        for profile in enclave.iter('profile')
        for group in profile.iterfind('topics[@publish]')
        for name in group
        if name.text.endswith(topics.CALL)
    ]
    assert {(path, name) for path, name in calls if path != '/operator'} == {
        (f'/{robot}', f'/{robot}/{topics.CALL}') for robot in ROBOTS
    }
