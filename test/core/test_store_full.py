"""A disk that fills up and is freed: the robot falls silent, listens on, and speaks again."""

from contextlib import closing
import os
from pathlib import Path
import subprocess

import pytest

from collab_robots.core.errors import Refusal, StoreError
from collab_robots.tangle.memory import make_team, MemoryNetwork
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.store import Store

FLEET, KEYS = make_team(4)
NAMES = [robot.name for robot in FLEET.robots]
SIZE = 1 << 20


class Disk:
    """A small disk of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / 'ballast'

    def fill(self) -> None:
        """Leave no byte free."""
        with self._ballast.open('ab', buffering=0) as file:
            for size in (4096, 512, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    pass

    def free(self) -> None:
        self._ballast.unlink()


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / 'disk'
    folder.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', f'size={SIZE}', 'tmpfs', str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f'no small disk without the right to mount one: {done.stderr.strip()}')
    yield Disk(folder)
    subprocess.run(['umount', '--lazy', str(folder)], check=True)


def start(disk: Disk, **config: int):
    """Start four robots; the ledger of the first is on the small disk."""
    network = MemoryNetwork(FLEET, 1)
    store = Store(disk.folder / 'ledger.db', FLEET, NAMES[0])
    first = network.start(KEYS[0], store, LedgerConfig(**config))
    others = [network.start(key) for key in KEYS[1:]]
    network.run(3.0)
    for ledger in (first, *others):
        ledger.submit(b'before')
    network.run(3.0)
    assert network.agree() and not first.status().alarm
    return network, first, others


def speak(network, ledgers, seconds: int, size: int = 10):
    for second in range(seconds):
        for ledger in ledgers:
            ledger.submit(b'%d ' % second + bytes(size))
        network.run(1.0)


def test_a_full_disk_stops_issuing_not_receiving_and_passes_by_itself(disk):
    network, first, others = start(disk)
    disk.fill()
    first.submit(b'a call that has to wait')
    speak(network, others, 4)
    own, heights = first.status().heights[0], first.status().heights
    speak(network, others, 6)
    status = first.status()
    assert 'not issuing' in status.alarm and ('full' in status.alarm or 'I/O' in status.alarm)
    assert status.heights[0] == own, 'it issues nothing'
    assert all(now > then for now, then in zip(status.heights[1:], heights[1:], strict=True))
    assert all(ledger.status().heights[0] == own for ledger in others), 'nor was anything sent'
    disk.free()
    network.run(5.0)
    assert not first.status().alarm and network.agree()
    calls = [call for entry in first.order.entries for call in entry.record.calls]
    assert calls.count(b'a call that has to wait') == 1
    first.close()
    with closing(Store(disk.folder / 'ledger.db', FLEET, NAMES[0])) as store:
        assert {row.id for row in store.load()} == set(first.dag.entries)
        assert not store.incomplete
    assert not any(ledger.status().forked for ledger in others)


def test_memory_is_bounded_while_the_disk_is_full(disk):
    network, first, others = start(disk, max_uncommitted=40)
    disk.fill()
    speak(network, others, 30)
    status = first.status()
    assert first._store.uncommitted <= 40 + 1
    assert status.refused[Refusal.FLOOD] > 0
    assert status.blocks < others[0].status().blocks
    disk.free()
    network.run(10.0)
    assert network.agree() and not first.status().alarm


def test_a_robot_that_starts_on_a_full_disk_says_why_it_cannot(disk):
    with closing(Store(disk.folder / 'ledger.db', FLEET, NAMES[0])):
        pass
    disk.fill()
    with pytest.raises(StoreError, match=r'ledger\.db.*(full|open|I/O)'):
        Store(disk.folder / 'ledger.db', FLEET, NAMES[0])
    disk.free()
    Store(disk.folder / 'ledger.db', FLEET, NAMES[0]).close()
    assert os.listdir(disk.folder)
