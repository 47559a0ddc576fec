"""
A model of a proof-of-authority longest chain: Clique (https://eips.ethereum.org/EIPS/eip-225).

Kept of it: robots sign blocks in turn (difficulty 2) or, after a random wiggle, out of turn
(difficulty 1); of ``n // 2 + 1`` blocks in a row a signer may sign one; a block period; the chain
with the higher total difficulty wins and the other is left. What the EIP leaves open follows geth:
of two chains of equal difficulty the shorter, else the one with the own head, else a coin decides;
transactions of a left branch return to the pool (toychain, arXiv 2407.06630, does so, too) unless
``reinject`` is off; who meets a peer anew tells it what is in the pool. Signers never change.

This is our own model of these rules, not geth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
import hashlib
import random

IN_TURN, OUT_OF_TURN = 2, 1  # difficulty
WIGGLE = 0.5  # s per signer
HEADER_BYTES = 606  # RLP of a Clique header: 97 bytes of extra data in an Ethereum header
TRANSACTION_BYTES = 110  # RLP of a legacy transaction without its calldata
HASH_BYTES = 32
STATUS_PERIOD = 1.0  # s
RECONNECTED = 3.0  # s of silence after which a peer counts as met anew
MAX_BLOCKS = 128  # in one answer
MAX_TRANSACTIONS = 200  # in one block: 30 M gas at about 150,000 each


@dataclass(frozen=True)
class Block:
    """
    A signed block.

    :param parent: its parent's id; empty for the first block's.
    :param signer: index of the robot.
    :param time: of signing, s.
    """

    number: int
    parent: bytes
    signer: int
    time: float
    difficulty: int
    transactions: tuple[bytes, ...]
    id: bytes = field(init=False)

    def __post_init__(self) -> None:
        content = repr((self.number, self.parent, self.signer, self.time, self.transactions))
        object.__setattr__(self, 'id', hashlib.blake2b(content.encode(), digest_size=32).digest())

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return HEADER_BYTES + _size(self.transactions)


@dataclass(frozen=True)
class Status:
    """What a peer tells every second: its head, and how heavy its chain is."""

    sender: int
    head: bytes
    difficulty: int
    size: int = 2 * HASH_BYTES


@dataclass(frozen=True)
class Ask:
    """Ask a peer for its chain after the newest block of ``known`` that is in it."""

    sender: int
    target: int
    known: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return HASH_BYTES * len(self.known)


@dataclass(frozen=True)
class Branch:
    """Blocks in a row, on request."""

    sender: int
    target: int
    blocks: tuple[Block, ...]

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return sum(block.size for block in self.blocks)


@dataclass(frozen=True)
class Pool:
    """Transactions that wait."""

    transactions: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return _size(self.transactions)


Message = Block | Status | Ask | Branch | Pool
GENESIS = Block(0, b'', -1, 0.0, 0, ())


def _size(transactions: Sequence[bytes]) -> int:
    return sum(TRANSACTION_BYTES + len(transaction) for transaction in transactions)


class CliqueNode:
    """
    One signer.

    :param index: its place among ``count`` signers.
    :param now: tells the time, s.
    :param say: sends a message to all.
    :param seed: of its wiggle and its coin.
    :param period: between two blocks, s; the EIP counts in whole seconds, so 1 is the least.
    :param limit: of that many blocks in a row it may sign one; by default Clique's. 1 is no
        limit, and not Clique: then any side of a split goes on, as with proof of work.
    :param reinject: False: the transactions of a left branch are forgotten.
    :param depths: depths of confirmation to keep account of; 1 = in the chain.
    """

    def __init__(
        self,
        index: int,
        count: int,
        now: Callable[[], float],
        say: Callable[[Message], None],
        seed: int,
        period: float = 1.0,
        limit: int | None = None,
        reinject: bool = True,
        depths: Sequence[int] = (1, 6),
    ) -> None:
        self.name = f'robot_{index:02}'
        self.index = index
        self.chain = [GENESIS]
        """The canonical chain."""
        self.pool: dict[bytes, None] = {}
        self.confirmed: dict[int, set[bytes]] = {depth: set() for depth in depths}
        """Per depth: transactions that lie so deep now."""
        self.withdrawn: dict[int, set[bytes]] = {depth: set() for depth in depths}
        """Per depth: transactions that once lay so deep, and at a change of chain no more."""
        self._count = count
        self._now = now
        self._say = say
        self._random = random.Random(seed * 1_000 + index)
        self._period = period
        self._limit = count // 2 + 1 if limit is None else limit
        self._reinject = reinject
        self._blocks = {GENESIS.id: GENESIS}
        self._difficulty = {GENESIS.id: 0}  # of the chain up to this block
        self._included: set[bytes] = set()
        self._sign_at: float | None = None  # None: not allowed on this head
        self._status_at = 0.0
        self._heard: dict[int, float] = {}
        self._plan()

    @property
    def head(self) -> Block:
        """The newest block of the canonical chain."""
        return self.chain[-1]

    def submit(self, transaction: bytes) -> None:
        """Take a transaction of this robot and tell the others."""
        self._pool((transaction,))
        self._say(Pool((transaction,)))

    def tick(self) -> None:
        """Sign when it is time, and tell the own head."""
        now = self._now()
        if self._sign_at is not None and now >= self._sign_at:
            transactions = tuple(self.pool)[:MAX_TRANSACTIONS]
            number = self.head.number + 1
            block = Block(
                number, self.head.id, self.index, now, self._weight(number), transactions
            )
            self._say(block)
            self._take(block)
        if now >= self._status_at:
            self._status_at = now + STATUS_PERIOD
            self._say(Status(self.index, self.head.id, self._difficulty[self.head.id]))

    def receive(self, message: Message) -> None:
        """Take a message of another signer."""
        if isinstance(message, Block):
            if message.parent in self._blocks:
                self._take(message)
            else:
                self._ask(message.signer)
        elif isinstance(message, Status):
            self._meet(message)
        elif isinstance(message, Ask) and message.target == self.index:
            self._answer(message)
        elif isinstance(message, Branch) and message.target == self.index:
            for block in message.blocks:
                if block.parent in self._blocks:
                    self._take(block)
            if len(message.blocks) == MAX_BLOCKS:
                self._say(Ask(self.index, message.sender, (message.blocks[-1].id, GENESIS.id)))
        elif isinstance(message, Pool):
            self._pool(message.transactions)

    def _meet(self, status: Status) -> None:
        now = self._now()
        if now - self._heard.get(status.sender, now) > RECONNECTED and self.pool:
            self._say(Pool(tuple(self.pool)))
        self._heard[status.sender] = now
        own = self._difficulty[self.head.id]
        if status.head not in self._blocks and status.difficulty >= own:
            self._ask(status.sender)

    def _ask(self, target: int) -> None:
        steps = [0, *(1 << power for power in range(len(self.chain).bit_length()))]
        known = [self.chain[-1 - step].id for step in steps if step < len(self.chain)]
        self._say(Ask(self.index, target, (*known, GENESIS.id)))

    def _answer(self, ask: Ask) -> None:
        places = {block.id: block.number for block in self.chain}
        shared = next(places[identity] for identity in ask.known if identity in places)
        blocks = tuple(self.chain[shared + 1 : shared + 1 + MAX_BLOCKS])
        if blocks:
            self._say(Branch(self.index, ask.sender, blocks))

    def _pool(self, transactions: Sequence[bytes]) -> None:
        for transaction in transactions:
            if transaction not in self._included:
                self.pool[transaction] = None

    def _weight(self, number: int) -> int:
        return IN_TURN if number % self._count == self.index else OUT_OF_TURN

    def _take(self, block: Block) -> None:
        """Take a block whose parent is known, and go over to its chain if that is the heavier."""
        if block.id in self._blocks or not self._may_sign(block.signer, block.parent):
            return
        self._blocks[block.id] = block
        total = self._difficulty[block.parent] + block.difficulty
        self._difficulty[block.id] = total
        own = self._difficulty[self.head.id]
        if total > own or (total == own and self._prefers(block)):
            self._adopt(block)
            self._plan()

    def _prefers(self, block: Block) -> bool:
        if block.number != self.head.number:
            return block.number < self.head.number
        return self.head.signer != self.index and self._random.random() < 0.5

    def _may_sign(self, signer: int, parent: bytes) -> bool:
        for _ in range(self._limit - 1):
            block = self._blocks[parent]
            if block.number == 0:
                return True
            if block.signer == signer:
                return False
            parent = block.parent
        return True

    def _adopt(self, head: Block) -> None:
        branch = [head]
        while branch[-1].number > len(self.chain) or (
            self.chain[branch[-1].number - 1].id != branch[-1].parent
        ):
            branch.append(self._blocks[branch[-1].parent])
        left = self.chain[branch[-1].number :]
        self.chain[branch[-1].number :] = reversed(branch)
        gone = {transaction for block in left for transaction in block.transactions}
        self._included -= gone
        for block in branch:
            self._included.update(block.transactions)
            for transaction in block.transactions:
                self.pool.pop(transaction, None)
        if self._reinject:
            self._pool(sorted(gone))
        self._account(len(branch), bool(left))

    def _account(self, grown: int, reorganised: bool) -> None:
        for depth, confirmed in self.confirmed.items():
            deep = self.chain[: max(0, len(self.chain) - depth + 1)]
            if reorganised:
                before = set(confirmed)
                confirmed.clear()
                confirmed.update(one for block in deep for one in block.transactions)
                self.withdrawn[depth] |= before - confirmed
            else:
                confirmed.update(one for block in deep[-grown:] for one in block.transactions)

    def _plan(self) -> None:
        """Choose when to sign on the present head."""
        if not self._may_sign(self.index, self.head.id):
            self._sign_at = None
            return
        self._sign_at = self.head.time + self._period
        if self._weight(self.head.number + 1) == OUT_OF_TURN:
            self._sign_at += self._random.uniform(0, self._count * WIGGLE)
