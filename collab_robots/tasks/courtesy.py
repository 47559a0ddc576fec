"""Stepping aside: for a teammate where only one fits, or that an idle robot hinders."""

from __future__ import annotations

import numpy as np

from collab_robots.core.clock import SECOND
from collab_robots.core.geometry import Array
from collab_robots.tasks.planner import Routes
from collab_robots.tasks.remote import Drive

WAIT_ASIDE = 3 * SECOND  # in the refuge, after the way there
LIMIT = 20 * SECOND  # way included
HINDERED = 3.0  # s of being blocked on the way to the refuge, after which it is given up
CROWDED = 0.8  # m; an idle robot with something not on the map so near …
CROWDED_FOR = 2 * SECOND  # … for so long steps aside
MAX_THREATS = 20  # nearest lidar hits that a refuge has to be away from


class Courtesy:
    """
    Decides when a robot leaves its way to let another pass, and when it comes back.

    :param driver: is sent to the refuge.
    """

    def __init__(self, driver: Drive) -> None:
        self._driver = driver
        self._since: int | None = None
        self._there_at: int | None = None
        self._crowded_since: int | None = None

    @property
    def aside(self) -> bool:
        """Whether it is making way now."""
        return self._since is not None

    def end(self) -> None:
        """Stop making way."""
        self._since = self._there_at = None

    def step(self, now_ns: int, routes: Routes, hits: Array, idle: bool) -> bool:
        """
        Make way if it is time to.

        :param hits: (n, 2) lidar hits, map frame, m.
        :param idle: the robot has nowhere to go.
        :returns: whether it is making way, so that nobody else may steer.
        """
        if self._since is not None:
            if self._driver.arrived and self._there_at is None:
                self._there_at = now_ns
            waited = self._there_at is not None and now_ns - self._there_at > WAIT_ASIDE
            hindered = self._driver.blocked_for(now_ns) > HINDERED
            if not waited and not hindered and now_ns - self._since < LIMIT:
                return True
            self.end()
            self._driver.halt()
        if not self._driver.gives_way(now_ns) and not self._crowded(now_ns, routes, hits, idle):
            return False
        distances = np.hypot(*(hits - routes.pose[:2]).T)
        refuge = routes.refuge(hits[np.argsort(distances)[:MAX_THREATS]])
        if refuge is None:
            return False
        self._since, self._crowded_since = now_ns, None
        self._driver.retreat(now_ns, routes.path_to(refuge))
        return True

    def _crowded(self, now_ns: int, routes: Routes, hits: Array, idle: bool) -> bool:
        strangers = routes.terrain.unexpected(hits)
        near = np.hypot(*(strangers - routes.pose[:2]).T) < CROWDED
        if not idle or not near.any():
            self._crowded_since = None
        elif self._crowded_since is None:
            self._crowded_since = now_ns
        return self._crowded_since is not None and now_ns - self._crowded_since > CROWDED_FOR
