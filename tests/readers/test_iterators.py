"""The pace of readers: what they are given when, while the run goes on without them. The clock is the tests' own."""

import asyncio
import itertools
import math
import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.events import Event, RunEnded, Status
from fieldstream.log import Cursor, MemoryLog
from fieldstream.readers.iterators import Values, ValuesBlocking


class Newest:
    """Makes of messages the newest of each topic (``"topic:text"``), one topic after the other."""

    def __init__(self) -> None:
        self.ended = False
        self.topics: list[str] = []
        self.fed = 0

    @property
    def news(self) -> bool:
        return bool(self.topics)

    def feed(self, events: Iterable[Event]) -> None:
        for event in events:
            self.fed += 1
            self.ended = self.ended or isinstance(event, RunEnded)
            if isinstance(event, Status):
                topic = event.message.partition(":")[0]
                if self.topics and self.topics[-1].startswith(f"{topic}:"):
                    self.topics.pop()
                self.topics.append(event.message)

    def take(self) -> str:
        return self.topics.pop(0)


class Clock:
    """A clock that goes on when somebody sleeps, and what happens meanwhile."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []
        self.meanwhile: list[Callable[[], None]] = []

    def __call__(self) -> float:
        return self.now

    def sleep_blocking(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        if self.meanwhile:
            self.meanwhile.pop(0)()

    async def sleep(self, seconds: float) -> None:
        self.sleep_blocking(seconds)
        await asyncio.sleep(0)


def say(log: MemoryLog, *messages: str) -> None:
    for message in messages:
        log.record(Status, message=message)
    log.flush()


def end(log: MemoryLog) -> None:
    log.record(RunEnded, outcome="completed")
    log.flush()


def no_error() -> None: ...


def failing() -> None:
    raise KeyError("the program's")


class Both:
    """The two kinds of reader, read alike."""

    def __init__(self, *, asynchronous: bool) -> None:
        self.asynchronous = asynchronous
        self.log = MemoryLog()
        self.clock = Clock()
        self.assembler = Newest()

    def reader(self, interval: float = 0.0, finish: Callable[[], None] = no_error) -> Callable[[], str]:
        cursor = Cursor(self.log)
        if not self.asynchronous:
            blocking = ValuesBlocking(
                cursor, self.assembler, finish, interval, clock=self.clock, sleep=self.clock.sleep_blocking
            )
            return lambda: next(blocking)
        values = Values(cursor, self.assembler, finish, interval, clock=self.clock, sleep=self.clock.sleep)

        async def read() -> str:
            return await anext(values)

        def read_here() -> str:
            try:
                return asyncio.run(read())
            except StopAsyncIteration:
                raise StopIteration from None

        return read_here


both = pytest.mark.parametrize("asynchronous", [True, False], ids=["task", "thread"])


@both
def test_a_slow_reader_skips_and_never_lags(asynchronous: bool) -> None:
    both = Both(asynchronous=asynchronous)
    read = both.reader()
    say(both.log, "a:1")
    assert read() == "a:1"
    say(both.log, *(f"a:{number}" for number in range(5_000)))
    assert read() == "a:4999"
    say(both.log, "a:x", "b:1", "b:2")
    assert read() == "a:x", "the last of each"
    say(both.log, "b:3")
    end(both.log)
    assert read() == "b:3", "and the newest, also where an older one was there already"
    for _ in range(2):
        with pytest.raises(StopIteration):
            read()


@both
def test_the_programs_error_comes_last_and_each_time(asynchronous: bool) -> None:
    both = Both(asynchronous=asynchronous)
    read = both.reader(finish=failing)
    say(both.log, "a:1")
    end(both.log)
    assert read() == "a:1"
    for _ in range(2):
        with pytest.raises(KeyError, match="the program's"):
            read()


@both
def test_an_interval(asynchronous: bool) -> None:
    both = Both(asynchronous=asynchronous)
    clock, log = both.clock, both.log
    read = both.reader(interval=0.5)
    say(log, "a:1")
    assert read() == "a:1"
    assert clock.slept == [], "the first comes at once"
    clock.now += 0.25
    say(log, "a:2")
    clock.meanwhile = [lambda: say(log, "a:3")]
    assert read() == "a:3", "the newest, when the time has come"
    assert clock.slept == [0.25]
    clock.now += 7
    say(log, "a:4")
    assert read() == "a:4"
    say(log, "a:5", "b:1")
    end(log)
    assert clock.slept == [0.25], "nobody who is late waits"
    assert [read(), read()] == ["a:5", "b:1"]
    assert clock.slept == [0.25, 0.5, 0.5]
    with pytest.raises(StopIteration):
        read()
    assert clock.slept == [0.25, 0.5, 0.5], "the end comes at once"


@given(
    st.booleans(),
    st.sampled_from([0.0, 0.5, 2.0]),
    st.lists(st.tuples(st.sampled_from(["say", "read", "time"]), st.integers(0, 3)), max_size=30),
)
def test_values_come_apart_and_the_last_one_too(
    asynchronous: bool, interval: float, steps: list[tuple[str, int]]
) -> None:
    both = Both(asynchronous=asynchronous)
    read = both.reader(interval=interval)
    said: list[str] = []
    seen: list[str] = []
    times: list[float] = []

    def look() -> None:
        seen.append(read())
        times.append(both.clock.now)

    for step, number in steps:
        if step == "say":
            said.append(f"{number}:{len(said)}")
            say(both.log, said[-1])
        elif step == "time":
            both.clock.now += number / 4
        elif said and (not seen or seen[-1] != said[-1]):
            look()
            assert len(both.assembler.topics) <= len(said)
    end(both.log)
    while True:
        try:
            look()
        except StopIteration:
            break
    assert all(later - earlier >= interval for earlier, later in itertools.pairwise(times))
    assert seen[-1:] == said[-1:]
    assert [said.index(one) for one in seen] == sorted({said.index(one) for one in seen})


async def test_a_reader_that_never_catches_up_leaves_its_loop_to_others() -> None:
    log = MemoryLog()
    others = 0

    async def other() -> None:
        nonlocal others
        while True:
            others += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    values = Values(Cursor(log), Newest(), no_error)
    for number in range(10):
        say(log, f"a:{number}")
        assert await anext(values) == f"a:{number}"
    assert others >= 9
    task.cancel()


async def test_whoever_is_cancelled_while_waiting_has_lost_nothing() -> None:
    log = MemoryLog()
    values = Values(Cursor(log), Newest(), no_error)
    for number in range(3):
        waiting = asyncio.ensure_future(anext(values))
        await asyncio.sleep(0)
        say(log, f"a:{number}")
        waiting.cancel()  # It is awake, but has not run yet.
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await anext(values) == f"a:{number}"


async def test_whoever_is_cancelled_in_the_interval_has_lost_nothing() -> None:
    log = MemoryLog()
    clock = Clock()
    asleep = asyncio.Event()

    async def sleep(seconds: float) -> None:
        asleep.set()
        await asyncio.Event().wait()

    values = Values(Cursor(log), Newest(), no_error, 1.0, clock=clock, sleep=sleep)
    say(log, "a:1")
    assert await anext(values) == "a:1"
    say(log, "a:2", "b:1")
    waiting = asyncio.ensure_future(anext(values))
    await asleep.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    clock.now += 1
    assert await anext(values) == "a:2"
    clock.now += 1
    assert await anext(values) == "b:1"


def test_a_thread_waits_for_what_comes() -> None:
    log = MemoryLog()
    values = ValuesBlocking(Cursor(log), Newest(), no_error)
    seen: list[str] = []
    first = threading.Event()

    def read() -> None:
        for value in values:
            seen.append(value)
            first.set()

    thread = threading.Thread(target=read)
    thread.start()
    say(log, "a:1")
    assert first.wait(10)
    say(log, "a:2")
    end(log)
    thread.join(10)
    assert seen == ["a:1", "a:2"]


@pytest.mark.parametrize("kind", [Values, ValuesBlocking])
@pytest.mark.parametrize("interval", [-1, -0.001, math.nan, math.inf])
def test_an_interval_that_is_none(kind: Any, interval: float) -> None:
    with pytest.raises(ValueError, match=f"interval is {interval}; it must be a number of seconds, 0 or more"):
        kind(Cursor(MemoryLog()), Newest(), no_error, interval)
