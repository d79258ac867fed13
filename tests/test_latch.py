"""What happens once: every waiter is woken, wherever it waits."""

import asyncio
import threading

import pytest

from fieldstream._latch import Latch


async def test_tasks_and_threads_wait_for_it() -> None:
    latch = Latch()
    waiting = threading.Barrier(3)

    def thread() -> bool:
        waiting.wait()
        return latch.wait_blocking()

    threads = [asyncio.to_thread(thread) for _ in range(2)]
    tasks = [asyncio.ensure_future(each) for each in (latch.wait(), latch.wait(), *threads)]
    await asyncio.to_thread(waiting.wait)
    assert not latch.is_set
    latch.set()
    latch.set()
    assert await asyncio.gather(*tasks) == [True] * 4
    assert await latch.wait()
    assert latch.wait_blocking()
    assert not latch._waiters


async def test_set_in_another_thread() -> None:
    latch = Latch()
    task = asyncio.ensure_future(latch.wait())
    await asyncio.sleep(0)
    await asyncio.to_thread(latch.set)
    assert await task


async def test_a_time_that_is_over() -> None:
    latch = Latch()
    assert not await latch.wait(0.001)
    assert not latch.wait_blocking(0.001)
    assert not await latch.wait(0)
    assert not latch._waiters, "who does not wait any more is forgotten"


async def test_a_waiter_that_is_cancelled() -> None:
    latch = Latch()
    task = asyncio.ensure_future(latch.wait())
    await asyncio.sleep(0)
    assert latch._waiters
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not latch._waiters
    latch.set()
