"""Range, walls, rate, delay, loss and outages of the radio; and that a seed decides all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collab_robots.core.clock import SECOND
from collab_robots.core.config import load_yaml, parse
from collab_robots.core.errors import ConfigError
from collab_robots.core.geometry import pose
from collab_robots.sim.radio import KINDS, Radio, RadioConfig
from collab_robots.sim.world import load_world, World

ROOT = Path(__file__).parents[2]
NAMES = ('robot1', 'robot2', 'robot3', 'robot4')


@pytest.fixture(scope='module')
def hall() -> World:
    lines = (
        [0.1, 0.1, 49.9, 0.1],
        [0.1, 9.9, 49.9, 9.9],
        [0.1, 0.1, 0.1, 9.9],
        [49.9, 0.1, 49.9, 9.9],
        [10.0, 0.1, 10.0, 9.9],
        [12.0, 0.1, 12.0, 5.0],
    )
    return World.model_validate(
        {
            'name': 'hall',
            'size': (50, 10),
            'walls': [{'line': line} for line in lines],
            'starts': {'first': [(1, 1, 0)]},
        }
    )


def radio(world: World, seed: int = 1, **figures: Any) -> Radio:
    return Radio(world, RadioConfig(**{'loss': 0.0, **figures}), NAMES, seed)


def place(*points: tuple[float, float]) -> list[np.ndarray]:
    return [pose(x, y, 0.0) for x, y in points]


def test_range_and_walls(hall: World) -> None:
    air = radio(hall, range=20.0, wall=3.0)
    # robot2 15 m off behind two walls, robot3 14.8 m off behind one, robot4 21 m off
    air.move(place((5, 2), (20, 2), (18, 9), (26, 2)))
    hears = air.hears(0)
    assert hears[0].tolist() == [True, False, True, False]
    assert hears[1].tolist() == [False, True, True, True]
    assert (hears == hears.T).all()
    walls = radio(hall, range=20.0, wall=2.0)
    walls.move(place((5, 2), (20, 2), (18, 9), (26, 2)))
    assert walls.hears(0)[0].tolist() == [True, True, True, False]


def test_all_robots_of_the_office_hear_one_another_from_corner_to_corner() -> None:
    office = load_world(ROOT / 'worlds' / 'office.yaml')
    air = Radio(office, load_yaml(ROOT / 'config' / 'radio.yaml', RadioConfig), NAMES, 1)
    air.move(place((0.4, 0.4), (15.6, 11.6), (0.4, 11.6), (15.6, 0.4)))
    assert air.hears(0).all()


def test_the_file_states_the_defaults() -> None:
    assert load_yaml(ROOT / 'config' / 'radio.yaml', RadioConfig) == RadioConfig()


def test_a_message_reaches_all_others_once_after_delay_and_sending_time(hall: World) -> None:
    air = radio(hall, rate=1000.0, delay=0.01)
    air.offer(0, 1, 'tile', bytes(500))
    assert air.due(round(0.509 * SECOND)) == []
    assert air.due(round(0.510 * SECOND)) == [(r, 'tile', bytes(500)) for r in (0, 2, 3)]
    assert air.due(SECOND) == []


def test_a_sender_is_limited_to_its_rate(hall: World) -> None:
    air = radio(hall, rate=10_000.0, delay=0.0)
    for number in range(20):
        air.offer(0, 0, 'block', bytes([number]) * 1000)
    air.offer(0, 1, 'have', b'other senders have a rate of their own')
    arrived = air.due(round(1.0 * SECOND))
    assert sum(receiver == 3 and kind == 'block' for receiver, kind, _ in arrived) == 10
    assert sum(kind == 'have' for _, kind, _ in arrived) == 3
    numbers = [
        data[0] for r, kind, data in arrived + air.due(2 * SECOND) if r == 3 and kind == 'block'
    ]
    assert numbers == list(range(20))


def test_the_queue_is_bounded(hall: World) -> None:
    air = radio(hall, rate=1000.0, delay=0.0, queue=5000)
    for _ in range(100):
        air.offer(0, 0, 'tile', bytes(1000))
    traffic = air.traffic['tile']
    assert len(air.due(1000 * SECOND)) == 5 * 3
    assert traffic.sent == 100_000
    assert traffic.delivered == 15_000 and traffic.lost == 95 * 3 * 1000
    air.offer(1000 * SECOND, 0, 'tile', bytes(1000))  # and it goes on
    assert len(air.due(2000 * SECOND)) == 3


def test_loss_is_as_stated(hall: World) -> None:
    air = radio(hall, seed=2, loss=0.1, rate=1e9)
    for number in range(4000):
        air.offer(number * 1000, 0, 'block', b'0123456789')
    got = len(air.due(10 * SECOND))
    assert got == pytest.approx(0.9 * 3 * 4000, rel=0.02)
    traffic = air.traffic['block']
    assert traffic.delivered == 10 * got and traffic.delivered + traffic.lost == 10 * 3 * 4000


def test_same_inputs_give_the_same_deliveries(hall: World) -> None:
    def run(seed: int) -> list[Any]:
        air = radio(hall, seed=seed, loss=0.3)
        out = []
        for number in range(300):
            air.offer(number * 10**6, number % 4, KINDS[number % len(KINDS)], bytes(number))
            out += air.due(number * 10**6)
        return out

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_split_keeps_the_halves_apart_for_its_time_only(hall: World) -> None:
    config = RadioConfig(loss=0.0).with_split('40:80', NAMES)
    air = Radio(hall, config, NAMES, 1)
    halves = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]], dtype=bool)
    for second, expected in ((39.99, True), (40.0, halves), (79.99, halves), (80.0, True)):
        assert (air.hears(round(second * SECOND)) == expected).all()
    air.offer(50 * SECOND, 0, 'block', b'x')
    assert [receiver for receiver, _, _ in air.due(60 * SECOND)] == [1]
    assert air.traffic['block'].lost == 0  # not heard is not lost


def test_what_leaves_the_sender_after_the_split_began_stays_on_its_side(hall: World) -> None:
    air = Radio(hall, RadioConfig(loss=0.0, rate=1000.0).with_split('1:9', NAMES), NAMES, 1)
    air.offer(0, 0, 'tile', bytes(1500))
    assert [receiver for receiver, _, _ in air.due(5 * SECOND)] == [1]


@pytest.mark.parametrize('robots', [1, 2, 3])
def test_halves_of_few_robots(hall: World, robots: int) -> None:
    names = NAMES[:robots]
    air = Radio(hall, RadioConfig().with_split('0:1', names), names, 1)
    apart = {1: [[1]], 2: [[1, 0], [0, 1]], 3: [[1, 1, 0], [1, 1, 0], [0, 0, 1]]}
    assert air.hears(0).astype(int).tolist() == apart[robots]


@pytest.mark.parametrize(
    'split', ['40', '80:40', '40:40', 'a:b', '-1:5', 'nan:5', '1:2:3', '1:inf']
)
def test_a_wrong_split_is_refused_in_words(split: str) -> None:
    with pytest.raises(ConfigError, match='split: expected START:END'):
        RadioConfig().with_split(split, NAMES)


@pytest.mark.parametrize(
    ('data', 'words'),
    [
        ({'range': -1.0}, 'range'),
        ({'rate': 0.0}, 'rate'),
        ({'loss': 1.5}, 'loss'),
        ({'delay': float('nan')}, 'delay'),
        ({'speed': 1.0}, 'speed'),
        ({'outages': [{'start': 2, 'end': 1, 'groups': []}]}, 'ends after it starts'),
        ({'outages': [{'start': 1, 'end': 2, 'groups': [['a'], ['a']]}]}, 'at most one group'),
    ],
)
def test_a_wrong_file_is_refused_in_words(data: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse(RadioConfig, data, 'radio.yaml')


def test_an_outage_of_an_unknown_robot_is_refused(hall: World) -> None:
    with pytest.raises(ConfigError, match='unknown robots: robot9'):
        radio(hall, outages=[{'start': 1, 'end': 2, 'groups': [['robot9']]}])


def test_robots_in_no_group_of_an_outage_are_alone(hall: World) -> None:
    air = radio(hall, outages=[{'start': 0, 'end': 2, 'groups': [['robot1', 'robot2']]}])
    assert air.hears(0).astype(int).tolist() == [
        [1, 1, 0, 0],
        [1, 1, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 1],
    ]
