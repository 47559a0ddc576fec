"""Requests and answers as plain values, without sockets."""

from __future__ import annotations

from collections.abc import Mapping
import json
from typing import Any, NamedTuple

JSON = 'application/json'
BINARY = 'application/vnd.iota.serializer-v1'


class Request(NamedTuple):
    """
    An HTTP request.

    :param method: in capitals.
    :param path: without query.
    :param headers: names in small letters.
    :param body: whole.
    """

    method: str
    path: str
    headers: Mapping[str, str] = {}
    body: bytes = b''

    @property
    def content_type(self) -> str:
        """The media type of the body, without its parameters."""
        return self.headers.get('content-type', '').partition(';')[0].strip().lower()

    def accepts(self, media_type: str) -> bool:
        """Tell whether a media type is named among those that the client asks for."""
        asked = self.headers.get('accept', '').lower().split(',')
        return any(entry.partition(';')[0].strip() == media_type for entry in asked)


class Response(NamedTuple):
    """An HTTP answer; its body is of type ``content_type``, if there is one."""

    status: int
    body: bytes = b''
    content_type: str = JSON
    headers: Mapping[str, str] = {}


def as_json(status: int, value: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with a JSON value."""
    return Response(status, json.dumps(value).encode(), JSON, headers or {})


def as_error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with the error object of TIP-25; its code is a string, as HORNET sends it."""
    return as_json(status, {'error': {'code': str(status), 'message': message}}, headers)


class ApiError(Exception):
    """
    A request that cannot be fulfilled.

    :param status: of the answer.
    :param message: what was expected and what came.
    :param headers: of the answer.
    """

    def __init__(
        self, status: int, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.response = as_error(status, message, headers)
