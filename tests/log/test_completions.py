"""What is whole, beside the events: each time where it belongs, whenever a reader looks."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fieldstream.events import Event, FieldDelta, RunEnded
from fieldstream.log import Completion, CompletionCursor, Entry, MemoryLog

Say = int | str | None
"""A delta of the text with this number; a completion of what has this name; or a look."""


def delta(log: MemoryLog, handles: dict[int, int], text: int) -> None:
    if text not in handles:
        handles[text] = log.open_text(FieldDelta, call="c1", field="f", path=(text,))
    log.append(handles[text], "x")


def as_said(entries: list[Entry]) -> list[Any]:
    """One item for each character and each completion, as they were said."""
    said: list[Any] = []
    for entry in entries:
        match entry:
            case Completion(path=path):
                said.append(str(path[0]))
            case FieldDelta(path=path, text=str(text)):
                said += [path[0]] * len(text)
            case _:
                raise AssertionError(entry)
    return said


@given(st.lists(st.sampled_from([0, 1, "a", "b", None]), max_size=40))
def test_they_come_in_the_order_in_which_they_were_said(script: list[Say]) -> None:
    log = MemoryLog()
    cursor, late = CompletionCursor(log), CompletionCursor(log)
    handles: dict[int, int] = {}
    entries: list[Entry] = []
    for say in script:
        if isinstance(say, int):
            delta(log, handles, say)
        elif isinstance(say, str):
            log.completed("c1", "f", 0, (say,))
            handles.clear()  # What is whole does not go on.
        else:
            entries += cursor.take()
    entries += cursor.take()
    assert as_said(entries) == as_said(late.take()) == [say for say in script if say is not None]
    assert cursor.take() == []


def test_a_text_that_goes_on_all_the_same() -> None:
    """Read at once it is whole, where it was said to be, and more."""
    log = MemoryLog()
    handles: dict[int, int] = {}
    for text in (0, 1):
        delta(log, handles, text)
        delta(log, handles, text)
        log.completed("c1", "f", 0, ("a",))
        delta(log, handles, text)
    assert as_said(CompletionCursor(log).take()) == [0, 0, 0, "a", 1, 1, 1, "a"]


class Meddled(MemoryLog):
    """A log whose writer goes on just when a reader has looked."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: list[Callable[[], object]] = []

    def read(self, after: int = -1, *, limit: int = 1024, merge: bool = False) -> list[Event]:
        events = super().read(after, limit=limit, merge=merge)
        self._go_on()
        return events

    def completions(self, after: int, events: int) -> list[Completion]:
        completions = super().completions(after, events)
        self._go_on()
        return completions

    def _go_on(self) -> None:
        if self.meanwhile:
            self.meanwhile.pop(0)()


def test_a_writer_that_goes_on_meanwhile() -> None:
    """What is whole is told before what follows it, also where that comes between a reader's two looks."""
    said: list[Say] = [0, "a", 1, "b", 2, "c", 3]
    for first in range(len(said)):
        for second in range(first, len(said)):
            log = Meddled()
            handles: dict[int, int] = {}

            def say(items: list[Say], log: MemoryLog = log, handles: dict[int, int] = handles) -> Callable[[], object]:
                def act() -> None:
                    for item in items:
                        if isinstance(item, int):
                            delta(log, handles, item)
                        else:
                            log.completed("c1", "f", 0, (str(item),))

                return act

            say(said[:first])()
            log.meanwhile = [say(said[first:second]), say(said[second:])]
            cursor = CompletionCursor(log)
            entries: list[Entry] = []
            for _ in range(5):
                entries += cursor.take()
            assert as_said(entries) == said


def test_a_log_that_is_longer_than_one_look() -> None:
    log = MemoryLog()
    handles: dict[int, int] = {}
    for number in range(3_000):
        delta(log, handles, number)
        log.completed("c1", "f", 0, (str(number),))
    cursor = CompletionCursor(log)
    looks = [cursor.take() for _ in range(4)]
    assert as_said([entry for look in looks for entry in look]) == [x for n in range(3_000) for x in (n, str(n))]
    assert len(looks[0]) == 2 * 1024
    assert looks[3] == []


def end(log: MemoryLog) -> None:
    log.record(RunEnded, outcome="completed")
    log.flush()


async def test_a_task_is_woken_by_a_completion() -> None:
    log = MemoryLog()
    cursor = CompletionCursor(log)
    waiting = asyncio.create_task(cursor.next())
    await asyncio.sleep(0)
    log.completed("c1", "f", 0, (0,))
    log.flush()
    assert await waiting == [Completion(0, "c1", "f", 0, (0,))]
    waiting = asyncio.create_task(cursor.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    end(log)
    assert [type(entry) for entry in await waiting] == [RunEnded]
    assert await cursor.next() == []


def test_a_thread_is_woken_by_a_completion() -> None:
    log = MemoryLog()
    cursor = CompletionCursor(log)
    read: list[list[Entry]] = []
    thread = threading.Thread(target=lambda: read.extend((cursor.next_blocking(), cursor.next_blocking())))
    thread.start()
    log.completed("c1", "f", 0, (0,))
    log.flush()
    end(log)
    thread.join(10)
    entries = [entry for look in read for entry in look]
    assert [type(entry) for entry in entries] == [Completion, RunEnded]


async def test_whoever_is_cancelled_has_taken_nothing() -> None:
    log = MemoryLog()
    cursor = CompletionCursor(log)
    waiting = asyncio.create_task(cursor.next())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    log.completed("c1", "f", 0, (0,))
    log.flush()
    assert await cursor.next() == [Completion(0, "c1", "f", 0, (0,))]
