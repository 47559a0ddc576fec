"""
Run one robot's ledger many times and kill it each time; ``test_rule1.py`` asks for it.

Everything is imported once; each life is a fork that opens the store, issues records, writes
what it sends to a pipe before the sending returns, and is killed with SIGKILL: by itself at a
random step inside the store, sometimes while that opens, or by its parent after a random time.

Prints one JSON list: per life what left the robot, as ``[seq, id]``.
"""

import json
import os
from pathlib import Path
import random
import select
import signal
import sys
import time
import traceback

from collab_robots.core.clock import ManualClock
from collab_robots.tangle.block import decode_block
from collab_robots.tangle.ledger import Ledger
from collab_robots.tangle.memory import make_team
from collab_robots.tangle.record import decode_record
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.store import Store

FLEET, KEYS = make_team(2)
NAME = FLEET.robots[0].name


class LateStore(Store):
    """The mistake that the rule forbids: a record is sent first and committed afterwards."""

    def commit(self):
        """Do nothing yet."""

    def commit_late(self):
        super().commit()


class Pipe:
    """A transport whose messages cannot be taken back once it returns."""

    def __init__(self, out, step):
        self._out = out
        self._step = step

    def broadcast_block(self, raw):
        self._step()
        record = decode_record(decode_block(raw))
        line = f'{record.seq} {decode_block(raw).id.hex()}\n'
        os.write(self._out, line.encode())
        self._step()

    def broadcast_have(self, have):
        pass

    def send_request(self, target, request):
        pass


def live(path, out, life, steps, late):
    """Issue records until killed; ``steps`` inside the store from now the robot kills itself."""
    left = [steps]

    def step(*_):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return 0

    def watch(store):
        store._db.set_trace_callback(step)  # before every SQL statement
        store._db.set_progress_handler(step, 5)  # and within them

    store = (LateStore if late else Store)(path, FLEET, NAME)
    if life % 8 == 1:
        watch(store)
    clock = ManualClock(life * 1_000 * 10**9)  # so that no two lives sign the same bytes
    config = LedgerConfig(min_interval=0)
    ledger = Ledger(FLEET, KEYS[0], store, clock, Pipe(out, step), config, fresh=True)
    watch(store)
    os.write(out, b'open\n')
    while True:
        clock.advance(0.01)
        ledger.submit(b'life %d' % life)
        ledger.tick()
        if late:
            store.commit_late()


def main(folder, lives, seed, late):
    """Return what left the robot, per life."""
    rng = random.Random(seed)
    path = Path(folder) / 'ledger.db'
    sent = []
    for life in range(1, lives + 1):
        steps = rng.randrange(1, 300) if life % 2 else 0
        delay = rng.uniform(0, 0.05)
        inlet, outlet = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(inlet)
            try:
                live(path, outlet, life, steps, late)
            except Exception:  # a fork: nothing may unwind into the parent's code
                traceback.print_exc()
            finally:
                os._exit(1)
        os.close(outlet)
        if not steps:
            if life % 8:
                select.select([inlet], [], [])  # until it is open
            time.sleep(delay)  # it is killed wherever it is then
            os.kill(child, signal.SIGKILL)
        with os.fdopen(inlet, encoding='ascii') as lines:
            blocks = [line.split() for line in lines.read().splitlines() if line != 'open']
        _, status = os.waitpid(child, 0)
        if os.WTERMSIG(status) != signal.SIGKILL:
            raise SystemExit(f'life {life} ended by itself: status {status}')
        sent.append([[int(seq), identity] for seq, identity in blocks])
    return sent


if __name__ == '__main__':
    folder, lives, seed, late = sys.argv[1:]
    print(json.dumps(main(folder, int(lives), int(seed), late == 'late')))
