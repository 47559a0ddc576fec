"""What a robot makes of its camera: frames wait for poses, names come later and in any order."""

import numpy as np
import pytest
from test_sightings import CAMERA, CAT, frame_with_picture, says, scan, WALL_X

from collab_robots.core.errors import RefusedError
from collab_robots.core.geometry import pose
from collab_robots.inference.lookout import Lookout, MAX_VIEWS, probabilities_of, WAIT_VIEWS
from collab_robots.inference.runtime.messages import FrameId

ROBOT = pose(2.5, 1.0, 0.0)
PERIOD = 100_000_000  # ns between poses


class Network:
    """Takes views; the test names them."""

    def __init__(self):
        self.views = []

    def submit(self, view, stamp_ns):
        frame = FrameId('robot1', 1, len(self.views))
        self.views.append((frame, view, stamp_ns))
        return frame


@pytest.fixture
def network():
    return Network()


@pytest.fixture
def lookout(network):
    lookout = Lookout(network.submit)
    lookout.camera = CAMERA
    return lookout


def drive(lookout, begin, end):
    """Stand still before the wall with a picture, from one stamp to another."""
    for stamp in range(begin, end, PERIOD):
        lookout.add_scan(stamp, scan(ROBOT))
        lookout.add_pose(stamp, ROBOT)


def test_a_picture_is_found_when_both_its_views_are_named(lookout, network):
    drive(lookout, 0, 3 * PERIOD)
    lookout.add_frame(4 * PERIOD, frame_with_picture(ROBOT, 1.2))
    assert not network.views, 'the pose at that time is not known yet'
    drive(lookout, 3 * PERIOD, 6 * PERIOD)
    (first, _, stamp), (second, _, _) = network.views
    assert stamp == 4 * PERIOD
    assert lookout.add_answer(second, says(CAT, 0.8)) == []
    (finding,) = lookout.add_answer(first, says(CAT, 0.9))
    assert (finding.class_id, finding.stamp_ns) == (CAT, 4 * PERIOD)
    np.testing.assert_allclose(finding.position, [WALL_X, 1.2], atol=0.05)


def test_an_answer_counts_once_and_a_strange_one_never(lookout, network):
    drive(lookout, 0, 5 * PERIOD)
    lookout.add_frame(2 * PERIOD, frame_with_picture(ROBOT, 1.2))
    (first, _, _), (second, _, _) = network.views
    assert lookout.add_answer(FrameId('robot2', 1, 0), says(CAT, 0.9)) == []
    lookout.add_answer(first, says(CAT, 0.9))
    assert lookout.add_answer(first, says(CAT, 0.9)) == []
    assert len(lookout.add_answer(second, says(CAT, 0.9))) == 1


def test_what_nobody_can_name_is_dropped_with_its_other_view(lookout, network):
    drive(lookout, 0, 5 * PERIOD)
    lookout.add_frame(2 * PERIOD, frame_with_picture(ROBOT, 1.2))
    (first, _, _), (second, _, _) = network.views
    lookout.drop(second)
    lookout.drop(second)
    assert lookout.add_answer(first, says(CAT, 0.9)) == []


def test_frames_wait_while_many_are_being_named_and_the_newest_stays(lookout, network):
    frame = frame_with_picture(ROBOT, 1.2)
    drive(lookout, 0, 2 * PERIOD)
    for number in range(2, 20):
        lookout.add_frame(number * PERIOD - 1, frame)
        drive(lookout, number * PERIOD, (number + 1) * PERIOD)
    assert WAIT_VIEWS <= len(network.views) <= MAX_VIEWS
    for view, _, _ in list(network.views):
        lookout.add_answer(view, says(CAT, 0.9))
    count = len(network.views)
    drive(lookout, 20 * PERIOD, 21 * PERIOD)
    assert [stamp for _, _, stamp in network.views[count:]] == [19 * PERIOD - 1] * 2


@pytest.mark.parametrize('known', ['nothing', 'poses', 'scans'])
def test_without_pose_or_scan_there_is_nothing_to_name(lookout, network, known):
    for stamp in range(0, 5 * PERIOD, PERIOD):
        if known == 'poses':
            lookout.add_pose(stamp, ROBOT)
        elif known == 'scans':
            lookout.add_scan(stamp, scan(ROBOT))
    lookout.add_frame(2 * PERIOD, frame_with_picture(ROBOT, 1.2))
    assert not network.views


def test_a_frame_that_is_no_picture_is_refused_once(lookout):
    drive(lookout, 0, 5 * PERIOD)
    with pytest.raises(RefusedError, match='image'):
        lookout.add_frame(2 * PERIOD, np.zeros((4, 4, 3), dtype=np.uint8))
    drive(lookout, 5 * PERIOD, 6 * PERIOD)


def test_probabilities_of_large_logits_are_finite():
    found = probabilities_of(np.array([1000.0, 999.0, -1000.0], dtype=np.float32))
    np.testing.assert_allclose(found, [0.7310586, 0.2689414, 0.0], atol=1e-6)
