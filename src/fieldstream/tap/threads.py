"""The threads that synchronous programs run in.

One thread a run, as many as are needed up to a limit: a run whose readers stall holds up no other. They are daemons, so
that a program which does not end cannot keep the process alive.

Touches of AnyIO: ``claim_worker_thread``, which makes ``anyio.from_thread.run`` work in a thread. Programs, tools and LMs
that write to ``settings.send_stream`` use it.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any


class ThreadLimit:
    """How many threads may run programs at once; whoever comes later waits for its turn."""

    def __init__(self, limit: int) -> None:
        self._condition = threading.Condition()
        self._running = 0
        self._waiting: list[Callable[[], None]] = []
        self.limit = limit

    def start(self, work: Callable[[], None]) -> None:
        """Run ``work`` in a thread of its own, now or when there is room."""
        with self._condition:
            if self._running >= self.limit:
                self._waiting.append(work)
                return
            self._running += 1
        self._spawn(work)

    def set_limit(self, limit: int) -> None:
        """Change the limit; what waits and now has room starts."""
        ready: list[Callable[[], None]] = []
        with self._condition:
            self.limit = limit
            while self._waiting and self._running < self.limit:
                ready.append(self._waiting.pop(0))
                self._running += 1
        for work in ready:
            self._spawn(work)

    def _spawn(self, work: Callable[[], None]) -> None:
        threading.Thread(target=self._run, args=(work,), name="fieldstream program", daemon=True).start()

    def _run(self, work: Callable[[], None] | None) -> None:
        while work is not None:
            try:
                work()
            finally:
                with self._condition:
                    if self._waiting and self._running <= self.limit:
                        work = self._waiting.pop(0)
                    else:
                        work = None
                        self._running -= 1


threads = ThreadLimit(1000)


@lru_cache(maxsize=1)
def background_loop() -> asyncio.AbstractEventLoop:
    """A loop of our own, for what a program's thread hands to a loop while its reader has none."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="fieldstream loop", daemon=True).start()
    return loop


def as_anyio_worker(loop: asyncio.AbstractEventLoop) -> AbstractContextManager[Any]:
    """Make the calling thread one from which ``anyio.from_thread.run`` reaches the loop."""
    try:
        from anyio._backends._asyncio import AsyncIOBackend
        from anyio._core._eventloop import claim_worker_thread

        return claim_worker_thread(AsyncIOBackend, loop)
    except (ImportError, TypeError):
        # Another AnyIO: sending from synchronous code then fails as it does in any other thread.
        return nullcontext()
