"""The routes: what can be asked of the ledger, one for each question that a reader answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request, WebSocket
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response

from collab_robots import __version__
from collab_robots.core.errors import CollabError, ConfigError, StoreError, UnreachableError
from collab_robots.explorer.book import answers
from collab_robots.explorer.book.reader import Filter, MAX_DAG, MAX_PAGE, MAX_QUERY, Moment
from collab_robots.explorer.web.desk import Desk
from collab_robots.explorer.web.failure import failure
from collab_robots.explorer.web.limits import Limits
from collab_robots.explorer.web.news import Feed
from collab_robots.explorer.web.pages import Pages

API = '/api/v1'
MAX_NAME = 128  # characters of an id or name
MAX_INTERVALS = 1_000

Name = Annotated[str, Path(max_length=MAX_NAME)]
Word = Annotated[str | None, Query(max_length=MAX_NAME)]
Seconds = Annotated[float | None, Query(allow_inf_nan=False)]
Count = Annotated[int, Query(ge=1, le=MAX_PAGE)]
NextPage = Annotated[str | None, Query(alias='page', max_length=MAX_QUERY)]
Version = Annotated[int, Query(ge=0, lt=1 << 63, description='of the last overview or news')]


class Fault(BaseModel):
    """What went wrong: the HTTP status, and in words."""

    code: str
    message: str


class Failure(BaseModel):
    """What comes in place of an answer."""

    error: Fault


def _moment(
    time: Annotated[float | None, Query(allow_inf_nan=False, description='s')] = None,
    position: Annotated[int | None, Query(ge=0, description='in the final order')] = None,
) -> Moment | None:
    """Read the moment to look back to."""
    if time is not None and position is not None:
        raise ConfigError('expected time or position, got both')
    return None if time is position is None else Moment(time, position)


At = Annotated[Moment | None, Depends(_moment)]


def make_app(desk: Desk, pages: FilePath, limits: Limits) -> FastAPI:
    """
    Return the app that puts requests to a desk; it guards nothing, see :mod:`.gate`.

    :param pages: folder of the built web pages.
    """
    feed = Feed(desk, limits)

    @asynccontextmanager
    async def looking_for_news(app: FastAPI) -> AsyncIterator[None]:
        task = asyncio.ensure_future(feed.run())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    app = FastAPI(
        title="A robot's ledger",
        version=__version__,
        openapi_url='/api/openapi.json',
        docs_url=None,  # these pages would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=looking_for_news,
        exception_handlers={
            CollabError: _told,
            HTTPException: _no_route,
            RequestValidationError: _no_sense,
        },
    )
    app.include_router(_router(desk, feed))
    app.mount('/', Pages(pages))
    return app


def _router(desk: Desk, feed: Feed) -> APIRouter:
    api = APIRouter(
        prefix=API, responses={'default': {'model': Failure, 'description': 'What went wrong'}}
    )

    @api.get('/overview')
    async def overview(at: At) -> answers.Overview:
        """Say how the ledger is, or was."""
        return await desk.ask(lambda reader: reader.overview(at))

    @api.get('/blocks')
    async def blocks(
        robot: Word = None,
        kind: Word = None,
        state: answers.State | None = None,
        since: Seconds = None,
        until: Seconds = None,
        page: NextPage = None,
        limit: Count = 50,
    ) -> answers.Page[answers.Block]:
        """List blocks, newest first."""
        which = Filter(robot, kind, state, since, until)
        return await desk.ask(lambda reader: reader.blocks(which, page, limit))

    @api.get('/blocks/{identity}')
    async def block(identity: Name) -> answers.BlockDetails:
        """Tell all about a block."""
        return await desk.ask(lambda reader: reader.block(identity))

    @api.get('/dag')
    async def dag(
        around: Word = None,
        since: Seconds = None,
        until: Seconds = None,
        limit: Annotated[int, Query(ge=1, le=MAX_DAG)] = 2_000,
    ) -> answers.Dag:
        """Return a part of the DAG: the newest blocks, those of a time, or those near a block."""
        return await desk.ask(lambda reader: reader.dag(around, since, until, limit))

    @api.get('/robots')
    async def robots(at: At) -> tuple[answers.Robot, ...]:
        """Tell of all robots that are or were in the fleet."""
        return await desk.ask(lambda reader: reader.robots(at))

    @api.get('/robots/{name}')
    async def robot(name: Name, page: NextPage = None, limit: Count = 50) -> answers.RobotDetails:
        """Tell all that a robot did."""
        return await desk.ask(lambda reader: reader.robot(name, page, limit))

    @api.get('/tasks')
    async def tasks(
        at: At, state: Word = None, page: NextPage = None, limit: Count = 50
    ) -> answers.Page[answers.Task]:
        """List tasks, newest first."""
        return await desk.ask(lambda reader: reader.tasks(state, at, page, limit))

    @api.get('/tasks/{identity}')
    async def task(identity: Name, at: At) -> answers.TaskDetails:
        """Tell all about a task."""
        return await desk.ask(lambda reader: reader.task(identity, at))

    @api.get('/timeline')
    async def timeline(since: Seconds = None, until: Seconds = None) -> tuple[answers.Bar, ...]:
        """Return who had which task when, oldest first."""
        return await desk.ask(lambda reader: reader.timeline(since, until))

    @api.get('/trust')
    async def trust(at: At) -> answers.Trust:
        """Say who is trusted, and why."""
        return await desk.ask(lambda reader: reader.trust(at))

    @api.get('/models')
    async def models(at: At) -> answers.Models:
        """List models that robots serve."""
        return await desk.ask(lambda reader: reader.models(at))

    @api.get('/map')
    async def map_(at: At) -> answers.Map:
        """Return the map that the ledger knows, and who contributed what."""
        return await desk.ask(lambda reader: reader.map(at))

    @api.get('/splits')
    async def splits() -> tuple[answers.Split, ...]:
        """Say when robots did not hear one another, and how it was joined."""
        return await desk.ask(lambda reader: reader.splits())

    @api.get('/find')
    async def find(
        q: Annotated[str, Query(max_length=MAX_QUERY)], page: NextPage = None, limit: Count = 50
    ) -> answers.Found:
        """Search for ids, robots, tasks, words of calls, tags, data and times."""
        return await desk.ask(lambda reader: reader.find(q, page, limit))

    @api.get('/activity')
    async def activity(
        intervals: Annotated[int, Query(ge=1, le=MAX_INTERVALS)] = 120,
    ) -> answers.Activity:
        """Say how much happened when."""
        return await desk.ask(lambda reader: reader.activity(intervals))

    @api.get('/news')
    async def news(since: Version, limit: Count = 200) -> answers.News:
        """
        Say what changed since a version.

        A WebSocket at the same address sends such answers, each when there is something new.
        """
        return await desk.ask(lambda reader: reader.news(since, limit))

    @api.websocket('/news')
    async def follow(socket: WebSocket, since: Version) -> None:
        await feed.follow(socket, since)

    return api


async def _told(request: Request, error: Exception) -> Response:
    """Answer what a reader raised; below an id or name, what makes no sense names nothing."""
    if isinstance(error, ConfigError):
        return failure(404 if request.path_params else 400, str(error))
    if isinstance(error, UnreachableError):
        return failure(503, str(error), {'Retry-After': '1'})
    return failure(503 if isinstance(error, StoreError) else 500, str(error))


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return failure(error.status_code, f'{request.url.path:.200}: {error.detail}', error.headers)


async def _no_sense(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    wrong = '; '.join(f'{item["loc"][-1]}: {item["msg"]}' for item in error.errors())
    return failure(400, f'{wrong:.400}')
