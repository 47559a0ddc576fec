"""The compiled contracts: where their files are, and what their selectors mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
import json
from pathlib import Path
from typing import Any

from eth_abi.codec import ABICodec
from eth_abi.decoding import AddressDecoder
from eth_abi.exceptions import DecodingError, EncodingError
from eth_abi.registry import registry
from eth_utils.crypto import keccak

from collab_robots.core.errors import CallError, ConfigError

BUILD = Path('contracts') / 'build'
ORDER = ('Fleet', 'Maps', 'Models', 'Tasks')  # in which a robot deploys them
SELECTOR_BYTES = 4
WORD = 32  # bytes of an ABI word


class _AddressDecoder(AddressDecoder):
    """Gives addresses as bytes, not as text."""

    decoder_fn: Any = staticmethod(bytes)


def _codec() -> ABICodec:
    kinds: Any = registry  # has no types
    ours = kinds.copy()
    ours.unregister_decoder('address')
    ours.register_decoder('address', _AddressDecoder)
    return ABICodec(ours)


CODEC = _codec()


@dataclass(frozen=True)
class Signature:
    """
    A function, an error or an event of a contract. All addresses are 20 bytes.

    :param contract: its name.
    :param types: ABI types of its arguments, tuples spelled out.
    :param names: of its arguments.
    :param returns: ABI types of what a function returns.
    :param indexed: of an event, whether each argument is a topic.
    """

    contract: str
    name: str
    types: tuple[str, ...]
    names: tuple[str, ...]
    returns: tuple[str, ...] = ()
    indexed: tuple[bool, ...] = ()

    @cached_property
    def hash(self) -> bytes:
        """Keccak-256 of the canonical signature: the first topic of an event."""
        return keccak(text=f'{self.name}({",".join(self.types)})')

    @cached_property
    def selector(self) -> bytes:
        """The first four bytes of calldata or of a revert."""
        return self.hash[:SELECTOR_BYTES]

    def encode(self, *values: Any) -> bytes:
        """
        Return calldata.

        :raises CallError: if a value is of another type or out of range.
        """
        return self.selector + self._encoded(values)

    def creation(self, code: bytes, *values: Any) -> bytes:
        """
        Return what creates a contract, if this is its constructor.

        :raises CallError: see :meth:`encode`.
        """
        return code + self._encoded(values)

    def decode(self, data: bytes) -> tuple[Any, ...]:
        """
        Return the arguments in calldata or in a revert.

        :raises CallError: if they are malformed.
        """
        return self._decoded(self.types, data[SELECTOR_BYTES:])

    def returned(self, data: bytes) -> tuple[Any, ...]:
        """
        Return what a function returned.

        :raises CallError: if it is malformed.
        """
        return self._decoded(self.returns, data)

    def told(self, topics: Iterable[bytes], data: bytes) -> tuple[Any, ...]:
        """
        Return the arguments of an event, in their order.

        :param topics: without the first; those of dynamic types are their hashes.
        :raises CallError: if they are malformed.
        """
        kinds = list(zip(self.types, self.indexed, strict=True))
        rest = iter(self._decoded(tuple(kind for kind, topic in kinds if not topic), data))
        heads = iter(tuple(topics))
        return tuple(
            self._decoded((kind,), next(heads, b''))[0] if topic else next(rest)
            for kind, topic in kinds
        )

    def _encoded(self, values: tuple[Any, ...]) -> bytes:
        try:
            return CODEC.encode(self.types, values)
        except EncodingError as error:
            raise CallError(f'{self.name}{values!r:.200}: {error}') from None

    def _decoded(self, types: tuple[str, ...], data: bytes) -> tuple[Any, ...]:
        try:
            return CODEC.decode(types, data)
        except (DecodingError, OverflowError) as error:
            raise CallError(f'{self.name}: {error}') from None


@dataclass(frozen=True)
class Contract:
    """
    What the compiler made of one file.

    :param functions: by name; there are no two of one name.
    :param changing: names of those that change the state: the calls.
    """

    name: str
    bytecode: bytes
    constructor: Signature
    functions: Mapping[str, Signature]
    changing: frozenset[str]
    errors: tuple[Signature, ...]
    events: tuple[Signature, ...]


class Suite:
    """
    Contracts that are deployed together.

    :param contracts: in the order of deployment.
    :raises ConfigError: if two of them have calls of one name or selector.
    """

    def __init__(self, contracts: Iterable[Contract]) -> None:
        self.contracts = {contract.name: contract for contract in contracts}
        """By name, in the order of deployment."""
        self.calls: dict[bytes, Signature] = {}
        """Of all contracts, by selector."""
        self.call_by_name: dict[str, Signature] = {}
        """Of all contracts."""
        self.errors: dict[bytes, Signature] = {}
        """Of all contracts, by selector; several may have the same."""
        self.events: dict[bytes, Signature] = {}
        """Of all contracts, by first topic; several may have the same."""
        for contract in self.contracts.values():
            for name in contract.changing:
                call = contract.functions[name]
                other = self.calls.get(call.selector) or self.call_by_name.get(name)
                if other is not None:
                    raise ConfigError(
                        f'{other.contract}.{other.name} and {contract.name}.{name} cannot be told '
                        'apart'
                    )
                self.calls[call.selector] = self.call_by_name[name] = call
            self.errors |= {error.selector: error for error in contract.errors}
            self.events |= {event.hash: event for event in contract.events}


@lru_cache(maxsize=1)
def suite() -> Suite:
    """
    Read the committed artifacts, from the source tree or an installed package's share folder.

    :raises ConfigError: if one is missing or not what the compile script writes.
    """
    return Suite(load_contract(name) for name in ORDER)


def load_contract(name: str) -> Contract:
    """
    Read one committed artifact.

    :raises ConfigError: see :func:`suite`.
    """
    file = BUILD / f'{name}.json'
    roots = Path(__file__).resolve().parents
    places = [root / base / file for root in roots for base in ('', 'share/collab_robots')]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise ConfigError(f'{file} is not found; run scripts/compile_contracts.py')
    try:
        data = json.loads(path.read_text(encoding='utf-8'))
        return read_contract(name, data['abi'], bytes.fromhex(data['bytecode']))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f'{path}: not a compiled contract: {error!r}') from None


def read_contract(name: str, abi: Iterable[Mapping[str, Any]], bytecode: bytes) -> Contract:
    """
    Make sense of what the compiler writes.

    :raises ConfigError: if two functions have one name.
    """
    by_kind: dict[str, list[Signature]] = {'function': [], 'error': [], 'event': []}
    constructor, changing = Signature(name, '', (), ()), set()
    for item in abi:
        signature = _signature(name, item)
        if item['type'] == 'constructor':
            constructor = signature
        elif item['type'] in by_kind:
            by_kind[item['type']].append(signature)
        if item['type'] == 'function' and item['stateMutability'] == 'nonpayable':
            changing.add(signature.name)
    functions = {item.name: item for item in by_kind['function']}
    if len(functions) != len(by_kind['function']):
        raise ConfigError(f'{name} has two functions of one name')
    return Contract(
        name,
        bytecode,
        constructor,
        functions,
        frozenset(changing),
        tuple(by_kind['error']),
        tuple(by_kind['event']),
    )


def _signature(contract: str, item: Mapping[str, Any]) -> Signature:
    inputs = item.get('inputs', ())
    return Signature(
        contract,
        item.get('name', ''),
        tuple(_type(argument) for argument in inputs),
        tuple(argument['name'] for argument in inputs),
        tuple(_type(value) for value in item.get('outputs', ())),
        tuple(argument.get('indexed', False) for argument in inputs),
    )


def _type(argument: Mapping[str, Any]) -> str:
    """Spell out the ABI type of one argument."""
    kind: str = argument['type']
    if not kind.startswith('tuple'):
        return kind
    return f'({",".join(_type(part) for part in argument["components"])}){kind[5:]}'
