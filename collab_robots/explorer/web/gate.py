"""Who is let in: host name, origin, rates, token. It knows no route, and guards all of them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
import hmac
from http import HTTPStatus
from ipaddress import ip_address
import math
from urllib.parse import urlencode, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from collab_robots.explorer.web.failure import failure
from collab_robots.explorer.web.limits import Limits
from collab_robots.tangle.rest.limits import Budget

HEADERS = {
    'Content-Security-Policy': (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "object-src 'none'"
    ),
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
}
COOKIE_PURPOSE = b'collab-robots ledger web: cookie'


class Gate:
    """
    Passes on what may be asked, and adds the security headers to every answer.

    :param names: host names that clients may call the server by, beside any IP address. A page of
        another site that had its own name point here (DNS rebinding) comes with that name.
    :param token: that a client must bear; None: whoever reaches the server may ask.
    :param cookie: name of the one that stands for the token in a browser.
    """

    def __init__(
        self, app: ASGIApp, names: frozenset[str], token: str | None, cookie: str, limits: Limits
    ) -> None:
        self._app = app
        self._names = names
        self._token = token
        self._cookie = cookie
        self._limits = limits
        self._budget = Budget(
            limits.requests, limits.requests * limits.seconds_saved, limits.addresses
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or WebSocket (ASGI)."""

        async def send_guarded(message: Message) -> None:
            if message['type'].endswith('http.response.start'):
                headers = MutableHeaders(raw=message['headers'])
                headers.update(HEADERS)
                headers.setdefault('Cache-Control', 'no-store')
            await send(message)

        if scope['type'] == 'lifespan':
            await self._app(scope, receive, send)
        elif (refusal := self._refuse(scope)) is None:
            await self._pass(scope, receive, send_guarded)
        elif scope['type'] == 'websocket':
            await WebSocket(scope, receive, send_guarded).send_denial_response(refusal)
        else:
            await refusal(scope, receive, send_guarded)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the app answer; drop the question if the client hangs up before."""
        if scope['type'] == 'websocket':
            await self._app(scope, receive, send)
            return
        answering = asyncio.ensure_future(self._app(scope, _silence, send))
        leaving = asyncio.ensure_future(_hung_up(receive))
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not answering.done():
                answering.cancel()
            with suppress(asyncio.CancelledError):
                await answering

    def _refuse(self, scope: Scope) -> Response | None:
        """Return why a request is not let in, or what it must do first; None: it is."""
        asked = HTTPConnection(scope)
        address = asked.client.host if asked.client is not None else ''
        wait = self._budget.take(address, 1, asyncio.get_running_loop().time())
        if wait:
            seconds = math.ceil(wait)
            return failure(
                429, f'too much at once; again in {seconds} s', {'Retry-After': f'{seconds}'}
            )
        host = asked.headers.get('host', '')
        if not self._is_ours(host):
            return failure(
                HTTPStatus.MISDIRECTED_REQUEST,
                f'this is not {host!r:.80}; use the IP address, localhost or the name in --host',
            )
        origin = asked.headers.get('origin')
        if origin is not None and urlsplit(origin).netloc != host:
            return failure(403, f'not for pages of {origin!r:.80}')
        if scope['type'] == 'http' and scope['method'] != 'GET':
            return failure(405, f'{scope["method"]:.20}: expected GET', {'Allow': 'GET'})
        if asked.headers.get('content-length', '0') != '0' or 'transfer-encoding' in asked.headers:
            return failure(413, 'expected a request without body', {'Connection': 'close'})
        if len(scope['raw_path']) + len(scope['query_string']) > self._limits.target:
            return failure(
                414, f'path and query have at most {self._limits.target} bytes together'
            )
        return None if self._token is None else self._check_token(asked, self._token)

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f'//{host}').hostname or ''
            if name in self._names:
                return True
            ip_address(name)
        except ValueError:
            return False
        return True

    def _check_token(self, asked: HTTPConnection, token: str) -> Response | None:
        cookie = hmac.new(token.encode(), COOKIE_PURPOSE, 'sha256').hexdigest()
        query = asked.query_params
        if asked.scope['type'] == 'http' and _is_same(query.get('token', ''), token):
            rest = urlencode([pair for pair in query.multi_items() if pair[0] != 'token'])
            path = '/' + asked.scope['raw_path'].decode('ascii').lstrip('/')
            answer = Response(status_code=303, headers={'Location': f'{path}?{rest}'.rstrip('?')})
            answer.set_cookie(self._cookie, cookie, httponly=True, samesite='strict')
            return answer
        scheme, _, borne = asked.headers.get('authorization', '').partition(' ')
        if scheme.lower() == 'bearer' and _is_same(borne.strip(), token):
            return None
        if _is_same(asked.cookies.get(self._cookie, ''), cookie):
            return None
        return failure(
            401,
            'expected Authorization: Bearer TOKEN, or in a browser once ?token=TOKEN',
            {'WWW-Authenticate': 'Bearer'},
        )


def _is_same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode('utf-8', 'surrogateescape'), expected.encode())


async def _silence() -> Message:
    """Stand for what a client sends after a request's head: nothing."""
    nothing: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
    return await nothing


async def _hung_up(receive: Receive) -> None:
    """Return when the client has closed the connection."""
    while (await receive())['type'] != 'http.disconnect':
        pass
