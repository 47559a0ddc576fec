"""Whatever network and helpers do, each frame gets its one answer, and memory is bounded."""

from collections import Counter
from random import Random

import numpy as np
import pytest
from runtime_team import (
    CLASSES,
    engine,
    last,
    picture,
    Team,
    tiny_model,
    whole,
)

from collab_robots.inference.codec import encode
from collab_robots.inference.runtime.answer import Outcome
from collab_robots.inference.runtime.events import Fault
from collab_robots.inference.runtime.lab import Liar, lies, Weather
from collab_robots.inference.runtime.messages import Hop, Offer

SEEDS = 300
FRAMES = 12
# As a share of the range of the logits; 8 bits of a tensor and of the answer cost at most 0.004.
CLOSE = 0.02


def coded(rgb, option):
    """Return what the network says of what an option sends."""
    mine = engine()
    sent = mine.advance(rgb, 0, None, option.cut, option, -1).chunks
    return mine.follow(option, sent, [Hop('x', last(), 32)])


def is_right(answer, rgb):
    """Whether an answer is the network's, of the picture or of what was sent of it."""
    references = [whole(rgb)]
    option = answer.trace.course.option
    if answer.trace.course.probe:
        option = answer.trace.course.probe[0]
    if option.remote:
        references.append(coded(rgb, option))
    return any(
        np.abs(answer.logits - right).max() <= CLOSE * np.ptp(right) for right in references
    )


def check_answers(team, frames):
    """Each frame has one answer, and it is the network's unless it says that it is degraded."""
    assert team.requester.in_progress == 0
    assert Counter(answer.frame for answer in team.answers) == Counter(frames.keys())
    for answer in team.answers:
        assert answer.outcome is Outcome.ANSWERED
        assert answer.logits.shape == (1, CLASSES) and np.isfinite(answer.logits).all()
        assert answer.trace.degraded or is_right(answer, picture(frames[answer.frame]))


def check_bounds(team):
    settings = team.helper_settings
    for helper in team.helpers.values():
        assert helper.held_bytes <= settings.arriving_bytes
        assert helper.frames <= settings.arriving + settings.queue + 1


def nonsense(draw):
    """Coded tensors that are no answer: of a wrong shape or code."""
    shapes = [(CLASSES + 1,), (1,), (3, 4, 4), (CLASSES, 2)]
    arrays = [np.asarray(np.random.default_rng(1).normal(size=shape)) for shape in shapes]
    codes = [encode(array.astype(np.float32), 8)[0] for array in arrays]
    right = encode(np.arange(CLASSES, dtype=np.float32), 8)[0]
    not_finite = bytearray(encode(np.arange(CLASSES, dtype=np.float32), 32)[0])
    not_finite[-4:] = b'\x7f\xc0\0\0'
    return [*codes, right[:-1], right + b'\0', right[:4] + b'\xff' + right[5:], bytes(not_finite)]


@pytest.mark.parametrize('first', range(0, SEEDS, 50))
def test_no_frame_is_lost(first):
    faults = Counter()
    for seed in range(first, first + 50):
        draw = Random(seed)
        weather = Weather(
            delay_s=(0.001, draw.choice([0.002, 0.02, 0.2])),
            rate_bps=draw.choice([2e5, 1e6, 2e7]),
            loss=draw.choice([0.0, 0.05, 0.3, 0.6]),
            twice=draw.choice([0.0, 0.2]),
        )
        team = Team(seed, weather=weather)
        kinds = lies('liar', draw, nonsense(draw))
        offer = Offer('liar', tiny_model().hash, 0, 0.0, 1_000_000)
        lie = kinds[draw.choice(sorted(kinds))]
        team.lab.join('liar', Liar(offer, team.lab.post('liar'), lie))
        team.run(1.5)
        frames = {}
        for count in range(FRAMES):
            frames[team.submit(count)] = count
            if draw.random() < 0.2:
                name = draw.choice('bcd')
                (team.lab.crash if draw.random() < 0.6 else team.start)(name)
            team.run(draw.choice([0.0, 0.05, 0.2, 0.5]))
            check_bounds(team)
        for _ in range(60):
            team.run(1.0)
            if not team.requester.in_progress:
                break
        check_answers(team, frames)
        faults.update(event.fault for event in team.events)
    assert all(faults[fault] for fault in (Fault.TIMEOUT, Fault.WRONG)), faults
