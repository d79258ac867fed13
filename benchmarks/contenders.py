"""The ways to watch one program, each as a function that runs it once and says what it saw of its field.

Those of asynchronous programs share an event loop, as in a server: what the first request costs is no chunk's.
"""

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Iterable
from contextvars import copy_context
from typing import Any, NamedTuple, cast

import anyio.to_thread
import dspy
import httpx
import pydantic
from dspy.streaming import StreamListener, streamify

import fieldstream
from fieldstream._draft import Draft
from fieldstream.events import Event, FieldDelta

QUESTION = "Why?"


class Seen(NamedTuple):
    """What a contender saw. The value is `None` where it sees none."""

    value: Any
    pieces: int
    """In how many pieces it came: one would be no stream."""


class Model(pydantic.BaseModel):
    """What a structured field is a list of."""

    title: str
    body: str


class Listed(dspy.Signature):
    """Answer with a list."""

    question: str = dspy.InputField()
    answer: list[Model] = dspy.OutputField()


class Nothing:
    """A sink that does nothing: what DSPy's own LM streaming costs before anyone looks at a chunk."""

    async def send(self, chunk: object) -> None:
        pass


Contender = Callable[[], Seen]
Watch = Callable[[dspy.LM, dspy.Module], Seen | Awaitable[Seen]]
TEXT = "question -> answer"


def checked(contender: Contender, value: Any, pieces: int) -> Contender:
    """The same, which raises `AssertionError` where it sees another value, or the value in fewer pieces."""

    def run() -> Seen:
        seen = contender()
        if seen.value != value or seen.pieces < pieces:
            raise AssertionError(f"{seen.pieces} pieces (of {pieces}) of {str(seen.value)[:200]!r}")
        return seen

    return run


def contender(runner: asyncio.Runner, watch: Watch, lm: dspy.LM, signature: Any = TEXT) -> Contender:
    """Watches a program with this signature, made once; in the loop of `runner`, if it is to be awaited."""
    program = dspy.Predict(signature)

    async def main() -> Seen:
        seen = watch(lm, program)
        return seen if isinstance(seen, Seen) else await seen

    if inspect.iscoroutinefunction(watch):
        return lambda: runner.run(main(), context=copy_context())  # else it is that of the first run
    return lambda: cast("Seen", watch(lm, program))


# DSPy's own.


async def floor_async(lm: dspy.LM, program: dspy.Module) -> Seen:
    with dspy.context(lm=lm, send_stream=Nothing()):
        await program.acall(question=QUESTION)
    return Seen(None, 0)


async def floor_sync(lm: dspy.LM, program: dspy.Module) -> Seen:
    """DSPy hands a synchronous program's chunks over to a loop, and needs one of AnyIO's threads for that."""
    with dspy.context(lm=lm, send_stream=Nothing()):
        await anyio.to_thread.run_sync(lambda: program(question=QUESTION))
    return Seen(None, 0)


async def streamify_async(lm: dspy.LM, program: dspy.Module) -> Seen:
    return await _streamify(lm, program, is_async_program=True)


async def streamify_sync(lm: dspy.LM, program: dspy.Module) -> Seen:
    return await _streamify(lm, program)


async def _streamify(lm: dspy.LM, program: dspy.Module, **options: Any) -> Seen:
    with dspy.context(lm=lm):
        watched: Any = streamify(program, stream_listeners=[StreamListener("answer")], **options)
        values = watched(question=QUESTION)
        texts = [value.chunk async for value in values if not isinstance(value, dspy.Prediction)]
    return Seen("".join(texts), len(texts))


# Ours.


async def events_async(lm: dspy.LM, program: dspy.Module) -> Seen:
    with dspy.context(lm=lm):
        async with fieldstream.stream(program, question=QUESTION) as run:
            return _joined([event async for event in run])


def events_sync(lm: dspy.LM, program: dspy.Module) -> Seen:
    with dspy.context(lm=lm), fieldstream.stream(program, question=QUESTION) as run:
        return _joined(run)


async def text_async(lm: dspy.LM, program: dspy.Module) -> Seen:
    with dspy.context(lm=lm):
        async with fieldstream.stream(program, question=QUESTION) as run:
            texts = [text async for text in run.text("answer")]
    return Seen("".join(texts), len(texts))


def text_sync(lm: dspy.LM, program: dspy.Module) -> Seen:
    with dspy.context(lm=lm), fieldstream.stream(program, question=QUESTION) as run:
        texts = list(run.text("answer"))
    return Seen("".join(texts), len(texts))


async def drafted_async(lm: dspy.LM, program: dspy.Module) -> Seen:
    """The events of a structured field, put together again."""
    with dspy.context(lm=lm):
        async with fieldstream.stream(program, question=QUESTION) as run:
            return _drafted([event async for event in run])


def drafted_sync(lm: dspy.LM, program: dspy.Module) -> Seen:
    with dspy.context(lm=lm), fieldstream.stream(program, question=QUESTION) as run:
        return _drafted(run)


async def values_async(lm: dspy.LM, program: dspy.Module) -> Seen:
    value, pieces = None, 0
    with dspy.context(lm=lm):
        async with fieldstream.stream(program, question=QUESTION) as run:
            async for each in run.values("answer"):
                value, pieces = each, pieces + 1
    return Seen(value, pieces)


def values_sync(lm: dspy.LM, program: dspy.Module) -> Seen:
    value, pieces = None, 0
    with dspy.context(lm=lm), fieldstream.stream(program, question=QUESTION) as run:
        for each in run.values("answer"):
            value, pieces = each, pieces + 1
    return Seen(value, pieces)


def _joined(events: Iterable[Event]) -> Seen:
    texts = [event.text or "" for event in events if isinstance(event, FieldDelta)]
    return Seen("".join(texts), len(texts))


def _drafted(events: Iterable[Event]) -> Seen:
    draft, pieces = Draft(), 0
    for event in events:
        if isinstance(event, FieldDelta):
            pieces += 1
            if event.text is None:
                draft.assign(event.path, event.value)
            else:
                draft.append(event.path, event.text)
    return Seen(draft.value, pieces)


# Without DSPy.


class Lines:
    """The answer's text by httpx and `json.loads` alone: one client, which keeps its connection."""

    def __init__(self, lm_kwargs: dict[str, Any], model: str) -> None:
        self._url = f"{lm_kwargs['api_base']}/chat/completions"
        messages = [{"role": "user", "content": QUESTION}]
        self._body = {"model": model, "messages": messages, "stream": True}
        self._client = httpx.Client(verify=False, timeout=60)
        self._async_client = httpx.AsyncClient(verify=False, timeout=60)

    def call(self) -> Seen:
        """In a thread."""
        with self._client.stream("POST", self._url, json=self._body) as response:
            texts = [_content(line) for line in response.iter_lines() if line.startswith("data: {")]
        return Seen("".join(texts), len(texts))

    async def acall(self) -> Seen:
        """In a loop."""
        async with self._async_client.stream("POST", self._url, json=self._body) as response:
            texts = [_content(line) async for line in response.aiter_lines() if line.startswith("data: {")]
        return Seen("".join(texts), len(texts))

    def contender(self, runner: asyncio.Runner, way: str) -> Contender:
        """The way is "async" or "sync"."""
        return self.call if way == "sync" else lambda: runner.run(self.acall())

    async def aclose(self) -> None:
        """Close the connections."""
        self._client.close()
        await self._async_client.aclose()


def _content(line: str) -> str:
    return json.loads(line[len("data: ") :])["choices"][0]["delta"].get("content") or ""


WATCHES: dict[str, dict[str, Watch]] = {
    "async": {
        "fieldstream": events_async,
        "fieldstream text": text_async,
        "floor": floor_async,
        "dspy.streamify": streamify_async,
    },
    "sync": {
        "fieldstream": events_sync,
        "fieldstream text": text_sync,
        "floor": floor_sync,
        "dspy.streamify": streamify_sync,
    },
}
"""Those for a text field, of a program that is awaited and of one that is called."""

LIST_WATCHES: dict[str, dict[str, Watch]] = {
    "async": {"fieldstream": drafted_async, "fieldstream values": values_async, "floor": floor_async},
    "sync": {"fieldstream": drafted_sync, "fieldstream values": values_sync, "floor": floor_sync},
}
"""Those for a list of models. DSPy's listeners have no values."""
