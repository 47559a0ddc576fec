"""What robots bid on, and for how much."""

import numpy as np

from collab_robots.contract.calls.common import Kind
from collab_robots.tasks.bidder import Option
from collab_robots.tasks.options import LARGE, price
from collab_robots.tasks.places import Place


def option(kind: Kind, cost_m: float, cells: int = LARGE) -> Option:
    points = np.stack([np.arange(cells) / 10, np.zeros(cells)], axis=1)
    place = Place(kind, (0, 0), points, points[cells // 2], frozenset({(0, 0)}))
    return Option(place, cost_m, points[0])


def test_a_room_nobody_has_been_in_comes_before_a_look_at_near_walls() -> None:
    across_the_building = price(option(Kind.EXPLORE, 18.0, cells=1))
    assert across_the_building < price(option(Kind.INSPECT, 5.0))


def test_small_frontiers_can_wait_a_little() -> None:
    small, large = (option(Kind.EXPLORE, 4.0, cells) for cells in (1, LARGE))
    assert price(large) < price(small) < price(option(Kind.EXPLORE, 8.0))
