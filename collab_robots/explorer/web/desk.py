"""Where questions wait for the reader: it is not for several threads, so one owns it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
import logging
from queue import SimpleQueue
from threading import BoundedSemaphore
from typing import Any, TypeVar

from collab_robots.core.errors import CollabError, UnreachableError
from collab_robots.explorer.book.reader import Reader
from collab_robots.explorer.web.limits import Limits

log = logging.getLogger(__name__)

Answer = TypeVar('Answer')
Question = Callable[[Reader], Answer]


class Desk:
    """Takes questions in the server's event loop; who owns the reader answers them."""

    def __init__(self, limits: Limits) -> None:
        self._seconds = limits.answer
        self._room = BoundedSemaphore(limits.questions)
        self._waiting: SimpleQueue[tuple[Question[Any], Future[Any]] | None] = SimpleQueue()

    async def ask(self, question: Question[Answer]) -> Answer:
        """
        Return the answer; a question whose asker is cancelled before its turn is never asked.

        :raises UnreachableError: if too many wait, or it takes too long.
        :raises CollabError: what the reader raises.
        """
        if not self._room.acquire(blocking=False):
            raise UnreachableError('too many questions wait')
        answer: Future[Answer] = Future()
        answer.add_done_callback(lambda _: self._room.release())
        self._waiting.put((question, answer))
        try:
            return await asyncio.wait_for(asyncio.wrap_future(answer), self._seconds)
        except asyncio.TimeoutError:
            raise UnreachableError(f'no answer within {self._seconds:g} s') from None

    def serve(self, reader: Reader) -> None:
        """Answer what is asked until :meth:`close`, in the reader's thread."""
        while (job := self._waiting.get()) is not None:
            question, answer = job
            if not answer.set_running_or_notify_cancel():
                continue
            try:
                said = question(reader)
            except CollabError as error:
                answer.set_exception(error)
            except Exception:  # the border: one question must not stop the server
                log.exception('a question failed')
                answer.set_exception(CollabError('internal error'))
            else:
                answer.set_result(said)

    def close(self) -> None:
        """End :meth:`serve`, from any thread."""
        self._waiting.put(None)
