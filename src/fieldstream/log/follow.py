"""Following a log with a cursor: for a task of an event loop, and for a thread."""

import asyncio
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Generic, Protocol, TypeVar

from fieldstream.events import Event

E_co = TypeVar("E_co", covariant=True)


class Log(Protocol):
    """What a reader needs of a log."""

    @property
    def ended(self) -> bool: ...

    def read(self, after: int = -1, *, limit: int = 1024, merge: bool = False) -> list[Event]: ...

    def wait(self, after: int, wake: Callable[[], None]) -> bool: ...

    def forget(self, wake: Callable[[], None]) -> None: ...


class Follower(ABC, Generic[E_co]):
    """A reader's place in a log, from which it takes what comes."""

    def __init__(self) -> None:
        self._at_once = False

    @abstractmethod
    def take(self) -> list[E_co]:
        """What came since, without waiting; perhaps nothing."""

    @abstractmethod
    def _wait(self, wake: Callable[[], None]) -> bool: ...

    @abstractmethod
    def _forget(self, wake: Callable[[], None]) -> None: ...

    async def next(self, timeout: float | None = None) -> list[E_co]:
        """What comes next, as soon as there is any; empty only after the closing event, or after ``timeout`` seconds.

        Whoever is cancelled here has taken nothing, and may ask again.
        """
        if self._at_once:
            # It need not wait, twice in a row. A reader that never catches up must leave its loop to others, too.
            await asyncio.sleep(0)
        self._at_once = True
        until = None if timeout is None else time.monotonic() + timeout
        while not (entries := self.take()):
            self._at_once = False
            left = None if until is None else until - time.monotonic()
            if (left is not None and left <= 0) or not await ready(self._wait, self._forget, left):
                return self.take()
        return entries

    def next_blocking(self) -> list[E_co]:
        """As ``next``, for a thread."""
        while not (entries := self.take()):
            if not ready_blocking(self._wait, self._forget):
                return self.take()
        return entries


class Cursor(Follower[Event]):
    """A place in a log: the ``seq`` of the last event taken. Each reader has its own."""

    def __init__(self, log: Log, after: int = -1, *, merge: bool = False) -> None:
        super().__init__()
        self.after = after
        self._log = log
        self._merge = merge

    def take(self) -> list[Event]:
        events = self._log.read(self.after, merge=self._merge)
        if events:
            self.after = events[-1].seq
        return events

    def _wait(self, wake: Callable[[], None]) -> bool:
        return self._log.wait(self.after, wake)

    def _forget(self, wake: Callable[[], None]) -> None:
        self._log.forget(wake)

    @property
    def over(self) -> bool:
        """Whether nothing will come any more."""
        return self._log.ended and not self._log.read(self.after, limit=1)

    def follow(self) -> AsyncIterator[Event]:
        """Every event until the closing one."""
        return _Following(self)

    def follow_blocking(self) -> Iterator[Event]:
        """As ``follow``, for a thread."""
        return _FollowingBlocking(self)


class _Following(AsyncIterator[Event]):
    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._unread: list[Event] = []  # the next one last

    async def __anext__(self) -> Event:
        if not self._unread:
            self._unread[:0] = reversed(await self._cursor.next())
            if not self._unread:
                raise StopAsyncIteration
        return self._unread.pop()


class _FollowingBlocking(Iterator[Event]):
    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._unread: list[Event] = []  # the next one last

    def __next__(self) -> Event:
        if not self._unread:
            self._unread[:0] = reversed(self._cursor.next_blocking())
            if not self._unread:
                raise StopIteration
        return self._unread.pop()


Wait = Callable[[Callable[[], None]], bool]
Forget = Callable[[Callable[[], None]], None]


async def ready(wait: Wait, forget: Forget, timeout: float | None = None) -> bool:
    """Suspend the task until the ``wake`` that ``wait`` was given is called; ``False`` where ``wait`` says not to wait.

    A wake may come for nothing new (what it told of was read meanwhile): look, and wait again. So it is after
    ``timeout`` seconds, too.
    """
    waiter = _Waiter(asyncio.get_running_loop())
    if not wait(waiter.wake):
        return False
    timer = None if timeout is None else waiter.loop.call_later(timeout, waiter.arrive)
    try:
        await waiter.future
    except BaseException:
        forget(waiter.wake)
        raise
    finally:
        if timer is not None:
            timer.cancel()
            forget(waiter.wake)
    return True


class _Waiter:
    """A task that waits, to be woken once."""

    __slots__ = ("future", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.future: asyncio.Future[None] = loop.create_future()

    def wake(self) -> None:
        """From any thread."""
        try:
            if asyncio.get_running_loop() is self.loop:
                self.arrive()
                return
        except RuntimeError:
            pass  # No loop runs here.
        try:
            self.loop.call_soon_threadsafe(self.arrive)
        except RuntimeError:
            pass  # The loop was closed while its reader waited: there is nobody left to wake.

    def arrive(self) -> None:
        if not self.future.done():
            self.future.set_result(None)


def ready_blocking(wait: Wait, forget: Forget, timeout: float | None = None) -> bool:
    """As ``ready``, for a thread."""
    gate = threading.Lock()  # What an event is made of, at a fraction of its cost.
    gate.acquire()
    if not wait(gate.release):
        return False
    try:
        gate.acquire(timeout=-1 if timeout is None else timeout)
    finally:
        forget(gate.release)
    return True
