"""Those who follow a server's runs at the moment."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager

from fieldstream.server.metrics import Metrics

_LONGEST_PAUSE = 0.05
"""The longest pause between two writes to one reader, in seconds: a person hardly sees it."""


class Audience:
    """The readers of a server's runs. A server that ends waits until they have read to the end, but not for ever."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._readers: set[Callable[[], object]] = set()
        self._nobody = asyncio.Event()
        self._nobody.set()

    @contextmanager
    def reader(self, leave: Callable[[], object]) -> Generator[None]:
        """One more reader, while the block goes on. ``leave`` ends that, also where it waits for its connection."""
        self._readers.add(leave)
        self._metrics.readers.inc()
        self._nobody.clear()
        try:
            yield
        finally:
            self._readers.discard(leave)
            self._metrics.readers.dec()
            if not self._readers:
                self._nobody.set()

    def pause(self, interval: float) -> float:
        """How long to wait between two writes to one reader, where ``interval`` is what each reader adds to that."""
        return min(len(self._readers) * interval, max(interval, _LONGEST_PAUSE))

    async def gone(self, seconds: float) -> None:
        """Wait until nobody reads any more. Who still does after so long has to leave."""
        try:
            async with asyncio.timeout(seconds):
                await self._nobody.wait()
        except TimeoutError:
            for leave in tuple(self._readers):
                leave()
            await self._nobody.wait()
