"""The markers node on real topics: it draws what robots say, and nothing that is not so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Point, PoseStamped
from harness import Harness, running
import pytest
from rclpy.parameter import Parameter
from visualization_msgs.msg import Marker, MarkerArray

from collab_robots.bringup import topics
from collab_robots.core.errors import ConfigError
from collab_robots.core.geometry import pose
from collab_robots.nodes import conversions, qos
from collab_robots.nodes.markers_node import MarkersNode
from collab_robots_msgs.msg import (
    Detection,
    LedgerStatus,
    RadioStatus,
    Refused,
    TaskStatus,
    TaskStatusArray,
)

KEY = bytes(range(32))


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    with running(tmp_path, domain=170) as harness:
        yield harness


def options(**values: Any) -> dict[str, Any]:
    chosen = {'use_sim_time': True, **values}
    return {
        'parameter_overrides': [Parameter(name, value=value) for name, value in chosen.items()]
    }


class Team:
    """Two robots that say what a test wants."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        create = harness.probe.create_publisher
        self.poses, self.statuses, self.tasks = {}, {}, {}
        for robot in ('robot1', 'robot2'):
            self.poses[robot] = create(PoseStamped, f'/{robot}/{topics.POSE}', qos.STATUS)
            self.statuses[robot] = create(
                LedgerStatus, f'/{robot}/{topics.LEDGER_STATUS}', qos.STATUS
            )
            self.tasks[robot] = create(TaskStatusArray, f'/{robot}/{topics.TASKS}', qos.LATCHED)

    def speak(self, *robots: str, **said: Any) -> None:
        """Have robots tell where they are, and their ledgers speak; answers nothing."""
        for robot in robots:
            x = float(robot[-1])
            now = self.harness.now_ns
            self.poses[robot].publish(conversions.pose_to_msg(pose(x, 0.0, 0.0), 'map', now))
            self.statuses[robot].publish(LedgerStatus(robot=robot, **said))


def shown(arrays: list[MarkerArray]) -> dict[tuple[str, int], Marker]:
    """Return what RViz would show after all these arrays."""
    result: dict[tuple[str, int], Marker] = {}
    for array in arrays:
        for marker in array.markers:
            if marker.action == Marker.DELETEALL:
                result.clear()
            elif marker.action == Marker.DELETE:
                result.pop((marker.ns, marker.id), None)
            else:
                result[(marker.ns, marker.id)] = marker
    return result


def texts(arrays: list[MarkerArray]) -> list[str]:
    return sorted(marker.text for marker in shown(arrays).values() if marker.text)


def kinds(arrays: list[MarkerArray]) -> set[str]:
    return {ns for ns, _ in shown(arrays)}


def test_tasks_trust_links_and_detections_appear_change_and_go(harness: Harness) -> None:
    node = harness.add(MarkersNode(**options(fleet=str(harness.folder / 'fleet.yaml'))))
    tasks, trust, links, things = (
        harness.listen(MarkerArray, f'/{topic}')
        for topic in (
            topics.MARKERS_TASKS,
            topics.MARKERS_TRUST,
            topics.MARKERS_LINKS,
            topics.MARKERS_DETECTIONS,
        )
    )
    team = Team(harness)
    both = ('robot1', 'robot2')

    def heard() -> None:
        team.speak(*both, peers=list(both))

    harness.wait(lambda: heard() or texts(trust) == list(both))
    harness.wait(lambda: heard() or kinds(links) == {'hear both'})
    held = TaskStatus(
        key=list(KEY), kind=1, cell_x=4, cell_y=2, state=TaskStatus.HELD, holder='robot2',
        accepted=True,
    )  # fmt: skip
    for robot in both:
        team.tasks[robot].publish(TaskStatusArray(tasks=[held]))
    harness.wait(lambda: heard() or texts(tasks) == ['explore: held by robot2'])
    assert kinds(tasks) == {'place', 'label', 'holder'}
    place = next(marker for (ns, _), marker in shown(tasks).items() if ns == 'place')
    assert (place.pose.position.x, place.pose.position.y) == (4.5, 2.5)
    assert place.header.frame_id == 'map'

    detections = harness.probe.create_publisher(
        Detection, f'/robot1/{topics.DETECTIONS}', qos.STATUS
    )
    harness.matched(detections)
    detections.publish(
        Detection(class_id=3, label='rocket', confidence=0.9, position=Point(x=1.0, y=2.0))
    )
    harness.wait(lambda: heard() or texts(things) == ['rocket 90%\nrobot1'])

    for robot in both:  # nobody has it any more
        team.tasks[robot].publish(TaskStatusArray())
    harness.wait(lambda: heard() or kinds(tasks) == set())
    harness.wait(
        lambda: (
            team.speak(*both, peers=[], convicted=['robot2'])
            or texts(trust) == ['robot1', 'robot2\nconvicted (2 of 2 ledgers)']
        )
    )
    harness.wait(lambda: team.speak(*both) or kinds(links) == {'hear none'})
    harness.wait(lambda: team.speak('robot1') or texts(trust) == ['robot1', 'robot2\nsilent'])

    node.trigger_deactivate()
    harness.wait(lambda: not kinds(trust) and not kinds(links) and not kinds(things))


def test_a_simulated_radio_is_believed_and_a_broken_message_is_refused(harness: Harness) -> None:
    harness.add(MarkersNode(**options(robots=['robot1', 'robot2'])))
    links = harness.listen(MarkerArray, f'/{topics.MARKERS_LINKS}')
    refusals = harness.listen(Refused, f'/{topics.REFUSED}')
    team = Team(harness)
    radio = harness.probe.create_publisher(RadioStatus, topics.RADIO_STATUS, qos.STATUS)
    harness.matched(radio)
    names = ['robot1', 'robot2']
    radio.publish(RadioStatus(robots=names, hears=[True]))
    assert harness.wait(lambda: refusals)[0].reason == 'malformed'

    def one_way() -> None:
        team.speak(*names, peers=names)
        radio.publish(RadioStatus(robots=names, hears=[True, True, False, True]))

    harness.wait(lambda: one_way() or kinds(links) == {'hear one'})


def test_it_tells_on_diagnostics_who_is_not_heard(harness: Harness) -> None:
    harness.add(MarkersNode(**options(robots=['robot1', 'robot2'])))
    told = harness.listen(DiagnosticArray, topics.DIAGNOSTICS)
    team = Team(harness)

    def said() -> set[str]:
        return {status.message for array in told[-1:] for status in array.status}

    missing = 'not heard: robot2; do they run, in this ROS domain?'
    harness.wait(lambda: team.speak('robot1') or said() == {missing})
    harness.wait(lambda: team.speak('robot1', 'robot2') or said() == {'all robots are heard'})


def test_without_robots_it_says_whom_to_name(harness: Harness) -> None:
    with pytest.raises(ConfigError, match='fleet file'):
        harness.add(MarkersNode(**options()))
    with pytest.raises(ConfigError, match=r"got \['Robot 1'\]"):
        harness.add(MarkersNode(**options(robots=['robot2', 'Robot 1'])))
