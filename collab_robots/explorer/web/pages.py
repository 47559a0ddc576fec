"""The web pages: built files, and for the addresses within the single page, that page."""

from __future__ import annotations

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).parent / 'static'
NOT_BUILT = """\
The web pages are not built.

They come with the wheel. In a checkout, install npm and run:

    python3 scripts/build_frontend.py

The REST API works without them: /api/openapi.json lists what it answers.
"""


class Pages(StaticFiles):
    """
    Serves the files below a folder.

    :param folder: need not exist; then a page says what to do.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder, check_dir=False)

    async def check_config(self) -> None:
        """Take it as it is: the folder need not be there."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file; where there is none, the single page, which knows its own addresses."""
        for candidate in (path, 'index.html'):
            try:
                response = await super().get_response(candidate, scope)
            except HTTPException as error:
                if error.status_code != 404 or path.partition('/')[0] in ('api', 'assets'):
                    raise
            else:
                response.headers['Cache-Control'] = 'no-cache'
                return response
        return PlainTextResponse(NOT_BUILT, 404)
