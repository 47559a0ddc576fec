"""
A public chain, asked and written to through its JSON-RPC: bounded in time, and never twice.

Nothing here waits longer than the time that the caller gives. What a node does not answer is asked
again until then; what it refuses is said in words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import time
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from eth_account.signers.local import LocalAccount
from hexbytes import HexBytes
import requests
from web3 import HTTPProvider, Web3
from web3.exceptions import (
    BadResponseFormat,
    ContractLogicError,
    TransactionIndexingInProgress,
    TransactionNotFound,
    Web3RPCError,
)
from web3.types import TxParams, TxReceipt

from collab_robots.contract.artifact import Contract, SELECTOR_BYTES, Signature
from collab_robots.core.errors import CallError, ChainError, ConfigError, UnreachableError

ANSWER_S = 10.0  # for one answer of a node; also all that its first one may take
LONGEST_PAUSE_S = 5.0  # between two questions to a node that does not answer
OFFER_AGAIN = 20  # how often a transaction is looked for before the node is given it again
_COIN = 10**18
_BUSY = (408, 425, 429)  # of HTTP's 4xx: the same may be asked again later
_LIMIT_EXCEEDED = -32005  # of JSON-RPC, by EIP-1474
_GARBAGE = (BadResponseFormat, ValueError, TypeError, KeyError, AttributeError)
"""What web3 raises for answers that are no JSON-RPC, as those of a hotel's login page."""

Answer = TypeVar('Answer')
Tell = Callable[[str], None]


class RevertedError(ChainError):
    """
    A contract refused a call.

    :param error: name and arguments of its error; one that it does not have has no name.
    """

    def __init__(self, error: tuple[Any, ...]) -> None:
        name, *values = error
        shown = [_hex(value) if isinstance(value, bytes) else str(value) for value in values]
        super().__init__(f'the contract refuses it: {name}({", ".join(shown)})')
        self.error = error


class _DeniedError(ChainError):
    """A node answered with an error."""


@dataclass(frozen=True)
class Receipt:
    """
    What became of a transaction that is mined.

    :param hash: of the transaction, 32 bytes.
    :param fee: what was paid, in the chain's smallest unit.
    :param created: address of the contract that it created, else empty.
    """

    hash: bytes
    block: int
    gas: int
    fee: int
    created: bytes


class Chain:
    """
    A chain behind one RPC URL.

    :param url: http or https; never shown whole, as it may hold a key.
    :param chain_id: that the chain has to have; None takes any.
    :param timeout: s that one of the methods below may take; one question more at most.
    :param poll: s between two looks at what may have changed.
    :param tell: gets words for a person who waits.
    :raises ConfigError: if the URL is none, or it is another chain.
    :raises UnreachableError: if nobody answers there.
    """

    def __init__(
        self,
        url: str,
        chain_id: int | None = None,
        timeout: float = 120.0,
        poll: float = 0.5,
        tell: Tell = lambda words: None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ('http', 'https') or not parts.hostname:
            raise ConfigError('expected an RPC URL like https://host/path')
        self.name = f'{parts.scheme}://{parts.netloc.rpartition("@")[2]}'
        """The URL, as far as anybody may see it."""
        asked = {'timeout': ANSWER_S}
        self._eth = Web3(HTTPProvider(url, asked, exception_retry_configuration=None)).eth
        self._timeout = timeout
        self._poll = poll
        self._tell = tell
        self._begin(min(ANSWER_S, timeout))
        self.id = self._ask(lambda: int(self._eth.chain_id))
        """The chain id."""
        if chain_id not in (None, self.id):
            raise ConfigError(f'{self.name} is chain {self.id}, not {chain_id}')

    def code(self, address: bytes) -> bytes:
        """
        Return the code of a contract; empty if there is none.

        :raises ChainError: as all methods do: the node refuses; UnreachableError: it does not
            answer in time.
        """
        self._begin(self._timeout)
        return self._ask(lambda: bytes(self._eth.get_code(_checksum(address))))

    def read(self, address: bytes, view: Signature, *values: Any) -> tuple[Any, ...]:
        """
        Ask a view of a contract.

        :raises ChainError: also if the contract reverts, or answers something else.
        """
        self._begin(self._timeout)
        call: TxParams = {'to': _checksum(address), 'data': HexBytes(view.encode(*values))}
        try:
            return view.returned(self._ask(lambda: bytes(self._eth.call(call))))
        except ContractLogicError:
            why = f'{view.name} reverts'
        except CallError as error:
            why = str(error)
        raise ChainError(
            f'{_hex(address)} on chain {self.id} does not answer as {view.contract}.sol: {why}'
        )

    def send(
        self, payer: LocalAccount, contract: Contract, to: bytes | None, data: bytes
    ) -> Receipt:
        """
        Have a transaction mined, once.

        Others may send with the same key at the same time: whoever comes second takes the next
        nonce. A transaction that the node forgot is given to it again, and for more if the chain
        has become dearer.

        :param payer: signs and pays.
        :param contract: whose errors are expected.
        :param to: its address; None creates it.
        :param data: calldata, or code with the constructor's arguments.
        :raises RevertedError: if the contract refuses it; where that is seen before, it is free.
        :raises ChainError: if the node refuses it, or the payer has too little.
        :raises UnreachableError: if it is not mined in time; it may be later.
        """
        self._begin(self._timeout)
        target: TxParams = {} if to is None else {'to': _checksum(to)}
        target['data'] = HexBytes(data)
        while True:
            price = self._ask(lambda: self._eth.gas_price)
            gas = self._gas(payer, contract, target, price)
            tx: dict[str, Any] = {
                **target,
                'value': 0,
                'chainId': self.id,
                'gas': gas,
                'gasPrice': price,
                'nonce': self._nonce(payer, 'pending'),
            }
            mined = self._mine(payer, tx)
            if mined is not None:
                break
            self._pause('another transaction of the same key came first: taking the next nonce')
        identity = bytes(mined['transactionHash'])
        if not mined['status']:
            self._gas(payer, contract, target, price)  # says why, if it still holds
            raise ChainError(f'transaction {_hex(identity)} failed on chain {self.id}')
        created = mined.get('contractAddress')
        return Receipt(
            identity,
            mined['blockNumber'],
            mined['gasUsed'],
            mined['gasUsed'] * mined.get('effectiveGasPrice', price),
            bytes.fromhex(created[2:]) if created else b'',
        )

    def _gas(self, payer: LocalAccount, contract: Contract, target: TxParams, price: int) -> int:
        """Return the gas to allow, a fifth more than is needed now, if the payer can pay it."""
        call: TxParams = {**target, 'from': payer.address}
        try:
            gas = self._ask(lambda: self._eth.estimate_gas(call)) * 6 // 5
        except ContractLogicError as error:
            raise RevertedError(_meaning(error, contract)) from None
        balance = self._ask(lambda: self._eth.get_balance(payer.address))
        if balance < gas * price:
            raise ChainError(
                f'{payer.address} has {_coins(balance)} on chain {self.id}, and the transaction '
                f'may need {_coins(gas * price)}; send it some'
            )
        return gas

    def _mine(self, payer: LocalAccount, tx: dict[str, Any]) -> TxReceipt | None:
        """
        Offer a transaction until it is mined.

        :returns: None if another transaction has its nonce.
        """
        hashes: list[HexBytes] = []
        while True:
            signed = payer.sign_transaction(tx)
            if not self._offer(signed.raw_transaction) and not hashes:
                return None
            if signed.hash not in hashes:
                hashes.append(signed.hash)
            for _ in range(OFFER_AGAIN):
                used = self._nonce(payer, 'latest')  # before the receipts: what it counts is there
                for one in hashes:
                    mined = self._receipt(one)
                    if mined is not None:
                        return mined
                if used > tx['nonce']:
                    return None
                earlier = tx['nonce'] - used
                self._pause(
                    f'transaction {_hex(signed.hash)} is sent and not mined yet'
                    + (f', nor are {earlier} earlier ones of {payer.address}' if earlier else '')
                )
            # As the chain has it: IOTA EVM takes no other price, not even a higher one.
            price = self._ask(lambda: self._eth.gas_price)
            if price > tx['gasPrice']:
                tx['gasPrice'] = max(price, tx['gasPrice'] * 9 // 8)  # or it is no offer

    def _offer(self, raw: HexBytes) -> bool:
        """
        Give a signed transaction to the node.

        :returns: False if the node prefers another one of the same nonce.
        """
        try:
            self._ask(lambda: self._eth.send_raw_transaction(raw))
        except _DeniedError as error:
            words = str(error).lower()
            if 'replacement' in words:
                return False
            # It is known already, or its nonce is used: by itself or not, its receipt shows.
            if not any(part in words for part in ('already', 'known', 'nonce')):
                raise
        return True

    def _nonce(self, payer: LocalAccount, at: Literal['latest', 'pending']) -> int:
        return self._ask(lambda: self._eth.get_transaction_count(payer.address, at))

    def _receipt(self, identity: HexBytes) -> TxReceipt | None:
        def ask() -> TxReceipt | None:
            try:
                return self._eth.get_transaction_receipt(identity)
            except (TransactionNotFound, TransactionIndexingInProgress):
                return None

        return self._ask(ask)

    def _begin(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def _pause(self, words: str, seconds: float = 0.0) -> None:
        """
        Wait before another attempt.

        :raises UnreachableError: if there is no time for one.
        """
        seconds = max(seconds, self._poll)
        if time.monotonic() + seconds > self._until:
            raise UnreachableError(f'{words}; try again later')
        self._tell(words)
        time.sleep(seconds)  # a node does not tell when it is ready again

    def _ask(self, ask: Callable[[], Answer]) -> Answer:
        """Ask the node, and again while it does not answer; reverts are for the caller."""
        seconds = self._poll
        while True:
            try:
                return ask()
            except requests.RequestException as error:
                why = self._problem(error)
            except Web3RPCError as error:
                code, words = _denial(error)
                if code != _LIMIT_EXCEEDED:
                    raise _DeniedError(f'{self.name} refuses: {words}') from None
                why = words
            except _GARBAGE:
                why = 'what came is no JSON-RPC'
            self._pause(f'{self.name} does not answer: {why}', seconds)
            seconds = min(2 * seconds, LONGEST_PAUSE_S)

    def _problem(self, error: requests.RequestException) -> str:
        """
        Say why there was no answer.

        :raises ChainError: if there will be none later either.
        """
        if error.response is not None:
            status = error.response.status_code
            why = f'HTTP {status} {error.response.reason}'
            if 400 <= status < 500 and status not in _BUSY:
                raise ChainError(f'{self.name} refuses: {why}; is the URL right?') from None
            return why
        return 'timed out' if isinstance(error, requests.Timeout) else 'no connection'


def _denial(error: Web3RPCError) -> tuple[int, str]:
    """Return code and message of an error that a node answered with."""
    answer = (error.rpc_response or {}).get('error')
    if isinstance(answer, dict):
        return int(answer.get('code', 0)), str(answer.get('message', ''))[:300]
    return 0, str(error)[:300]


def _meaning(error: ContractLogicError, contract: Contract) -> tuple[Any, ...]:
    """Return name and arguments of the error that a contract reverted with."""
    text = error.data if isinstance(error.data, str) else ''
    data = bytes(HexBytes(text)) if text.startswith('0x') else b''
    for known in contract.errors:
        if known.selector == data[:SELECTOR_BYTES]:
            return known.name, *known.decode(data)
    return '', data or str(error.message)


def _coins(amount: int) -> str:
    return f'{amount / _COIN:.6g} coins'


def _hex(data: bytes) -> str:
    return '0x' + data.hex()


def _checksum(address: bytes) -> Any:
    return Web3.to_checksum_address(address)
