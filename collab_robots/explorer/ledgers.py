"""What a robot's ledger file says, once it is read and executed."""

from __future__ import annotations

from dataclasses import dataclass, field

from collab_robots.explorer.agreement import Act, BlockRow
from collab_robots.explorer.measures import Sighting


@dataclass
class History:
    """
    One robot's ledger, from its file.

    :param rows: every block it holds.
    :param acts: the calls about tasks that took effect.
    :param state_root: of the contract after all records, hex.
    :param calls: how often each call took effect.
    :param reverted: how often each call was reverted.
    """

    robot: str
    rows: list[BlockRow] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    state_root: str = ''
    sightings: list[Sighting] = field(default_factory=list)
    calls: dict[str, int] = field(default_factory=dict)
    reverted: dict[str, int] = field(default_factory=dict)
