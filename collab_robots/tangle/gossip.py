"""
What robots exchange beyond new blocks: announcements, requests, answers, proofs, snapshots.

It knows when to say and ask what, not what a block means.
"""

from __future__ import annotations

from collab_robots.core.clock import SECOND
from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.core.fleet import Fleet
from collab_robots.tangle.answerer import Answerer
from collab_robots.tangle.block import block_id, ID_BYTES
from collab_robots.tangle.block_store import BlockStore
from collab_robots.tangle.checkpoints import Catchup, Checkpoints
from collab_robots.tangle.equivocation import Proof
from collab_robots.tangle.fetcher import Fetcher
from collab_robots.tangle.intake import Intake
from collab_robots.tangle.peers import Peer, Peers
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.sync import (
    check_chunk,
    check_have,
    check_request,
    Chunk,
    Have,
    Request,
    Transport,
)
from collab_robots.tangle.tangle import Tangle

_NEVER = -(1 << 63)


class Gossip:
    """
    One robot's side of the exchange.

    :param name: of the robot.
    """

    def __init__(
        self,
        name: str,
        config: LedgerConfig,
        store: BlockStore,
        transport: Transport,
        checkpoints: Checkpoints,
    ) -> None:
        self.name = name
        self.peers = Peers(name, config.silence)
        self.bytes_sent = 0
        self.bytes_received = 0
        self._fleet: Fleet
        self._config = config
        self._transport = transport
        self._checkpoints = checkpoints
        self._answerer = Answerer(store, config)
        self._fetcher = Fetcher(self.name, config)
        self._catchup = Catchup(self.name, config)
        self._tangle: Tangle
        self._intake: Intake
        self._proofs_sent: dict[int, int] = {}
        self._have_at = _NEVER
        self._have_due = _NEVER

    def begin(self, tangle: Tangle, intake: Intake) -> None:
        """Serve this tangle from now on."""
        self._fleet = tangle.fleet
        self.peers.begin(tangle.fleet)
        self._tangle = tangle
        self._intake = intake

    @property
    def is_asking(self) -> bool:
        """Tell whether blocks were asked for and are still to come."""
        return self._fetcher.is_asking

    @property
    def unheard(self) -> int:
        """
        How many teammates have not announced yet what they have.

        Who is ahead in snapshots counts as such: the roster may be another one there.
        """
        return self.peers.unheard + sum(map(self._is_beyond, self.peers.known.values()))

    # What is said

    def send(self, identity: bytes, raw: bytes, now: int) -> None:
        """Send a block to all at ``now`` (ns)."""
        self._answerer.note_sent(identity, now)
        self.bytes_sent += len(raw)
        self._transport.broadcast_block(raw)

    def send_proof(self, proof: Proof, now: int) -> None:
        """Send the blocks of a proof to all, once a second at most."""
        if now >= self._proofs_sent.get(proof.issuer, _NEVER) + SECOND:
            self._proofs_sent[proof.issuer] = now
            for raw in (proof.first, proof.second):
                self.send(block_id(raw), raw, now)

    def announce_if_due(self, now: int) -> None:
        """Tell all what is here, if it is time; nobody listens to who is not in the fleet."""
        index = self._fleet.index_by_name.get(self.name)
        if now < self._have_due or index is None:
            return
        tangle = self._tangle
        heights = tangle.dag.heights()
        have = Have(
            self.name,
            self._fleet.id,
            heights,
            self._digest(),
            tuple(map(min, tangle.pruned, heights)),  # an equivocator's other branch may be longer
            tuple(sorted(tangle.proofs)),
            tangle.order.final,
            self._checkpoints.stored,
        )
        self._have_at = now
        # Robots take turns, so that after a silence somebody is heard soon.
        interval = round(self._config.have_interval * SECOND)
        turn = interval * index // tangle.dag.members
        self._have_due = now + interval - (now - turn) % interval
        self.bytes_sent += have.size
        self._transport.broadcast_have(have)

    def fetch(self, now: int) -> None:
        """Ask for what is lacking, if it is time."""
        request = self._catchup.poll(now, self.peers.known, self._is_beyond)
        if request is None:
            request = self._fetcher.poll(
                now,
                self._tangle.dag.heights(),
                self._intake.waiting,
                self._intake.missing(),
                self.peers.known,
                self._tangle.unvouched,
            )
        if request is not None:
            self._ask(request)

    # What is heard

    def arrived(self, now: int) -> None:
        """Take note of a new block; ask for the next ones if it was the last of those asked."""
        if self._fetcher.arrived():
            self.fetch(now)

    def hear_have(self, have: Have, now: int) -> None:
        """
        Take an announcement.

        :raises RefusedError: if it is malformed or of strangers.
        """
        self.bytes_received += have.size
        check_have(have, self._fleet)
        if have.sender == self.name:
            return
        self.peers.take(have, now)
        has_left = self._fleet.index_by_name[have.sender] in self._fleet.left
        if have.set_digest != self._digest() and not has_left:  # who left may always differ
            # It may lack something: tell it soon.
            soon = self._have_at + round(self._config.have_min_interval * SECOND)
            self._have_due = min(self._have_due, soon)
        for issuer in self._tangle.proofs.keys() - set(have.forked):
            self.send_proof(self._tangle.proofs[issuer], now)
        self.fetch(now)

    def hear_request(self, request: Request, now: int) -> None:
        """
        Answer a request that is meant for this robot, within the sender's budget.

        Each block goes to all, at most once per ``resend_interval``.

        :raises RefusedError: if it is malformed, of strangers, or (FLOOD) beyond the budget.
        :raises StoreError: if the store cannot be read.
        """
        if request.target != self.name or request.sender == self.name:
            return
        self.bytes_received += request.size
        check_request(request, self._fleet)
        self.peers.hear(request.sender, now)
        dag = self._tangle.dag
        for row in self._answerer.answer(request, dag.forks, now):
            if row.id in dag.entries:  # an own record may not be durable yet
                self.send(row.id, row.raw, now)
        for chunk in self._checkpoints.chunks(self.name, request):
            if not self._answerer.budget(request.sender).take(now, chunk.size):
                raise RefusedError(Refusal.FLOOD, f'{request.sender!r} asks for too much')
            self.bytes_sent += chunk.size
            self._transport.broadcast_chunk(chunk)

    def hear_chunk(self, chunk: Chunk, now: int) -> bytes | None:
        """
        Take a piece of a snapshot.

        :returns: the whole, when it is complete: say then whether it :meth:`served`.
        :raises RefusedError: if it is malformed or of strangers.
        """
        self.bytes_received += chunk.size
        check_chunk(chunk, self._fleet)
        data, request = self._catchup.take(chunk, now)
        if request is not None:
            self._ask(request)
        if data is not None and not self._catchup.check(data):
            raise RefusedError(Refusal.SNAPSHOT, 'the pieces are not of one snapshot')
        return data

    def served(self, good: bool, sender: str, now: int) -> None:
        """Take note whether a snapshot was of use; who sent another is left alone for a while."""
        self._catchup.done()
        if not good and sender in self.peers.known:
            self.peers.known[sender].fail(now, self._config)

    # Inside

    def _ask(self, request: Request) -> None:
        self.bytes_sent += request.size
        self._transport.send_request(request.target, request)

    def _is_beyond(self, peer: Peer) -> bool:
        """Tell whether a teammate stored a snapshot of what is not final here, or of our end."""
        tangle = self._tangle
        return peer.snapshot > tangle.cut_index - tangle.is_over

    def _digest(self) -> bytes:
        return self._tangle.dag.digest.to_bytes(ID_BYTES, 'big')
