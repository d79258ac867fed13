"""The ways to watch one program, each as a function that runs it once and gives what it saw of its field."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import anyio.to_thread
import dspy
import pydantic
from dspy.streaming import StreamListener, streamify

import fieldstream
from fieldstream.events import FieldDelta
from fieldstream.fields import Draft


@dataclass
class Contender:
    """A way to watch. ``run`` runs the program once and gives the field's value, or ``None`` where it sees none."""

    name: str
    run: Callable[[dspy.LM], Any]


class Model(pydantic.BaseModel):
    """What a structured field is a list of."""

    title: str
    body: str


class Listed(dspy.Signature):
    """Answer with a list."""

    question: str = dspy.InputField()
    answer: list[Model] = dspy.OutputField()


def structured_contenders(asynchronous: bool) -> list[Contender]:
    """Those for a program whose field is a list of models; DSPy's listeners have no values."""
    if asynchronous:
        return [
            Contender("floor", _in_loop(lambda lm: _floor_async(lm, Listed))),
            Contender("fieldstream", _in_loop(_deltas_async)),
            Contender("fieldstream values", _in_loop(_values_async)),
        ]
    return [
        Contender("floor", _in_loop(lambda lm: _floor_sync(lm, Listed))),
        Contender("fieldstream", _deltas_sync),
        Contender("fieldstream values", _values_sync),
    ]


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


def _in_loop(watch: Callable[[dspy.LM], Awaitable[Any]]) -> Callable[[dspy.LM], Any]:
    async def main(lm: dspy.LM) -> Any:
        return await watch(lm)

    return lambda lm: asyncio.run(main(lm))


class _Nothing:
    """A sink that does nothing: what DSPy's own LM streaming costs before anyone looks at a chunk."""

    async def send(self, chunk: object) -> None:
        pass


def _program(signature: Any = "question -> answer") -> dspy.Predict:
    return dspy.Predict(signature)


async def _floor_async(lm: dspy.LM, *signature: Any) -> None:
    with dspy.context(lm=lm, send_stream=_Nothing()):
        await _program(*signature).acall(question="?")


async def _floor_sync(lm: dspy.LM, *signature: Any) -> None:
    with dspy.context(lm=lm, send_stream=_Nothing()):
        await anyio.to_thread.run_sync(lambda: _program(*signature)(question="?"))


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


def _put_together(deltas: list[FieldDelta]) -> Any:
    draft = Draft()
    for delta in deltas:
        if delta.text is None:
            draft.assign(delta.path, delta.value)
        else:
            draft.append(delta.path, delta.text)
    return draft.value


async def _deltas_async(lm: dspy.LM) -> Any:
    with dspy.context(lm=lm):
        async with fieldstream.stream(_program(Listed), question="?") as run:
            return _put_together([event async for event in run if isinstance(event, FieldDelta)])


def _deltas_sync(lm: dspy.LM) -> Any:
    with dspy.context(lm=lm), fieldstream.stream(_program(Listed), question="?") as run:
        return _put_together([event for event in run if isinstance(event, FieldDelta)])


async def _values_async(lm: dspy.LM) -> Any:
    value: Any = None
    with dspy.context(lm=lm):
        async with fieldstream.stream(_program(Listed), question="?") as run:
            async for each in run.values("answer"):
                value = each
    return value


def _values_sync(lm: dspy.LM) -> Any:
    value: Any = None
    with dspy.context(lm=lm), fieldstream.stream(_program(Listed), question="?") as run:
        for each in run.values("answer"):
            value = each
    return value
