"""
A TIP-25 node that is no robot and behaves like HORNET where HORNET differs, or worse.

It takes any block, knows nothing of fleets, shows anybody's blocks as tips, and can be told to be
busy, slow, garbled, forgetful, or to speak only JSON.
"""

from __future__ import annotations

from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import json
import threading
import time
from typing import Any

from collab_robots.core.errors import RefusedError
from collab_robots.tangle.block import (
    block_id,
    decode_block,
    decode_parents,
    encode_block,
    GENESIS,
    MAX_PARENTS,
)
from collab_robots.tangle.rest.block_json import block_to_json, body_from_json

BINARY = 'application/vnd.iota.serializer-v1'
CORE = '/api/core/v2'


def parents_of(raw: bytes) -> tuple[bytes, ...]:
    """Return a block's parents; none if it is no block."""
    try:
        return decode_parents(raw)
    except RefusedError:
        return ()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


class OddNode:
    """Set its attributes to make it odd."""

    def __init__(self) -> None:
        self.blocks: dict[bytes, bytes] = {}
        self.busy = False
        """Answers 503 to all but what it is asked for health."""
        self.garbled = False
        self.gone = False
        """Hangs up."""
        self.only_json = False
        self.refuses: set[bytes] = set()
        self.delay = 0.0
        """s until it answers."""
        self.crowd = False
        """Strangers put a data block and a milestone above each block that comes."""
        self.asked: Counter[str] = Counter()
        self.answered: Counter[int] = Counter()
        self._lock = threading.Lock()
        node = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'
            wbufsize = 65_536  # head and body in one packet

            def do_GET(self) -> None:
                node.serve(self, b'')

            def do_POST(self) -> None:
                node.serve(self, self.rfile.read(int(self.headers['Content-Length'])))

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = _Server(('127.0.0.1', 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f'http://127.0.0.1:{self.port}'
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def tips(self) -> list[bytes]:
        parents = {parent for raw in self.blocks.values() for parent in parents_of(raw)}
        return [identity for identity in self.blocks if identity not in parents] or [GENESIS]

    def serve(self, request: Any, body: bytes) -> None:
        path = request.path.partition('?')[0].removeprefix(CORE)
        self.asked[f'{request.command} {path.split("/")[1]}'] += 1
        if self.gone:
            request.close_connection = True
            return None
        if self.delay:
            time.sleep(self.delay)  # slow on purpose
        if self.busy:
            return self._error(request, 503, 'node is not synced')
        if self.garbled:
            return self._send(request, 200, b'\x1f\x8b' + b'}' * 70, 'application/json')
        with self._lock:
            if request.command == 'POST':
                return self._post(request, body)
            return self._get(request, path)

    def _post(self, request: Any, body: bytes) -> None:
        kind = request.headers.get('Content-Type', '')
        if kind.startswith(BINARY) and not self.only_json:
            raw = body
        elif kind.startswith('application/json'):
            assert isinstance(json.loads(body)['nonce'], str)  # DecodeUint64 takes nothing else
            raw = body_from_json(body).encode(())
        else:
            return self._error(request, 415, 'Unsupported Media Type')
        identity = block_id(raw)
        if identity in self.refuses:
            return self._error(request, 400, 'invalid parameter: below max depth')
        if identity not in self.blocks:
            self.blocks[identity] = raw
            if self.crowd:
                self._crowd(identity)
        answer = json.dumps({'blockId': '0x' + identity.hex()}).encode()
        self._send(request, 201, answer, 'application/json')

    def _crowd(self, identity: bytes) -> None:
        others = sorted({identity, *self.tips()})[:MAX_PARENTS]
        spam = encode_block(others, b'spam', identity)
        self.blocks[block_id(spam)] = spam
        # a milestone payload (type 7), the inside of which is nobody's business here
        head = bytes((2, 1)) + block_id(spam)
        payload = (7).to_bytes(4, 'little') + b'milestone'
        milestone = head + len(payload).to_bytes(4, 'little') + payload + bytes(8)
        self.blocks[block_id(milestone)] = milestone

    def _get(self, request: Any, path: str) -> None:
        if path == '/tips':
            tips = self.tips()[-8:]
            body = json.dumps({'tips': ['0x' + tip.hex() for tip in tips]}).encode()
            return self._send(request, 200, body, 'application/json')
        _, _, name, *rest = path.split('/')
        raw = self.blocks.get(bytes.fromhex(name[2:]))
        if raw is None:
            return self._error(request, 404, f'block not found: {name}')
        if rest:
            body = json.dumps({'blockId': name, 'isSolid': self._is_solid(raw)}).encode()
        elif self.only_json:
            body = json.dumps(block_to_json(decode_block(raw))).encode()
        else:
            return self._send(request, 200, raw, BINARY)
        self._send(request, 200, body, 'application/json')

    def _is_solid(self, raw: bytes) -> bool:
        seen, todo = set(), [raw]
        while todo:
            for parent in parents_of(todo.pop()):
                if parent == GENESIS or parent in seen:
                    continue
                if parent not in self.blocks:
                    return False
                seen.add(parent)
                todo.append(self.blocks[parent])
        return True

    def _error(self, request: Any, status: int, message: str) -> None:
        body = json.dumps({'error': {'code': status, 'message': message}}).encode()
        self._send(request, status, body, 'application/json')

    def _send(self, request: Any, status: int, body: bytes, kind: str) -> None:
        self.answered[status] += 1
        try:
            request.send_response(status)
            request.send_header('Content-Type', kind)
            request.send_header('Content-Length', str(len(body)))
            request.end_headers()
            request.wfile.write(body)
        except ConnectionError:
            pass  # who asked has gone
