"""A provider that sends a chunk only when its reader has nothing left to do: what is seen then, is seen of that chunk.

No time is measured here and nobody sleeps. An event loop that would wait, because nothing is ready in it, has done all
that there was to do with what has arrived. Its selector tells, and the next chunk's gate is opened.
"""

import asyncio
import selectors
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from fieldstream.simulator import Answer, Provider, simulate

T = TypeVar("T")

_LOOK = 0.001
"""Seconds between two looks at whether the provider has sent what it may send."""


class Turns:
    """One answer, whose chunks come one by one."""

    def __init__(self, chunks: Sequence[str]) -> None:
        self.sent = 0
        """How many chunks were let go, of which all but the last have been worked off."""
        self._gates = {position: threading.Event() for position in range(len(chunks) + 1)}
        self._provider: Provider | None = None
        self._answer = Answer(chunks=chunks, gates=self._gates)

    def run(self, main: Callable[[dict[str, Any]], Awaitable[T]]) -> T:
        """Run ``main`` with what leads an LM to the provider, in a loop of its own."""

        async def program(lm_kwargs: dict[str, Any]) -> T:
            return await main(lm_kwargs)

        with simulate(lambda _: self._answer) as self._provider:
            selector = _Selector(self._idle)
            with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
                return runner.run(program(self._provider.lm_kwargs))

    def let_go(self) -> None:
        """What is seen from here on is not asked for."""
        for gate in self._gates.values():
            gate.set()

    def _idle(self, arrived: bool) -> bool:
        """The loop has nothing to do; since this was last true, something has arrived. Whether the next may come."""
        assert self._provider is not None
        requests = self._provider.requests
        if not (arrived and requests and requests[-1].chunks_sent >= self.sent) or self.sent >= len(self._gates):
            return False
        self._gates[self.sent].set()
        self.sent += 1
        return True


class _Selector(selectors.DefaultSelector):
    """Says when its loop is idle. ``idle`` is told whether something has arrived since it last gave true."""

    def __init__(self, idle: Callable[[bool], bool]) -> None:
        super().__init__()
        self._idle = idle
        self._arrived = False
        self._own: int | None = None
        """By which the loop wakes itself."""

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = super().register(fileobj, events, data)
        if self._own is None:
            self._own = key.fd
        return key

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        while not ready and timeout != 0:
            if self._idle(self._arrived):
                self._arrived = False
            ready = super().select(_LOOK if timeout is None else min(timeout, _LOOK))
            if timeout is not None:
                break
        self._arrived |= any(key.fd != self._own and events & selectors.EVENT_READ for key, events in ready)
        return ready
