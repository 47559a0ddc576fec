"""
The machine in pure Python, for computers that pyrevm has no wheel for (arm64).

It takes py-evm's interpreter and Cancun rules, and keeps accounts itself: no tries, blocks or
transactions, one undo list. Like :class:`.evm.PyrevmEvm` it never leaves its first transaction, so
even the gas of every call is the same, but for storage that was loaded: here it is cold at first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eth.constants import CREATE_CONTRACT_ADDRESS
from eth.exceptions import OutOfGas, Revert
from eth.typing import JournalDBCheckpoint
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.cancun.computation import CancunComputation
from eth.vm.forks.cancun.state import CancunState
from eth.vm.forks.cancun.transaction_context import CancunTransactionContext
from eth.vm.message import Message
from eth_typing import Address, BlockNumber, Hash32
from eth_utils.crypto import keccak
import rlp

from collab_robots.contract.evm import (
    BLOCK_NUMBER,
    DEPLOYER,
    GAS_LIMIT,
    Log,
    packed,
    Result,
    rows,
    SLOT_BYTES,
    VIEW_GAS,
)
from collab_robots.core.errors import CallError
from collab_robots.core.identity import ADDRESS_BYTES

Snapshot = tuple[Hash32, JournalDBCheckpoint]
"""Of a state: a root, which is not used here, and how much can be undone."""

_NO_ROOT = Hash32(bytes(SLOT_BYTES))
_ZERO = Address(bytes(ADDRESS_BYTES))
_CREATION_GAS = 1 << 62
# What a transaction pays before its first instruction (yellow paper, appendix G; EIP-2028, 3860).
_TRANSACTION, _CREATION, _BYTE, _ZERO_BYTE = 21_000, 32_000, 16, 4
_REFUND_SHARE = 5  # EIP-3529


class PyEvm:
    """Contracts in py-evm; see :class:`.evm.Evm` for the methods."""

    def __init__(self) -> None:
        self._state = _State()
        self._logs: tuple[Log, ...] = ()

    def deploy(self, code: bytes) -> bytes:
        """Create a contract; see :meth:`.evm.Evm.deploy`."""
        nonce = len(self._state.codes)
        address = keccak(rlp.encode([DEPLOYER, nonce]))[-ADDRESS_BYTES:]
        message = Message(
            _CREATION_GAS,
            CREATE_CONTRACT_ADDRESS,
            Address(DEPLOYER),
            0,
            b'',
            code,
            create_address=Address(address),
        )
        result = self._finish(self._state.create(message), _CREATION_GAS)
        if not result.ok:
            why = result.halt or f'0x{result.output.hex()}'
            raise CallError(f'the contract cannot be created: {why[:200]}')
        return address

    def call(
        self, sender: bytes, to: bytes, data: bytes, timestamp: int, gas: int = GAS_LIMIT
    ) -> Result:
        """Execute a call; see :meth:`.evm.Evm.call`."""
        self._state.time = timestamp
        return self._run(sender, to, data, gas, False)

    def logs(self) -> tuple[Log, ...]:
        """Return the events of the last call; see :meth:`.evm.Evm.logs`."""
        return self._logs

    def read(self, to: bytes, data: bytes, gas: int = VIEW_GAS) -> bytes:
        """Ask a view; see :meth:`.evm.Evm.read`."""
        before = self._state.snapshot()
        result = self._run(DEPLOYER, to, data, gas, True)
        self._state.revert(before)
        if not result.ok:
            raise CallError(f'the view reverted: {result.halt or result.output.hex()[:200]}')
        return result.output

    def mark(self) -> Snapshot:
        """Return a mark; see :meth:`.evm.Evm.mark`."""
        return self._state.snapshot()

    def rollback(self, mark: Snapshot) -> None:
        """Return to a mark; see :meth:`.evm.Evm.rollback`."""
        self._state.revert(mark)

    def dump(self) -> list[bytes]:
        """Return all storage; see :meth:`.evm.Evm.dump`."""
        by_contract: dict[bytes, dict[bytes, bytes]] = {item: {} for item in self._state.codes}
        for (address, slot), value in self._state.slots.items():
            by_contract[address][_word(slot)] = _word(value)
        return [packed(slots) for slots in by_contract.values()]

    def with_storage(self, storages: Sequence[bytes]) -> PyEvm:
        """Return a new machine with other storage; see :meth:`.evm.Evm.with_storage`."""
        other = PyEvm()
        other._state.codes = self._state.codes.copy()
        for address, storage in zip(self._state.codes, storages, strict=True):
            for slot, value in rows(storage):
                other._state.loaded[address, int.from_bytes(slot, 'big')] = int.from_bytes(
                    value, 'big'
                )
        other._state.slots = other._state.loaded.copy()
        return other

    def _run(self, sender: bytes, to: bytes, data: bytes, gas: int, static: bool) -> Result:
        zeros = data.count(0)
        left = gas - _TRANSACTION - zeros * _ZERO_BYTE - (len(data) - zeros) * _BYTE
        if left < 0:
            return Result(False, b'', OutOfGas.__name__, 0)
        code = self._state.codes.get(to, b'')
        message = Message(left, Address(to), Address(sender), 0, data, code, is_static=static)
        return self._finish(self._state.execute(message), gas)

    def _finish(self, done: Any, gas: int) -> Result:
        """Say what became of a computation that was given so much gas."""
        if done.is_error:
            if isinstance(done.error, Revert):
                return Result(False, bytes(done.output), '', 0)
            return Result(False, b'', type(done.error).__name__, 0)
        self._logs = tuple(
            Log(address, tuple(_word(topic) for topic in topics), data)
            for address, topics, data in done.get_log_entries()
        )
        used = gas - done.get_gas_remaining()
        return Result(
            True, bytes(done.output), '', used - min(done.get_gas_refund(), used // _REFUND_SHARE)
        )


class _Computation(CancunComputation):
    """Shares between calls what was found out about a code's jumps."""

    def __init__(self, state: _State, message: Message, context: CancunTransactionContext) -> None:
        super().__init__(state, message, context)
        self.code: Any
        known = state.jumps.setdefault(message.code, (set(), set()))
        self.code.valid_positions, self.code.invalid_positions = known


class _State(CancunState):
    """Accounts without balances, in dictionaries that one list undoes."""

    computation_class: Any = _Computation

    def __init__(self) -> None:
        self.time = 0
        self.codes: dict[bytes, bytes] = {}
        self.slots: dict[tuple[bytes, int], int] = {}
        self.loaded: dict[tuple[bytes, int], int] = {}
        """The slots before the transaction: what the price of writing depends on."""
        self.jumps: dict[bytes, tuple[set[int], set[int]]] = {}
        self._warm: dict[Any, bool] = {}
        self._undo: list[tuple[dict[Any, Any], Any, Any]] = []  # table, key, value before
        self.execution_context = ExecutionContext(
            coinbase=_ZERO,
            timestamp=0,
            block_number=BlockNumber(BLOCK_NUMBER),
            difficulty=0,
            mix_hash=_NO_ROOT,
            gas_limit=0,
            prev_hashes=(),
            chain_id=1,
            base_fee_per_gas=0,
            excess_blob_gas=0,
        )

    def execute(self, message: Message) -> Any:
        return _Computation.apply_message(self, message, self._context(message))

    def create(self, message: Message) -> Any:
        return _Computation.apply_create_message(self, message, self._context(message))

    def _context(self, message: Message) -> CancunTransactionContext:
        self.mark_address_warm(message.sender)
        self.mark_address_warm(message.storage_address)
        return CancunTransactionContext(0, message.sender)

    def _put(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        self._undo.append((table, key, table.get(key)))
        table[key] = value

    # What the interpreter asks of a state (eth.abc.StateAPI).

    @property
    def timestamp(self) -> int:
        return self.time

    def snapshot(self) -> Snapshot:
        return _NO_ROOT, JournalDBCheckpoint(len(self._undo))

    def revert(self, snapshot: Snapshot) -> None:
        while len(self._undo) > snapshot[1]:
            table, key, value = self._undo.pop()
            if value is None:
                del table[key]
            else:
                table[key] = value

    def commit(self, snapshot: Snapshot) -> None:
        pass

    def get_storage(self, address: bytes, slot: int, from_journal: bool = True) -> int:
        return (self.slots if from_journal else self.loaded).get((address, slot), 0)

    def set_storage(self, address: bytes, slot: int, value: int) -> None:
        self._put(self.slots, (address, slot), value)

    def is_storage_warm(self, address: bytes, slot: int) -> bool:
        return (address, slot) in self._warm

    def mark_storage_warm(self, address: bytes, slot: int) -> None:
        self._put(self._warm, (address, slot), True)

    def is_address_warm(self, address: bytes) -> bool:
        return address in self._warm or address in self.computation_class.get_precompiles()

    def mark_address_warm(self, address: bytes) -> None:
        self._put(self._warm, address, True)

    def get_code(self, address: bytes) -> bytes:
        return self.codes.get(address, b'')

    def set_code(self, address: bytes, code: bytes) -> None:
        self._put(self.codes, address, code)

    def increment_nonce(self, address: bytes) -> None:
        pass

    def get_balance(self, address: bytes) -> int:
        return 0

    def account_exists(self, address: bytes) -> bool:
        return address in self.codes

    def account_is_empty(self, address: bytes) -> bool:
        return not self.get_code(address)

    def touch_account(self, address: bytes) -> None:
        pass


def _word(value: int) -> bytes:
    return value.to_bytes(SLOT_BYTES, 'big')
