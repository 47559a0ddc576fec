"""
The whole ledger of one robot, without ROS: put a transport around it and call ``tick()``.

It receives, stores, solidifies, orders, finalises, announces and fetches. It does not execute
calls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
import logging

from collab_robots.core.clock import Clock
from collab_robots.core.errors import CallError, ConfigError, Refusal, RefusedError, StoreError
from collab_robots.core.fleet import Fleet, MAX_ROBOTS
from collab_robots.core.identity import PrivateKey
from collab_robots.tangle.approval import Approval, Status
from collab_robots.tangle.block import decode_block, GENESIS, ID_BYTES, MAX_PARENTS
from collab_robots.tangle.block_store import BlockStore, Row
from collab_robots.tangle.checkpoints import Checkpoints
from collab_robots.tangle.dag import Entry, FOREIGN
from collab_robots.tangle.disk import Disk
from collab_robots.tangle.equivocation import Proof
from collab_robots.tangle.gossip import Gossip
from collab_robots.tangle.intake import Intake
from collab_robots.tangle.issuer import Calls, Issuer
from collab_robots.tangle.postbox import Postbox
from collab_robots.tangle.record import RECORD_TAG
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.snapshot import Attested, State
from collab_robots.tangle.solidifier import Item
from collab_robots.tangle.status import LedgerStatus
from collab_robots.tangle.sync import (
    Chunk,
    Have,
    Request,
    Transport,
)
from collab_robots.tangle.tangle import Tangle
from collab_robots.tangle.voice import Voice

log = logging.getLogger(__name__)


class Ledger:
    """
    One robot's ledger. Not for several threads at a time.

    :param fleet: the roster.
    :param key: the robot's key, which says which robot of the roster this is.
    :param store: its file; what lies there is loaded.
    :param clock: the fleet's common time; robots' clocks may differ by ``future_tolerance``.
    :param transport: how messages leave.
    :param fresh: this robot never issued anything, so an empty store is no sign of a lost one. A
        robot with an empty store that is not fresh says nothing until it heard all others.
    :param state: what executes the records, for snapshots; without it theirs is empty.
    :param name: of a robot that is not in the fleet file, because it joined later or is to join.
    :raises ConfigError: if the key is not in the roster and no name is given.
    :raises StoreError: if the store is damaged.
    """

    def __init__(
        self,
        fleet: Fleet,
        key: PrivateKey,
        store: BlockStore,
        clock: Clock,
        transport: Transport,
        config: LedgerConfig | None = None,
        fresh: bool = False,
        state: State | None = None,
        name: str = '',
    ) -> None:
        config = config or LedgerConfig()
        if key.public in fleet.index_by_key:
            name = fleet.robots[fleet.index_by_key[key.public]].name
        elif not name:
            raise ConfigError(
                f'key {key.public.hex()} is not in fleet {fleet.fleet!r}; '
                f'it has: {", ".join(fleet.index_by_name)}'
            )
        self.name = name
        self.hold = False
        """True: issue nothing, so that the fleet falls silent; all else goes on."""
        self._config = config
        self._store = store
        self._disk = Disk(store, config)
        self._clock = clock
        self._transport = transport
        self._refused: Counter[Refusal] = Counter()
        self._recent: dict[tuple[int, int], tuple[bytes, bytes]] = {}
        self._state = state
        self._genesis = fleet
        self._key = key
        self._checkpoints = Checkpoints(store, state, config)
        self._gossip = Gossip(name, config, store, transport, self._checkpoints)
        self._voice = Voice(store, self._disk, self._gossip, config)
        self._issuer = Issuer(key, store, config)
        self._posted = Postbox(self.name, config)
        self._listeners: list[Callable[[Entry], None]] = []
        self._final_listeners: list[Callable[[Entry], None]] = []
        self._strangers: set[str] = set()
        self._begin()
        self._voice.wake(fresh)

    # What the robot says

    def submit(self, call: bytes) -> None:
        """
        Queue a contract call; it goes into the next own record.

        :param call: 1 to 8,192 bytes.
        :raises CallError: if it is empty or too long, or 1,024 calls wait already.
        """
        self._issuer.submit(call)

    def post(self, raw: bytes) -> bytes:
        """
        Take a block of a client.

        A signed record goes the way of all records. Any other data block is foreign: it is sent
        on, and stored, when the next own record names it.

        :returns: the block's id.
        :raises RefusedError: if it is not taken: PARENTS if they are not here or foreign
            themselves, FLOOD if too much is posted, else as records and blocks are refused.
        """
        now = self._clock.now_ns()
        block = decode_block(raw)
        if block.tag == RECORD_TAG:
            self._intake.take(raw, self.name, now, asked=True)
            return block.id
        self._posted.put(block, self.tangle, now)
        return block.id

    def tick(self) -> None:
        """Do what time demands: issue, store, announce, ask. Call it about 10 times a second."""
        now = self._clock.now_ns()
        self._approval.forget()
        self._intake.release(now)
        self._disk.commit_if_due(now)
        self._detach(self._is_unvouched)
        self._checkpoint(now)
        self._issue_if_due(now)
        self._gossip.announce_if_due(now)
        self._gossip.fetch(now)

    # What others say

    def receive_block(self, raw: bytes, sender: str) -> None:
        """
        Take a block; what is wrong with it is counted, not raised.

        :param sender: robot that sent this copy; it is asked for what is missing.
        """
        now = self._clock.now_ns()
        self._gossip.bytes_received += len(raw)
        try:
            if self._disk.is_full:
                raise RefusedError(Refusal.FLOOD, 'the disk takes nothing and memory is full')
            new = self._intake.take(raw, sender, now, self._gossip.is_asking)
        except RefusedError as error:
            self._refuse(error, sender)
            return
        self._gossip.peers.hear(sender, now)
        if new:
            self._gossip.arrived(now)
            if self._issuer.rested(now):
                self._issue_if_due(now)

    def receive_have(self, have: Have) -> None:
        """Take an announcement; what is wrong with it is counted, not raised."""
        try:
            self._gossip.hear_have(have, self._clock.now_ns())
        except RefusedError as error:
            self._refuse(error, have.sender)

    def receive_request(self, request: Request) -> None:
        """
        Answer a request that is meant for this robot, within the sender's budget.

        Each block goes to all, at most once per ``resend_interval``. What is wrong with the
        request, or beyond the budget (FLOOD), is counted, not raised.
        """
        now = self._clock.now_ns()
        try:
            self._gossip.hear_request(request, now)
        except RefusedError as error:
            self._refuse(error, request.sender)
        except StoreError as error:
            self._disk.failed(error, now)

    def receive_chunk(self, chunk: Chunk) -> None:
        """
        Take a piece of a snapshot; what is wrong with it is counted, not raised.

        :raises StoreError: if the fleet attests a snapshot that nothing here can go on from.
        """
        now = self._clock.now_ns()
        try:
            data = self._gossip.hear_chunk(chunk, now)
            if data is not None:
                self._take_snapshot(data, now)
                self._gossip.served(True, chunk.sender, now)
        except RefusedError as error:
            self._refuse(error, chunk.sender)
            self._gossip.served(False, chunk.sender, now)

    def close(self) -> None:
        """Write what was received to the disk and close the store."""
        self._disk.commit(self._clock.now_ns())
        self._store.close()

    # What is known

    def on_solid(self, callback: Callable[[Entry], None]) -> None:
        """Call back for each record that becomes solid from now on, parents first."""
        self._listeners.append(callback)

    def on_final(self, callback: Callable[[Entry], None]) -> None:
        """Call back for each record that becomes final from now on, in the final order."""
        self._final_listeners.append(callback)

    def status_of(self, identity: bytes) -> Status | None:
        """Return how far a record has come; None if it is not solid here."""
        entry = self.dag.entries.get(identity)
        return self._approval.status(entry, self._clock.now_ns()) if entry is not None else None

    def is_accepted(self, identity: bytes) -> bool:
        """Tell whether a record is accepted, or more; may be revoked, see :class:`Status`."""
        return self.status_of(identity) in (Status.ACCEPTED, Status.FINAL)

    def raw_block(self, identity: bytes) -> bytes | None:
        """
        Return the bytes of a block that is held or was posted.

        :raises StoreError: if the store cannot be read.
        """
        if identity not in self.dag.entries:
            return self._posted.get(identity)
        row = self._store.get(identity)
        return row.raw if row is not None else None

    def tips(self) -> list[bytes]:
        """Return ids that a client's block may take as parents: 1 to 8."""
        tips = [tip.id for tip in self._issuer.tips()[:MAX_PARENTS]]
        return sorted(tips) or [GENESIS]

    def status(self) -> LedgerStatus:
        """Return the ledger's health now."""
        now = self._clock.now_ns()
        tentative = self.order.tentative
        accepted = sum(self._approval.status(entry, now) is Status.ACCEPTED for entry in tentative)
        return LedgerStatus(
            blocks=len(self.order),
            waiting=len(self._intake),
            pending=len(tentative) - accepted,
            accepted=accepted,
            final=self.order.final,
            heights=self.dag.heights(),
            set_digest=self.dag.digest.to_bytes(ID_BYTES, 'big'),
            final_digest=self.order.final_digest,
            round=max((tip.round for tip in self.dag.tips.values()), default=0),
            pruned=self.order.base,
            snapshot=self._checkpoints.stored,
            peers=self._gossip.peers.near(now),
            refused=dict(self._refused),
            forked=tuple(self.fleet.robots[issuer].name for issuer in sorted(self.proofs)),
            bytes_sent=self._gossip.bytes_sent,
            bytes_received=self._gossip.bytes_received,
            alarm='; '.join(filter(None, (self._voice.alarm(now), self._intake.alarm(now)))),
        )

    # Inside

    def _begin(self, unsolid: Sequence[Item] = ()) -> None:
        """
        Take what lies in the store.

        :param unsolid: what is not there, because its parents are not here.
        """
        self.tangle = tangle = Tangle(self._genesis, self._config.snapshot_interval, self._state)
        tangle.begin(self._store)
        self.fleet = fleet = tangle.fleet
        """With the roster of the present epoch."""
        self.index = fleet.index_by_key.get(self._key.public, FOREIGN)
        """Roster index of the robot; ``FOREIGN`` while it is not in the fleet."""
        self.dag = tangle.dag
        self.order = tangle.order
        self.finality = tangle.finality
        self.proofs = tangle.proofs
        self._intake = Intake(
            fleet,
            tangle,
            self._config,
            self._refused,
            self._recent,
            self._attach,
            self._prove,
            self._raw_of,
        )
        self._checkpoints.begin(tangle)
        self._issuer.begin(tangle)
        self._gossip.begin(tangle, self._intake)
        self._voice.begin(tangle, self.index)
        self._approval = Approval(
            tangle, self._gossip.peers, self.index, self._config.active_window
        )
        self._calls = Calls(len(fleet.robots))
        final: list[Entry] = []
        for entry, added in tangle.load(self._store.load()):
            self._calls.take(added)
            self._checkpoints.note(entry)
            self._voice.recall(entry.issuer, entry.record.seq)
            final += added.final
        if not self._config.archive:
            self._store.remove(tangle.superseded)
        self._tell_final(final)
        now = self._clock.now_ns()
        for row in tangle.orphans:
            self._voice.recall(row.issuer, row.seq)
            with suppress(RefusedError):
                self._intake.take(row.raw, self.name, now, asked=True)
        for item in unsolid:
            if not tangle.covers(item.issuer, item.record.seq):
                with suppress(RefusedError):
                    self._intake.take(item.raw, item.sender, now, asked=True)
        self._detach(self._is_unvouched)

    def _take_snapshot(self, data: bytes, now: int) -> None:
        """
        Begin anew with a snapshot from a teammate; own later records and others' are kept.

        If the disk does not take it, nothing has changed, and it is fetched again.

        :raises RefusedError: if it is not what more than a third of the weight attests.
        :raises StoreError: if it is, and it does not fit what runs here.
        """
        if self._issuer.is_stuck:
            raise RefusedError(Refusal.SNAPSHOT, 'an own record is not on the disk yet')
        snapshot = Attested.decode(data, self.fleet)[1]
        cut = snapshot.cut
        if cut.position <= self.order.final and snapshot.fleet.epoch == self.fleet.epoch:
            raise RefusedError(Refusal.SNAPSHOT, f'position {cut.position} is final here already')
        Tangle(self.fleet).install(snapshot)  # refuses what does not fit together
        try:
            self._store.save_snapshot(cut.index, data, ())
        except StoreError as error:
            self._disk.failed(error, now)
            return
        self._begin(self._intake.items)
        log.info('%s: goes on from snapshot %d, record %d', self.name, cut.index, cut.position)

    def _checkpoint(self, now: int) -> None:
        for call in self._checkpoints.make():
            with suppress(CallError):  # the queue is full: others attest
                self._issuer.submit(call)
        try:
            if self._checkpoints.prune():
                self._detach(self._is_unreadable)
        except StoreError as error:
            self._disk.failed(error, now)
        if self._checkpoints.ends_epoch and not self._issuer.is_stuck:
            self._disk.commit(now)  # else what was dropped is loaded again
            if not self._disk.alarm:
                self._begin(self._intake.items)
                log.info('%s: epoch %d begins', self.name, self.fleet.epoch)

    def _issue_if_due(self, now: int) -> None:
        if self.hold or not self._voice.is_free(now):
            return
        accepted = self._approval.heights(now)
        behind = self._gossip.peers.is_behind(self._calls.final, now)
        oldest = self._voice.oldest_to_name(now)
        if self._issuer.is_due(now, self._calls, accepted, bool(self._posted), behind, oldest):
            self._issue(now, oldest)

    def _issue(self, now: int, oldest: int) -> None:
        foreign = self._posted.take(self.tangle) if not self._issuer.is_stuck else []
        for item in foreign:
            self._intake.add(item)  # and whoever waits for it
        named = [self.dag.entries[item.id] for item in foreign if item.id in self.dag.entries]
        try:
            entry, raw = self._issuer.issue(now, named, oldest)
        except StoreError as error:
            self._disk.failed(error, now)
            return
        self._disk.worked(now)
        self._voice.spoke()
        self._note(entry)
        for item in foreign:
            self._gossip.send(item.id, item.raw, now)
        self._gossip.send(entry.id, raw, now)

    def _attach(self, item: Item, entry: Entry) -> None:
        """Take a record that became solid."""
        record = entry.record
        self._store.add(
            Row(
                entry.id,
                item.raw,
                entry.issuer,
                record.seq,
                record.issued_at,
                item.received_at,
                entry.depth,
            )
        )
        self._note(entry)

    def _note(self, entry: Entry) -> None:
        self._approval.forget()
        self._voice.hear(entry, self._clock.now_ns())
        self._checkpoints.note(entry)
        added = self.tangle.add(entry)
        self._calls.take(added)
        for listener in self._listeners:
            listener(entry)
        self._tell_final(added.final)
        if entry.issuer in self.dag.forks and entry.issuer not in self.proofs:
            self._prove_fork(entry)

    def _tell_final(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            for listener in self._final_listeners:
                listener(entry)

    def _prove_fork(self, entry: Entry) -> None:
        """Prove an equivocation that came to light when the second branch became solid."""
        rivals = self.dag.all_at(entry.issuer, entry.record.seq)
        raws = [raw for one in rivals if (raw := self._raw_of(one.id)) is not None]
        if len(raws) > 1:
            self._prove(Proof.of(raws[0], raws[1], self.fleet))

    def _prove(self, proof: Proof) -> None:
        """Take a new proof of equivocation: keep it, tell all, and trust the robot no more."""
        self.proofs[proof.issuer] = proof
        self._approval.forget()
        self._store.add_proof(proof.issuer, proof.first, proof.second)
        log.warning(
            '%s: %s signed two records with seq %d',
            self.name,
            self.fleet.robots[proof.issuer].name,
            proof.seq,
        )
        self._gossip.send_proof(proof, self._clock.now_ns())

    def _is_unvouched(self, entry: Entry) -> bool:
        """Who left keeps what it signed: if it comes back, it goes on from there."""
        if entry.issuer == self.index and self.index in self.fleet.left:
            return False
        return entry.issuer in self.tangle.unvouched

    def _is_unreadable(self, entry: Entry) -> bool:
        return entry.stale and entry.issuer != self.index

    def _detach(self, unwanted: Callable[[Entry], bool]) -> None:
        """Take out what nobody names and nobody wants; not while something becomes solid on it."""
        if self._issuer.is_stuck:  # the signed record that the disk did not take names some
            return
        out = self.tangle.detach(unwanted)
        for entry in out:
            self._calls.drop(entry)
        if out:
            gone = {entry.id for entry in out}
            self._store.remove(gone)
            self._intake.miss(gone)

    def _raw_of(self, identity: bytes) -> bytes | None:
        """Return the bytes of a block; None if the disk does not give them."""
        return self._disk.raw(identity, self._clock.now_ns())

    def _refuse(self, error: RefusedError, sender: str) -> None:
        self._refused[error.reason] += 1
        if error.reason is not Refusal.FLEET:
            log.debug('%s: from %.80r: %s', self.name, sender, error)
        elif sender not in self._strangers and len(self._strangers) < MAX_ROBOTS:
            self._strangers.add(sender)
            log.warning('%s: not our fleet, nothing of it is taken: %s', self.name, error)
