"""A ledger whose network is the fuzzer."""

from __future__ import annotations

import hashlib

from collab_robots.core.clock import ManualClock, SECOND
from collab_robots.core.errors import RefusedError, StoreError
from collab_robots.core.fleet import Fleet
from collab_robots.core.identity import PrivateKey
from collab_robots.tangle.block import block_id, encode_block, GENESIS, MAX_PARENTS
from collab_robots.tangle.block_store import Row
from collab_robots.tangle.ledger import Ledger
from collab_robots.tangle.memory_store import MemoryStore
from collab_robots.tangle.record import encode_record, sign_record
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.sync import Chunk, Have, Range, Request
from fuzz.reader import Reader

START = 1_000 * SECOND
MAX_BLOCKS = 64  # that one input makes
CONFIG = LedgerConfig(max_waiting=16, max_early=8, max_uncommitted=24, snapshot_interval=4)


class FailingStore(MemoryStore):
    """A store on a disk that fails now and then."""

    unreadable = False

    def get(self, identity: bytes) -> Row | None:
        """Return one block, if the disk lets it."""
        self._try_to_read()
        return super().get(identity)

    def chain(self, issuer: int, first: int, last: int) -> list[Row]:
        """Return blocks of one issuer, if the disk lets it."""
        self._try_to_read()
        return super().chain(issuer, first, last)

    def _try_to_read(self) -> None:
        if self.unreadable:
            raise StoreError('the disk cannot be read')


class _Silence:
    """A transport that nobody hears."""

    def broadcast_block(self, raw: bytes) -> None:
        pass

    def broadcast_have(self, have: Have) -> None:
        pass

    def send_request(self, target: str, request: Request) -> None:
        pass

    def broadcast_chunk(self, chunk: Chunk) -> None:
        pass


def quiet_ledger(
    fleet: Fleet,
    key: PrivateKey,
    clock: ManualClock | None = None,
    store: MemoryStore | None = None,
) -> Ledger:
    """Return a ledger that is alone."""
    clock = clock or ManualClock(START)
    return Ledger(fleet, key, store or MemoryStore(), clock, _Silence(), CONFIG, fresh=True)


def play(fleet: Fleet, keys: list[PrivateKey], reader: Reader) -> None:
    """
    Bring a ledger what the bytes say, and look whether it stays whole.

    Records are really signed, by any robot of the fleet, so that the fuzzer gets past the
    signatures: these robots are liars.
    """
    clock, store = ManualClock(START), FailingStore()
    ledger = quiet_ledger(fleet, keys[0], clock, store)
    known: list[bytes] = [GENESIS]
    names = [robot.name for robot in fleet.robots]
    for _ in range(MAX_BLOCKS):
        if not reader:
            break
        what, sender = reader.below(11), reader.pick(names)
        if what < 5:
            raw = _block(fleet, keys, reader, known, clock.now_ns())
            known.append(block_id(raw))
            ledger.receive_block(raw, sender)
        elif what == 5:
            ledger.receive_block(reader.chunk(), sender)
        elif what == 6:
            heights = tuple(reader.uint(2) for _ in names)
            bases = tuple(min(height, reader.uint(1)) for height in heights)
            forked = reader.uints(1, 4)
            digest = reader.take(32).ljust(32, b'\0')
            ledger.receive_have(
                Have(sender, fleet.id, heights, digest, bases, forked, reader.uint(1))
            )
        elif what == 7:
            ranges = (Range(reader.below(4), reader.uint(1), reader.uint(4)),)
            ids = (reader.pick(known),)
            chunks = reader.uints(1, 16)
            ledger.receive_request(
                Request(sender, ledger.name, ranges, ids, reader.uint(1), chunks)
            )
        elif what == 8:
            state = reader.below(8)
            store.full, store.unreadable = state == 1, state == 2
            clock.advance(reader.uint(1) / 16)
            ledger.tick()
            known += ledger.tips()
        elif what == 9:
            number, count = reader.uint(1), reader.uint(1)
            digest = hashlib.blake2b(data := reader.chunk(), digest_size=32).digest()
            ledger.receive_chunk(Chunk(sender, reader.uint(1), number, count, digest, data))
        else:
            ledger.submit(reader.chunk() or b'x')
            try:
                known.append(ledger.post(_foreign(reader, known)))
            except RefusedError:
                pass
    store.full = store.unreadable = False
    for _ in range(2):
        clock.advance(CONFIG.commit_retry)
        ledger.tick()
    _check(ledger, fleet, keys[0], store, clock)


def _check(
    ledger: Ledger, fleet: Fleet, key: PrivateKey, store: MemoryStore, clock: ManualClock
) -> None:
    """Check that nothing waits for what is here, and that a restart gives the same ledger."""
    for item in ledger._intake._solidifier._all.values():
        assert ledger.dag.missing(item.record.parents)
    final, digest = ledger.order.final, ledger.order.final_digest
    ids, stuck = set(ledger.dag.entries), ledger._issuer.is_stuck
    ledger.close()
    again = quiet_ledger(fleet, key, clock, store)
    assert (again.order.final, again.order.final_digest) == (final, digest)
    assert set(again.dag.entries) == ids or stuck  # then one record more is stored


def _block(
    fleet: Fleet, keys: list[PrivateKey], reader: Reader, known: list[bytes], now: int
) -> bytes:
    """Return the block of a record with true signature and anything in it."""
    issuer = reader.below(len(keys))
    seq = reader.below(8)
    parents = {reader.pick(known) for _ in range(reader.below(MAX_PARENTS) + 1)}
    parents.discard(GENESIS)
    if seq == 0 or not parents:
        parents.add(GENESIS)
        seq = 0
    at = now + (reader.below(32) - 8) * SECOND // 4
    calls = (reader.chunk(),) if reader.below(2) else ()
    if calls == (b'',):
        calls = ()
    return encode_record(
        sign_record(keys[issuer], fleet.id, seq, sorted(parents)[:MAX_PARENTS], at, calls)
    )


def _foreign(reader: Reader, known: list[bytes]) -> bytes:
    parents = sorted({reader.pick(known) for _ in range(reader.below(3) + 1)})
    return encode_block(parents, b'client', reader.chunk())
