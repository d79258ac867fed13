"""The threads that synchronous programs run in.

One thread a run, as many as are needed up to a limit: a run whose readers stall holds up no other. They are daemons, so
that a program which does not end cannot keep the process alive.

Touches of AnyIO: ``claim_worker_thread``, which makes ``anyio.from_thread.run`` work in a thread. Programs, tools and
LMs that write to ``settings.send_stream`` use it.
"""

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any


class ThreadLimit:
    """How many threads may run programs at once; whoever comes later waits for its turn."""

    def __init__(self, limit: int) -> None:
        # Reentrant: whoever is collected may cancel a run, from wherever that happens.
        self._lock = threading.RLock()
        self._running = 0
        self._waiting: deque[Callable[[], None]] = deque()
        self.limit = limit

    def start(self, work: Callable[[], None]) -> None:
        """Run ``work`` in a thread of its own, now or when there is room.

        Raises ``RuntimeError`` where the system has no room for a thread.
        """
        with self._lock:
            self._waiting.append(work)
        try:
            self._start_waiting()
        except RuntimeError:
            self.withdraw(work)
            raise

    def withdraw(self, work: Callable[[], None]) -> bool:
        """Take back what still waits; ``False``: it does not."""
        with self._lock:
            if work not in self._waiting:
                return False
            self._waiting.remove(work)
            return True

    def set_limit(self, limit: int) -> None:
        """Change the limit; what waits and now has room starts."""
        if limit < 1:
            raise ValueError(f"limit is {limit!r}; at least one thread is needed")
        with self._lock:
            self.limit = limit
        self._start_waiting()

    def _start_waiting(self) -> None:
        while True:
            with self._lock:
                if not self._waiting or self._running >= self.limit:
                    return
                work = self._waiting.popleft()
                self._running += 1
            thread = threading.Thread(target=self._run, args=(work,), name="fieldstream program", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                with self._lock:
                    self._running -= 1
                    self._waiting.appendleft(work)
                raise

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            with self._lock:
                self._running -= 1
            self._start_waiting()


threads = ThreadLimit(1000)

_background_loop: asyncio.AbstractEventLoop | None = None
_background_lock = threading.Lock()


def background_loop() -> asyncio.AbstractEventLoop:
    """A loop of our own, for what a program's thread hands to a loop while its reader has none."""
    global _background_loop
    with _background_lock:
        if _background_loop is None:
            _background_loop = asyncio.new_event_loop()
            threading.Thread(target=_background_loop.run_forever, name="fieldstream loop", daemon=True).start()
        return _background_loop


def _after_fork() -> None:
    # The thread that ran the loop is not in the child.
    global _background_loop, _background_lock
    _background_loop = None
    _background_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def as_anyio_worker(loop: asyncio.AbstractEventLoop) -> AbstractContextManager[Any]:
    """Make the calling thread one from which ``anyio.from_thread.run`` reaches the loop."""
    try:
        from anyio._backends._asyncio import AsyncIOBackend
        from anyio._core._eventloop import claim_worker_thread

        return claim_worker_thread(AsyncIOBackend, loop)
    except (ImportError, TypeError):
        # Another AnyIO: sending from synchronous code then fails as it does in any other thread.
        return nullcontext()
