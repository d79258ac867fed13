"""The ways to watch one program, each as a function that runs it once and gives the text it saw."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import anyio
import dspy
from dspy.streaming import StreamListener, streamify

import fieldstream


@dataclass
class Contender:
    """A way to watch. ``run`` runs the program once and gives the field's text, or ``None`` where it sees none."""

    name: str
    run: Callable[[dspy.LM], str | None]


def contenders(asynchronous: bool) -> list[Contender]:
    """Those for a program that is awaited, or for one that is called."""
    floor, theirs, ours, events = (
        (_floor_async, _streamify_async, _ours_async, _events_async)
        if asynchronous
        else (_floor_sync, _streamify_sync, _ours_sync, _events_sync)
    )
    return [
        Contender("floor", _in_loop(floor)),
        Contender("dspy.streamify", _in_loop(theirs)),
        Contender("fieldstream", _in_loop(events) if asynchronous else events),
        Contender("fieldstream text", _in_loop(ours) if asynchronous else ours),
    ]


def _in_loop(watch: Callable[[dspy.LM], Awaitable[str | None]]) -> Callable[[dspy.LM], str | None]:
    async def main(lm: dspy.LM) -> str | None:
        return await watch(lm)

    return lambda lm: asyncio.run(main(lm))


class _Nothing:
    """A sink that does nothing: what DSPy's own LM streaming costs before anyone looks at a chunk."""

    async def send(self, chunk: object) -> None:
        pass


def _program() -> dspy.Predict:
    return dspy.Predict("question -> answer")


async def _floor_async(lm: dspy.LM) -> None:
    with dspy.context(lm=lm, send_stream=_Nothing()):
        await _program().acall(question="?")


async def _floor_sync(lm: dspy.LM) -> None:
    with dspy.context(lm=lm, send_stream=_Nothing()):
        await anyio.to_thread.run_sync(lambda: _program()(question="?"))


async def _streamify(lm: dspy.LM, **options: Any) -> str:
    with dspy.context(lm=lm):
        watched = streamify(_program(), stream_listeners=[StreamListener("answer")], **options)
        return "".join([value.chunk async for value in watched(question="?") if not isinstance(value, dspy.Prediction)])


async def _streamify_async(lm: dspy.LM) -> str:
    return await _streamify(lm, is_async_program=True)


async def _streamify_sync(lm: dspy.LM) -> str:
    return await _streamify(lm)


async def _events_async(lm: dspy.LM) -> str:
    with dspy.context(lm=lm):
        async with fieldstream.stream(_program(), question="?") as run:
            return "".join([event.text async for event in run if event.type == "field.delta"])


async def _ours_async(lm: dspy.LM) -> str:
    with dspy.context(lm=lm):
        async with fieldstream.stream(_program(), question="?") as run:
            return "".join([text async for text in run.text("answer")])


def _events_sync(lm: dspy.LM) -> str:
    with dspy.context(lm=lm), fieldstream.stream(_program(), question="?") as run:
        return "".join(event.text for event in run if event.type == "field.delta")


def _ours_sync(lm: dspy.LM) -> str:
    with dspy.context(lm=lm), fieldstream.stream(_program(), question="?") as run:
        return "".join(run.text("answer"))
