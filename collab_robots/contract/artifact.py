"""The compiled contract: where its file is, and what its selectors mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
import json
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak

from collab_robots.core.errors import ConfigError

ARTIFACT = Path('contracts') / 'build' / 'Fleet.json'


@dataclass(frozen=True)
class Signature:
    """
    A function, an error or an event of the contract.

    :param types: ABI types of its arguments, tuples spelled out.
    :param names: of its arguments.
    """

    name: str
    types: tuple[str, ...]
    names: tuple[str, ...]

    @cached_property
    def hash(self) -> bytes:
        """Keccak-256 of the canonical signature: the topic of an event."""
        return keccak(text=f'{self.name}({",".join(self.types)})')

    @cached_property
    def selector(self) -> bytes:
        """The first four bytes of calldata or of a revert."""
        return self.hash[:4]


@dataclass(frozen=True)
class Artifact:
    """
    What the compiler made of ``contracts/Fleet.sol``.

    :param calls: functions that change the state, by selector.
    :param functions: all functions, by name.
    :param errors: by selector.
    :param events: by topic.
    """

    bytecode: bytes
    calls: Mapping[bytes, Signature]
    functions: Mapping[str, Signature]
    errors: Mapping[bytes, Signature]
    events: Mapping[bytes, Signature]


@lru_cache(maxsize=1)
def artifact() -> Artifact:
    """
    Read the committed artifact, from the source tree or from an installed package's share folder.

    :raises ConfigError: if it is missing or not what the compile script writes.
    """
    roots = Path(__file__).resolve().parents
    places = [root / base / ARTIFACT for root in roots for base in ('', 'share/collab_robots')]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise ConfigError(f'{ARTIFACT} is not found; run scripts/compile_contracts.py')
    try:
        data = json.loads(path.read_text(encoding='utf-8'))
        by_kind: dict[str, list[Signature]] = {'function': [], 'error': [], 'event': []}
        changing = set()
        for item in data['abi']:
            if item['type'] in by_kind:
                signature = Signature(
                    item['name'],
                    tuple(_type(argument) for argument in item['inputs']),
                    tuple(argument['name'] for argument in item['inputs']),
                )
                by_kind[item['type']].append(signature)
                if item.get('stateMutability') == 'nonpayable':
                    changing.add(signature)
        bytecode = bytes.fromhex(data['bytecode'])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f'{path}: not a compiled contract: {error!r}') from None
    return Artifact(
        bytecode,
        {item.selector: item for item in by_kind['function'] if item in changing},
        {item.name: item for item in by_kind['function']},
        {item.selector: item for item in by_kind['error']},
        {item.hash: item for item in by_kind['event']},
    )


def _type(argument: dict[str, Any]) -> str:
    """Spell out the ABI type of one argument."""
    kind: str = argument['type']
    if not kind.startswith('tuple'):
        return kind
    return f'({",".join(_type(part) for part in argument["components"])}){kind[5:]}'
