"""When a stream's chunks are sent: gates, a rate, faults at their places; and as few writes as that allows."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fieldstream.simulator.connection import Connection
from fieldstream.simulator.options import Options
from fieldstream.simulator.request import ChatRequest
from fieldstream.simulator.wire import MALFORMED, Stream

_BATCH = 1 << 15
"""Bytes that are gathered before a write, where nothing makes us wait."""
_POLL = 0.002
"""Seconds between two looks at the gates that answers are waiting for."""


class Gates:
    """Lets coroutines of one loop wait for events that any thread sets: one look at all of them per tick."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], threading.Event] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, gate: threading.Event) -> None:
        """Return when the gate is open."""
        if gate.is_set():
            return
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiting[future] = gate
        if self._timer is None:
            self._timer = loop.call_later(_POLL, self._look, loop)
        try:
            await future
        finally:
            del self._waiting[future]

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        for future, gate in self._waiting.items():
            if gate.is_set() and not future.done():
                future.set_result(None)
        self._timer = loop.call_later(_POLL, self._look, loop) if self._waiting else None


@dataclass(slots=True)
class _Output:
    """Gathers what is to be sent, and counts the chunks when they are."""

    connection: Connection
    request: ChatRequest
    sent: Callable[[], None]
    parts: list[bytes] = field(default_factory=list[bytes])
    size: int = 0
    chunks: int = 0

    def add(self, part: bytes, chunks: int = 0) -> None:
        self.parts.append(part)
        self.size += len(part)
        self.chunks += chunks

    async def flush(self, *, end: bool = False) -> None:
        data = b"".join(self.parts)
        chunks = self.chunks
        self.parts, self.size, self.chunks = [], 0, 0
        if end:
            await self.connection.end(data)
        elif data:
            await self.connection.send(data)
        if chunks:
            self.request.chunks_sent += chunks
            self.sent()


async def send_stream(
    connection: Connection,
    request: ChatRequest,
    stream: Stream,
    options: Options,
    gates: Mapping[int, threading.Event],
    keeper: Gates,
    sent: Callable[[], None],
) -> None:
    """Send a stream's body, with the faults of `options` in their places, and end or break the response.

    Where a gate and a fault are at one place, the fault waits for the gate: so a test can say when it happens.
    `sent` is called whenever the request's `chunks_sent` has grown.
    """
    out = _Output(connection, request, sent)
    total = len(stream.chunks)
    places = (options.drop, options.stall, options.malformed, options.truncate, *gates)
    stops = sorted({min(place, total) for place in places if place is not None} | {total})
    if options.first:
        await asyncio.sleep(options.first)
    out.add(stream.opening)
    at = 0
    for stop in stops:
        await _send_chunks(out, stream.chunks, at, stop, options.rate)
        at = stop
        for gate in [gate for place, gate in gates.items() if _is_at(place, stop, total) and not gate.is_set()]:
            await out.flush()
            await keeper.wait(gate)
        if _is_at(options.malformed, stop, total):
            out.add(MALFORMED)
        if _is_at(options.stall, stop, total):
            await out.flush()
            await asyncio.get_running_loop().create_future()
        if _is_at(options.drop, stop, total):
            await out.flush()
            connection.drop(reset=options.reset)
            return
        if _is_at(options.truncate, stop, total):
            await out.flush(end=True)
            return
    out.add(stream.closing)
    await out.flush(end=True)


def _is_at(place: int | None, stop: int, total: int) -> bool:
    return place is not None and min(place, total) == stop


async def _send_chunks(out: _Output, chunks: list[bytes], start: int, stop: int, rate: float | None) -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for at in range(start, stop):
        if rate is not None:
            wait = begun + (at - start) / rate - loop.time()
            if at > start and wait > 0:
                await out.flush()
                await asyncio.sleep(wait)
        out.add(chunks[at], 1)
        if out.size >= _BATCH:
            await out.flush()
