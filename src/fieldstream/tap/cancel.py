"""Cancelling what a run is doing, wherever it does it."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class RunCancelled(asyncio.CancelledError):
    """Raised inside a cancelled run, at its next step into DSPy.

    It is no ``Exception``, so that nothing on its way takes it for a failure to retry or to answer.
    """


class Cancellation:
    """Whether a run is cancelled, and whom to interrupt when it is."""

    def __init__(self) -> None:
        self.requested = False
        self._lock = threading.Lock()
        self._event = threading.Event()
        self._interrupts: dict[int, Callable[[], None]] = {}
        self._count = 0

    def request(self) -> None:
        """Cancel: interrupt what waits now, and raise in what comes later."""
        with self._lock:
            self.requested = True
            interrupts = tuple(self._interrupts.values())
        self._event.set()
        for interrupt in interrupts:
            interrupt()

    def check(self) -> None:
        """A step into DSPy: raise ``RunCancelled`` in a cancelled run."""
        if self.requested:
            raise RunCancelled

    def sleep(self, seconds: float) -> None:
        """Sleep, but not beyond the cancel."""
        self._event.wait(seconds)
        self.check()

    def add(self, interrupt: Callable[[], None]) -> Callable[[], None]:
        """Have ``interrupt`` called, from the canceller's thread, when the run is cancelled; gives what takes it back."""
        with self._lock:
            if self.requested:
                raise RunCancelled
            self._count += 1
            key = self._count
            self._interrupts[key] = interrupt

        def remove() -> None:
            with self._lock:
                self._interrupts.pop(key, None)

        return remove

    @contextmanager
    def interrupting(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """As ``add``, for a block; what the interrupt makes fail in it comes out as ``RunCancelled``."""
        remove = self.add(interrupt)
        try:
            yield
        except Exception as error:
            if self.requested:
                raise RunCancelled from error
            raise
        finally:
            remove()


def task_interrupt(root: asyncio.Task[object] | None) -> Callable[[], None] | None:
    """What cancels the calling task, from any thread; none outside of a task, and for the run's own, which its run cancels."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return None
    if task is None or task is root:
        return None
    loop = task.get_loop()

    def interrupt() -> None:
        with suppress(RuntimeError):  # The loop was closed, and the task with it.
            loop.call_soon_threadsafe(task.cancel)

    return interrupt
