"""An asyncio event loop in a thread of its own, for code that must not wait for sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
import threading
from typing import Any

Service = Callable[[], AbstractAsyncContextManager[None]]


class LoopThread:
    """
    Runs a loop from :meth:`start` to :meth:`close`.

    :param name: of the thread.
    :param service: makes what is entered, in the loop, at the start, and left at the end.
    """

    loop: asyncio.AbstractEventLoop

    def __init__(self, name: str, service: Service) -> None:
        self._service = service
        self._entered = AsyncExitStack()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Run the loop; returns when the service is entered, or raises what that raises."""
        self.loop = asyncio.new_event_loop()
        self._thread.start()
        self._await(self._entered.enter_async_context(self._service()))

    def close(self) -> None:
        """Leave the service and stop the loop, if it runs."""
        if self._thread.is_alive():
            self._await(self._entered.aclose())
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()

    def _run(self) -> None:
        self.loop.run_forever()
        self.loop.close()

    def _await(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self.loop).result()
