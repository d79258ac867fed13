"""Reading a run through transforms: a cursor as any other, and a watch that needs no reader."""

import asyncio
import math
import sys
import time
from collections.abc import Callable, Sequence

from fieldstream.events import Event, Failure, RunEnded
from fieldstream.log import Cursor, Log, ready, ready_blocking
from fieldstream.transforms import Pipeline, Transform, merged


class TransformedCursor(Cursor):
    """A place in what transforms make of a log.

    Its ``seq`` counts their events. It reads the log from the beginning, whatever it is to give, and hears of the run's
    end, too, when the transforms let it pass. ``stop`` is called when one of them stops the run. Without being
    ``paced``, nothing waits for its time.
    """

    def __init__(
        self,
        log: Log,
        transforms: Sequence[Transform],
        stop: Callable[[Failure], None],
        after: int = -1,
        *,
        merge: bool = False,
        paced: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(log, after)
        # Never merged: what is merged depends on when it is read, and the transforms' `seq` must not.
        self._source = Cursor(log)
        self._pipeline = Pipeline(transforms)
        self._first = after + 1
        self._at_any_time = self._first if paced else sys.maxsize
        self._merged = merge
        self._stop = stop
        self._clock = clock
        self._read = False
        self._broken: BaseException | None = None

    def take(self) -> list[Event]:
        if self._broken is not None:
            raise self._broken
        try:
            events = self._next_events()
        except BaseException as error:
            self._broken = error
            raise
        if events:
            self.after = events[-1].seq
        return merged(events) if self._merged else events

    def _next_events(self) -> list[Event]:
        now = self._clock()
        pipeline = self._pipeline
        if not self._read:
            for event in self._source.take():
                pipeline.feed(event, now)
                if type(event) is RunEnded or pipeline.stopped is not None:
                    self._read = True
                    break
            if pipeline.stopped is not None:
                self._stop(pipeline.stopped)
        return [event for event in pipeline.advance(now, self._at_any_time) if event.seq >= self._first]

    async def next(self, timeout: float | None = None) -> list[Event]:
        if self._at_once:
            await asyncio.sleep(0)
        self._at_once = True
        until = math.inf if timeout is None else self._clock() + timeout
        while not (events := self.take()) and not self.over:
            self._at_once = False
            pause = self._pause()
            if (left := until - self._clock()) < (math.inf if pause is None else pause):
                pause = max(left, 0.0)
            if self._read:
                await asyncio.sleep(pause or 0)
            elif not await ready(lambda wake: self._log.wait(self._source.after, wake), self._log.forget, pause):
                await asyncio.sleep(0)
            if self._clock() >= until:
                return self.take()
        return events

    def next_blocking(self) -> list[Event]:
        while not (events := self.take()) and not self.over:
            pause = self._pause()
            if self._read:
                time.sleep(pause or 0)
            else:
                ready_blocking(lambda wake: self._log.wait(self._source.after, wake), self._log.forget, pause)
        return events

    @property
    def over(self) -> bool:
        """Whether nothing will come any more."""
        return self._pipeline.ended or (self._read and self._pipeline.due is None)

    def _pause(self) -> float | None:
        """How long until more is due of what was read."""
        due = self._pipeline.due
        return None if due is None else max(due - self._clock(), 0.0)


class Watch:
    """Reads a run through those of its transforms that may stop it, as it is written and in the writer's thread.

    So they need no reader. What they hold back for a time comes to them at once.
    """

    def __init__(self, log: Log, transforms: Sequence[Transform], stop: Callable[[Failure], None]) -> None:
        self._log = log
        self._source = Cursor(log)
        self._pipeline = Pipeline(transforms)
        self._stop = stop

    @classmethod
    def begin(cls, log: Log, transforms: Sequence[Transform], stop: Callable[[Failure], None]) -> None:
        """Watch a log that is still empty, if one of the transforms wants that."""
        count = max((at for at, each in enumerate(transforms, 1) if getattr(each, "watches", False)), default=0)
        if count:
            cls(log, transforms[:count], stop)._wake()

    def _wake(self) -> None:
        while not self._log.wait(self._source.after, self._wake):
            events = self._source.take()
            if not events:
                return
            try:
                self._look(events)
            except Exception as error:  # What cannot be watched is not to go on; and the program is not to blame.
                self._stop(Failure(kind="guard", message=f"a transform raised {type(error).__name__}: {error}"))
                return
            if self._pipeline.stopped is not None:
                self._stop(self._pipeline.stopped)
                return

    def _look(self, events: Sequence[Event]) -> None:
        for event in events:
            self._pipeline.feed(event, 0.0)
            self._pipeline.advance(math.inf)
            if self._pipeline.stopped is not None:
                return
