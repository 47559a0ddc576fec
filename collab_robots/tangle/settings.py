"""The pace and the limits of a robot's ledger."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LedgerConfig:
    """
    Times in seconds by the local clock, sizes in the unit that is named.

    :param min_interval: between two own records.
    :param heartbeat_interval: an empty record approves what others said, at least this long after
        the last own record.
    :param keepalive_interval: between empty records while something is not accepted yet or a call
        was heard of within ``active_window``; after that the robot is silent.
    :param active_window: a robot heard from within it counts for ``accepted``.
    :param future_tolerance: records issued later than this ahead of the clock are put off.
    :param commit_interval: how long a received record may be in memory only.
    :param commit_retry: how long nothing is tried, and nothing issued, after the disk failed.
    :param have_interval: between two announcements of what is here.
    :param have_min_interval: the same after a teammate's announcement differed.
    :param silence: a robot not heard for this long is away.
    :param request_timeout: without any progress another robot is asked.
    :param max_backoff: the longest that a robot which did not answer is left alone.
    :param resend_interval: a block is not sent again within it; all hear one answer.
    :param request_records: records asked for at a time.
    :param answer_rate: bytes/s sent on requests of one robot.
    :param answer_burst: bytes that may be sent at once on requests of one robot.
    :param max_waiting: records whose parents are missing.
    :param max_early: records that are put off because they come from the future.
    :param max_uncommitted: records in memory only, while the disk takes none.
    :param max_queue: own calls that wait for a record.
    :param first_have_grace: a robot without history issues nothing for this long: it may have lost
        its disk, and its history is with the others. At least two ``have_interval``.
    :param recovery_timeout: how long it waits, without progress, for own records that another
        robot claims to have.
    """

    min_interval: float = 0.1
    heartbeat_interval: float = 0.25
    keepalive_interval: float = 2.0
    active_window: float = 5.0
    future_tolerance: float = 5.0
    commit_interval: float = 0.2
    commit_retry: float = 1.0
    have_interval: float = 1.0
    have_min_interval: float = 0.5
    silence: float = 2.5
    request_timeout: float = 0.5
    max_backoff: float = 2.0
    resend_interval: float = 0.3
    request_records: int = 128
    answer_rate: int = 512 * 1024
    answer_burst: int = 256 * 1024
    max_waiting: int = 2_048
    max_early: int = 256
    max_uncommitted: int = 10_000
    max_queue: int = 1_024
    first_have_grace: float = 2.0
    recovery_timeout: float = 10.0
