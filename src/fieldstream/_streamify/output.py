"""What a wrapped program gives: one run's values, for one consumer, to ``async for`` or to ``for``.

Leaving the loop ends the run, also where the consumer keeps the stream itself: each loop has an iterator of its own,
which is dropped when the loop is left. Asking the stream itself (``anext(stream)``, ``next(stream)``) leaves nothing
behind, so that a first value can be taken before a loop takes the rest.
"""

from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import Any

from fieldstream._errors import RunCancelledError
from fieldstream._run import Execution, Launch
from fieldstream._streamify.listener import Listening
from fieldstream._streamify.queue import ValueQueue
from fieldstream.log import ready, ready_blocking


class _Output:
    """What both kinds of stream share: one run, its values, and its end."""

    _execution: Execution | None = None

    def __init__(self, launch: Launch, provider: object, listening: Listening, *, include_final: bool) -> None:
        self._queue = ValueQueue(listening.fields)
        self._include_final = include_final
        self._unread: deque[Any] = deque()
        self._started = False
        self._complete = False
        self._left = False
        self._loops = 0
        self._error: BaseException | None = None
        self._execution = Execution(launch, self._queue, provider, names=listening.names)

    def _begin(self) -> bool:
        """Before a value is asked for: whether the run is yet to be started."""
        if self._left:
            raise RunCancelledError(
                "this stream was left before its end, which ended its run; call the wrapped program again for another, "
                "or read it in several loops by one iterator that you keep: aiter(stream), or iter(stream)"
            )
        first, self._started = not self._started, True
        return first and not self._complete

    def _ready(self) -> bool:
        """Whether the next value is here, or the end; if not, wait."""
        if not self._unread and not self._complete:
            ended = self._queue.ended  # asked first: so what was said before the end is taken with it
            self._unread.extend(self._queue.take())
            if ended:
                self._finish()
        return bool(self._unread) or self._complete

    def _finish(self) -> None:
        self._complete = True
        if self._execution is not None:
            self._error = self._execution.error
            if self._execution.outcome == "completed" and self._has_final():
                self._unread.append(self._execution.result(""))

    def _has_final(self) -> bool:
        return self._include_final or self._queue.cached or not self._queue.caught

    def _raise(self) -> None:
        """Nothing is left to read: the program's exception comes now, once."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _close(self) -> bool:
        """The consumer is gone, and without one the run has no purpose; ``False``: it needed none any more."""
        self._unread.clear()
        self._error = None
        gone, self._complete = self._started and not self._complete, True
        if gone and self._execution is not None:
            self._execution.cancel()
        return gone

    def loop(self) -> int:
        """A loop begins: its number."""
        self._loops += 1
        return self._loops

    def drop(self, loop: int) -> None:
        """A loop was left. If it was the newest, and not at its end, that is how the consumer leaves."""
        if loop == self._loops and self._started and (self._unread or not self._complete):
            self._left = True
            self._close()

    def __del__(self) -> None:
        if self._execution is not None:
            self._close()


class AsyncOutput(_Output, AsyncIterator[Any]):
    """The stream of a wrapped program's call. Its run begins when the first value is asked for.

    It is read once. Leaving an ``async for`` early ends the run, and reading on after that raises
    ``RunCancelledError``. ``aclose()`` ends the run, too; after it nothing more comes.
    """

    def __aiter__(self) -> AsyncIterator[Any]:
        return _AsyncLoop(self)

    async def __anext__(self) -> Any:
        if self._begin() and self._execution is not None:
            self._execution.start_in_loop()
        while not self._ready():
            await ready(self._queue.wait, self._queue.forget)
        if self._unread:
            return self._unread.popleft()
        self._raise()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Leave: end the run, if it goes on. Nothing more comes."""
        if self._close() and self._execution is not None:
            await self._execution.leave()


class SyncOutput(_Output, Iterator[Any]):
    """As ``AsyncOutput``, for threads: ``for``, ``next()`` and ``close()``."""

    def __iter__(self) -> Iterator[Any]:
        return _Loop(self)

    def __next__(self) -> Any:
        if self._begin() and self._execution is not None:
            self._execution.start_in_thread()
            self._execution.release()
        while not self._ready():
            ready_blocking(self._queue.wait, self._queue.forget)
        if self._unread:
            return self._unread.popleft()
        self._raise()
        raise StopIteration

    def close(self) -> None:
        """Leave: end the run, if it goes on. Nothing more comes."""
        if self._close() and self._execution is not None:
            self._execution.leave_blocking()


class _AsyncLoop(AsyncIterator[Any]):
    """One ``async for`` over a stream."""

    def __init__(self, output: AsyncOutput) -> None:
        self._output = output
        self._number = output.loop()

    async def __anext__(self) -> Any:
        return await self._output.__anext__()

    async def aclose(self) -> None:
        """Leave: end the run, if it goes on."""
        await self._output.aclose()

    def __del__(self) -> None:
        self._output.drop(self._number)


class _Loop(Iterator[Any]):
    """One ``for`` over a stream."""

    def __init__(self, output: SyncOutput) -> None:
        self._output = output
        self._number = output.loop()

    def __next__(self) -> Any:
        return next(self._output)

    def close(self) -> None:
        """Leave: end the run, if it goes on."""
        self._output.close()

    def __del__(self) -> None:
        self._output.drop(self._number)
