"""What ``tap/waits/threads.py`` relies on."""

import asyncio
import threading
from typing import Any

import anyio.from_thread

from fieldstream.tap import as_anyio_worker


async def test_a_thread_of_ours_can_be_one_of_anyios() -> None:
    loop = asyncio.get_running_loop()
    found: list[Any] = []

    async def here() -> str:
        return threading.current_thread().name

    def work() -> None:
        with as_anyio_worker(loop):
            found.append(anyio.from_thread.run(here))

    await asyncio.to_thread(work)
    assert found == [threading.current_thread().name], "look at as_anyio_worker in tap/waits/threads.py"
