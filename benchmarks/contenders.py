"""The ways to watch one program, each as a function that runs it once and gives the text it saw."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import anyio.to_thread
import dspy
from dspy.streaming import StreamListener, streamify

import fieldstream
from fieldstream.events import FieldDelta


@dataclass
class Contender:
    """A way to watch. ``run`` runs the program once and gives the field's text, or ``None`` where it sees none."""

    name: str
    run: Callable[[dspy.LM], str | None]


def contenders(asynchronous: bool) -> list[Contender]:
    """Those for a program that is awaited, or for one that is called."""
    if asynchronous:
        return [
            Contender("floor", _in_loop(_floor_async)),
            Contender("dspy.streamify", _in_loop(_streamify_async)),
            Contender("fieldstream", _in_loop(_events_async)),
            Contender("fieldstream text", _in_loop(_text_async)),
        ]
    return [
        Contender("floor", _in_loop(_floor_sync)),
        Contender("dspy.streamify", _in_loop(_streamify_sync)),
        Contender("fieldstream", _events_sync),
        Contender("fieldstream text", _text_sync),
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
        watched: Any = streamify(_program(), stream_listeners=[StreamListener("answer")], **options)
        return "".join([value.chunk async for value in watched(question="?") if not isinstance(value, dspy.Prediction)])


async def _streamify_async(lm: dspy.LM) -> str:
    return await _streamify(lm, is_async_program=True)


async def _streamify_sync(lm: dspy.LM) -> str:
    return await _streamify(lm)


async def _events_async(lm: dspy.LM) -> str:
    with dspy.context(lm=lm):
        async with fieldstream.stream(_program(), question="?") as run:
            return "".join([event.text or "" async for event in run if isinstance(event, FieldDelta)])


async def _text_async(lm: dspy.LM) -> str:
    with dspy.context(lm=lm):
        async with fieldstream.stream(_program(), question="?") as run:
            return "".join([text async for text in run.text("answer")])


def _events_sync(lm: dspy.LM) -> str:
    with dspy.context(lm=lm), fieldstream.stream(_program(), question="?") as run:
        return "".join(event.text or "" for event in run if isinstance(event, FieldDelta))


def _text_sync(lm: dspy.LM) -> str:
    with dspy.context(lm=lm), fieldstream.stream(_program(), question="?") as run:
        return "".join(run.text("answer"))
