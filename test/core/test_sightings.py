"""Where a picture hangs, against truth; and what many looks at it say together."""

import io
import math
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
from PIL import Image
import pytest
import skimage

from collab_robots.core.clock import SECOND
from collab_robots.core.geometry import compose, inverse, pose, transform
from collab_robots.inference.fuser import (
    CLUSTER_RADIUS,
    MAX_CLUSTERS,
    REPORT_AFTER_NS,
    SightingFuser,
)
from collab_robots.inference.proposals import Proposal
from collab_robots.inference.sightings import (
    Camera,
    Glimpse,
    glimpse,
    locate,
    MAX_RANGE,
    MAX_THUMBNAIL_BYTES,
    Sighting,
    thumbnail,
)

PHOTOGRAPHS = Path(skimage.__file__).parent / 'data'
FOCAL = 160 / math.tan(0.6)
CAMERA = Camera(FOCAL, 160.0, pose(0.17, 0.0, 0.0))
CAT, CUP = 285, 967
WALL_X = 5.0  # m: the wall that the robots of these tests look at, along y


def scan(robot, wall_x=WALL_X):
    """Return what a 360-ray lidar hits of the endless wall (m, 2), in the robot's frame."""
    angles = np.radians(np.arange(-180.0, 180.0))
    cos = np.cos(angles + robot[2])
    with np.errstate(divide='ignore', invalid='ignore'):
        ranges = (wall_x - robot[0]) / cos
    hit = (ranges > 0) & (ranges < 8.0)
    return np.stack([ranges * np.cos(angles), ranges * np.sin(angles)], axis=1)[hit]


def corners(robot, middle_y, width=1.2, height=0.8):
    """Return where the camera sees a picture on the wall (4, 2)."""
    camera = compose(robot, CAMERA.mount)
    result = []
    for side, up in ((1, 1), (-1, 1), (-1, -1), (1, -1)):
        point = np.array([[WALL_X, middle_y + side * width / 2]])
        x, y = transform(inverse(camera), point)[0]
        result.append((160.0 - FOCAL * y / x, 120.0 - FOCAL * up * height / 2 / x))
    return np.array(result)


def says(class_id, confidence):
    row = np.full(1000, (1.0 - confidence) / 999, dtype=np.float32)
    row[class_id] = confidence
    return row


def sighting(x, y, class_id=CAT, confidence=0.9, stamp=0, distance=2.0, whole=True):
    crop = np.full((224, 224, 3), 90, dtype=np.uint8)
    place = np.array([x, y], dtype=np.float64)
    return Sighting(stamp, place, distance, whole, crop, says(class_id, confidence))


def frame_with_picture(robot, middle_y):
    """Draw a cat on the wall as the robot sees it from straight ahead."""
    frame = Image.new('RGB', (320, 240), (190, 192, 188))
    box = corners(robot, middle_y)
    (left, top), (right, bottom) = np.rint(box[0]).astype(int), np.rint(box[2]).astype(int)
    with Image.open(PHOTOGRAPHS / 'chelsea.png') as photograph:
        frame.paste(photograph.resize((right - left, bottom - top)), (left, top))
    return np.asarray(frame)


@pytest.mark.parametrize('x', [1.2, 2.0, 3.0])
@pytest.mark.parametrize('off', [-0.5, 0.0, 0.8])
@pytest.mark.parametrize('yaw', [-20, 0, 35])
def test_the_lidar_tells_where(x, off, yaw):
    robot = pose(x, 2.0, math.radians(yaw))
    middle = 2.0 + off + (WALL_X - x) * math.tan(robot[2])
    found = locate(Proposal(corners(robot, middle), whole=True), CAMERA, scan(robot))
    assert found is not None
    point, distance = found
    np.testing.assert_allclose(transform(robot, point[None])[0], [WALL_X, middle], atol=0.01)
    camera = compose(robot, CAMERA.mount)
    assert distance == pytest.approx(math.hypot(WALL_X - camera[0], middle - camera[1]), abs=0.01)


def test_noise_of_the_lidar_and_of_the_corners_moves_it_by_centimetres():
    rng = np.random.default_rng(1)
    robot = pose(2.0, 0.0, math.radians(25))
    middle = 3.0 * math.tan(robot[2])
    for _ in range(50):
        box = corners(robot, middle) + rng.normal(0.0, 1.0, (4, 2))
        points = scan(robot) + rng.normal(0.0, 0.01, (1, 2))
        point, _ = locate(Proposal(box, whole=True), CAMERA, points)
        away = transform(robot, point[None])[0] - [WALL_X, middle]
        assert np.hypot(*away) < 0.1


def test_something_before_the_picture_hides_its_place():
    robot = pose(2.0, 0.0, 0.0)
    points = scan(robot)
    near = np.abs(np.arctan2(points[:, 1], points[:, 0]) - 0.05) < 0.08
    points[near] *= 0.4  # another robot, seen by the lidar and not by the camera above it
    assert locate(Proposal(corners(robot, 0.0), whole=True), CAMERA, points) is None


@pytest.mark.parametrize('points', [np.zeros((0, 2)), np.array([[-1.0, 0.0]]), np.zeros((5, 2))])
def test_without_rays_there_is_no_place(points):
    assert locate(Proposal(corners(pose(2.0, 0.0, 0.0), 0.0), whole=True), CAMERA, points) is None


def test_a_look_places_and_names():
    robot = pose(2.5, 1.0, 0.0)
    (found,) = glimpse(frame_with_picture(robot, 1.2), scan(robot), robot, 7, CAMERA)
    np.testing.assert_allclose(found.position, [WALL_X, 1.2], atol=0.05)
    whole, middle = found.views
    assert whole.shape[1] / whole.shape[0] == pytest.approx(1.5, rel=0.05)
    assert middle.shape[1] == middle.shape[0] == whole.shape[0]
    sighting = found.named(np.stack([says(CAT, 0.9), says(CAT, 0.5)]))
    assert (sighting.stamp_ns, sighting.class_id, sighting.whole) == (7, CAT, True)
    assert sighting.confidence == pytest.approx(0.7)
    assert sighting.crop is found.crop and sighting.position is found.position


def test_far_pictures_and_guesses_do_not_count():
    near = pose(2.5, 1.0, 0.0)
    (found,) = glimpse(frame_with_picture(near, 1.0), scan(near), near, 0, CAMERA)
    assert found.named(np.tile(says(CAT, 0.2), (2, 1))) is None
    far = pose(WALL_X - MAX_RANGE - 0.3, 1.0, 0.0)
    assert glimpse(frame_with_picture(far, 1.0), scan(far), far, 0, CAMERA) == []


def test_of_a_part_the_network_has_to_be_surer():
    crop = np.full((224, 224, 3), 90, dtype=np.uint8)
    for whole in (True, False):
        seen = Glimpse(0, np.zeros(2), 2.0, whole, crop)
        assert (seen.named(np.tile(says(CAT, 0.3), (2, 1))) is not None) == whole


def test_a_black_frame_shows_nothing():
    robot = pose(2.5, 1.0, 0.0)
    black = np.zeros((240, 320, 3), dtype=np.uint8)
    assert glimpse(black, scan(robot), robot, 0, CAMERA) == []


def test_one_unsure_look_is_no_news_and_two_are():
    fuser = SightingFuser()
    fuser.add(sighting(1.0, 1.0, CUP, 0.4))
    assert fuser.news(0) == []
    fuser.add(sighting(1.1, 1.0, CUP, 0.4))
    (finding,) = fuser.news(0)
    assert finding.class_id == CUP
    assert finding.confidence == pytest.approx(0.4)
    np.testing.assert_allclose(finding.position, [1.05, 1.0])


def test_one_sure_look_is_news_once():
    fuser = SightingFuser()
    fuser.add(sighting(1.0, 1.0))
    assert len(fuser.news(0)) == 1
    for second in range(60):
        fuser.add(sighting(1.0, 1.0))
        assert fuser.news(second * SECOND) == []


def test_a_changed_answer_is_told_again_but_not_at_once():
    fuser = SightingFuser()
    fuser.add(sighting(1.0, 1.0, CUP, 0.5))
    (first,) = fuser.news(0)
    for _ in range(4):
        fuser.add(sighting(1.0, 1.0, CAT, 0.9))
    assert fuser.news(REPORT_AFTER_NS - 1) == []
    (second,) = fuser.news(REPORT_AFTER_NS)
    assert (first.class_id, second.class_id) == (CUP, CAT)
    assert first.key == second.key


def test_a_sure_look_outweighs_unsure_ones():
    fuser = SightingFuser()
    for _ in range(3):
        fuser.add(sighting(1.0, 1.0, CUP, 0.3))
    fuser.add(sighting(1.0, 1.0, CAT, 0.9))
    assert fuser.news(0)[0].class_id == CAT


def test_the_thumbnail_is_of_the_surest_look():
    fuser = SightingFuser()
    fuser.add(sighting(1.0, 1.0, CAT, 0.6, stamp=1))
    fuser.add(sighting(1.0, 1.0, CAT, 0.9, stamp=2))
    fuser.add(sighting(1.0, 1.0, CAT, 0.7, stamp=3))
    (finding,) = fuser.news(5)
    assert finding.stamp_ns == 2
    assert Image.open(io.BytesIO(finding.thumbnail)).format == 'JPEG'


def test_a_part_of_a_picture_hardly_moves_it():
    fuser = SightingFuser()
    fuser.add(sighting(1.0, 1.0))
    fuser.add(sighting(1.5, 1.0, whole=False))
    assert fuser.news(0)[0].position[0] == pytest.approx(1.0, abs=0.05)


def test_the_number_of_pictures_is_bounded():
    fuser = SightingFuser()
    for index in range(MAX_CLUSTERS + 10):
        fuser.add(sighting(2.0 * index, 0.0))
    assert len(fuser) == MAX_CLUSTERS


def test_noise_fits_into_a_thumbnail():
    noise = np.random.default_rng(0).integers(0, 256, (224, 400, 3), dtype=np.uint8)
    assert 0 < len(thumbnail(noise)) <= MAX_THUMBNAIL_BYTES


PLACES = [(0.0, 0.0), (3.0, 0.0), (0.0, 3.0)]
looks = st.lists(
    st.tuples(
        st.sampled_from(range(3)),
        st.floats(-CLUSTER_RADIUS / 4, CLUSTER_RADIUS / 4),
        st.sampled_from([CAT, CUP]),
        st.floats(0.3, 1.0),
    ),
    min_size=1,
    max_size=20,
)


@settings(deadline=None, max_examples=50)
@given(looks, st.randoms(use_true_random=False))
def test_the_order_of_looks_does_not_matter(drawn, random):
    def fuse(items):
        fuser = SightingFuser()
        for place, off, class_id, confidence in items:
            x, y = PLACES[place]
            fuser.add(sighting(x + off, y, class_id, confidence))
        assert len(fuser) == len({place for place, *_ in items})
        found = [(*np.round(f.position, 6), round(f.confidence, 5)) for f in fuser.news(0)]
        return sorted(found)

    shuffled = list(drawn)
    random.shuffle(shuffled)
    assert fuse(drawn) == fuse(shuffled)
