"""What happens once, and those who wait for it: tasks of any loop, and threads."""

import threading
import time
from collections.abc import Callable

from fieldstream.log.follow import ready, ready_blocking


class Latch:
    """It is set once and stays so. Any thread may set it and look at it; who waits is woken where it waits.

    A run has two, and a ``concurrent.futures.Future`` takes several times as much memory.
    """

    __slots__ = ("_lock", "_waiters", "is_set")

    def __init__(self) -> None:
        self.is_set = False
        # Reentrant: whoever is collected may set it, from wherever that happens.
        self._lock = threading.RLock()
        self._waiters: list[Callable[[], None]] = []

    def set(self) -> None:
        """It has happened. Once more changes nothing."""
        with self._lock:
            self.is_set = True
            waiters, self._waiters = self._waiters, []
        for wake in waiters:
            wake()

    async def wait(self, timeout: float | None = None) -> bool:
        """Wait, at most ``timeout`` seconds; whether it has happened."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.is_set and (left := _left(deadline)) != 0:
            await ready(self._wait, self._forget, left)
        return self.is_set

    def wait_blocking(self, timeout: float | None = None) -> bool:
        """As ``wait``, for a thread."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.is_set and (left := _left(deadline)) != 0:
            ready_blocking(self._wait, self._forget, left)
        return self.is_set

    def _wait(self, wake: Callable[[], None]) -> bool:
        with self._lock:
            if not self.is_set:
                self._waiters.append(wake)
            return not self.is_set

    def _forget(self, wake: Callable[[], None]) -> None:
        with self._lock:
            if wake in self._waiters:
                self._waiters.remove(wake)


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(deadline - time.monotonic(), 0.0)
