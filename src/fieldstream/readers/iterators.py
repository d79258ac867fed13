"""Iterators over what an assembler makes of a run's events: for tasks, and for threads.

They are no generators: where an ``anext`` was cancelled the next goes on, and one that is dropped needs no closing.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

from fieldstream.log import Follower

Entry = TypeVar("Entry")
Entry_contra = TypeVar("Entry_contra", contravariant=True)
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Assembler(Protocol[Entry_contra, T_co]):
    """Makes of events, one after the other, what a reader asked for."""

    ended: bool

    def feed(self, events: Iterable[Entry_contra], /) -> Sequence[T_co]: ...


class Pieces(AsyncIterator[T], Generic[Entry, T]):
    """What an assembler makes of the events, piece by piece; then the program's exception, if it raised one."""

    def __init__(self, cursor: Follower[Entry], assembler: Assembler[Entry, T], end: Callable[[], None]) -> None:
        self._cursor = cursor
        self._assembler = assembler
        self._end = end
        self._unread: list[T] = []  # the next one last

    async def __anext__(self) -> T:
        while not self._unread:
            if self._assembler.ended:
                self._end()
                raise StopAsyncIteration
            self._unread[:0] = reversed(self._assembler.feed(await self._cursor.next()))
        return self._unread.pop()


class PiecesBlocking(Iterator[T], Generic[Entry, T]):
    """As ``Pieces``, for a thread."""

    def __init__(self, cursor: Follower[Entry], assembler: Assembler[Entry, T], end: Callable[[], None]) -> None:
        self._cursor = cursor
        self._assembler = assembler
        self._end = end
        self._unread: list[T] = []  # the next one last

    def __next__(self) -> T:
        while not self._unread:
            if self._assembler.ended:
                self._end()
                raise StopIteration
            self._unread[:0] = reversed(self._assembler.feed(self._cursor.next_blocking()))
        return self._unread.pop()


class Latest(Protocol[Entry_contra, T_co]):
    """Makes of events what there is to see, which later events may take the place of before it is looked at."""

    ended: bool

    @property
    def news(self) -> bool:
        """Whether ``take`` has something that was not taken before."""
        ...

    def feed(self, events: Iterable[Entry_contra], /) -> None: ...

    def take(self) -> T_co: ...


class _Values(Generic[Entry, T]):
    """What both kinds of reader share: the pace, and what there is without waiting."""

    def __init__(
        self,
        cursor: Follower[Entry],
        assembler: Latest[Entry, T],
        end: Callable[[], None],
        interval: float,
        clock: Callable[[], float],
    ) -> None:
        if not 0 <= interval < math.inf:
            raise ValueError(f"interval is {interval}; it must be a number of seconds, 0 or more")
        self._cursor = cursor
        self._assembler = assembler
        self._end = end
        self._interval = interval
        self._clock = clock
        self._next_at = -math.inf

    def _look(self) -> float | None:
        """Read what came meanwhile. How long to wait until something is to be seen; ``None``: it has yet to come."""
        while entries := self._cursor.take():
            self._assembler.feed(entries)
        if not self._assembler.news:
            return None
        return max(self._next_at - self._clock(), 0.0) if self._interval else 0.0

    def _take(self) -> T:
        if self._interval:
            self._next_at = self._clock() + self._interval
        return self._assembler.take()


class Values(_Values[Entry, T], AsyncIterator[T]):
    """What there is to see, each time that it is asked for; then the program's exception, if it raised one.

    Two come at least ``interval`` seconds apart. In that time, and as long as nobody asks, the run goes on unread.
    """

    def __init__(
        self,
        cursor: Follower[Entry],
        assembler: Latest[Entry, T],
        end: Callable[[], None],
        interval: float = 0.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        super().__init__(cursor, assembler, end, interval, clock)
        self._sleep = sleep
        self._at_once = False

    async def __anext__(self) -> T:
        if self._at_once:
            # The last one was there at once. A reader that never catches up must leave its loop to others, too.
            await asyncio.sleep(0)
        self._at_once = True
        while (pause := self._look()) != 0:
            self._at_once = False
            if pause is not None:
                await self._sleep(pause)
            elif self._assembler.ended:
                self._end()
                raise StopAsyncIteration
            else:
                self._assembler.feed(await self._cursor.next())
        return self._take()


class ValuesBlocking(_Values[Entry, T], Iterator[T]):
    """As ``Values``, for a thread."""

    def __init__(
        self,
        cursor: Follower[Entry],
        assembler: Latest[Entry, T],
        end: Callable[[], None],
        interval: float = 0.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        super().__init__(cursor, assembler, end, interval, clock)
        self._sleep = sleep

    def __next__(self) -> T:
        while (pause := self._look()) != 0:
            if pause is not None:
                self._sleep(pause)
            elif self._assembler.ended:
                self._end()
                raise StopIteration
            else:
                self._assembler.feed(self._cursor.next_blocking())
        return self._take()
