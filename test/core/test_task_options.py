"""What robots bid on, and for how much."""

import numpy as np

from collab_robots.contract.calls.common import Kind
from collab_robots.core.geometry import FREE, Grid, OCCUPIED, pose
from collab_robots.tasks.bidder import Option
from collab_robots.tasks.options import LARGE, price, stand
from collab_robots.tasks.places import coarsen, Place, region
from collab_robots.tasks.planner import Terrain


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


def test_it_goes_to_the_middle_of_a_disputed_region_though_the_lie_narrows_the_way() -> None:
    data = np.full((64, 128), FREE, np.int8)  # 6.4 x 3.2 m: a corridor, and rooms south of it
    data[[0, -1]] = data[:, [0, -1]] = OCCUPIED
    data[40:42] = OCCUPIED
    data[40:42, 90:112] = FREE  # the door, x = 4.5 to 5.6 m
    data[52:54, 72:120] = OCCUPIED  # the lie: a wall along the corridor
    grid = coarsen(Grid(data, 0.05, (0.0, 0.0)))
    place = region((1, 0), grid)
    assert place is not None
    found = stand(place, Terrain.of(grid).costs_from(pose(1.0, 2.6, 0.0)))
    assert found is not None
    assert np.hypot(*(found[0] - place.centre)) < 0.2
