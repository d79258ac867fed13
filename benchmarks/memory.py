"""Memory: what a finished run's log keeps, and what an open stream takes while nothing comes."""

import asyncio
import gc
import multiprocessing
import os
import statistics
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import dspy
from dspy.streaming import StreamListener, streamify

import fieldstream
from benchmarks.contenders import QUESTION, TEXT, Nothing
from benchmarks.figures import Figure
from benchmarks.plan import Plan
from benchmarks.provider import answer, field_value, model
from benchmarks.section import prepare
from fieldstream.log import MemoryLog

if TYPE_CHECKING:
    from multiprocessing.connection import Connection, PipeConnection

PER_CHUNK = 32
"""Bytes that a log may keep for each provider chunk, besides the text."""
GOAL_LOG = 1.0
GOAL_IDLE = 20.0
"""kB that an idle stream may take beyond DSPy's own."""
_STREAMS_PER_LM = 50
"""An LM of DSPy's has no more than a hundred connections; more streams than that would wait, not be open."""
_CHUNKS = 40
_STATM = Path("/proc/self/statm")


def measure(plan: Plan) -> Iterator[Figure]:
    """The log of a chat and of a JSON answer; and idle streams, each way in processes of its own, in turn.

    The latter only where the system tells a process's memory as Linux does.
    """
    for form, adapter in (("chat", dspy.ChatAdapter()), ("json", dspy.JSONAdapter())):
        with dspy.context(adapter=adapter):
            yield _log(plan, form, 500 if plan.quick else 16_000)
    if not _STATM.exists():
        return
    streams, rounds = (50, 1) if plan.quick else (500, max(3, plan.rounds // 3))
    taken: dict[str, list[float]] = {name: [] for name in _WAYS}
    for _ in range(rounds):
        for name in _WAYS:
            taken[name].append(_in_a_process(name, streams, plan.lm_kwargs))
    for name, each in taken.items():
        yield _idle("in all", streams, name, statistics.median(each))
    for name in ("fieldstream", "dspy.streamify"):
        beyond = [one - floor for one, floor in zip(taken[name], taken["floor"], strict=True)]
        goal = GOAL_IDLE if name == "fieldstream" else None
        yield _idle("beyond the floor", streams, name, statistics.median(beyond), goal)


def _idle(what: str, streams: int, contender: str, value: float, goal: float | None = None) -> Figure:
    return Figure(
        section="memory of an open stream",
        what=f"async, {what}",
        arrival=f"{streams} streams, silent",
        contender=contender,
        value=value,
        unit="kB",
        goal=goal,
    )


# A finished run's log.


def _log(plan: Plan, form: str, chunks: int) -> Figure:
    """What is freed when nothing but the log is left, and then the log is not either."""
    name = model(form, "text", chunks)
    tracemalloc.start()
    log = asyncio.run(_finished(plan, name))
    if sum(event.type == "field.delta" for event in log.read(limit=chunks * 2)) < chunks * 9 // 10:
        raise RuntimeError("the answer came whole: this is no stream's log")
    with_log = _traced()
    del log
    size = with_log - _traced()
    tracemalloc.stop()
    text = len(field_value("text", chunks).encode())
    limit = text + PER_CHUNK * len(answer(name).chunks or ())
    return Figure(
        section="memory of a finished run's log",
        what=f"{form}, {chunks:,} chunks",
        arrival="bursts",
        contender="fieldstream",
        value=size / 1e3,
        unit="kB",
        against=f"the text and {PER_CHUNK} bytes a chunk",
        ratio=size / limit,
        goal=GOAL_LOG,
    )


async def _finished(plan: Plan, name: str) -> MemoryLog:
    with dspy.context(lm=plan.lm(name), disable_history=True):
        async with fieldstream.stream(dspy.Predict(TEXT), question=QUESTION) as run:
            await run.wait()
            return cast("MemoryLog", run._log)


def _traced() -> int:
    for _ in range(3):  # what is freed may free more
        gc.collect()
    return tracemalloc.get_traced_memory()[0]


# Idle streams.

Watch = Callable[[dspy.LM, Callable[[], None]], Awaitable[None]]


async def _floor(lm: dspy.LM, came: Callable[[], None]) -> None:
    with dspy.context(lm=lm, send_stream=_Telling(came)):
        await dspy.Predict(TEXT).acall(question=QUESTION)


async def _events(lm: dspy.LM, came: Callable[[], None]) -> None:
    with dspy.context(lm=lm):
        async with fieldstream.stream(dspy.Predict(TEXT), question=QUESTION) as run:
            async for _ in run.text("answer"):
                came()


async def _streamify(lm: dspy.LM, came: Callable[[], None]) -> None:
    with dspy.context(lm=lm):
        listeners = [StreamListener("answer")]
        watched: Any = streamify(dspy.Predict(TEXT), stream_listeners=listeners, is_async_program=True)
        async for _ in watched(question=QUESTION):
            came()


_WAYS: dict[str, Watch] = {"floor": _floor, "fieldstream": _events, "dspy.streamify": _streamify}


class _Telling(Nothing):
    """A sink that says that something came, and keeps nothing."""

    def __init__(self, came: Callable[[], None]) -> None:
        self._came = came

    async def send(self, chunk: object) -> None:
        self._came()


def _in_a_process(name: str, streams: int, lm_kwargs: dict[str, Any]) -> float:
    """kB a stream. Raises `RuntimeError` where the process does not come to its end."""
    here, there = multiprocessing.Pipe(duplex=False)
    arguments = (name, streams, lm_kwargs, there)
    process = multiprocessing.get_context("spawn").Process(target=_measure, args=arguments)
    process.start()
    there.close()
    with closing(here):
        try:
            return here.recv()
        except EOFError:
            raise RuntimeError(f"{name} failed; its process says why") from None
        finally:
            process.join()


def _measure(name: str, streams: int, lm_kwargs: dict[str, Any], result: "Connection | PipeConnection") -> None:
    prepare()
    result.send(asyncio.run(_open(_WAYS[name], streams, lm_kwargs)))


async def _open(watch: Watch, streams: int, lm_kwargs: dict[str, Any]) -> float:
    """Open some, which import and fill what all share; then as many as are counted."""
    tasks: list[asyncio.Future[None]] = []
    await _open_some(watch, _STREAMS_PER_LM, lm_kwargs, tasks)
    before = _resident()
    await _open_some(watch, streams, lm_kwargs, tasks)
    taken = (_resident() - before) / streams / 1e3
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    return taken


async def _open_some(watch: Watch, streams: int, lm_kwargs: dict[str, Any], tasks: list[asyncio.Future[None]]) -> None:
    name = f"openai/{model('chat', 'text', _CHUNKS, 'stall')}"
    seen: set[int] = set()
    begun = len(tasks)
    lms = [dspy.LM(name, cache=False, **lm_kwargs) for _ in range(-(-streams // _STREAMS_PER_LM))]
    for number in range(streams):
        lm = lms[number // _STREAMS_PER_LM]
        tasks.append(asyncio.ensure_future(watch(lm, partial(seen.add, number))))
    while len(seen) < streams:
        await asyncio.sleep(0.05)
        if over := [task for task in tasks[begun:] if task.done()]:
            raise RuntimeError(f"{len(over)} streams ended") from over[0].exception()
    busy = True
    while busy:  # until nothing happens any more
        before = time.process_time()
        await asyncio.sleep(0.3)
        busy = time.process_time() - before > 0.01
    gc.collect()


def _resident() -> int:
    """Bytes of this process's that are in memory: the second number of `/proc/self/statm`, in pages."""
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
