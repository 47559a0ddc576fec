"""Ledger nodes that serve clients over HTTP, and ledger nodes whose radio is such a server."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
import json
from pathlib import Path
import socket
from typing import Any
import urllib.error
import urllib.request

from harness import Harness, running
import pytest

from collab_robots.bringup import topics
from collab_robots.contract.calls import tasks as calls
from collab_robots.core.errors import ConfigError
from collab_robots.nodes import qos
from collab_robots.nodes.ledger_node import LedgerNode
from collab_robots.tangle.block import block_id, encode_block, GENESIS
from collab_robots_msgs.msg import Call, LedgerStatus, TaskStatusArray

ROBOTS = ('robot1', 'robot2', 'robot3')
BINARY = 'application/vnd.iota.serializer-v1'


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    with running(tmp_path, domain=51, robots=ROBOTS) as harness:
        yield harness


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / 'token'
    path.write_text('let-me-in\n')
    path.chmod(0o600)
    return path


def free_port() -> int:
    with socket.create_server(('127.0.0.1', 0)) as listener:
        return listener.getsockname()[1]


def fetch(harness: Harness, request: urllib.request.Request | str) -> tuple[int, Any]:
    """Ask while the nodes go on; return status and JSON."""

    def work() -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return reply.status, json.loads(reply.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        harness.wait(future.done)
        return future.result()


def test_a_node_serves_clients_in_the_loop_that_robots_run_in(
    harness: Harness, token_file: Path
) -> None:
    port = free_port()
    options = harness.ledger_options('robot1', rest_port=port, rest_token_file=str(token_file))
    harness.add(LedgerNode(**options))
    harness.add(LedgerNode(**harness.ledger_options('robot2')))
    harness.add(LedgerNode(**harness.ledger_options('robot3')))
    statuses = harness.listen(LedgerStatus, f'/robot2/{topics.LEDGER_STATUS}')
    harness.wait(lambda: len(statuses) > 2 and len(statuses[-1].peers) == 2)
    base = f'http://127.0.0.1:{port}/api/core/v2'
    assert fetch(harness, f'{base}/info')[1]['protocol']['networkName'] == 'test'
    raw = encode_block([GENESIS], b'tag', b'data')
    post = urllib.request.Request(f'{base}/blocks', raw, {'Content-Type': BINARY})
    assert fetch(harness, post)[0] == 401
    post.add_header('Authorization', 'Bearer let-me-in')
    name = '0x' + block_id(raw).hex()
    assert fetch(harness, post) == (201, {'blockId': name})
    harness.wait(lambda: statuses[-1].blocks >= 2)  # it travels below a record
    status, metadata = fetch(harness, f'{base}/blocks/{name}/metadata')
    assert (status, metadata['isSolid']) == (200, True)


def test_two_robots_agree_on_a_task_over_nothing_but_a_third_ones_server(
    harness: Harness, token_file: Path
) -> None:
    port = free_port()
    served = harness.ledger_options('robot3', rest_port=port, rest_token_file=str(token_file))
    harness.add(LedgerNode(**served))
    for robot in ROBOTS[:2]:
        own = harness.ledger_options(
            robot,
            transport='hornet',
            hornet_url=f'http://127.0.0.1:{port}',
            hornet_token_file=str(token_file),
        )
        own['cli_args'] = []  # no radio at all
        harness.add(LedgerNode(**own))
    tasks = [
        harness.listen(TaskStatusArray, f'/{robot}/{topics.TASKS}', qos.LATCHED)
        for robot in ROBOTS
    ]
    statuses = [
        harness.listen(LedgerStatus, f'/{robot}/{topics.LEDGER_STATUS}') for robot in ROBOTS
    ]
    say = harness.probe.create_publisher(Call, f'/robot1/{topics.CALL}', qos.STATUS)
    harness.matched(say)
    say.publish(Call(data=calls.propose(1, 5, 7, 0)))
    harness.wait(lambda: all(heard and heard[-1].tasks for heard in tasks))
    assert [(heard[-1].tasks[0].cell_x, heard[-1].tasks[0].cell_y) for heard in tasks] == [
        (5, 7)
    ] * 3
    harness.wait(lambda: all(heard and heard[-1].final >= 1 for heard in statuses))
    assert [heard[-1].alarm for heard in statuses] == [''] * 3


def test_a_server_that_is_away_is_an_alarm_and_not_the_end(harness: Harness) -> None:
    url = f'http://127.0.0.1:{free_port()}'
    harness.add(LedgerNode(**harness.ledger_options('robot1', transport='hornet', hornet_url=url)))
    statuses = harness.listen(LedgerStatus, f'/robot1/{topics.LEDGER_STATUS}')
    harness.wait(lambda: statuses and 'node: ' in statuses[-1].alarm)
    assert 'Cannot connect' in statuses[-1].alarm


def test_mistakes_in_the_parameters_are_said_in_words(
    harness: Harness, tmp_path: Path, token_file: Path
) -> None:
    def start(**values: Any) -> None:
        harness.add(LedgerNode(**harness.ledger_options('robot1', **values)))

    with pytest.raises(ConfigError, match='rest_port'):
        start(rest_port=70_000)
    with pytest.raises(ConfigError, match="expected one of 'dds', 'hornet', got 'mqtt'"):
        start(transport='mqtt')
    with pytest.raises(ConfigError, match='expected the http'):
        start(transport='hornet')
    with pytest.raises(ConfigError, match='nowhere: cannot be read'):
        start(rest_token_file=str(tmp_path / 'nowhere'))
    token_file.write_text('two words')
    with pytest.raises(ConfigError, match='expected one line with a token'):
        start(rest_token_file=str(token_file))
    token_file.chmod(0o644)
    with pytest.raises(ConfigError, match='chmod 600'):
        start(rest_token_file=str(token_file))
    with socket.create_server(('127.0.0.1', 0)) as listener:
        harness.add(
            LedgerNode(**harness.ledger_options('robot1', rest_port=listener.getsockname()[1]))
        )
        with pytest.raises(ConfigError, match='cannot serve at'):
            harness.wait(lambda: False)
