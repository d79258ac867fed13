"""Following a log with a cursor: for a task of an event loop, and for a thread."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Protocol

from fieldstream.events import Event


class Log(Protocol):
    """What a reader needs of a log."""

    @property
    def ended(self) -> bool: ...

    def read(self, after: int = -1, *, limit: int = 1024, merge: bool = False) -> list[Event]: ...

    def wait(self, after: int, wake: Callable[[], None]) -> bool: ...

    def forget(self, wake: Callable[[], None]) -> None: ...


class Cursor:
    """A place in a log: the ``seq`` of the last event taken. Each reader has its own."""

    def __init__(self, log: Log, after: int = -1, *, merge: bool = False) -> None:
        self.after = after
        self._log = log
        self._merge = merge

    def take(self) -> list[Event]:
        """What came since, without waiting; perhaps nothing."""
        events = self._log.read(self.after, merge=self._merge)
        if events:
            self.after = events[-1].seq
        return events

    async def next(self) -> list[Event]:
        """What comes next, as soon as there is any; empty only after the closing event."""
        while not (events := self.take()):
            if not await ready(lambda wake: self._log.wait(self.after, wake), self._log.forget):
                return self.take()
        return events

    def next_blocking(self) -> list[Event]:
        """As ``next``, for a thread."""
        while not (events := self.take()):
            if not ready_blocking(lambda wake: self._log.wait(self.after, wake), self._log.forget):
                return self.take()
        return events

    async def follow(self) -> AsyncIterator[Event]:
        """Every event until the closing one."""
        while events := await self.next():
            for event in events:
                yield event

    def follow_blocking(self) -> Iterator[Event]:
        """As ``follow``, for a thread."""
        while events := self.next_blocking():
            yield from events


Wait = Callable[[Callable[[], None]], bool]
Forget = Callable[[Callable[[], None]], None]


async def ready(wait: Wait, forget: Forget) -> bool:
    """Suspend the task until the ``wake`` that ``wait`` was given is called; ``False`` where ``wait`` says not to wait.

    A wake may come for nothing new (what it told of was read meanwhile): look, and wait again.
    """
    loop = asyncio.get_running_loop()
    home = threading.get_ident()
    future = loop.create_future()

    def arrive() -> None:
        if not future.done():
            future.set_result(None)

    def wake() -> None:
        if threading.get_ident() == home:
            arrive()
        else:
            # The reader's loop may have been closed while it waited: then there is nobody left to wake.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(arrive)

    if not wait(wake):
        return False
    try:
        await future
    finally:
        forget(wake)
    return True


def ready_blocking(wait: Wait, forget: Forget) -> bool:
    """As ``ready``, for a thread."""
    arrived = threading.Event()
    if not wait(arrived.set):
        return False
    try:
        arrived.wait()
    finally:
        forget(arrived.set)
    return True
