"""A ledger file whose disk is the fuzzer."""

from __future__ import annotations

from contextlib import closing
from functools import lru_cache
import hashlib
from pathlib import Path
import shutil
import tempfile
from typing import NamedTuple

from collab_robots.core.errors import StoreError
from collab_robots.core.fleet import Fleet
from collab_robots.core.identity import PrivateKey
from collab_robots.tangle.block import block_id, encode_block, GENESIS
from collab_robots.tangle.dag import Dag, FOREIGN
from collab_robots.tangle.record import encode_record, sign_record
from collab_robots.tangle.repair import find_damage, salvage
from collab_robots.tangle.salvage import PAGE
from collab_robots.tangle.store import Row, Store
from collab_robots.tangle.tangle import decode
from fuzz.reader import Reader

_SUFFIXES = ('', '-wal')


class _Base(NamedTuple):
    home: tempfile.TemporaryDirectory[str]  # lives as long as this
    files: tuple[bytes, ...]  # as _SUFFIXES
    blocks: dict[bytes, bytes]


@lru_cache
def _base(fleet: Fleet, keys: tuple[PrivateKey, ...]) -> _Base:
    """Return the files of a small ledger whose robot lost its power, and what is in them."""
    memory = Path('/dev/shm')
    home = tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)
    folder = Path(home.name)
    dag, blocks = Dag([1] * len(fleet.robots)), {}
    proof = [encode_record(sign_record(keys[3], fleet.id, 0, [GENESIS], at)) for at in (1, 2)]
    with closing(Store(folder / 'first.db', fleet, fleet.robots[0].name)) as store:

        def put(raw: bytes, issuer: int) -> None:
            entry = dag.insert(block_id(raw), decode(raw), issuer)
            record = entry.record
            row = Row(entry.id, raw, issuer, record.seq, record.issued_at, 7, entry.depth)
            store.add(row)
            blocks[entry.id] = raw

        for step in range(12):
            issuer = step % 3
            own = dag.newest(issuer)
            tips = [tip.id for tip in dag.tips.values() if tip is not own]
            parents = [own.id if own else GENESIS, *tips]
            call = hashlib.shake_128(bytes([step])).digest(4_000 if step == 4 else 40)
            put(
                encode_record(
                    sign_record(keys[issuer], fleet.id, step // 3, parents, 10 + step, (call,))
                ),
                issuer,
            )
            if step == 5:
                put(encode_block([own.id if own else GENESIS], b'client', b'hello'), FOREIGN)
                store.add_proof(3, proof[0], proof[1])
            if step == 8:
                store.commit()
                store._checkpoint('TRUNCATE')
            if step == 10:
                store.commit()
        store.commit()
        files = tuple(Path(f'{folder}/first.db{suffix}').read_bytes() for suffix in _SUFFIXES)
    return _Base(home, files, blocks)


def damage(fleet: Fleet, keys: list[PrivateKey], reader: Reader) -> None:
    """Change a ledger's files as the bytes say, and look whether its damage is noticed."""
    base = _base(fleet, tuple(keys))
    files = [bytearray(content) for content in base.files]
    for _ in range(64):
        if not reader:
            break
        file = files[reader.below(len(files))]
        page, at = reader.below(len(file) // PAGE + 1), reader.uint(2) % PAGE
        place = min(page * PAGE + at, len(file))
        match reader.below(8):
            case 0:
                del file[place:]
            case 1:
                file[place : place + PAGE] = reader.chunk().ljust(PAGE, b'\0')
            case _:
                change = reader.chunk()
                file[place : place + len(change)] = change
    path = Path(base.home.name) / 'ledger.db'
    for suffix, content in zip(_SUFFIXES, files, strict=True):
        Path(f'{path}{suffix}').write_bytes(content)
    Path(f'{path}-shm').unlink(missing_ok=True)
    shutil.copy(path.with_name('first.db.lock'), f'{path}.lock')
    found = find_damage(path, fleet)
    saved = salvage(path, fleet)
    assert all(base.blocks[row.id] == row.raw for row in saved.rows)
    if not found:
        with closing(Store.read(path)) as store:
            held = {row.id: row.raw for row in store.load()}
            assert held == base.blocks or store.incomplete
        assert {row.id for row in saved.rows} >= set(held)
    try:
        with closing(Store(path, fleet, fleet.robots[0].name)) as opened:
            assert not found or list(opened.load()) is not None
    except StoreError:
        assert found
