"""The routes: what a request means to the ledger, without sockets and without waiting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from collab_robots.core.clock import Clock, SECOND
from collab_robots.core.errors import Refusal, RefusedError, StoreError
from collab_robots.core.fleet import Fleet
from collab_robots.tangle.block import block_id, decode_block, MAX_PARENTS
from collab_robots.tangle.dag import Dag
from collab_robots.tangle.order import Order
from collab_robots.tangle.record import RECORD_TAG
from collab_robots.tangle.rest import objects
from collab_robots.tangle.rest.block_json import (
    block_to_json,
    body_from_json,
    id_from_hex,
    to_hex,
)
from collab_robots.tangle.rest.gate import too_large, too_many
from collab_robots.tangle.rest.limits import Budget, Limits
from collab_robots.tangle.rest.messages import (
    ApiError,
    as_error,
    as_json,
    BINARY,
    JSON,
    Request,
    Response,
)
from collab_robots.tangle.status import LedgerStatus

CORE = '/api/core/v2'
MUTE = 'not issuing'  # how the ledger's alarm begins then
RATE_WINDOW = 10 * SECOND


class Node(Protocol):
    """What the routes need of a ledger."""

    name: str
    fleet: Fleet
    dag: Dag
    order: Order

    def post(self, raw: bytes) -> bytes:
        """Take a block of a client; return its id."""
        ...

    def raw_block(self, identity: bytes) -> bytes | None:
        """Return a block's bytes, if it is held."""
        ...

    def tips(self) -> list[bytes]:
        """Return ids that a new block may name as parents."""
        ...

    def status(self) -> LedgerStatus:
        """Return the ledger's health."""
        ...


class Api:
    """
    Answers requests from a ledger, in the ledger's thread.

    :param clock: of the ledger.
    """

    def __init__(self, ledger: Node, clock: Clock, limits: Limits | None = None) -> None:
        self._ledger = ledger
        self._clock = clock
        self._limits = limits or Limits()
        self._foreign = Budget(self._limits.foreign_rate, self._limits.foreign_burst)
        self._samples: list[tuple[int, int, int]] = []  # ns, blocks, final
        self._fixed: dict[str, dict[str, Callable[[Request], Response]]] = {
            '/health': {'GET': self._health},
            '/api/routes': {'GET': self._routes},
            f'{CORE}/info': {'GET': self._info},
            f'{CORE}/tips': {'GET': self._tips},
            f'{CORE}/blocks': {'POST': self._post},
            f'{CORE}/peers': {'GET': self._peers},
        }

    def handle(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b''
    ) -> Response:
        """
        Answer one request; whatever it is, there is an answer.

        :param method: in capitals.
        :param path: without query.
        :param headers: names in small letters.
        """
        request = Request(method, path, headers or {}, body)
        try:
            return self._route(request)
        except ApiError as error:
            return error.response
        except RefusedError as error:
            if error.reason is Refusal.FLOOD:
                return as_error(503, str(error), {'Retry-After': '1'})
            return as_error(400, str(error))
        except StoreError as error:
            return as_error(503, str(error), {'Retry-After': '1'})

    def _route(self, request: Request) -> Response:
        handlers = self._fixed.get(request.path)
        if handlers is None:
            handlers = self._variable(request.path)
        method = 'GET' if request.method == 'HEAD' else request.method
        if method not in handlers:
            allowed = ', '.join(handlers)
            raise ApiError(405, f'{method:.20}: expected {allowed}', {'Allow': allowed})
        return handlers[method](request)

    def _variable(self, path: str) -> dict[str, Callable[[Request], Response]]:
        """Return the handlers of a path that names a block or a peer."""
        start, _, rest = path.removeprefix(CORE).lstrip('/').partition('/')
        if path.startswith(f'{CORE}/') and rest:
            if start == 'peers' and '/' not in rest:
                return {'GET': lambda request: self._peer(rest)}
            name, _, view = rest.partition('/')
            if start == 'blocks' and view == '':
                return {'GET': lambda request: self._block(request, name)}
            if start == 'blocks' and view == 'metadata':
                return {'GET': lambda request: self._metadata(name)}
        raise ApiError(404, f'no such route: {path:.200}')

    def _health(self, request: Request) -> Response:
        status = self._ledger.status()
        if not _is_healthy(status):
            return as_error(503, status.alarm)
        return Response(200)

    def _routes(self, request: Request) -> Response:
        return as_json(200, {'routes': ['core/v2']})

    def _info(self, request: Request) -> Response:
        ledger, status = self._ledger, self._ledger.status()
        value = objects.info(
            ledger.fleet, status, ledger.order, _is_healthy(status), self._rates(status)
        )
        return as_json(200, value)

    def _rates(self, status: LedgerStatus) -> tuple[float, float]:
        """Return new and newly final blocks a second, over the last 10 to 20 s that were asked."""
        sample = (self._clock.now_ns(), status.blocks, status.final)
        if not self._samples or sample[0] - self._samples[-1][0] >= RATE_WINDOW:
            self._samples = [*self._samples[-1:], sample]
        first = self._samples[0]
        seconds = (sample[0] - first[0]) / SECOND
        if seconds <= 0:
            return 0.0, 0.0
        new, final = (max(0, sample[at] - first[at]) / seconds for at in (1, 2))
        return new, final

    def _tips(self, request: Request) -> Response:
        return as_json(200, {'tips': [to_hex(tip) for tip in self._chosen_tips()]})

    def _chosen_tips(self) -> tuple[bytes, ...]:
        return tuple(sorted(self._ledger.tips())[:MAX_PARENTS])

    def _post(self, request: Request) -> Response:
        if len(request.body) > self._limits.body:
            return too_large(self._limits)
        if request.content_type == BINARY:
            raw = request.body
        elif request.content_type == JSON:
            raw = body_from_json(request.body).encode(self._chosen_tips())
        else:
            raise ApiError(
                415, f'expected Content-Type {JSON} or {BINARY}, got {request.content_type!r:.80}'
            )
        identity = block_id(raw)
        if self._ledger.raw_block(identity) is None:
            block = decode_block(raw)
            if block.tag != RECORD_TAG and (refusal := self._limit_foreign(raw)) is not None:
                return refusal
            identity = self._ledger.post(raw)
        return as_json(201, {'blockId': to_hex(identity)}, {'Location': to_hex(identity)})

    def _limit_foreign(self, raw: bytes) -> Response | None:
        """Bound unsigned data: robots carry it without anybody of the fleet answering for it."""
        if len(raw) > self._limits.foreign_block:
            raise RefusedError(
                Refusal.TOO_LARGE,
                f'unsigned block of {len(raw)} bytes, at most {self._limits.foreign_block}',
            )
        wait = self._foreign.take('', len(raw), self._clock.now_ns() / SECOND)
        return too_many(wait) if wait else None

    def _block(self, request: Request, name: str) -> Response:
        raw = self._find(name)
        if request.accepts(BINARY):
            return Response(200, raw, BINARY)
        return as_json(200, block_to_json(decode_block(raw)))

    def _metadata(self, name: str) -> Response:
        block = decode_block(self._find(name))
        return as_json(200, objects.metadata(block, self._ledger.dag.entries.get(block.id)))

    def _find(self, name: str) -> bytes:
        identity = id_from_hex(name)
        raw = self._ledger.raw_block(identity)
        if raw is None:
            raise ApiError(404, f'block not found: {to_hex(identity)}')
        return raw

    def _peers(self, request: Request) -> Response:
        near = self._ledger.status().peers
        return as_json(
            200,
            [
                objects.peer(robot, robot.name in near)
                for robot in self._ledger.fleet.robots
                if robot.name != self._ledger.name
            ],
        )

    def _peer(self, key: str) -> Response:
        for robot in self._ledger.fleet.robots:
            if robot.public_key == key and robot.name != self._ledger.name:
                near = self._ledger.status().peers
                return as_json(200, objects.peer(robot, robot.name in near))
        raise ApiError(404, f'peer not found: {key:.80}')


def _is_healthy(status: LedgerStatus) -> bool:
    """Tell whether the robot can speak; alarms about others do not keep a client away."""
    return not status.alarm.startswith(MUTE)
