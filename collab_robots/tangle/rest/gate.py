"""Who is let in: token for writes, request rates, body sizes. It knows no route."""

from __future__ import annotations

import hmac
import math

from collab_robots.tangle.rest.limits import Budget, Limits
from collab_robots.tangle.rest.messages import as_error, Request, Response


class Gate:
    """
    Decides by a request's head whether the ledger gets to see it.

    :param token: that a write must bear; None: nothing can be written.
    """

    def __init__(self, token: str | None, limits: Limits) -> None:
        self._token = token.encode() if token is not None else None
        self._limits = limits
        self._budgets = {
            write: Budget(rate, rate * limits.seconds_saved, limits.addresses)
            for write, rate in ((False, limits.reads), (True, limits.writes))
        }

    def refuse(self, request: Request, address: str, now: float) -> Response | None:
        """
        Return why a request is not let in; None: it is.

        :param request: its body need not be there yet.
        :param address: of the client.
        :param now: s, of a clock that does not go back.
        """
        write = request.method not in ('GET', 'HEAD')
        wait = self._budgets[write].take(address, 1, now)
        if wait:
            return too_many(wait)
        if write and (refusal := self._check_token(request)) is not None:
            return refusal
        length = request.headers.get('content-length', '0')
        if length.isascii() and length.isdigit() and int(length[:12]) > self._limits.body:
            return too_large(self._limits)
        return None

    def _check_token(self, request: Request) -> Response | None:
        if self._token is None:
            return as_error(403, 'this node takes no blocks from clients: it has no token file')
        scheme, _, token = request.headers.get('authorization', '').partition(' ')
        if scheme.lower() == 'bearer' and hmac.compare_digest(
            token.strip().encode('utf-8', 'surrogateescape'), self._token
        ):
            return None
        return as_error(
            401, 'expected Authorization: Bearer TOKEN', {'WWW-Authenticate': 'Bearer'}
        )


def too_many(wait: float) -> Response:
    """Answer that a client must wait, s."""
    seconds = math.ceil(wait)
    return as_error(429, f'too much at once; again in {seconds} s', {'Retry-After': f'{seconds}'})


def too_large(limits: Limits) -> Response:
    """Answer that a body is too large."""
    return as_error(413, f'a body has at most {limits.body} bytes')
