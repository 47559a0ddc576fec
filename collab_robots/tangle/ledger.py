"""
The whole ledger of one robot, without ROS: put a transport around it and call ``tick()``.

It receives, stores, solidifies, orders, approves, announces and fetches. It does not execute
calls, and it does not decide finality yet: ``Status.FINAL`` and the count ``final`` wait for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
import logging

from collab_robots.core.clock import Clock, SECOND
from collab_robots.core.errors import ConfigError, Refusal, RefusedError, StoreError
from collab_robots.core.fleet import Fleet, MAX_ROBOTS
from collab_robots.core.identity import PrivateKey
from collab_robots.tangle.answerer import Answerer
from collab_robots.tangle.approval import accepted_heights, Status
from collab_robots.tangle.block import block_id, decode_block, ID_BYTES, MAX_BLOCK_BYTES
from collab_robots.tangle.dag import Dag, Entry
from collab_robots.tangle.fetcher import Fetcher
from collab_robots.tangle.issuer import Calls, Issuer
from collab_robots.tangle.order import Order
from collab_robots.tangle.own_history import OwnHistory
from collab_robots.tangle.peers import Peers
from collab_robots.tangle.record import decode_record, verify_record
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.solidifier import Item, Solidifier
from collab_robots.tangle.status import LedgerStatus
from collab_robots.tangle.store import Row, Store
from collab_robots.tangle.sync import check_have, check_request, Have, Request, Transport

log = logging.getLogger(__name__)

_NEVER = -(1 << 63)


class Ledger:
    """
    One robot's ledger. Not for several threads at a time.

    :param fleet: the roster.
    :param key: the robot's key, which says which robot of the roster this is.
    :param store: its file; what lies there is loaded.
    :param clock: the fleet's common time; robots' clocks may differ by ``future_tolerance``.
    :param transport: how messages leave.
    :raises ConfigError: if the key is not in the roster.
    :raises StoreError: if the store is damaged.
    """

    def __init__(
        self,
        fleet: Fleet,
        key: PrivateKey,
        store: Store,
        clock: Clock,
        transport: Transport,
        config: LedgerConfig | None = None,
    ) -> None:
        if key.public not in fleet.index_by_key:
            raise ConfigError(
                f'key {key.public.hex()} is not in fleet {fleet.fleet!r}; '
                f'it has: {", ".join(fleet.index_by_name)}'
            )
        config = config or LedgerConfig()
        self.fleet = fleet
        self.index = fleet.index_by_key[key.public]
        self.name = fleet.robots[self.index].name
        self.dag = Dag(len(fleet.robots))
        self.order = Order()
        self.hold = False
        """True: issue nothing, so that the fleet falls silent; all else goes on."""
        self._config = config
        self._store = store
        self._clock = clock
        self._transport = transport
        self._refused: Counter[Refusal] = Counter()
        self._solidifier = Solidifier(self.dag, self._refused, config.max_waiting)
        self._early: dict[bytes, Item] = {}
        self._calls = Calls(self.dag.members)
        self._issuer = Issuer(fleet, key, self.dag, store, config)
        self._fetcher = Fetcher(self.name, config)
        self._peers = Peers(fleet, self.name, config.silence)
        self._listeners: list[Callable[[Entry], None]] = []
        self._answerer = Answerer(store, config)
        self._accepted: tuple[int, ...] | None = None
        self._have_at = _NEVER
        self._have_due = _NEVER
        self._commit_due = _NEVER
        self._foreign: set[str] = set()
        self._bytes_sent = 0
        self._bytes_received = 0
        self._store_alarm = ''
        self._load()
        self._history = OwnHistory(clock.now_ns(), len(self.dag.chains[self.index]), config)

    # What the robot says

    def submit(self, call: bytes) -> None:
        """
        Queue a contract call; it goes into the next own record.

        :param call: 1 to 8,192 bytes.
        :raises CallError: if it is empty or too long, or 1,024 calls wait already.
        """
        self._issuer.submit(call)

    def tick(self) -> None:
        """Do what time demands: issue, store, announce, ask. Call it about 10 times a second."""
        now = self._clock.now_ns()
        self._accepted = None
        self._release_early(now)
        if now >= self._commit_due:
            self._commit(now)
        if self._may_issue(now) and self._issuer.is_due(
            now, self._calls, self._accepted_heights(now)
        ):
            self._issue(now)
        if now >= self._have_due:
            self._announce(now)
        self._fetch(now)

    # What others say

    def receive_block(self, raw: bytes, sender: str) -> None:
        """
        Take a block; what is wrong with it is counted, not raised.

        :param sender: robot that sent this copy; it is asked for what is missing.
        """
        now = self._clock.now_ns()
        self._bytes_received += len(raw)
        self._peers.hear(sender, now)
        try:
            if len(raw) > MAX_BLOCK_BYTES:
                raise RefusedError(Refusal.TOO_LARGE, f'block of {len(raw)} bytes')
            identity = block_id(raw)
            if (
                identity in self.dag.entries
                or identity in self._solidifier
                or identity in self._early
            ):
                return
            record = decode_record(decode_block(raw))
            issuer = verify_record(record, self.fleet)
            if self._store.uncommitted >= self._config.max_uncommitted:
                raise RefusedError(Refusal.FLOOD, 'the disk takes nothing and memory is full')
        except RefusedError as error:
            self._refuse(error, sender)
            return
        item = Item(identity, raw, record, issuer, sender, now)
        if record.issued_at > now + self._config.future_tolerance * SECOND:
            self._put_off(item)
        else:
            self._add(item)
        if self._fetcher.arrived():
            self._fetch(now)

    def receive_have(self, have: Have) -> None:
        """Take an announcement; what is wrong with it is counted, not raised."""
        now = self._clock.now_ns()
        self._bytes_received += have.size
        try:
            check_have(have, self.fleet)
        except RefusedError as error:
            self._refuse(error, have.sender)
            return
        if have.sender == self.name:
            return
        self._peers.hear(have.sender, now)
        self._peers.known[have.sender].heights = have.heights
        if have.set_digest != self._digest():  # it may lack something: tell it soon
            soon = self._have_at + round(self._config.have_min_interval * SECOND)
            self._have_due = min(self._have_due, soon)
        self._fetch(now)

    def receive_request(self, request: Request) -> None:
        """
        Answer a request that is meant for this robot, within the sender's budget.

        Each block goes to all, at most once per ``resend_interval``. What is wrong with the
        request, or beyond the budget (FLOOD), is counted, not raised.
        """
        now = self._clock.now_ns()
        if request.target != self.name or request.sender == self.name:
            return
        self._bytes_received += request.size
        try:
            check_request(request, self.fleet)
            self._peers.hear(request.sender, now)
            for row in self._answerer.answer(request, now):
                if row.id in self.dag.entries:  # an own record may not be durable yet
                    self._send(row.id, row.raw, now)
        except RefusedError as error:
            self._refuse(error, request.sender)
        except StoreError as error:
            self._store_failed(error, now)

    def close(self) -> None:
        """Write what was received to the disk and close the store."""
        self._commit(self._clock.now_ns())
        self._store.close()

    # What is known

    def on_solid(self, callback: Callable[[Entry], None]) -> None:
        """Call back for each record that becomes solid from now on, parents first."""
        self._listeners.append(callback)

    def status_of(self, identity: bytes) -> Status | None:
        """Return how far a record has come; None if it is not solid here."""
        entry = self.dag.entries.get(identity)
        if entry is None:
            return None
        heights = self._accepted_heights(self._clock.now_ns())
        return Status.ACCEPTED if entry.record.seq < heights[entry.issuer] else Status.PENDING

    def is_accepted(self, identity: bytes) -> bool:
        """Tell whether a record is accepted, or more; may be revoked, see :class:`Status`."""
        return self.status_of(identity) in (Status.ACCEPTED, Status.FINAL)

    def status(self) -> LedgerStatus:
        """Return the ledger's health now."""
        now = self._clock.now_ns()
        blocks = len(self.dag.entries)
        accepted = sum(self._accepted_heights(now))
        return LedgerStatus(
            blocks=blocks,
            waiting=len(self._solidifier) + len(self._early),
            pending=blocks - accepted,
            accepted=accepted,
            final=0,
            heights=self.dag.heights(),
            set_digest=self._digest(),
            peers=self._peers.near(now),
            refused=dict(self._refused),
            forked=tuple(self.fleet.robots[issuer].name for issuer in sorted(self.dag.forks)),
            bytes_sent=self._bytes_sent,
            bytes_received=self._bytes_received,
            alarm=self._alarm(now),
        )

    # Inside

    def _load(self) -> None:
        for row in self._store.load():
            try:
                record = decode_record(decode_block(row.raw))
                entry = self.dag.insert(row.id, record, row.issuer)
            except (RefusedError, LookupError) as error:
                raise StoreError(
                    f'the stored block {row.id.hex()} does not fit the others: {error}'
                ) from None
            self._calls.note(entry)
            self.order.insert(entry)

    def _may_issue(self, now: int) -> bool:
        if (
            self.hold
            or self.index in self.dag.forks
            or (self._store_alarm and now < self._commit_due)
        ):
            return False
        own = len(self.dag.chains[self.index])
        return self._history.is_complete(now, own, self._peers.claimed(self.index))

    def _issue(self, now: int) -> None:
        try:
            entry, raw = self._issuer.issue(now)
        except StoreError as error:
            self._store_failed(error, now)
            return
        self._stored(now)
        self._history.spoke()
        self.dag.attach(entry)
        self._note(entry)
        self._send(entry.id, raw, now)

    def _commit(self, now: int) -> None:
        try:
            self._store.commit()
        except StoreError as error:
            self._store_failed(error, now)
        else:
            self._stored(now)

    def _stored(self, now: int) -> None:
        self._store_alarm = ''
        self._commit_due = now + round(self._config.commit_interval * SECOND)

    def _store_failed(self, error: StoreError, now: int) -> None:
        self._store_alarm = str(error)
        self._commit_due = now + round(self._config.commit_retry * SECOND)

    def _send(self, identity: bytes, raw: bytes, now: int) -> None:
        self._answerer.note_sent(identity, now)
        self._bytes_sent += len(raw)
        self._transport.broadcast_block(raw)

    def _add(self, item: Item) -> None:
        for solid, entry in self._solidifier.add(item):
            record = entry.record
            self._store.add(
                Row(
                    entry.id,
                    solid.raw,
                    entry.issuer,
                    record.seq,
                    record.issued_at,
                    solid.received_at,
                    entry.depth,
                )
            )
            self._note(entry)

    def _note(self, entry: Entry) -> None:
        self._accepted = None
        self._calls.note(entry)
        self.order.insert(entry)
        for listener in self._listeners:
            listener(entry)

    def _put_off(self, item: Item) -> None:
        self._refused[Refusal.FUTURE] += 1
        self._early[item.id] = item
        if len(self._early) > self._config.max_early:
            latest = max(self._early.values(), key=lambda early: early.record.issued_at)
            del self._early[latest.id]

    def _release_early(self, now: int) -> None:
        limit = now + self._config.future_tolerance * SECOND
        for item in [early for early in self._early.values() if early.record.issued_at <= limit]:
            del self._early[item.id]
            self._add(item)

    def _announce(self, now: int) -> None:
        have = Have(self.name, self.fleet.id, self.dag.heights(), self._digest())
        self._have_at = now
        # Robots take turns, so that after a silence somebody is heard soon.
        interval = round(self._config.have_interval * SECOND)
        turn = interval * self.index // self.dag.members
        self._have_due = now + interval - (now - turn) % interval
        self._bytes_sent += have.size
        self._transport.broadcast_have(have)

    def _fetch(self, now: int) -> None:
        request = self._fetcher.poll(
            now,
            self.dag.heights(),
            self._solidifier.seqs,
            {
                identity: sender
                for identity, sender in self._solidifier.missing().items()
                if identity not in self._early
            },
            self._peers.known,
        )
        if request is not None:
            self._bytes_sent += request.size
            self._transport.send_request(request.target, request)

    def _refuse(self, error: RefusedError, sender: str) -> None:
        self._refused[error.reason] += 1
        if error.reason is not Refusal.FLEET:
            log.debug('%s: from %.80r: %s', self.name, sender, error)
        elif sender not in self._foreign and len(self._foreign) < MAX_ROBOTS:
            self._foreign.add(sender)
            log.warning('%s: not our fleet, nothing of it is taken: %s', self.name, error)

    def _digest(self) -> bytes:
        return self.dag.digest.to_bytes(ID_BYTES, 'big')

    def _accepted_heights(self, now: int) -> tuple[int, ...]:
        if self._accepted is None:
            newest = [self.dag.newest(robot) for robot in range(self.dag.members)]
            self._accepted = accepted_heights(
                [entry.seen if entry is not None else None for entry in newest],
                [robot.weight for robot in self.fleet.robots],
                [robot for robot in range(self.dag.members) if self._is_active(robot, now)],
                self.dag.forks,
            )
        return self._accepted

    def _is_active(self, robot: int, now: int) -> bool:
        """Tell whether a robot was heard from lately, itself or by a record others passed on."""
        if robot == self.index:
            return True
        since = now - round(self._config.active_window * SECOND)
        newest = self.dag.newest(robot)
        return self._peers.heard_since(self.fleet.robots[robot].name, since) or (
            newest is not None and newest.record.issued_at >= since
        )

    def _alarm(self, now: int) -> str:
        alarms = [self._store_alarm and f'not issuing: {self._store_alarm}']
        own = self.dag.newest(self.index)
        if self.index in self.dag.forks:
            alarms.append(
                f'not issuing: two records {self.dag.forks[self.index]} are signed with this '
                "robot's key: another process uses it, or its disk was lost; give it a new key"
            )
        elif self._history.is_missing:
            alarms.append('own records are missing here and are fetched from teammates')
        if own and own.record.issued_at > now + self._config.future_tolerance * SECOND:
            alarms.append('the clock is behind the own last record: was it set back?')
        for robot, seq in sorted(self.dag.forks.items()):
            if robot != self.index:
                name = self.fleet.robots[robot].name
                alarms.append(f'{name} signed two records with seq {seq}')
        return '; '.join(alarm for alarm in alarms if alarm)
