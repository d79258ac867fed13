"""Those who follow a server's runs at the moment."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from fieldstream.server.metrics import Metrics


class Audience:
    """Counts the readers of a server's runs, so that a server that ends can wait until all have read to the end."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._count = 0
        self._nobody = asyncio.Event()
        self._nobody.set()

    @contextmanager
    def reader(self) -> Generator[None]:
        """One more reader, while the block goes on."""
        self._count += 1
        self._metrics.readers.inc()
        self._nobody.clear()
        try:
            yield
        finally:
            self._count -= 1
            self._metrics.readers.dec()
            if not self._count:
                self._nobody.set()

    async def gone(self, seconds: float) -> None:
        """Wait until nobody reads any more, at most so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._nobody.wait()
        except TimeoutError:
            pass
