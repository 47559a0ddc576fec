"""What is wrong with a ledger file, and where."""

from __future__ import annotations

from dataclasses import dataclass, replace

from collab_robots.core.errors import StoreError

_LONGEST = 200  # characters of what is found


@dataclass(frozen=True)
class Fault:
    """
    The first wrong record of a ledger file, or what else of it is wrong first.

    :param place: table, or part of the file.
    :param row: row id, or the key of a row; empty if the place has none.
    :param what: of it is wrong: a column, or a rule that it breaks.
    :param block: id, hex; empty if it is no block.
    :param robot: whose record it is; empty if nobody's or not known.
    :param seq: of that record; None if not known.
    """

    place: str
    row: str
    what: str
    expected: str
    found: str
    block: str = ''
    robot: str = ''
    seq: int | None = None

    def wrong(self, what: str, expected: object, found: object) -> WrongRecordError:
        """Return the error that something else of the same row is wrong."""
        said = f'{found!s:.{_LONGEST}}'
        return WrongRecordError(replace(self, what=what, expected=str(expected), found=said))

    def __str__(self) -> str:
        """Say it in one sentence."""
        parts = [
            self.place,
            f'row {self.row}' if self.row.isdecimal() else self.row,
            self.block and f'block {self.block}',
            self.robot,
            '' if self.seq is None else f'record {self.seq}',
        ]
        where = ', '.join(part for part in parts if part)
        return f'{where}: {self.what}: expected {self.expected}, found {self.found}'


class WrongRecordError(StoreError):
    """A ledger file is damaged or not genuine: this is the first wrong record."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault
