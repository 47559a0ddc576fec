"""Pictures are found where they are, and plain things are none."""

import math
from pathlib import Path

import numpy as np
from PIL import Image
import pytest
import skimage

from collab_robots.core.errors import RefusedError
from collab_robots.inference.proposals import MAX_PROPOSALS, Proposal, propose, rectify

PHOTOGRAPHS = Path(skimage.__file__).parent / 'data'
WALL, FLOOR, BOX = (190, 192, 188), (76, 73, 68), (140, 120, 100)
WIDTH, HEIGHT = 320, 240
FOCAL = WIDTH / 2 / math.tan(0.6)


def room() -> Image.Image:
    """Draw a wall over a floor, with a plain box of two faces standing there."""
    frame = Image.new('RGB', (WIDTH, HEIGHT), WALL)
    frame.paste(FLOOR, (0, 185, WIDTH, HEIGHT))
    frame.paste(BOX, (250, 120, 280, 200))
    frame.paste(tuple(c - 30 for c in BOX), (280, 120, 310, 200))
    return frame


def hang(frame: Image.Image, name: str, corners) -> Image.Image:
    """Draw a photograph onto four corners (upper left, upper right, lower right, lower left)."""
    with Image.open(PHOTOGRAPHS / name) as photograph:
        picture = photograph.convert('RGB')
    w, h = picture.size
    rows, right = [], []
    for (x, y), (u, v) in zip(corners, [(0, 0), (w, 0), (w, h), (0, h)], strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    numbers = np.linalg.solve(np.array(rows, dtype=float), np.array(right, dtype=float))
    size, kind = (WIDTH, HEIGHT), Image.Transform.PERSPECTIVE
    warped = picture.transform(size, kind, list(numbers), Image.Resampling.BICUBIC)
    mask = Image.new('L', (w, h), 255).transform(size, kind, list(numbers))
    frame.paste(warped, (0, 0), mask)
    return frame


def seen(width: float, height: float, distance: float, angle: float) -> np.ndarray:
    """Return where a level camera sees the corners of a picture ahead that is turned (rad)."""
    corners = []
    for across, up in ((-1, 1), (1, 1), (1, -1), (-1, -1)):
        x = across * width / 2 * math.cos(angle)
        z = distance + across * width / 2 * math.sin(angle)
        corners.append((WIDTH / 2 + FOCAL * x / z, HEIGHT / 2 - FOCAL * up * height / 2 / z))
    return np.array(corners)


@pytest.mark.parametrize('name', ['chelsea.png', 'coffee.png', 'motorcycle_left.png'])
@pytest.mark.parametrize('distance', [2.0, 3.0, 4.0])
@pytest.mark.parametrize('angle', [-50, -25, 0, 25, 50])
def test_corners_and_true_aspect(name, distance, angle):
    corners = seen(1.2, 0.8, distance, math.radians(angle))
    best = propose(np.asarray(hang(room(), name, corners)))[0]
    assert best.whole
    np.testing.assert_allclose(best.corners, corners, atol=3.0)
    assert best.aspect(FOCAL, WIDTH / 2) == pytest.approx(1.5, rel=0.15)


def test_the_middle_is_the_true_middle_from_the_side():
    proposal = Proposal(seen(1.2, 0.8, 2.0, math.radians(50)), whole=True)
    assert proposal.centre == pytest.approx((WIDTH / 2, HEIGHT / 2))


def test_rectified_looks_as_from_ahead():
    corners = seen(1.2, 0.8, 1.8, math.radians(40))
    frame = np.asarray(hang(Image.new('RGB', (WIDTH, HEIGHT), WALL), 'chelsea.png', corners))
    ahead = rectify(frame, Proposal(corners, whole=True), 1.5)
    assert ahead.shape == (224, 336, 3)
    with Image.open(PHOTOGRAPHS / 'chelsea.png') as photograph:
        truth = np.asarray(photograph.convert('RGB').resize((336, 224)), dtype=float)
    middle = np.s_[20:-20, 20:-20]
    assert np.abs(ahead.astype(float) - truth)[middle].mean() < 10.0


def test_a_picture_that_the_border_cuts_is_not_whole():
    corners = seen(1.2, 0.8, 2.0, 0.0) + np.array([120.0, 0.0])
    frame = hang(Image.new('RGB', (WIDTH, HEIGHT), WALL), 'coffee.png', corners)
    found = propose(np.asarray(frame))
    assert found
    assert not any(proposal.whole for proposal in found)


def test_two_pictures_are_two():
    frame = hang(room(), 'chelsea.png', [(20, 60), (110, 60), (110, 120), (20, 120)])
    frame = hang(frame, 'coffee.png', [(140, 60), (230, 60), (230, 120), (140, 120)])
    middles = sorted(proposal.centre[0] for proposal in propose(np.asarray(frame)))
    assert middles == pytest.approx([65, 185], abs=2)


def test_never_more_than_the_limit():
    frame = Image.new('RGB', (WIDTH, HEIGHT), WALL)
    for x in (10, 90, 170, 250):
        for y in (20, 130):
            frame = hang(frame, 'coffee.png', [(x, y), (x + 50, y), (x + 50, y + 50), (x, y + 50)])
    assert len(propose(np.asarray(frame))) == MAX_PROPOSALS


def test_plain_things_are_no_pictures():
    assert propose(np.asarray(room())) == []


@pytest.mark.parametrize('value', [0, 128, 255])
def test_one_colour_is_no_picture(value):
    assert propose(np.full((HEIGHT, WIDTH, 3), value, dtype=np.uint8)) == []


def test_noise_of_a_camera_is_no_picture():
    noise = np.random.default_rng(3).normal(0.0, 1.5, (HEIGHT, WIDTH, 3))
    frame = np.clip(np.asarray(room()) + noise, 0, 255).astype(np.uint8)
    assert propose(frame) == []


@pytest.mark.parametrize('seed', range(5))
def test_any_frame_is_answered(seed):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(8, 200, 2)
    frame = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    for proposal in propose(frame):
        assert np.isfinite(proposal.corners).all()
        assert rectify(frame, proposal, proposal.aspect(FOCAL, width / 2)).size > 0


@pytest.mark.parametrize(
    'frame',
    [
        np.zeros((HEIGHT, WIDTH), dtype=np.uint8),
        np.zeros((HEIGHT, WIDTH, 3), dtype=np.float64),
        np.zeros((HEIGHT, WIDTH, 1), dtype=np.uint8),
        np.zeros((4, 4, 3), dtype=np.uint8),
    ],
)
def test_what_is_no_picture_is_refused(frame):
    with pytest.raises(RefusedError):
        propose(frame)
