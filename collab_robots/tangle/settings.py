"""The pace and the limits of a robot's ledger."""

from __future__ import annotations

from dataclasses import dataclass

SNAPSHOT_INTERVAL = 2_000


@dataclass(frozen=True)
class LedgerConfig:
    """
    Times in seconds by the local clock, sizes in the unit that is named.

    :param min_interval: between two own records.
    :param heartbeat_interval: an empty record approves what others said, or brings the final order
        on, at least this long after the last own record; in larger fleets than of four robots
        longer, in proportion.
    :param keepalive_interval: between empty records while something is not accepted yet or a call
        was heard of within ``active_window``; after that, and when all is final, the robot is
        silent.
    :param active_window: a robot heard from within it counts for ``accepted``.
    :param future_tolerance: records issued later than this ahead of the clock are put off.
    :param commit_interval: how long a received record may be in memory only.
    :param commit_retry: how long nothing is tried, and nothing issued, after the disk failed.
    :param have_interval: between two announcements of what is here.
    :param have_min_interval: the same after a teammate's announcement differed.
    :param silence: a robot not heard for this long is away.
    :param request_timeout: without any progress another robot is asked.
    :param snapshot_timeout: a snapshot that takes longer to fetch is asked of another robot.
    :param max_backoff: the longest that a robot which did not answer is left alone.
    :param resend_interval: a block is not sent again within it; all hear one answer.
    :param request_records: records asked for at a time.
    :param answer_rate: bytes/s sent on requests of one robot.
    :param answer_burst: bytes that may be sent at once on requests of one robot.
    :param max_waiting: records whose parents are missing.
    :param max_early: records that are put off because they come from the future.
    :param max_uncommitted: records in memory only, while the disk takes none.
    :param max_queue: own calls that wait for a record.
    :param bad_rate: messages/s of one sender that may be refused; more are not even looked at.
    :param bad_burst: how many of them at once.
    :param new_rate: records/s of one issuer that are taken without having been asked for.
    :param new_burst: how many of them at once.
    :param snapshot_interval: final records between two snapshots; the same on all robots.
    :param archive: blocks that a snapshot stands for stay on the disk, to be looked at.
    :param max_posted: unsigned blocks of clients that wait for an own record to name them.
    :param post_rate: such blocks/s that are taken.
    :param recovery_timeout: how long it waits, without progress, for own records that another
        robot claims to have.
    """

    min_interval: float = 0.1
    heartbeat_interval: float = 0.1
    keepalive_interval: float = 2.0
    active_window: float = 5.0
    future_tolerance: float = 5.0
    commit_interval: float = 0.2
    commit_retry: float = 1.0
    have_interval: float = 1.0
    have_min_interval: float = 0.5
    silence: float = 2.5
    request_timeout: float = 0.5
    snapshot_timeout: float = 60.0
    max_backoff: float = 2.0
    resend_interval: float = 0.3
    request_records: int = 128
    answer_rate: int = 512 * 1024
    answer_burst: int = 256 * 1024
    max_waiting: int = 2_048
    max_early: int = 256
    max_uncommitted: int = 10_000
    max_queue: int = 1_024
    bad_rate: int = 20
    bad_burst: int = 200
    new_rate: int = 200
    new_burst: int = 5_000
    snapshot_interval: int = SNAPSHOT_INTERVAL
    archive: bool = False
    max_posted: int = 64
    post_rate: int = 5
    recovery_timeout: float = 10.0
