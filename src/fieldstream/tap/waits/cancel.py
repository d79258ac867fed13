"""Cancelling what a run is doing, wherever it does it."""

import asyncio
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any


class RunCancelled(asyncio.CancelledError):
    """Raised inside a cancelled run, at its next step into DSPy.

    It is no ``Exception``, so that nothing on its way takes it for a failure to retry or to answer.
    """


class Cancellation:
    """Whether a run is cancelled, and whom to interrupt when it is."""

    def __init__(self) -> None:
        self.requested = False
        # Reentrant: whoever is collected may cancel, from wherever that happens.
        self._lock = threading.RLock()
        self._interrupts: dict[int, Callable[[], None]] = {}
        self._count = 0

    def request(self) -> bool:
        """Cancel: interrupt what waits now, and raise in what comes later. ``False``: it was requested before."""
        with self._lock:
            if self.requested:
                return False
            self.requested = True
            interrupts = tuple(self._interrupts.values())
        for interrupt in interrupts:
            interrupt()
        return True

    def check(self) -> None:
        """A step into DSPy: raise ``RunCancelled`` in a cancelled run."""
        if self.requested:
            raise RunCancelled

    def sleep(self, seconds: float) -> None:
        """Sleep, but not beyond the cancel."""
        awake = threading.Event()
        with self.interrupting(awake.set):
            awake.wait(seconds)
        self.check()

    def add(self, interrupt: Callable[[], None]) -> Callable[[], None]:
        """Have ``interrupt`` called, in the canceller's thread, when the run is cancelled; gives what takes it back."""
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
    def interrupting(self, interrupt: Callable[[], None]) -> Generator[None]:
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

    @contextmanager
    def cancelling_task(self) -> Generator[None]:
        """For a block of a task: that task is cancelled when the run is."""
        interrupt = task_interrupt(None)
        remove = self.add(interrupt) if interrupt is not None else None
        try:
            yield
        finally:
            if remove is not None:
                remove()


def task_interrupt(root: asyncio.Task[object] | None) -> Callable[[], None] | None:
    """What cancels the calling task, from any thread; none outside of a task, and for the root, whose run does it."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return None
    if task is None or task is root:
        return None
    return partial(cancel_task, task)


def cancel_task(task: asyncio.Task[Any]) -> None:
    """Cancel a task, from any thread."""
    loop = task.get_loop()
    try:
        if asyncio.get_running_loop() is loop:
            task.cancel()
            return
    except RuntimeError:
        pass
    with suppress(RuntimeError):  # The loop was closed, and the task with it.
        loop.call_soon_threadsafe(task.cancel)
