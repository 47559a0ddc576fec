"""Refusals as HTTP answers."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from collab_robots.tangle.rest.messages import as_error


def failure(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with the error object that robots' own REST API has, too."""
    told = as_error(status, message, headers)
    return Response(told.body, told.status, dict(told.headers), told.content_type)
