"""IOTA's own client, in a process of its own, works on a robot, and reads what our codec says."""

from __future__ import annotations

import json
from pathlib import Path
import subprocess
import sys

import pytest
from rest_team import FLEET, rest_team, RestTeam, TOKEN

from collab_robots.tangle.block import block_id, decode_block, encode_block, GENESIS

pytest.importorskip(
    'iota_sdk', reason='iota-sdk 1.1.4 has wheels for x86-64 and Python 3.8 to 3.11 only'
)
CLIENT = Path(__file__).with_name('iota_client.py')
TAG, DATA = b'battery', bytes(range(256))


def run_client(team: RestTeam, token: str, raw: bytes) -> subprocess.CompletedProcess[str]:
    arguments = [team.url, token, '0x' + TAG.hex(), '0x' + DATA.hex(), raw.hex()]
    return team.during(
        lambda: subprocess.run(
            [sys.executable, CLIENT, *arguments], capture_output=True, text=True, timeout=60
        )
    )


def test_the_client_posts_and_reads() -> None:
    with rest_team() as team:
        team.ledger.submit(b'\x01' * 40)
        team.wait(lambda: len(team.ledger.dag.entries) >= 4)
        raw = encode_block([GENESIS], b'by hand', b'\0' * 100, nonce=7)
        done = run_client(team, TOKEN, raw)
        assert done.returncode == 0, done.stderr
        got = json.loads(done.stdout)

        stored = bytes.fromhex(got['raw'])
        block = decode_block(stored)
        assert got['posted'] == got['built_id'] == '0x' + block.id.hex()
        assert (block.tag, block.data, str(block.nonce)) == (TAG, DATA, got['nonce'])
        parents = ['0x' + parent.hex() for parent in block.parents]
        assert got['parents'] == got['block']['parents'] == got['metadata']['parents'] == parents
        assert encode_block(block.parents, TAG, DATA, block.nonce) == stored
        assert got['metadata']['blockId'] == got['posted']
        assert got['posted_raw'] == '0x' + block_id(raw).hex()
        assert set(got['found']) == {got['posted'], got['posted_raw']}  # as they come
        assert (got['health'], got['info']) == (True, FLEET.fleet)
        assert got['peers'] == ['robot_01', 'robot_02', 'robot_03']
        held = team.ledger.dag.entries
        assert got['tips'] and all(bytes.fromhex(tip[2:]) in held for tip in got['tips'])
        team.wait(lambda: all(block.id in ledger.dag.entries for ledger in team.ledgers))


def test_the_client_is_told_that_its_token_is_wrong() -> None:
    with rest_team() as team:
        done = run_client(team, 'wrong', encode_block([GENESIS], b't', b'd'))
        assert done.returncode != 0
        assert 'status code 401' in done.stderr
        assert 'expected Authorization: Bearer TOKEN' in done.stderr
