"""A real EVM node for tests: anvil, which contracts/package-lock.json pins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import shutil
import socket
import subprocess
import time

from eth_account import Account
import pytest
import requests

CONTRACTS = Path(__file__).resolve().parents[2] / 'contracts'
CHAIN_ID = 31_337
PAYER = Account.create('the one who pays in tests')
_COINS = 100


def binary() -> Path:
    """Return the path of anvil; skip the test where there is none."""
    if shutil.which('node') is None or shutil.which('npm') is None:
        pytest.skip('node and npm are needed to install anvil')
    found = _find()
    if found is None:
        command = ['npm', 'ci', '--silent', '--no-audit', '--no-fund']
        done = subprocess.run(command, cwd=CONTRACTS, capture_output=True, text=True, timeout=300)
        found = _find()
        if found is None:
            pytest.skip(f'no anvil for this computer: {done.stderr.strip()[-200:]}')
    return found


def _find() -> Path | None:
    return next(iter(CONTRACTS.glob('node_modules/@foundry-rs/anvil-*/bin/anvil')), None)


class Anvil:
    """
    One node, with a payer who has coins.

    :param options: more of anvil's own.
    """

    def __init__(self, *options: str, chain_id: int = CHAIN_ID, port: int = 0) -> None:
        self.port = port or free_port()
        self.url = f'http://127.0.0.1:{self.port}'
        self._process = subprocess.Popen(
            [
                *(str(binary()), '--port', str(self.port), '--chain-id', str(chain_id)),
                *('--accounts', '1', '--silent', *options),
            ],
            stdin=subprocess.DEVNULL,
        )
        self._wait()
        self.rpc('anvil_setBalance', PAYER.address, hex(_COINS * 10**18))

    def rpc(self, method: str, *params: object) -> object:
        """Ask the node anything."""
        request = {'jsonrpc': '2.0', 'id': 1, 'method': method, 'params': params}
        answer = requests.post(self.url, json=request, timeout=30).json()
        assert 'error' not in answer, answer
        return answer['result']

    def kill(self) -> None:
        """End it at once, as a lost connection or a crash does."""
        self._process.kill()
        self._process.wait()

    def _wait(self) -> None:
        until = time.monotonic() + 30
        while True:
            try:
                self.rpc('eth_chainId')
                return
            except requests.ConnectionError:
                assert self._process.poll() is None and time.monotonic() < until, 'no anvil'
                time.sleep(0.02)  # it does not tell when it listens


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as one:
        one.bind(('127.0.0.1', 0))
        return int(one.getsockname()[1])


def running(*options: str) -> Iterator[Anvil]:
    """Give a node for as long as a fixture lasts."""
    node = Anvil(*options)
    try:
        yield node
    finally:
        node.kill()
