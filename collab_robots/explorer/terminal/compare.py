"""What one robot's ledger has and another one's has not, and whether their final orders part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from collab_robots.core.errors import ConfigError
from collab_robots.explorer.book.answers import Answer, Block
from collab_robots.explorer.book.reader import Filter, MAX_PAGE, Reader


class Lead(Answer):
    """
    What one ledger has that the other lacks.

    :param blocks: ids, oldest first.
    :param robots: how many of these each robot signed; ``unsigned`` for data blocks.
    """

    source: str
    robot: str
    blocks: tuple[str, ...]
    robots: dict[str, int]


class Difference(Answer):
    """
    Two ledgers of one fleet beside each other.

    :param common: blocks that both hold.
    :param compared: positions of the final order at which both say which record stands there.
    :param parts_at: the first position at which they name different records; None: nowhere.
    :param at_parting: the two records there.
    :param same_digest: whether the digests of equally long final orders are equal; None if one
        is longer.
    """

    first: Lead
    second: Lead
    common: int
    compared: int
    parts_at: int | None
    at_parting: tuple[str, ...]
    same_digest: bool | None

    @property
    def parted(self) -> bool:
        """Whether the final orders contradict each other: then one of the files is not genuine."""
        return self.parts_at is not None or self.same_digest is False


def compare(first: Reader, second: Reader) -> Difference:
    """
    Compare two ledgers.

    :raises ConfigError: if they are of different fleets.
    """
    one, two = first.overview(), second.overview()
    if one.fleet_id != two.fleet_id:
        raise ConfigError(
            f'{one.source} is of fleet {one.fleet!r}, {two.source} of fleet {two.fleet!r}; '
            'only ledgers of one fleet can be compared'
        )
    mine = {block.id: block for block in _all(first)}
    theirs = {block.id: block for block in _all(second)}
    order, other = _positions(mine), _positions(theirs)
    both = sorted(order.keys() & other.keys())
    parting = next((at for at in both if order[at] != other[at]), None)
    return Difference(
        first=_lead(one.source, one.robot, mine, theirs),
        second=_lead(two.source, two.robot, theirs, mine),
        common=len(mine.keys() & theirs.keys()),
        compared=len(both),
        parts_at=parting,
        at_parting=() if parting is None else (order[parting], other[parting]),
        same_digest=one.final_digest == two.final_digest if one.final == two.final else None,
    )


def _all(reader: Reader) -> Iterator[Block]:
    page: str | None = None
    while True:
        found = reader.blocks(Filter(), page, MAX_PAGE)
        yield from found.items
        page = found.next
        if page is None:
            return


def _positions(blocks: dict[str, Block]) -> dict[int, str]:
    return {block.position: block.id for block in blocks.values() if block.position is not None}


def _lead(source: str, robot: str, mine: dict[str, Block], theirs: dict[str, Block]) -> Lead:
    more = [block for identity, block in mine.items() if identity not in theirs]
    more.sort(key=lambda block: (block.issued, block.id))
    return Lead(
        source=source,
        robot=robot,
        blocks=tuple(block.id for block in more),
        robots=dict(Counter(block.robot or 'unsigned' for block in more)),
    )
