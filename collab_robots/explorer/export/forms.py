"""What can be exported, and how; apart, since the command line names it before it loads more."""

from __future__ import annotations

from enum import Enum


class Format(str, Enum):
    """How to write a ledger: the first three are tables."""

    JSONL = 'jsonl'
    CSV = 'csv'
    PARQUET = 'parquet'
    MCAP = 'mcap'
    DOT = 'dot'

    @property
    def is_table(self) -> bool:
        """Whether it holds one table."""
        return self in (Format.JSONL, Format.CSV, Format.PARQUET)

    @property
    def is_text(self) -> bool:
        """Whether people can read it, and pipes take it."""
        return self in (Format.JSONL, Format.CSV, Format.DOT)


class What(str, Enum):
    """What a table is of."""

    BLOCKS = 'blocks'
    CALLS = 'calls'
    TASKS = 'tasks'
    LEASES = 'leases'
    EVENTS = 'events'
    SIGHTINGS = 'sightings'
    SKETCHES = 'sketches'
