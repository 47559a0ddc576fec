"""Good inputs for the fuzzer to begin with: ``python -m fuzz.seeds`` writes them to the corpus."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
import struct

import numpy as np

from collab_robots.contract.calls import tasks
from collab_robots.contract.runner import Runner
from collab_robots.core.clock import SECOND
from collab_robots.core.fleet import Fleet
from collab_robots.inference.codec import BITS, encode
from collab_robots.tangle.block import encode_block, GENESIS
from collab_robots.tangle.equivocation import Proof
from collab_robots.tangle.memory import MemoryNetwork
from collab_robots.tangle.order import Order
from collab_robots.tangle.record import encode_record, Record, sign_record
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.snapshot import Attested
from fuzz.targets import CORPUS, FLEET, KEYS


def _record(seq: int, at: int, issuer: int = 1, data: tuple[bytes, ...] = ()) -> Record:
    parents = [GENESIS] if seq == 0 else [bytes([7]) * 32, bytes([9]) * 32]
    return sign_record(KEYS[issuer], FLEET.id, seq, parents, at, data)


class _State:
    """A contract without calls."""

    def state_at(self, position: int) -> bytes:
        return b'state %d' % position

    def follow(self, order: Order) -> None:
        pass

    def next_roster(self, position: int) -> None:
        pass

    def restore(self, position: int, state: bytes, fleet: Fleet) -> None:
        pass


def _snapshot() -> bytes:
    """Return a snapshot as a team of ledgers makes and attests it."""
    network = MemoryNetwork(FLEET, 1)
    config = LedgerConfig(snapshot_interval=8)
    ledgers = [network.start(key, config=config, state=_State()) for key in KEYS]
    for second in range(20):
        ledgers[second % 4].submit(b'call %d' % second)
        network.run(0.5)
        found = ledgers[0]._store.snapshot()
        if found is not None:
            return found[1]
    raise AssertionError('no snapshot was attested')


def seeds() -> dict[str, list[bytes]]:
    """Return good inputs for each target."""
    records = [
        encode_record(_record(0, 1)),
        encode_record(_record(3, SECOND, 2, (tasks.complete(bytes(32)), b'x'))),
    ]
    proof = Proof.of(encode_record(_record(5, 1)), encode_record(_record(5, 2)), FLEET)
    snapshot = _snapshot()
    body = Attested.decode(snapshot, FLEET)[0].body
    state = Runner(FLEET).state_at(0)
    foreign = encode_block([GENESIS], b'client', b'hello')
    posted = json.dumps(
        {
            'protocolVersion': 2,
            'parents': ['0x' + GENESIS.hex()],
            'payload': {'type': 5, 'tag': '0x6869', 'data': '0x00'},
            'nonce': '0',
        }
    ).encode()
    activation = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    coded = encode(activation, 4)[0]
    cut = encode(activation, 8, chunk_bytes=50)
    heights = bytes([4]) + struct.pack('>4I', 1, 2, 3, 4)
    return {
        'block': [*records, foreign],
        'record': [*records, b'\0' + records[0][2 + 32 + 4 + 9 + 15 : -8]],
        'have': [b'\1\1' + heights + bytes(32) + heights + b'\1\2' + struct.pack('>I', 3)],
        'request': [
            b'\2\0\1\0\2'
            + b'\2'
            + struct.pack('>2I', 0, 5)
            + b'\2'
            + struct.pack('>2I', 9, 5)
            + b'\1\1'
            + b'\1'
            + bytes(32)
            + struct.pack('>I', 3)
            + b'\2'
            + struct.pack('>2I', 0, 1)
        ],
        'tensor': [
            bytes([BITS.index(4), 2, 3, 4, 1]) + coded[15:],
            bytes([BITS.index(4), 2, 3, 4, 0, 0, len(coded)]) + coded,
            bytes([BITS.index(8), 2, 3, 4, 0, len(cut) - 1, 0])
            + b''.join(bytes([len(chunk)]) + chunk for chunk in cut[1:]),
        ],
        'chunk': [
            b'\1'
            + struct.pack('>I', 2)
            + b'\1\0\0'
            + b'\1\0\1'
            + hashlib.blake2b(snapshot, digest_size=32).digest()
            + snapshot[:400]
        ],
        'proof': [proof.encode()],
        'snapshot': [b'\0' + snapshot, b'\1' + body, b'\2' + state],
        'rest': [
            b'\1\0\0\0\0' + bytes([len(posted)]) + posted + b'\1',
            b'\2\0\0\0\0' + bytes([len(foreign)]) + foreign + b'\1',
            b'\0\2\2' + bytes([64]) + b'0' * 64 + b'\0\0\0' + b'\0\0\3\0\0\0\0',
        ],
        'disk': [
            b'',
            bytes([0, 5, 1, 0, 2, 3]) + b'abc',
            bytes([0, 7, 0, 0, 1, 3]) + b'abc' + bytes([1, 2, 0, 9, 0]),
        ],
        'ledger': [
            bytes(range(256)),
            # A client's block, then a full disk, twice, while a record names it.
            bytes([10, 0, 0, 0, 0, 0, 8, 0, 1, 16, 8, 0, 1, 16]),
            # A client's block is posted here while another robot's record waits for it.
            bytes([10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 139]),
            # Two records of one robot with one number, and one that goes on with the first.
            bytes([0, 1, 3, 0, 0, 0, 8, 0, 0, 1, 3, 0, 0, 0, 9, 0, 0, 1, 2, 0, 0, 1, 16, 0]),
        ],
    }


def write(folder: Path = CORPUS) -> None:
    """Write the good inputs to the corpus."""
    for target, inputs in seeds().items():
        (folder / target).mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(inputs):
            (folder / target / f'seed-{number}').write_bytes(data)


if __name__ == '__main__':
    write()
