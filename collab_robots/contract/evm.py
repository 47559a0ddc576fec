"""
The machine that executes contracts: several of them, calls, marks to go back to.

:class:`PyrevmEvm` is the machine on x86-64. pyrevm has no wheel for arm64; there
:class:`.pyevm.PyEvm` takes its place in :func:`make_evm`, with the same results.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
import re
from typing import Any, NamedTuple, Protocol

from collab_robots.core.errors import CallError

try:
    import pyrevm
except ImportError:  # no wheel for this machine
    pyrevm = None  # type: ignore[assignment]

DEPLOYER = bytes(19) + b'\1'
SYSTEM = b'\xff' * 19 + b'\xfe'  # who closes epochs: no robot, but what all agree on
SPEC = 'CANCUN'  # gas and opcodes are pinned: every robot must agree on them
BLOCK_NUMBER = 1
GAS_LIMIT = 4_000_000  # per call; every call of the suite stays below, whatever is stored
VIEW_GAS = 1_000_000_000  # a view that needs more does not end

SLOT_BYTES = 32
ROW_BYTES = 2 * SLOT_BYTES  # of dumped storage: a slot and its value

_OUTPUT = re.compile(r'output: 0x([0-9a-f]*)')
_HALT = re.compile(r'Halt \{ reason: (\w+)')
_PART = re.compile(
    r'\b0x([0-9a-f]{40}): Account \{'
    r'|\b(\d+): StorageSlot \{ previous_or_original_value: \d+, present_value: (\d+) '
)


class Log(NamedTuple):
    """
    An event as the machine gives it out.

    :param address: of the contract.
    """

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


class Result(NamedTuple):
    """
    What became of a call.

    :param ok: False if it was reverted or ran out of gas: then it changed nothing.
    :param output: returned or revert data.
    :param halt: why the machine stopped it, empty unless it did (``OutOfGas`` …).
    :param gas: what it took, if it was successful.
    """

    ok: bool
    output: bytes
    halt: str
    gas: int


class Evm(Protocol):
    """
    A machine with contracts in it; addresses are 20 bytes.

    What a call costs may depend on what was executed or read before (a slot is cheaper to touch
    again). Nothing else may.
    """

    def deploy(self, code: bytes) -> bytes:
        """
        Create a contract.

        :returns: its address, which depends only on how many were created before.
        :raises CallError: if its constructor reverts.
        """

    def call(
        self, sender: bytes, to: bytes, data: bytes, timestamp: int, gas: int = GAS_LIMIT
    ) -> Result:
        """Execute a call; bad calldata, reverts and gas end in the result, never in an error."""

    def logs(self) -> tuple[Log, ...]:
        """
        Return the events of the last call or creation, which was successful.

        They are there until something else is called or read.
        """

    def read(self, to: bytes, data: bytes, gas: int = VIEW_GAS) -> bytes:
        """
        Ask a view; leaves no trace.

        :raises CallError: if it reverts or takes more gas.
        """

    def mark(self) -> Any:
        """Return a mark of the present state; cheap enough for one per record."""

    def rollback(self, mark: Any) -> None:
        """Return to a mark; later marks are void."""

    def dump(self) -> list[bytes]:
        """
        Return the storage of all contracts, in the order of their creation.

        :returns: of each: rows of slot and value, big-endian, by slot, no zeros.
        """

    def with_storage(self, storages: Sequence[bytes]) -> Evm:
        """
        Return a new machine with the same contracts, which knows no marks.

        :param storages: as :meth:`dump` returns them.
        """


def make_evm() -> Evm:
    """Return the fastest machine that this computer has."""
    if pyrevm is not None:
        return PyrevmEvm()
    from collab_robots.contract.pyevm import PyEvm  # takes a second to import

    return PyEvm()


class PyrevmEvm:
    """
    Contracts in revm, inside this process.

    pyrevm never leaves its first transaction, so the journal can undo everything. It counts every
    open checkpoint as a call depth, of which there are 1024; a mark is therefore a checkpoint that
    is committed at once: its position in the journal stays good for a later revert.

    Nor does it list storage, but in the text that describes its state: that is what is dumped. The
    text has the slots that were touched since storage was loaded; the others are as they were.
    """

    def __init__(self) -> None:
        self._evm = pyrevm.EVM(spec_id=SPEC)
        self._loaded: dict[bytes, bytes] = {}  # storage by contract
        self._timestamp = -1
        self._set_time(0)

    def deploy(self, code: bytes) -> bytes:
        """Create a contract; see :meth:`Evm.deploy`."""
        try:
            address = bytes.fromhex(self._evm.deploy(_hex(DEPLOYER), code)[2:])
        except RuntimeError as error:
            raise CallError(f'the contract cannot be created: {str(error)[:200]}') from None
        self._loaded[address] = b''
        return address

    def call(
        self, sender: bytes, to: bytes, data: bytes, timestamp: int, gas: int = GAS_LIMIT
    ) -> Result:
        """Execute a call; see :meth:`Evm.call`."""
        evm = self._evm
        self._set_time(timestamp)
        try:
            output = evm.message_call(_hex(sender), _hex(to), data, gas=gas)
        except RuntimeError as error:
            return _failure(str(error))
        result: Any = evm.result
        return Result(True, bytes(output), '', result.gas_used)

    def logs(self) -> tuple[Log, ...]:
        """Return the events of the last call; see :meth:`Evm.logs`."""
        result: Any = self._evm.result
        return tuple(
            Log(bytes.fromhex(log.address[2:]), *_topics_and_data(log.data)) for log in result.logs
        )

    def read(self, to: bytes, data: bytes, gas: int = VIEW_GAS) -> bytes:
        """Ask a view; see :meth:`Evm.read`."""
        evm = self._evm
        before = evm.snapshot()
        try:
            return bytes(evm.message_call(_hex(DEPLOYER), _hex(to), data, gas=gas, is_static=True))
        except RuntimeError as error:
            raise CallError(f'the view reverted: {str(error)[:200]}') from None
        finally:
            evm.revert(before)

    def mark(self) -> Any:
        """Return a mark; see :meth:`Evm.mark`."""
        mark = self._evm.snapshot()
        self._evm.commit()
        return mark

    def rollback(self, mark: Any) -> None:
        """Return to a mark; see :meth:`Evm.rollback`."""
        self._evm.snapshot()  # pays for the depth that revert gives back
        self._evm.revert(mark)

    def dump(self) -> list[bytes]:
        """Return all storage; see :meth:`Evm.dump`."""
        text = self._evm.journal_str
        end = text.index('transient_storage: ')  # then comes how it became so
        found = 0
        slots: dict[bytes, bytes] = {}
        by_contract = {address: dict(rows(loaded)) for address, loaded in self._loaded.items()}
        for account, slot, value in _PART.findall(text, 0, end):
            if account:
                slots = by_contract.get(bytes.fromhex(account), {})
                continue
            slots[_word(slot)] = _word(value)
            found += 1
        if found != text.count('StorageSlot {', 0, end):
            raise RuntimeError('this pyrevm describes its storage in other words')
        return [packed(slots) for slots in by_contract.values()]

    def with_storage(self, storages: Sequence[bytes]) -> PyrevmEvm:
        """Return a new machine with other storage; see :meth:`Evm.with_storage`."""
        other = PyrevmEvm()
        other._loaded = dict(zip(self._loaded, storages, strict=True))
        for address, storage in other._loaded.items():
            name = _hex(address)
            # The whole object: code that is given as bytes would be analysed again for every call.
            other._evm.insert_account_info(name, self._evm.basic(name))
            for slot, value in rows(storage):
                # Where the account is loaded a slot goes into the journal, which every dump has
                # to describe; each but the first would find it so. Below the journal it stays.
                before = other._evm.snapshot()
                other._evm.insert_account_storage(
                    name, int.from_bytes(slot, 'big'), int.from_bytes(value, 'big')
                )
                other._evm.revert(before)
        return other

    def _set_time(self, timestamp: int) -> None:
        if timestamp != self._timestamp:
            self._evm.set_block_env(pyrevm.BlockEnv(number=BLOCK_NUMBER, timestamp=timestamp))
            self._timestamp = timestamp


def rows(storage: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield slot and value of dumped storage."""
    for start in range(0, len(storage), ROW_BYTES):
        yield (
            storage[start : start + SLOT_BYTES],
            storage[start + SLOT_BYTES : start + ROW_BYTES],
        )


def packed(slots: Mapping[bytes, bytes]) -> bytes:
    """Return storage as it is dumped."""
    return b''.join(slot + value for slot, value in sorted(slots.items()) if any(value))


def _hex(address: bytes) -> str:
    return '0x' + address.hex()


def _word(decimal: str) -> bytes:
    return int(decimal).to_bytes(SLOT_BYTES, 'big')


def _topics_and_data(data: tuple[list[bytes], bytes]) -> tuple[tuple[bytes, ...], bytes]:
    return tuple(data[0]), data[1]


def _failure(text: str) -> Result:
    """Read what pyrevm says of a call that changed nothing; it says it in words only."""
    reverted = _OUTPUT.search(text)
    if reverted:
        return Result(False, bytes.fromhex(reverted.group(1)), '', 0)
    halted = _HALT.search(text)
    return Result(False, b'', halted.group(1) if halted else 'OutOfGas', 0)
