"""Iterators over what an assembler makes of a run's events: for tasks, and for threads.

They are no generators: where an ``anext`` was cancelled the next goes on, and one that is dropped needs no closing.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, Generic, Protocol, TypeVar

from fieldstream.log import Follower

Entry = TypeVar("Entry")
Entry_contra = TypeVar("Entry_contra", contravariant=True)
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Assembler(Protocol[Entry_contra, T_co]):
    """Makes of events, one after the other, what a reader asked for."""

    ended: bool

    def feed(self, events: Iterable[Entry_contra], /) -> Iterable[T_co]: ...


class Pieces(AsyncIterator[T], Generic[Entry, T]):
    """What an assembler makes of the events, piece by piece; then the program's exception, if it raised one."""

    def __init__(self, cursor: Follower[Entry], assembler: Assembler[Entry, T], end: Callable[[], None]) -> None:
        self._cursor = cursor
        self._assembler = assembler
        self._end = end
        self._unread: deque[T] = deque()

    async def __anext__(self) -> T:
        while not self._unread:
            if self._assembler.ended:
                self._end()
                raise StopAsyncIteration
            self._unread.extend(self._assembler.feed(await self._cursor.next()))
        return self._unread.popleft()


class PiecesBlocking(Iterator[T], Generic[Entry, T]):
    """As ``Pieces``, for a thread."""

    def __init__(self, cursor: Follower[Entry], assembler: Assembler[Entry, T], end: Callable[[], None]) -> None:
        self._cursor = cursor
        self._assembler = assembler
        self._end = end
        self._unread: deque[T] = deque()

    def __next__(self) -> T:
        while not self._unread:
            if self._assembler.ended:
                self._end()
                raise StopIteration
            self._unread.extend(self._assembler.feed(self._cursor.next_blocking()))
        return self._unread.popleft()


class Latest(Protocol[Entry_contra]):
    """Makes of events what there is to see, which later events may take the place of before it is looked at."""

    ended: bool

    @property
    def news(self) -> bool:
        """Whether ``take`` has something."""
        ...

    def feed(self, events: Iterable[Entry_contra], /) -> None: ...

    def take(self) -> list[Any]: ...


class _Values(Generic[Entry]):
    """What both kinds of reader share: the time, and what there is without waiting."""

    def __init__(
        self, cursor: Follower[Entry], assembler: Latest[Entry], end: Callable[[], None], interval: float
    ) -> None:
        if interval < 0:
            raise ValueError(f"interval is {interval}; it must be a number of seconds, 0 or more")
        self._cursor = cursor
        self._assembler = assembler
        self._end = end
        self._interval = interval
        self._next_at = 0.0
        self._unread: deque[Any] = deque()

    def _take(self) -> float:
        """Take what there is to see now; or give the time to wait before that."""
        while entries := self._cursor.take():
            self._assembler.feed(entries)
        if self._assembler.news and not self._unread:
            if self._interval and (early := self._next_at - time.monotonic()) > 0:
                return early
            self._unread.extend(self._assembler.take())
        return 0.0

    def _given(self) -> Any:
        if self._interval:
            self._next_at = time.monotonic() + self._interval
        return self._unread.popleft()


class Values(_Values[Entry], AsyncIterator[Any]):
    """What there is to see, each time that it is asked for; then the program's exception, if it raised one."""

    async def __anext__(self) -> Any:
        while not self._unread:
            if early := self._take():
                await asyncio.sleep(early)
            elif not self._unread:
                if self._assembler.ended:
                    self._end()
                    raise StopAsyncIteration
                self._assembler.feed(await self._cursor.next())
        if (early := self._next_at - time.monotonic()) > 0:
            await asyncio.sleep(early)
        return self._given()


class ValuesBlocking(_Values[Entry], Iterator[Any]):
    """As ``Values``, for a thread."""

    def __next__(self) -> Any:
        while not self._unread:
            if early := self._take():
                time.sleep(early)
            elif not self._unread:
                if self._assembler.ended:
                    self._end()
                    raise StopIteration
                self._assembler.feed(self._cursor.next_blocking())
        if (early := self._next_at - time.monotonic()) > 0:
            time.sleep(early)
        return self._given()
