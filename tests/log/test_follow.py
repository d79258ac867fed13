"""Readers that wait: nobody sleeps through what comes, and nobody who is gone is in the way."""

import asyncio
import gc
import threading
from collections.abc import Iterator

import pytest

from fieldstream.events import Event, FieldDelta, RunEnded, Status
from fieldstream.log import Cursor, MemoryLog, ready

ROUNDS = 300


def write(log: MemoryLog, rounds: int = ROUNDS) -> None:
    """A writer's life: deltas and events, each flushed, and the end."""
    text = log.open_text(FieldDelta, call="c1", field="answer")
    for number in range(rounds):
        log.append(text, f"{number},")
        log.flush()
        if number % 10 == 0:
            log.record(Status, message=str(number))
            log.flush()
    log.record(RunEnded, outcome="completed")
    log.flush()


WHOLE = "".join(f"{number}," for number in range(ROUNDS))


def said(events: list[Event]) -> str:
    return "".join(event.text or "" for event in events if isinstance(event, FieldDelta))


def waiters(log: MemoryLog) -> int:
    return len(log._waiters)


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


@pytest.fixture
def writer(log: MemoryLog) -> Iterator[threading.Thread]:
    """A thread that writes, once it is started."""
    thread = threading.Thread(target=write, args=(log,))
    yield thread
    thread.join(10)


def test_threads_read_what_a_thread_writes(log: MemoryLog) -> None:
    readers = 4
    barrier = threading.Barrier(readers + 1)
    seen: dict[int, list[Event]] = {}

    def read(number: int) -> None:
        barrier.wait()
        seen[number] = list(Cursor(log, merge=number % 2 == 1).follow_blocking())

    threads = [threading.Thread(target=read, args=(number,)) for number in range(readers)]
    for thread in threads:
        thread.start()
    barrier.wait()
    write(log)
    for thread in threads:
        thread.join(20)
    assert len(seen) == readers
    for number, events in seen.items():
        assert said(events) == WHOLE
        assert isinstance(events[-1], RunEnded)
        assert number % 2 or [event.seq for event in events] == list(range(len(log)))
    assert waiters(log) == 0


async def test_tasks_read_what_a_thread_writes(log: MemoryLog, writer: threading.Thread) -> None:
    async def read(merge: bool) -> list[Event]:
        return [event async for event in Cursor(log, merge=merge).follow()]

    async with asyncio.TaskGroup() as group:
        readers = [group.create_task(read(number % 2 == 1)) for number in range(5)]
        writer.start()
    for reader in readers:
        assert said(reader.result()) == WHOLE
    assert waiters(log) == 0


async def test_a_task_reads_what_a_task_writes(log: MemoryLog) -> None:
    async def write_slowly() -> None:
        text = log.open_text(FieldDelta, call="c1", field="answer")
        for number in range(20):
            log.append(text, str(number))
            log.flush()
            await asyncio.sleep(0)
        log.record(RunEnded, outcome="completed")
        log.flush()

    async with asyncio.TaskGroup() as group:
        group.create_task(write_slowly())
        events = [event async for event in Cursor(log).follow()]
    assert [event.seq for event in events] == list(range(21))


async def test_readers_in_two_loops(log: MemoryLog, writer: threading.Thread) -> None:
    async def read() -> list[Event]:
        return [event async for event in Cursor(log).follow()]

    elsewhere = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(read())))
    here = asyncio.create_task(read())
    writer.start()
    assert await here == await elsewhere


async def test_a_cancelled_reader_loses_nothing(log: MemoryLog) -> None:
    cursor = Cursor(log)
    seen: list[Event] = []
    for number in range(50):
        reader = asyncio.create_task(cursor.next())
        await asyncio.sleep(0)
        if number % 2:
            # What comes and the cancel meet, in either order.
            log.record(Status, message=str(number))
            log.flush()
        reader.cancel()
        if number % 4 == 0:
            log.record(Status, message=str(number))
            log.flush()
        try:
            seen += await reader
        except asyncio.CancelledError:
            pass
        assert waiters(log) == 0
    seen += cursor.take()
    assert [event.seq for event in seen] == list(range(len(log)))


async def test_an_iteration_goes_on_after_a_cancelled_step(log: MemoryLog) -> None:
    events = Cursor(log).follow()
    step = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    assert waiters(log) == 1
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step
    assert waiters(log) == 0
    write(log)
    assert said([event async for event in events]) == WHOLE


async def test_a_reader_that_lags_leaves_its_loop_to_others(log: MemoryLog) -> None:
    for number in range(5_000):
        log.record(Status, message=str(number))
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    cursor = Cursor(log)
    while cursor.after < 4_999:
        await cursor.next()
    task.cancel()
    assert turns >= 3


async def test_a_late_reader_need_not_wait(log: MemoryLog) -> None:
    write(log)
    assert said([event async for event in Cursor(log).follow()]) == WHOLE
    assert said(list(Cursor(log).follow_blocking())) == WHOLE
    assert await Cursor(log, len(log) - 1).next() == []
    assert Cursor(log, len(log) - 1).next_blocking() == []


def test_an_exhausted_iteration_stays_so(log: MemoryLog) -> None:
    write(log)
    events = Cursor(log).follow_blocking()
    assert len(list(events)) == len(log)
    assert list(events) == []


def test_a_wake_comes_once_and_not_after_a_forget(log: MemoryLog) -> None:
    calls: list[str] = []

    def one() -> None:
        calls.append("one")

    def other() -> None:
        calls.append("other")

    assert log.wait(-1, one)
    assert log.wait(-1, other)
    log.forget(other)
    log.forget(other)
    log.record(Status, message="x")
    log.flush()
    log.flush()
    assert calls == ["one"]
    assert not log.wait(-1, one), "there is something already"
    assert log.wait(0, one)


def test_no_wake_is_lost_between_a_look_and_a_wait(log: MemoryLog) -> None:
    """Reader and writer meet at a barrier for each event, so that they race for it as often as can be."""
    rounds = 500
    barrier = threading.Barrier(2)
    seen: list[Event] = []

    def read() -> None:
        cursor = Cursor(log)
        for _ in range(rounds):
            barrier.wait(10)
            seen.extend(cursor.next_blocking())

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(rounds):
        barrier.wait(10)
        log.record(Status, message=str(number))
        log.flush()
    reader.join(10)
    assert not reader.is_alive()
    assert len(seen) == rounds


def abandoned_reader(log: MemoryLog) -> asyncio.Task[list[Event]]:
    """A task that waits for the log in a loop that is closed without a word to it."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(Cursor(log).next())
    loop.run_until_complete(asyncio.sleep(0))
    assert waiters(log) == 1
    loop.close()
    task._log_destroy_pending = False  # type: ignore[attr-defined] # what is tested is that nobody else minds
    return task


def test_a_reader_whose_loop_is_closed_harms_nobody(log: MemoryLog) -> None:
    task = abandoned_reader(log)
    log.record(Status, message="from this thread")
    log.flush()
    assert not task.done()


def test_a_reader_whose_loop_is_closed_harms_no_other_loop_of_its_thread(log: MemoryLog) -> None:
    task = abandoned_reader(log)

    async def write_here() -> None:
        log.record(Status, message="from a task")
        log.flush()

    asyncio.run(write_here())
    assert not task.done()


def test_a_reader_whose_loop_is_closed_harms_no_writer_in_a_thread(log: MemoryLog, writer: threading.Thread) -> None:
    task = abandoned_reader(log)
    writer.start()
    writer.join(10)
    assert log.ended
    assert not task.done()


def test_a_reader_may_be_collected_while_the_log_is_being_written(log: MemoryLog) -> None:
    """A collection can come at any allocation, also at one that the log makes while it is locked."""
    tasks = [abandoned_reader(log)]
    log.record(Status, message="wakes it in vain")
    log.flush()

    def clock() -> float:
        tasks.clear()
        gc.collect()
        return 0.0

    log._clock = clock
    done = threading.Event()

    def append() -> None:
        log.record(Status, message="x")
        done.set()

    threading.Thread(target=append, daemon=True).start()
    assert done.wait(5), "a collected reader and the log wait for each other"
    assert not tasks


async def test_a_wait_that_is_refused_is_no_wait() -> None:
    def forget(wake: object) -> None:
        raise AssertionError("nothing to forget")

    assert not await ready(lambda wake: False, forget)
