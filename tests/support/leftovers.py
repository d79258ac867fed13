"""What a run leaves behind: threads, tasks, requests. It ought to be nothing."""

import asyncio
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

from fieldstream._run import Execution
from fieldstream._stream import Run, SyncRun
from fieldstream.events import Event
from fieldstream.log import Log, MemoryLog
from fieldstream.simulator import Provider

DEADLINE = 10.0
_OURS_TO_STAY = ("simulator:", "fieldstream loop", "asyncio_", "AnyIO worker", "litellm-logging", "tqdm", "pytest")


@contextmanager
def no_threads_left() -> Generator[None]:
    """Every thread that begins in the block ends soon after it."""
    before = set(threading.enumerate())
    yield
    until = time.monotonic() + DEADLINE
    new = [thread for thread in threading.enumerate() if thread not in before]
    for thread in new:
        if not thread.name.startswith(_OURS_TO_STAY):
            thread.join(max(until - time.monotonic(), 0.01))
            assert not thread.is_alive(), f"{thread} goes on"


async def no_tasks_left() -> None:
    """The calling task is soon the only one of its loop."""
    if others := asyncio.all_tasks() - {asyncio.current_task()}:  # type: ignore[arg-type]
        _, pending = await asyncio.wait(others, timeout=DEADLINE)
        assert not pending, f"{pending} go on"


def no_requests_left(provider: Provider) -> None:
    """Every request was answered, or its connection closed."""
    provider.wait_for(lambda: all(request.ended is not None for request in provider.requests), DEADLINE)


def read_all(log: Log) -> list[Event]:
    """Whatever is in the log."""
    events: list[Event] = []
    while batch := log.read(len(events) - 1):
        events += batch
    return events


def running_here(run: Run | SyncRun) -> Execution:
    """The program at work behind a run of this process."""
    assert isinstance(run._execution, Execution)
    return run._execution


def log_of(run: Run | SyncRun) -> MemoryLog:
    """The log of a run of this process."""
    assert isinstance(run._log, MemoryLog)
    return run._log
