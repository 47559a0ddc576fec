"""
Ledger node: the robot's ledger and contract on ROS topics.

It takes contract calls from the robot's other nodes, exchanges blocks with teammates, and tells
what the contract says now. It decides nothing about tasks or maps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rclpy.node import Node
from std_msgs.msg import String

from collab_robots.anchor.deployed import deployment_file
from collab_robots.anchor.notary import Notary
from collab_robots.bringup import topics
from collab_robots.bringup.tables import LEDGER
from collab_robots.contract.runner import Runner
from collab_robots.contract.views.maps import MapsView
from collab_robots.contract.views.roster import RosterView
from collab_robots.contract.views.tasks import Task, TasksView
from collab_robots.core.clock import Clock, SECOND
from collab_robots.core.errors import CallError, ConfigError, Refusal, RefusedError
from collab_robots.core.fleet import Fleet
from collab_robots.core.identity import mark_used, PrivateKey, unused_marker
from collab_robots.core.uplink import Traffic, Uplink
from collab_robots.nodes import conversions, ledger_conversions, qos
from collab_robots.nodes.health import LedgerHealth
from collab_robots.nodes.ledger_http import LedgerHttp
from collab_robots.nodes.managed import ManagedNode
from collab_robots.nodes.roster_conversions import roster_to_msg
from collab_robots.nodes.spin import run
from collab_robots.nodes.uplink import Outlets
from collab_robots.tangle.dag import Entry
from collab_robots.tangle.ledger import Ledger
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.store import Store
from collab_robots.tangle.sync import Chunk, Have, Request
from collab_robots.tasks.auction import Auction
from collab_robots_msgs.msg import (
    Block,
    Call,
    LedgerStatus,
    Refused,
    Roster,
    TaskStatusArray,
    TileDigestArray,
)
from collab_robots_msgs.msg import Chunk as ChunkMsg
from collab_robots_msgs.msg import Have as HaveMsg
from collab_robots_msgs.msg import Request as RequestMsg

PUBLISH_PERIOD = SECOND // 5
NOTARY_PERIOD = 10.0  # s
REASONS = frozenset(reason.value for reason in Refusal)


class RosClock(Clock):
    """The node's clock: simulated time where ``use_sim_time`` is set."""

    def __init__(self, node: Node) -> None:
        self._clock = node.get_clock()

    def now_ns(self) -> int:
        """Return the time, ns."""
        return int(self._clock.now().nanoseconds)


class LedgerNode(ManagedNode):
    """
    See the module; also the ledger's transport.

    :param config: pace and limits; None for the defaults.
    :param uplink: of the process, shared with its other nodes; None: one of its own.
    :param options: those of ``rclpy.node.Node``.
    """

    def __init__(
        self, config: LedgerConfig | None = None, uplink: Uplink | None = None, **options: Any
    ) -> None:
        self._pace = config
        self._uplink = uplink
        super().__init__('ledger', LEDGER, **options)

    def configure(self, values: dict[str, Any]) -> None:
        """Open the ledger file; the ledger starts when time has begun."""
        self._name: str = values['name']
        fleet = Fleet.load(values['fleet'])
        key = PrivateKey.load(Path(values['key']))
        known = fleet.index_by_key.get(key.public)
        if known is not None and fleet.robots[known].name != self._name:
            raise ConfigError(
                f'{values["key"]} is not the key of {self._name} but of '
                f'{fleet.robots[known].name} in {values["fleet"]}; each robot has its own'
            )
        self._fleet = fleet
        self._config = self._pace or LedgerConfig(
            snapshot_interval=values['snapshot_interval'], archive=values['archive']
        )
        self._time = RosClock(self)
        self._runner = Runner(fleet)
        self._view = TasksView(self._runner)
        self._maps = MapsView(self._runner)
        self._robots = RosterView(self._runner)
        self._auction = Auction(self._name, self._view)
        self._present: Sequence[str] | None = None  # robots heard lately, once that is known
        self._refused: Counter[str] = Counter()
        self._changed = True
        self._publish_from = 0
        self._published_tasks: list[tuple[Task, bool, str | None]] = []
        self._published_tiles: tuple[Any, ...] = ()

        outlets = Outlets(self, self._uplink, values['uplink'])
        self._blocks = outlets.open(Traffic.LEDGER, Block, topics.sent('block'))
        self._haves = outlets.open(Traffic.LEDGER, HaveMsg, topics.sent('have'))
        self._requests = outlets.open(Traffic.LEDGER, RequestMsg, topics.sent('request'))
        self._chunks = outlets.open(Traffic.SNAPSHOT, ChunkMsg, topics.sent('chunk'))
        self.diagnose('uplink', outlets.health)
        self._status = self.tell(LedgerStatus, topics.LEDGER_STATUS, qos.STATUS)
        self._roster = self.tell(Roster, topics.ROSTER, qos.STATUS)
        self._tasks = self.tell(TaskStatusArray, topics.TASKS, qos.LATCHED)
        self._tiles = self.tell(TileDigestArray, topics.TILES, qos.LATCHED)
        self._http = LedgerHttp(values, self._time)
        self.at_cleanup(self._http.close)
        self._store = Store(Path(values['store']), fleet, self._name)
        self.at_cleanup(self._store.close)
        self._key = key
        self._key_file = Path(values['key'])
        self._anchor = deployment_file(
            Path(values['anchor']) if values['anchor'] else None, Path(values['fleet'])
        )
        self._periods = (values['tick_period'], values['status_period'])
        health = self._health = LedgerHealth(self._name, Path(values['store']), self._time.now_ns)
        for look in (health.peers, health.lag, health.finality, health.store, health.alarm):
            self.diagnose(look.__name__, look)
        self._notary: Notary
        self._ledger: Ledger
        self.once(values['tick_period'], self._join)

    def _join(self) -> None:
        """Start the ledger, when time has begun: it measures others' silence by the clock."""
        radio = self._http.transport or self
        self._ledger = Ledger(
            self._fleet,
            self._key,
            self._store,
            self._time,
            radio,
            self._config,
            fresh=unused_marker(self._key_file).exists(),
            state=self._runner,
            name=self._name,
        )
        self._execute()  # snapshots ask the runner for states, and it takes them from this order
        if self._ledger.dag.heights()[self._ledger.index]:
            self._mark_used()
        self._ledger.on_solid(self._on_solid)
        snapshot = self._ledger.tangle.snapshot
        begin = (snapshot.cut.position, snapshot.cut.final_digest) if snapshot else None
        self._notary = Notary(
            self._key,
            self._fleet,
            self._runner,
            self._anchor,
            self._config.snapshot_interval,
            begin,
        )
        self._http.start(self._ledger)
        heard = (
            (Block, topics.heard('block'), self._on_block, qos.RADIO),
            (HaveMsg, topics.heard('have'), self._on_have, qos.RADIO),
            (RequestMsg, topics.heard('request'), self._on_request, qos.RADIO),
            (ChunkMsg, topics.heard('chunk'), self._on_chunk, qos.RADIO),
        )
        for kind, topic, callback, profile in (
            (Call, topics.CALL, self._on_call, qos.CALLS),
            (Refused, topics.REFUSED, self._on_refused, qos.STATUS),
            (String, topics.MISSION, self._on_mission, qos.LATCHED),
            *(heard if radio is self else ()),
        ):
            self.listen(kind, topic, callback, profile)
        for period, callback in zip(
            self._periods, (self._tick, self._publish_status), strict=True
        ):
            self.every(period, callback)
        self.every(NOTARY_PERIOD, self._say_anchors)

    def _on_solid(self, entry: Entry) -> None:
        if entry.record.seq == 0 and entry.issuer == self._ledger.index:
            self._mark_used()  # it is on the disk, and nobody has it yet

    def _mark_used(self) -> None:
        try:
            mark_used(self._key_file)
        except OSError as error:
            raise ConfigError(
                f'{unused_marker(self._key_file)}: cannot be removed ({error.strerror}); '
                'it would let this robot start anew after it lost its ledger'
            ) from None

    def each_round(self) -> None:
        """Serve HTTP."""
        if self.active:
            self._http.poll()

    def broadcast_block(self, raw: bytes) -> None:
        """Send a block to all teammates."""
        self._blocks.publish(Block(version=Block.VERSION, sender=self._name, data=raw))

    def broadcast_have(self, have: Have) -> None:
        """Tell all teammates what is here."""
        self._haves.publish(ledger_conversions.have_to_msg(have))

    def send_request(self, target: str, request: Request) -> None:
        """Ask one teammate; all hear it."""
        self._requests.publish(ledger_conversions.request_to_msg(request))

    def broadcast_chunk(self, chunk: Chunk) -> None:
        """Send a piece of a snapshot to all teammates."""
        self._chunks.publish(ledger_conversions.chunk_to_msg(chunk))

    def _on_call(self, message: Call) -> None:
        try:
            self._ledger.submit(bytes(message.data))
        except CallError as error:
            raise RefusedError(Refusal.MALFORMED, str(error)) from None

    def _on_refused(self, message: Refused) -> None:
        if message.reason in REASONS:
            self._refused[message.reason] += 1

    def _on_block(self, message: Block) -> None:
        self._ledger.receive_block(bytes(message.data), message.sender)

    def _on_have(self, message: HaveMsg) -> None:
        self._ledger.receive_have(ledger_conversions.have_from_msg(message))

    def _on_request(self, message: RequestMsg) -> None:
        if message.issuers or message.ids or message.chunks:
            self._ledger.receive_request(ledger_conversions.request_from_msg(message))

    def _on_chunk(self, message: ChunkMsg) -> None:
        self._ledger.receive_chunk(ledger_conversions.chunk_from_msg(message))

    def _on_mission(self, message: String) -> None:
        self._ledger.hold = message.data == topics.HOLD

    def _tick(self) -> None:
        now = self._time.now_ns()
        self._ledger.tick()
        self._execute()
        if now >= self._publish_from:
            self._publish_from = now + PUBLISH_PERIOD
            self._publish_tasks(now)
            if self._changed:
                self._changed = False
                self._publish_tiles(now)

    def _say_anchors(self) -> None:
        self._execute()
        try:
            call = self._notary.call(self._ledger.order)
            if call is not None:
                self._ledger.submit(call)
        except (CallError, ConfigError) as error:
            self.get_logger().warning(f'no anchor is signed: {error}')

    def _execute(self) -> None:
        if self._runner.update(self._ledger.order):
            self._changed = True

    def _publish_tasks(self, now: int) -> None:
        assigned = self._auction.assign(now, self._present)
        entries = [
            (task, self._is_accepted(task), assigned.get(task.key))
            for task in self._view.tasks(now)
        ]
        if entries == self._published_tasks:
            return
        self._published_tasks = entries
        header = conversions.header('map', now)
        messages = [conversions.task_to_msg(*entry) for entry in entries]
        self._tasks.publish(TaskStatusArray(header=header, tasks=messages))

    def _is_accepted(self, task: Task) -> bool:
        if task.holder is None:
            return False
        award = self._runner.award_record(task.key, task.holder)
        return award is not None and self._ledger.is_accepted(award)

    def _publish_tiles(self, now: int) -> None:
        said = (self._maps.tiles(), self._maps.newest_sketches(), self._maps.convicted())
        if said != self._published_tiles:
            self._published_tiles = said
            self._tiles.publish(conversions.tile_digests_to_msg(*said, now))

    def _publish_roster(self) -> None:
        if self._roster.get_subscription_count():
            now = self._time.now_ns()
            said = (self._robots.roster(), self._robots.pending())
            self._roster.publish(roster_to_msg(self._name, self._fleet.id, *said, now))

    def _publish_status(self) -> None:
        self._execute()  # so that counts and roots are of the same records
        self._publish_roster()
        status = self._ledger.status()
        self._present = status.peers
        refused = self._refused + Counter(
            {reason.value: count for reason, count in status.refused.items()}
        )
        if self._http.transport is not None:
            for reason, count in self._http.transport.refused.items():
                refused[reason.value] += count
        alarm = '; '.join(alarm for alarm in (status.alarm, self._http.alarm) if alarm)
        self._health.note(status, self._ledger.fleet, alarm)
        self._status.publish(
            LedgerStatus(
                header=conversions.header('map', self._time.now_ns()),
                robot=self._name,
                fleet=conversions.digest_to_msg(self._fleet.id),
                blocks=status.blocks,
                waiting=status.waiting,
                pending=status.pending,
                accepted=status.accepted,
                final=status.final,
                pruned=status.pruned,
                snapshot=status.snapshot,
                final_digest=conversions.digest_to_msg(status.final_digest),
                heights=list(status.heights),
                set_digest=conversions.digest_to_msg(status.set_digest),
                state_root=conversions.digest_to_msg(self._runner.state_root()),
                final_root=conversions.digest_to_msg(self._runner.final_root()),
                reverted=self._runner.reverted,
                peers=list(status.peers),
                equivocators=list(status.forked),
                refused=list(refused),
                refused_count=list(refused.values()),
                bytes_sent=status.bytes_sent,
                bytes_received=status.bytes_received,
                alarm=alarm,
                epoch=self._ledger.fleet.epoch,
                convicted=sorted(self._maps.convicted()),
            )
        )


def main(args: Sequence[str] | None = None) -> int:
    """Run the node alone."""
    return run(args, LedgerNode)


if __name__ == '__main__':
    raise SystemExit(main())
