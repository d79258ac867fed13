"""Who reads a load: one process for each contender, which opens streams, and tells how late it sees what they say."""

import asyncio
import gc
import multiprocessing
import threading
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import dspy
from dspy.streaming import StreamListener, streamify

import fieldstream
from benchmarks.contenders import QUESTION, TEXT
from benchmarks.load_provider import DIGITS, allow_files
from benchmarks.section import prepare

if TYPE_CHECKING:
    from multiprocessing.connection import Connection, PipeConnection

_STREAMS_PER_LM = 50
"""The pool of a native engine's LM has 100 connections."""
_THREADS = 2_000
"""More than are ever needed: no stream waits for another."""
_PATIENCE = 1.0
"""Seconds after which what was written but not seen is no longer waited for."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What a process saw in the time that counts."""

    cpu: float
    """CPU seconds a chunk."""
    delay: float
    """Seconds in which 99 of 100 chunks were seen after they were written; at least so many."""
    busy: float
    """The part of a core that it took."""


@dataclass
class Watched:
    """All that is seen in this process, by whichever thread."""

    seen: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """When each chunk was written, and how much later it was seen, in nanoseconds."""

    def take(self, text: str) -> None:
        """A piece of a stream's text."""
        now = time.monotonic_ns()
        for stamp in text.split():
            if len(stamp) == DIGITS:
                written = int(stamp)
                self.seen.append((written, now - written))


class Reader:
    """The other process, as it is seen from here."""

    def __init__(self, name: str, connection: "Connection | PipeConnection") -> None:
        self.name = name
        """That of its streams."""
        self._connection = connection

    def open(self, streams: int) -> None:
        """Open so many more."""
        self._connection.send(("open", streams))

    def collect(self) -> None:
        """Collect garbage, so that none is left for what counts; it takes long where there are many streams."""
        self._connection.send(("collect",))
        self._connection.recv()

    def watch(self, begin: int, seconds: float) -> None:
        """What counts is what is written from then on, in nanoseconds of the monotonic clock, for so long."""
        self._connection.send(("watch", begin, begin + int(seconds * 1e9)))
        self._connection.recv()

    def sample(self, chunks: int) -> Sample:
        """What it saw of so many chunks."""
        self._connection.send(("sample", chunks))
        return self._connection.recv()


@contextmanager
def reader(name: str, way: str, contender: str, lm_kwargs: Mapping[str, Any]) -> Generator[Reader]:
    """A process for a contender of ``WAYS[way]``. Leaving the block ends it."""
    here, there = multiprocessing.Pipe()
    arguments = (name, way, contender, dict(lm_kwargs), there)
    process = multiprocessing.get_context("spawn").Process(target=_read, args=arguments, daemon=True)
    process.start()
    there.close()
    try:
        yield Reader(name, here)
    finally:
        process.kill()  # with hundreds of streams in it that would go on
        process.join()
        here.close()


def _read(
    name: str, way: str, contender: str, lm_kwargs: dict[str, Any], connection: "Connection | PipeConnection"
) -> None:
    prepare()
    allow_files()
    asyncio.run(_follow(name, WAYS[way][contender], lm_kwargs, connection))


async def _follow(name: str, way: "Way", lm_kwargs: dict[str, Any], connection: "Connection | PipeConnection") -> None:
    loop = asyncio.get_running_loop()
    watched = Watched()
    tasks: list[asyncio.Future[None]] = []
    over = loop.create_future()

    def open_more(streams: int) -> None:
        for number in range(len(tasks), len(tasks) + streams):
            model = f"openai/{name}-{number // _STREAMS_PER_LM}"
            lm = dspy.LM(model, cache=False, timeout=600, num_retries=0, **lm_kwargs)
            task = asyncio.ensure_future(way(lm, watched))
            task.add_done_callback(lambda task: over.done() or over.set_exception(task.exception() or EOFError(name)))
            tasks.append(task)

    def obey() -> None:
        measured: _Measured | None = None
        while True:
            order, *details = connection.recv()
            if order == "open":
                loop.call_soon_threadsafe(open_more, *details)
            elif order == "collect":
                gc.collect()
                connection.send(None)
            elif order == "watch":
                watched.seen.clear()
                connection.send(None)
                measured = _measured(watched, *details)
            elif measured is not None:
                connection.send(_sample(watched, measured, *details))

    # A thread, and none of the loop's tasks: a loop that is busy for long would be late to look at the clock.
    threading.Thread(target=obey, daemon=True).start()
    await over


@dataclass(frozen=True, kw_only=True)
class _Measured:
    """What was done in the time that counts."""

    begin: int
    end: int
    cpu: float
    seen: int


def _measured(watched: Watched, begin: int, end: int) -> _Measured:
    _sleep_until(begin)
    cpu, seen = time.process_time(), len(watched.seen)
    _sleep_until(end)
    return _Measured(begin=begin, end=end, cpu=time.process_time() - cpu, seen=len(watched.seen) - seen)


def _sleep_until(when: int) -> None:
    time.sleep(max(when - time.monotonic_ns(), 0) / 1e9)


def _sample(watched: Watched, measured: _Measured, chunks: int) -> Sample:
    limit = time.monotonic() + _PATIENCE
    while len(delays := _delays(watched, measured)) < chunks and time.monotonic() < limit:
        time.sleep(0.05)
    missing = [time.monotonic_ns() - measured.end] * (chunks - len(delays))
    return Sample(
        cpu=measured.cpu / max(measured.seen, 1),
        delay=sorted([*delays, *missing])[chunks * 99 // 100] / 1e9,
        busy=measured.cpu / (measured.end - measured.begin) * 1e9,
    )


def _delays(watched: Watched, measured: _Measured) -> list[int]:
    return [delay for written, delay in watched.seen[:] if measured.begin <= written < measured.end]


class _Sink:
    """Looks at the chunks that DSPy's own LM streaming hands over, and does nothing else."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched

    async def send(self, chunk: Any) -> None:
        if text := chunk.choices[0].delta.content:
            self._watched.take(text)


async def _floor_async(lm: dspy.LM, watched: Watched) -> None:
    with dspy.context(lm=lm, send_stream=_Sink(watched)):
        await dspy.Predict(TEXT).acall(question=QUESTION)


async def _floor_sync(lm: dspy.LM, watched: Watched) -> None:
    with dspy.context(lm=lm, send_stream=_Sink(watched)):
        await anyio.to_thread.run_sync(lambda: dspy.Predict(TEXT)(question=QUESTION), limiter=_limiter())


_limiters: list[anyio.CapacityLimiter] = []


def _limiter() -> anyio.CapacityLimiter:
    if not _limiters:
        _limiters.append(anyio.CapacityLimiter(_THREADS))
    return _limiters[0]


async def _streamify_async(lm: dspy.LM, watched: Watched) -> None:
    await _streamify(lm, watched, is_async_program=True)


async def _streamify_sync(lm: dspy.LM, watched: Watched) -> None:
    with dspy.context(async_max_workers=_THREADS):
        await _streamify(lm, watched)


async def _streamify(lm: dspy.LM, watched: Watched, **options: Any) -> None:
    with dspy.context(lm=lm):
        streamed: Any = streamify(dspy.Predict(TEXT), stream_listeners=[StreamListener("answer")], **options)
        async for value in streamed(question=QUESTION):
            if not isinstance(value, dspy.Prediction):
                watched.take(value.chunk)


async def _fieldstream_async(lm: dspy.LM, watched: Watched) -> None:
    with dspy.context(lm=lm):
        async with fieldstream.stream(dspy.Predict(TEXT), question=QUESTION) as run:
            async for text in run.text("answer"):
                watched.take(text)


async def _fieldstream_sync(lm: dspy.LM, watched: Watched) -> None:
    """As who knows no event loop reads it. The thread that reads is not the program's."""
    await anyio.to_thread.run_sync(lambda: _fieldstream(lm, watched), limiter=_limiter())


def _fieldstream(lm: dspy.LM, watched: Watched) -> None:
    with dspy.context(lm=lm), fieldstream.stream(dspy.Predict(TEXT), question=QUESTION) as run:
        for text in run.text("answer"):
            watched.take(text)


async def _fieldstream_in_loop(lm: dspy.LM, watched: Watched) -> None:
    with dspy.context(lm=lm):
        async with fieldstream.Streamer(dspy.Predict(TEXT), mode="thread")(question=QUESTION) as run:
            async for text in run.text("answer"):
                watched.take(text)


Way = Callable[[dspy.LM, Watched], Awaitable[None]]

WAYS: dict[str, dict[str, Way]] = {
    "async": {"floor": _floor_async, "fieldstream": _fieldstream_async, "dspy.streamify": _streamify_async},
    "sync": {
        "floor": _floor_sync,
        "fieldstream": _fieldstream_sync,
        "fieldstream, async with": _fieldstream_in_loop,
        "dspy.streamify": _streamify_sync,
    },
}
"""All but one read in one event loop. A synchronous program has a thread of its own."""
