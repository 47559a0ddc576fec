"""
The machine that executes the contract: one deployed contract, calls, marks to go back to.

:class:`PyrevmEvm` is the machine on x86-64. pyrevm has no wheel for arm64; there a py-evm machine
with the same methods takes its place in :func:`make_evm`.
"""

from __future__ import annotations

from collections.abc import Iterator
import re
from typing import Any, NamedTuple, Protocol

from collab_robots.core.errors import CallError, ConfigError

try:
    import pyrevm
except ImportError:  # no wheel for this machine; make_evm says so
    pyrevm = None  # type: ignore[assignment]

DEPLOYER = '0x' + '00' * 19 + '01'
SPEC = 'CANCUN'  # gas and opcodes are pinned: every robot must agree on them
BLOCK_NUMBER = 1
_OUTPUT = re.compile(r'output: 0x([0-9a-f]*)')
_HALT = re.compile(r'Halt \{ reason: (\w+)')
_SLOT = re.compile(
    r'\b(\d+): StorageSlot \{ previous_or_original_value: \d+, present_value: (\d+) '
)

SLOT_BYTES = 32
ROW_BYTES = 2 * SLOT_BYTES  # of dumped storage: a slot and its value


class Log(NamedTuple):
    """An event as the machine gives it out."""

    topics: tuple[bytes, ...]
    data: bytes


class Result(NamedTuple):
    """
    What became of a call.

    :param ok: False if it was reverted or ran out of gas: then it changed nothing.
    :param output: returned or revert data.
    :param halt: why the machine stopped it, empty unless it did (``OutOfGas`` …).
    """

    ok: bool
    output: bytes
    halt: str
    gas: int


class Evm(Protocol):
    """
    A machine with one contract in it.

    What a call costs may depend on what was executed or read before (a slot is cheaper to touch
    again). Nothing else may.
    """

    def deploy(self, code: bytes) -> None:
        """
        Create the contract.

        :raises CallError: if its constructor reverts.
        """

    def call(self, sender: bytes, data: bytes, timestamp: int, gas: int) -> Result:
        """Execute a call; bad calldata, reverts and gas end in the result, never in an error."""

    def logs(self) -> tuple[Log, ...]:
        """Return the events of the last call, which was successful."""

    def read(self, data: bytes) -> bytes:
        """
        Ask a view; leaves no trace.

        :raises CallError: if it reverts.
        """

    def mark(self) -> Any:
        """Return a mark of the present state; cheap enough for one per record."""

    def rollback(self, mark: Any) -> None:
        """Return to a mark; later marks are void."""

    def dump(self) -> bytes:
        """Return the contract's storage: rows of slot and value, big-endian, by slot, no zeros."""

    def with_storage(self, storage: bytes) -> Evm:
        """
        Return a new machine with the same contract, which knows no marks.

        :param storage: as :meth:`dump` returns it.
        """


def make_evm() -> Evm:
    """
    Return the machine for this computer.

    :raises ConfigError: where there is none.
    """
    if pyrevm is None:
        raise ConfigError(
            'pyrevm cannot be imported, so contracts cannot be executed; it has wheels for '
            'x86-64 only: pip install pyrevm'
        )
    return PyrevmEvm()


class PyrevmEvm:
    """
    The contract in revm, inside this process.

    pyrevm never leaves its first transaction, so the journal can undo everything. It counts every
    open checkpoint as a call depth, of which there are 1024; a mark is therefore a checkpoint that
    is committed at once: its position in the journal stays good for a later revert.

    Nor does it list storage, but in the text that describes its state: that is what is dumped. The
    text has the slots that were touched since storage was loaded; the others are as they were.
    """

    def __init__(self) -> None:
        self._evm = pyrevm.EVM(spec_id=SPEC)
        self._contract = ''
        self._loaded = b''
        self._timestamp = -1

    def deploy(self, code: bytes) -> None:
        """Create the contract; see :meth:`Evm.deploy`."""
        try:
            self._contract = self._evm.deploy(DEPLOYER, code)
        except RuntimeError as error:
            raise CallError(f'the contract cannot be created: {str(error)[:200]}') from None

    def call(self, sender: bytes, data: bytes, timestamp: int, gas: int) -> Result:
        """Execute a call; see :meth:`Evm.call`."""
        evm = self._evm
        if timestamp != self._timestamp:
            evm.set_block_env(pyrevm.BlockEnv(number=BLOCK_NUMBER, timestamp=timestamp))
            self._timestamp = timestamp
        try:
            output = evm.message_call('0x' + sender.hex(), self._contract, data, gas=gas)
        except RuntimeError as error:
            return _failure(str(error))
        result: Any = evm.result
        return Result(True, bytes(output), '', result.gas_used)

    def logs(self) -> tuple[Log, ...]:
        """Return the events of the last call; see :meth:`Evm.logs`."""
        result: Any = self._evm.result
        return tuple(
            Log(tuple(bytes.fromhex(topic[2:]) for topic in log.topics), log.data[1])
            for log in result.logs
        )

    def read(self, data: bytes) -> bytes:
        """Ask a view; see :meth:`Evm.read`."""
        before = self._evm.snapshot()
        try:
            return bytes(self._evm.message_call(DEPLOYER, self._contract, data, is_static=True))
        except RuntimeError as error:
            raise CallError(f'the view reverted: {str(error)[:200]}') from None
        finally:
            self._evm.revert(before)

    def mark(self) -> Any:
        """Return a mark; see :meth:`Evm.mark`."""
        mark = self._evm.snapshot()
        self._evm.commit()
        return mark

    def rollback(self, mark: Any) -> None:
        """Return to a mark; see :meth:`Evm.rollback`."""
        self._evm.snapshot()  # pays for the depth that revert gives back
        self._evm.revert(mark)

    def dump(self) -> bytes:
        """Return the storage; see :meth:`Evm.dump`."""
        text = self._evm.journal_str
        end = text.index('transient_storage: ')  # then comes how it became so
        slots, found = dict(_rows(self._loaded)), 0
        for match in _SLOT.finditer(text, 0, end):
            slots[_word(match[1])] = _word(match[2])
            found += 1
        if found != text.count('StorageSlot {', 0, end):
            raise RuntimeError('this pyrevm describes its storage in other words')
        return b''.join(slot + value for slot, value in sorted(slots.items()) if any(value))

    def with_storage(self, storage: bytes) -> PyrevmEvm:
        """Return a new machine with other storage; see :meth:`Evm.with_storage`."""
        other = PyrevmEvm()
        other._contract = self._contract
        other._loaded = storage
        # The whole object: code that is given as bytes would be analysed again for every call.
        other._evm.insert_account_info(self._contract, self._evm.basic(self._contract))
        for slot, value in _rows(storage):
            other._evm.insert_account_storage(
                self._contract, int.from_bytes(slot, 'big'), int.from_bytes(value, 'big')
            )
        return other


def _rows(storage: bytes) -> Iterator[tuple[bytes, bytes]]:
    for at in range(0, len(storage), ROW_BYTES):
        yield storage[at : at + SLOT_BYTES], storage[at + SLOT_BYTES : at + ROW_BYTES]


def _word(decimal: str) -> bytes:
    return int(decimal).to_bytes(SLOT_BYTES, 'big')


def _failure(text: str) -> Result:
    """Read what pyrevm says of a call that changed nothing; it says it in words only."""
    reverted = _OUTPUT.search(text)
    if reverted:
        return Result(False, bytes.fromhex(reverted.group(1)), '', 0)
    halted = _HALT.search(text)
    return Result(False, b'', halted.group(1) if halted else 'OutOfGas', 0)
