"""
Rule 1 of the ledger: what a robot sent, it still knows after ``kill -9``.

Otherwise it would sign a second block with the same seq, and an honest robot would look like an
equivocator.
"""

from collections import defaultdict
import json
from pathlib import Path
import subprocess
import sys

from collab_robots.tangle.memory import make_team
from collab_robots.tangle.store import Store

ROBOT = Path(__file__).with_name('rule1_robot.py')
FLEET, _ = make_team(2)


def run(folder, lives, mode):
    """Return what left the robot, per life, as [seq, id]."""
    done = subprocess.run(
        [sys.executable, ROBOT, folder, str(lives), '20', mode],
        cwd=Path(__file__).parents[2],
        env={'PYTHONPATH': str(Path(__file__).parents[2]), 'PATH': '/usr/bin:/bin'},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def signed_twice(sent):
    """Return the seqs that left the robot with more than one id."""
    ids = defaultdict(set)
    for life in sent:
        for seq, identity in life:
            ids[seq].add(identity)
    return {seq for seq, known in ids.items() if len(known) > 1}


def test_no_second_block_with_a_seq_over_200_kills(tmp_path):
    sent = run(tmp_path, 200, 'as it is')
    assert signed_twice(sent) == set()
    blocks = [block for life in sent for block in life]
    assert len(blocks) > 500
    assert sum(1 for life in sent if life) > 80  # most lives got to say something
    store = Store(tmp_path / 'ledger.db', FLEET, FLEET.robots[0].name)
    chain = {row.seq: row.id.hex() for row in store.load()}
    store.close()
    assert all(chain[seq] == identity for seq, identity in blocks)  # and nothing is lost
    assert sorted(chain) == list(range(len(chain)))


def test_this_test_finds_the_mistake(tmp_path):
    """A store that commits after sending is caught."""
    assert signed_twice(run(tmp_path, 40, 'late'))
