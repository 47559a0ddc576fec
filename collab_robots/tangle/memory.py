"""The ledger's in-memory twins: a team with keys, and a network that misbehaves on purpose."""

from __future__ import annotations

from collab_robots.core.fleet import Fleet, Member
from collab_robots.core.identity import PrivateKey


def make_team(count: int, name: str = 'twin') -> tuple[Fleet, list[PrivateKey]]:
    """
    Make a fleet whose private keys anybody can compute: for tests and simulations only.

    :param count: robots ``robot_00``, ``robot_01``, …, each of weight 1.
    :returns: the fleet, and the keys in roster order.
    """
    keys = [PrivateKey(index.to_bytes(32, 'big')) for index in range(1, count + 1)]
    members = tuple(
        Member(name=f'robot_{index:02}', public_key=key.public.hex())
        for index, key in enumerate(keys)
    )
    return Fleet(fleet=name, robots=members), keys
