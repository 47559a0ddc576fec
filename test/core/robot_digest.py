"""What a robot computes, as digests: a ledger, its contracts, a tensor's bytes, an answer."""

import hashlib
import json
from random import Random

import numpy as np
from runtime_team import CLASSES, SIDE, tiny_model

from benchmarks.calls import RandomCalls
from collab_robots.contract.evm import make_evm
from collab_robots.contract.runner import Runner
from collab_robots.inference.codec.chunks import decode, encode
from collab_robots.tangle.memory import make_team, MemoryNetwork

CALLS, BITS, CUT = 60, 4, 2


def ledger() -> dict[str, str | int]:
    """Let four robots say calls, good and bad; return what they agree on."""
    fleet, keys = make_team(4)
    network = MemoryNetwork(fleet, 1)
    ledgers = [network.start(key) for key in keys]
    source = RandomCalls([robot.address for robot in fleet.robots], Random(1))
    for index in range(CALLS):
        ledgers[index % 4].submit(source.call() or b'\0')
        network.run(0.3)
    network.run(10)
    assert network.agree()
    runner = Runner(fleet)
    runner.update(ledgers[0].order)
    ids = b''.join(entry.id for entry in ledgers[0].order.entries)
    return {
        'order': hashlib.sha256(ids).hexdigest(),
        'state': runner.state_root().hex(),
        'final': runner.final_root().hex(),
        'reverted': runner.reverted,
    }


def inference() -> dict[str, str | int]:
    """Run a network in two halves with a coded tensor between them."""
    model = tiny_model()
    end = len(model.cuts) - 1
    draw = np.random.default_rng(1)
    picture = draw.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    tensor = model.stage(0, CUT).run(model.prepare(picture))[0]
    chunks = encode(tensor, BITS)
    back = decode(chunks, tensor.shape, BITS).tensor
    said = model.stage(CUT, end).run(back[None])
    assert said.shape == (1, CLASSES)
    return {'chunks': hashlib.sha256(b''.join(chunks)).hexdigest(), 'answer': int(said.argmax())}


if __name__ == '__main__':
    print(json.dumps({'evm': type(make_evm()).__name__, **ledger(), **inference()}))
