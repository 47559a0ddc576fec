"""Whatever a client sends, the API answers with what TIP-25 names, and the ledger goes on."""

from __future__ import annotations

import asyncio
import json

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest
from rest_team import CORE, FLEET, KEYS

from collab_robots.tangle.block import block_id, encode_block, GENESIS
from collab_robots.tangle.hornet.node import HttpNode, Job, Kind
from collab_robots.tangle.memory import MemoryNetwork
from collab_robots.tangle.record import encode_record, sign_record
from collab_robots.tangle.rest.api import Api

ANSWERS = {200, 201, 400, 404, 405, 413, 415, 429, 503}
NETWORK = MemoryNetwork(FLEET, seed=1)
LEDGER = NETWORK.start(KEYS[0])
RAW = encode_block([GENESIS], b'tag', b'data')
SIGNED = encode_record(sign_record(KEYS[1], FLEET.id, 0, [GENESIS], 1, (b'call',)))

hexes = st.one_of(
    st.text(max_size=80),
    st.binary(max_size=40).map(lambda data: '0x' + data.hex()),
    st.just('0x' + '00' * 32),
)
numbers = st.integers(-(1 << 70), 1 << 70)
anything = st.recursive(
    st.none() | st.booleans() | numbers | st.floats(allow_nan=False) | hexes,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
bodies = st.one_of(
    anything,
    st.fixed_dictionaries(
        {},
        optional={
            'protocolVersion': st.just(2) | anything,
            'parents': st.lists(hexes, max_size=9) | anything,
            'payload': st.fixed_dictionaries(
                {'type': st.just(5) | anything, 'tag': hexes | anything, 'data': hexes}
            )
            | anything,
            'nonce': st.integers(0, 1 << 65).map(str) | anything,
        },
    ),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a block of ours with some bytes changed, cut off or added."""
    raw = bytearray(draw(st.sampled_from([RAW, SIGNED])))
    for _ in range(draw(st.integers(0, 4))):
        raw[draw(st.integers(0, len(raw) - 1))] = draw(st.integers(0, 255))
    return bytes(raw[: draw(st.integers(0, len(raw)))]) + draw(st.binary(max_size=4))


@pytest.fixture(scope='module')
def api() -> Api:
    return Api(LEDGER, NETWORK.clock)


def check(api: Api, method: str, path: str, headers: dict[str, str], body: bytes) -> int:
    response = api.handle(method, path, headers, body)
    assert response.status in ANSWERS
    if response.status >= 400:
        error = json.loads(response.body)['error']
        assert error['code'] == str(response.status)
        assert 0 < len(error['message']) < 1_000
    NETWORK.run(0.2)
    assert LEDGER.status().alarm == ''
    return response.status


@settings(max_examples=150, deadline=None)
@given(bodies)
def test_any_json(api: Api, value: object) -> None:
    headers = {'content-type': 'application/json'}
    check(api, 'POST', f'{CORE}/blocks', headers, json.dumps(value).encode())


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(damaged(), st.binary(max_size=200)),
    st.sampled_from(['json', 'vnd.iota.serializer-v1']),
)
def test_any_bytes(api: Api, body: bytes, kind: str) -> None:
    check(api, 'POST', f'{CORE}/blocks', {'content-type': f'application/{kind}'}, body)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'x']),
    st.one_of(
        st.text(max_size=100),
        st.text(max_size=80).map(lambda rest: f'{CORE}/blocks/{rest}'),
        hexes.map(lambda name: f'{CORE}/blocks/{name}/metadata'),
        st.text(max_size=80).map(lambda rest: f'{CORE}/peers/{rest}'),
    ),
    st.dictionaries(
        st.sampled_from(['accept', 'content-type', 'authorization']), st.text(max_size=40)
    ),
    st.binary(max_size=50),
)
def test_any_route(api: Api, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
    check(api, method, path, headers, body)


class GarbledNode(HttpNode):
    """Hears whatever the test says instead of asking a node."""

    def __init__(self, status: int, kind: str, body: bytes) -> None:
        super().__init__('http://nowhere')
        self._said = (status, kind, body, 0.0)

    async def _ask(self, *request: object) -> tuple[int, str, bytes, float]:
        return self._said


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(list(Kind)),
    st.sampled_from([200, 201, 302, 400, 404, 415, 500, 503]),
    st.sampled_from(['application/json', 'application/vnd.iota.serializer-v1', 'text/html']),
    st.one_of(
        st.binary(max_size=200),
        damaged(),
        anything.map(lambda value: json.dumps(value).encode()),
        st.dictionaries(
            st.sampled_from(['tips', 'blockId', 'isSolid', 'error', 'payload', 'parents']),
            anything,
        ).map(lambda value: json.dumps(value).encode()),
    ),
)
def test_any_answer_of_a_node(kind: Kind, status: int, media: str, body: bytes) -> None:
    node = GarbledNode(status, media, body)
    asyncio.run(node._do(Job(kind, block_id(RAW), RAW)))
    (answer,) = node.take()
    assert len(answer.text) <= 200
    if answer.raw:
        assert answer.raw == RAW
    assert all(len(identity) == 32 for identity in answer.ids)


def test_the_checks_above_get_through(api: Api) -> None:
    kind = {'content-type': 'application/vnd.iota.serializer-v1'}
    assert check(api, 'POST', f'{CORE}/blocks', kind, SIGNED) == 201
    assert check(api, 'GET', '/health', {}, b'') == 200
