"""The calls about tasks that took effect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from collab_robots.contract.artifact import SELECTOR_BYTES, suite
from collab_robots.contract.calls.words import key_of
from collab_robots.contract.receipt import Receipt
from collab_robots.core.clock import SECOND
from collab_robots.core.fleet import Fleet
from collab_robots.explorer.agreement import Act
from collab_robots.tangle.dag import Entry


def acts_of(entry: Entry, receipts: Sequence[Receipt], fleet: Fleet) -> Iterator[Act]:
    """
    Yield the calls of a record about tasks that were not reverted, proposals and bids included.

    :param receipts: of all its calls, or none.
    """
    if not receipts:
        return
    sender = fleet.robots[entry.issuer].name
    t = entry.record.issued_at / SECOND
    for data, receipt in zip(entry.record.calls, receipts, strict=False):
        if not receipt.ok:
            continue
        key = key_of(data)
        if receipt.call in ('award', 'reassign', 'awardBatch'):
            for task, winner in _awards(receipt.call, data):
                yield Act(t, fleet.name_by_address.get(winner, '?'), 'award', task.hex())
        elif key is not None:
            yield Act(t, sender, receipt.call, key.hex())
        if receipt.call == 'reassign' and key is not None:
            yield Act(t, sender, 'release', key.hex())


def _awards(call: str, data: bytes) -> list[tuple[bytes, bytes]]:
    """Return the tasks that a call awards, and to which addresses."""
    values = suite().calls[data[:SELECTOR_BYTES]].decode(data)
    return [(award[0], award[1]) for award in (values[0] if call == 'awardBatch' else [values])]
