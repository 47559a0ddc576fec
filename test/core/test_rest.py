"""The IOTA core API v2 of a robot: what is served, what is refused, and who is kept waiting."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
import gzip
import json
import socket

import pytest
from rest_team import BINARY, CORE, FLEET, KEYS, rest_team, RestTeam, TOKEN

from collab_robots.core.errors import ConfigError
from collab_robots.tangle.approval import Status
from collab_robots.tangle.block import (
    block_id,
    decode_block,
    encode_block,
    GENESIS,
    MAX_BLOCK_BYTES,
)
from collab_robots.tangle.memory import make_team
from collab_robots.tangle.record import encode_record, sign_record
from collab_robots.tangle.rest.gate import Gate
from collab_robots.tangle.rest.limits import Limits
from collab_robots.tangle.rest.server import RestServer

ZERO = '0x' + '00' * 32
DATA = {'type': 5, 'tag': '0x74616721', 'data': '0xc0ffee'}
CALL = b'\x01' * 40


@pytest.fixture
def team() -> Iterator[RestTeam]:
    with rest_team() as team:
        yield team


def hexed(identity: bytes) -> str:
    return '0x' + identity.hex()


def is_error(reply, status: int, said: str) -> None:
    assert reply.status == status, reply.body
    assert reply.headers['Content-Type'].startswith('application/json')
    assert set(reply.json) == {'error'}
    assert reply.json['error']['code'] == str(status)
    assert said in reply.json['error']['message']


def test_health_and_routes(team: RestTeam) -> None:
    health = team.ask('GET', '/health', token=None)
    assert (health.status, health.body) == (200, b'')
    routes = team.ask('GET', '/api/routes', token=None)
    assert (routes.status, routes.json) == (200, {'routes': ['core/v2']})


def test_info_has_every_object_of_tip_25(team: RestTeam) -> None:
    team.ledger.submit(CALL)
    team.wait(lambda: team.ledger.status().final >= 1)
    info = team.ask('GET', f'{CORE}/info').json
    assert set(info) == {
        'name', 'version', 'status', 'metrics', 'supportedProtocolVersions', 'protocol',
        'pendingProtocolParameters', 'baseToken', 'features',
    }  # fmt: skip
    assert info['status']['isHealthy'] is True
    assert info['status']['pruningIndex'] == 0
    assert 1 <= info['status']['confirmedMilestone']['index'] <= team.ledger.order.final
    assert info['status']['latestMilestone'].keys() == {'index', 'timestamp'}
    assert info['protocol']['networkName'] == FLEET.fleet
    assert info['protocol']['version'] == 2
    assert info['protocol']['minPowScore'] == 0
    assert info['protocol']['tokenSupply'] == '0'
    assert set(info['protocol']['rentStructure']) == {
        'vByteCost', 'vByteFactorData', 'vByteFactorKey',
    }  # fmt: skip


def test_a_record_is_served_as_bytes_and_as_json(team: RestTeam) -> None:
    assert team.ask('GET', f'{CORE}/tips').json == {'tips': [ZERO]}
    team.ledger.submit(CALL)
    team.wait(lambda: team.ledger.dag.entries)
    entry = next(iter(team.ledger.dag.entries.values()))
    path = f'{CORE}/blocks/{hexed(entry.id)}'
    raw = team.ask('GET', path, Accept=BINARY)
    assert raw.headers['Content-Type'] == BINARY
    assert block_id(raw.body) == entry.id
    block = decode_block(raw.body)
    assert team.ask('GET', path).json == {
        'protocolVersion': 2,
        'parents': [hexed(parent) for parent in block.parents],
        'payload': {'type': 5, 'tag': hexed(block.tag), 'data': hexed(block.data)},
        'nonce': '0',
    }
    tips = team.ask('GET', f'{CORE}/tips').json['tips']
    assert tips == sorted(tips)
    assert {bytes.fromhex(tip[2:]) for tip in tips} <= set(team.ledger.dag.entries)


def test_metadata_says_final_as_referenced(team: RestTeam) -> None:
    team.ledger.submit(CALL)
    team.wait(lambda: team.ledger.dag.entries)
    entry = next(iter(team.ledger.dag.entries.values()))
    path = f'{CORE}/blocks/{hexed(entry.id)}/metadata'
    fresh = team.ask('GET', path).json
    if entry.position < 0:
        assert fresh == {
            'blockId': hexed(entry.id),
            'parents': [ZERO],
            'isSolid': True,
            'shouldPromote': False,
            'shouldReattach': False,
        }
    team.wait(lambda: team.ledger.status_of(entry.id) is Status.FINAL)
    assert team.ask('GET', path).json == {
        'blockId': hexed(entry.id),
        'parents': [ZERO],
        'isSolid': True,
        'referencedByMilestoneIndex': entry.position + 1,
        'ledgerInclusionState': 'noTransaction',
        'whiteFlagIndex': 0,
    }


def test_a_foreign_block_travels_below_a_record_and_reaches_no_contract(team: RestTeam) -> None:
    reply = team.post_json({'protocolVersion': 2, 'payload': DATA})
    assert reply.status == 201
    identity = bytes.fromhex(reply.json['blockId'][2:])
    assert reply.headers['Location'] == hexed(identity)
    assert team.ask('GET', f'{CORE}/blocks/{hexed(identity)}').json['payload'] == DATA
    team.wait(lambda: all(identity in ledger.dag.entries for ledger in team.ledgers))
    for ledger in team.ledgers:
        entry = ledger.dag.entries[identity]
        assert (entry.issuer, entry.record.calls) == (-1, ())
    team.ledger.submit(CALL)
    team.wait(lambda: team.ledger.status_of(identity) is Status.FINAL)
    metadata = team.ask('GET', f'{CORE}/blocks/{hexed(identity)}/metadata').json
    assert metadata['referencedByMilestoneIndex'] > 0


def test_a_signed_record_of_a_teammate_can_be_posted(team: RestTeam) -> None:
    team.network.stop('robot_03')
    now = team.network.clock.now_ns()
    raw = encode_record(sign_record(KEYS[3], FLEET.id, 0, [GENESIS], now, (CALL,)))
    assert team.post(raw).json == {'blockId': hexed(block_id(raw))}
    assert team.ledger.dag.entries[block_id(raw)].issuer == 3
    team.wait(lambda: block_id(raw) in team.ledgers[1].dag.entries)


def test_a_record_may_come_before_the_posted_block_that_it_names_is_stored(team: RestTeam) -> None:
    team.network.stop('robot_03')
    raw = encode_block([GENESIS], b'tag', b'data')
    parents = [GENESIS, block_id(raw)]
    now = team.network.clock.now_ns()
    record = encode_record(sign_record(KEYS[3], FLEET.id, 0, parents, now, (CALL,)))
    for posted in (raw, record):  # within one tick
        team.api.handle('POST', f'{CORE}/blocks', {'content-type': BINARY}, posted)
    team.wait(lambda: all(block_id(record) in one.dag.entries for one in team.ledgers[:3]))


def test_json_and_bytes_give_the_same_block_and_posting_twice_is_posting_once(
    team: RestTeam,
) -> None:
    raw = encode_block([GENESIS], b'tag!', bytes.fromhex('c0ffee'), nonce=28110)
    by_json = team.post_json(
        {'protocolVersion': 2, 'parents': [ZERO], 'payload': DATA, 'nonce': '28110'}
    )
    assert by_json.status == 201
    assert by_json.json == team.post(raw).json == {'blockId': hexed(block_id(raw))}
    team.wait(lambda: block_id(raw) in team.ledger.dag.entries)
    assert team.post(raw).json == by_json.json
    assert team.ask('GET', f'{CORE}/blocks/{hexed(block_id(raw))}').json['nonce'] == '28110'


def test_peers_are_the_roster(team: RestTeam) -> None:
    team.wait(lambda: len(team.ledger.status().peers) == 3)
    peers = team.ask('GET', f'{CORE}/peers').json
    assert [peer['alias'] for peer in peers] == ['robot_01', 'robot_02', 'robot_03']
    assert all(peer['connected'] for peer in peers)
    assert team.ask('GET', f'{CORE}/peers/{peers[1]["id"]}').json == peers[1]
    is_error(team.ask('GET', f'{CORE}/peers/nobody'), 404, 'peer not found')


@pytest.mark.parametrize(
    ('method', 'path', 'status', 'said'),
    [
        ('GET', '/', 404, 'no such route'),
        ('GET', '/api/core/v1/info', 404, 'no such route'),
        ('GET', f'{CORE}/blocks/{ZERO}/children', 404, 'no such route'),
        ('GET', f'{CORE}/milestones/by-index/1', 404, 'no such route'),
        ('GET', f'{CORE}/blocks', 405, 'expected POST'),
        ('POST', f'{CORE}/info', 405, 'expected GET'),
        ('GET', f'{CORE}/blocks/{ZERO}', 404, 'block not found'),
        ('GET', f'{CORE}/blocks/{ZERO}/metadata', 404, 'block not found'),
        ('GET', f'{CORE}/blocks/{ZERO[2:]}', 400, 'expected 0x'),
        ('GET', f'{CORE}/blocks/0x12', 400, 'a block id is 0x'),
        ('GET', f'{CORE}/blocks/0xZZ/metadata', 400, 'hex'),
        ('GET', f'{CORE}/blocks/0x%00', 400, 'hex'),
    ],
)
def test_a_wrong_request_is_answered_with_the_error_object(
    team: RestTeam, method: str, path: str, status: int, said: str
) -> None:
    is_error(team.ask(method, path), status, said)


def block(**changes: object) -> dict[str, object]:
    value = {'protocolVersion': 2, 'parents': [ZERO], 'payload': DATA, 'nonce': '0', **changes}
    return {key: field for key, field in value.items() if field is not ...}


@pytest.mark.parametrize(
    ('value', 'said'),
    [
        (block(protocolVersion=3), 'expected protocolVersion 2'),
        (block(payload=...), 'expected a payload'),
        (block(payload=None), 'expected a payload'),
        (block(payload={'type': 6}), 'payload.type'),
        (block(payload={**DATA, 'tag': 'abcd'}), 'expected 0x'),
        (block(payload={**DATA, 'data': '0xabc'}), 'hex digits in pairs'),
        (block(payload={**DATA, 'data': '0x' + 'ab' * 65}), None),
        (block(payload={**DATA, 'tag': '0x' + 'ab' * 65}), 'payload.tag'),
        (block(payload={**DATA, 'data': '0x' + 'ab' * 40_000}), 'payload.data'),
        (block(parents=[]), 'expected 1 to 8 parents'),
        (block(parents=[ZERO] * 9), 'parents'),
        (block(parents=[ZERO, ZERO]), 'sorted and unique'),
        (block(parents=['0x' + '11' * 32]), 'a parent is not here'),
        (block(nonce='-1'), 'nonce'),
        (block(nonce='0x10'), 'nonce'),
        (block(nonce='18446744073709551616'), 'nonce'),
        (block(nonce=28110), None),
        (block(parents=..., nonce='5'), 'a nonce without parents'),
        ([], 'not a block'),
        ('x', 'not a block'),
    ],
)
def test_a_block_in_json_is_checked(team: RestTeam, value: object, said: str | None) -> None:
    reply = team.post_json(value)
    if said is None:
        assert reply.status == 201
    else:
        is_error(reply, 400, said)


def test_bad_bodies_are_refused_in_words(team: RestTeam) -> None:
    path = f'{CORE}/blocks'
    good = encode_block([GENESIS], b't', b'd')
    is_error(team.ask('POST', path, good), 415, 'expected Content-Type')
    is_error(team.ask('POST', path, good, Content_Type='text/plain'), 415, 'text/plain')
    kind = 'application/json; charset=utf-8'
    is_error(team.ask('POST', path, b'{"a":' * 9_000, Content_Type=kind), 400, 'not a block')
    is_error(team.ask('POST', path, b'\xff\xfe{}', Content_Type=kind), 400, 'not a block')
    is_error(team.ask('POST', path, b'', Content_Type=kind), 400, 'not a block')
    packed = gzip.compress(json.dumps(block()).encode())
    is_error(
        team.ask('POST', path, packed, Content_Type=kind, Content_Encoding='gzip'),
        400,
        'not a block',
    )
    is_error(team.post(b''), 400, 'malformed')
    is_error(team.post(good[:-1]), 400, 'malformed')
    is_error(team.post(b'\x03' + good[1:]), 400, 'version')
    is_error(team.post(bytes(MAX_BLOCK_BYTES + 1)), 400, 'too_large')
    is_error(team.post(bytes(team.limits.body + 1)), 413, 'a body has at most')
    _, keys = make_team(9)
    stranger = sign_record(keys[8], FLEET.id, 0, [GENESIS], 1, ())
    is_error(team.post(encode_record(stranger)), 400, 'issuer')
    forged = bytearray(encode_record(sign_record(KEYS[1], FLEET.id, 0, [GENESIS], 1, ())))
    forged[-20] ^= 1
    is_error(team.post(bytes(forged)), 400, 'signature')
    assert not any(entry.issuer == 1 for entry in team.ledger.dag.entries.values())


def test_a_write_needs_the_token_and_a_node_without_one_takes_none(team: RestTeam) -> None:
    raw = encode_block([GENESIS], b't', b'd')
    for token in (None, '', 'wrong', TOKEN + 'x', 'é'):
        reply = team.post(raw, token)
        is_error(reply, 401, 'expected Authorization: Bearer')
        assert reply.headers['WWW-Authenticate'] == 'Bearer'
    assert team.ask('GET', f'{CORE}/info', token='wrong').status == 200
    with rest_team(token=None) as closed:
        is_error(closed.post(raw), 403, 'takes no blocks')


def test_unsigned_data_is_limited_in_size_and_rate() -> None:
    with rest_team(limits=replace(Limits(), foreign_burst=1_000.0, foreign_rate=10.0)) as team:
        is_error(team.post(encode_block([GENESIS], b't', bytes(9_000))), 400, 'unsigned block of')
        assert team.post(encode_block([GENESIS], b'1', bytes(800))).status == 201
        refused = team.post(encode_block([GENESIS], b'2', bytes(800)))
        is_error(refused, 429, 'again in')
        assert 50 <= int(refused.headers['Retry-After']) <= 80
        signed = sign_record(
            KEYS[3], FLEET.id, 0, [GENESIS], team.network.clock.now_ns(), (bytes(800),)
        )
        team.network.stop('robot_03')
        assert team.post(encode_record(signed)).status == 201


def test_who_asks_too_often_is_told_to_wait() -> None:
    with rest_team(limits=replace(Limits(), reads=5.0, writes=1.0)) as team:
        statuses = [team.ask('GET', '/health').status for _ in range(15)]
        assert statuses[:10] == [200] * 10
        assert statuses[-1] == 429
        raw = encode_block([GENESIS], b't', b'd')
        writes = [team.post(raw, token='wrong').status for _ in range(3)]
        assert writes == [401, 401, 429]


def test_a_stalled_ledger_costs_a_503_and_nothing_more() -> None:
    with rest_team(limits=replace(Limits(), answer=0.3, queue=2)) as team:

        def ask() -> int:
            with socket.create_connection(('127.0.0.1', team.server.port), timeout=5) as client:
                client.sendall(b'GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
                return int(client.recv(100).split()[1])

        with ThreadPoolExecutor(4) as pool:  # nobody serves meanwhile
            statuses = [future.result() for future in [pool.submit(ask) for _ in range(4)]]
        assert statuses == [503] * 4
        assert team.ask('GET', '/health').status == 200


def test_slow_and_idle_clients_are_cut_off_and_do_not_keep_others_out() -> None:
    limits = replace(Limits(), connections=4, idle=0.5, receive=0.5)
    with rest_team(limits=limits) as team:
        address = ('127.0.0.1', team.server.port)
        idle = [socket.create_connection(address, timeout=5) for _ in range(3)]
        idle[0].sendall(b'GET /health HT')
        head = f'POST {CORE}/blocks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n'
        head += f'Content-Type: {BINARY}\r\nContent-Length: 50\r\n\r\n'
        idle[1].sendall(head.encode() + b'123')
        assert team.ask('GET', '/health').status == 200
        answers = [team.during(lambda client=client: client.recv(200)) for client in idle]
        assert answers[0] == answers[2] == b''
        assert answers[1].startswith(b'HTTP/1.1 408')
        more = [socket.create_connection(address, timeout=5) for _ in range(6)]
        for client in more:
            client.settimeout(0.3)
        assert sum(is_closed(client) for client in more) >= 2
        for client in (*idle, *more):
            client.close()


def is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b''
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def test_a_taken_port_and_a_foreign_address_are_said_in_words(team: RestTeam) -> None:
    for host, port in (('127.0.0.1', team.server.port), ('192.0.2.1', 0), ('no.such.host', 0)):
        with pytest.raises(ConfigError, match='cannot serve at'):
            RestServer(team.api, Gate(None, Limits()), host, port).start()
