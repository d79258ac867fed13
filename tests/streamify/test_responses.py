"""Streams as server-sent events."""

import json
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import dspy
import pydantic
import pytest

from fieldstream import StatusMessage, StreamListener, StreamResponse, streamify, streaming_response
from fieldstream.simulator import Answer
from tests.streamify.helpers import chat, provided


async def events(*values: Any) -> list[str]:
    async def source() -> AsyncIterator[Any]:
        for value in values:
            yield value

    return [event async for event in streaming_response(source())]


def data(event: str) -> Any:
    assert event.startswith("data: ")
    assert event.endswith("\n\n")
    assert event.count("\n") == 2, "one line of data"
    return json.loads(event.removeprefix("data: "))


class City(pydantic.BaseModel):
    name: str
    founded: date


class Odd:
    def __str__(self) -> str:
        return "odd"


async def test_an_empty_stream_ends() -> None:
    assert await events() == ["data: [DONE]\n\n"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (dspy.Prediction(answer="a", number=1), {"prediction": {"answer": "a", "number": 1}}),
        (StatusMessage("busy"), {"status": "busy"}),
        (StreamResponse("predict", "answer", "tëxt\n", False), None),
        ({"a": [1]}, {"value": {"a": [1]}}),
        ("a text", {"value": "a text"}),
        (None, {"value": None}),
        (dspy.Prediction(city=City(name="Zürich", founded=date(1262, 1, 1))), {
            "prediction": {"city": {"name": "Zürich", "founded": "1262-01-01"}}
        }),
        (dspy.Prediction(odd=Odd()), {"prediction": {"odd": "odd"}}),
        (dspy.Prediction(answer="👩‍💻 \u2028 日本"), {"prediction": {"answer": "👩‍💻 \u2028 日本"}}),
        (dspy.Prediction(answer="half \ud83d"), {"prediction": {"answer": "half \ud83d"}}),
        (StatusMessage("half \ud83d"), {"status": "half \ud83d"}),
        (dspy.Prediction(score=float("nan")), {"prediction": {"score": None}}),
        (dspy.Prediction(keys={1: "a"}), {"prediction": {"keys": {"1": "a"}}}),
        (Odd(), {"value": "odd"}),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
async def test_each_kind_of_value(value: Any, said: Any) -> None:
    event, done = await events(value)
    assert done == "data: [DONE]\n\n"
    if isinstance(value, StreamResponse):
        said = {
            "field": {
                "predict_name": "predict",
                "signature_field_name": "answer",
                "chunk": "tëxt\n",
                "is_last_chunk": False,
                "call_id": "",
                "reset": None,
            }
        }
    assert data(event) == said


async def test_what_is_an_event_already_passes() -> None:
    assert (await events('data: {"finish_reason": "stop"}\n\n'))[0] == 'data: {"finish_reason": "stop"}\n\n'


async def test_a_program_from_end_to_end() -> None:
    wrapped = streamify(dspy.Predict("question -> answer"))
    listening = streamify(dspy.Predict("question -> answer"), stream_listeners=[StreamListener("answer")])
    with provided(chat(answer="one two"), chat(answer="one two")):
        *chunks, last, _ = [event async for event in streaming_response(wrapped(question="?"))]
        assert all("chunk" in data(event) for event in chunks)
        assert data(last) == {"prediction": {"answer": "one two"}}
        *fields, last, done = [event async for event in streaming_response(listening(question="?"))]
        assert "".join(data(event)["field"]["chunk"] for event in fields) == "one two"
        assert data(last) == {"prediction": {"answer": "one two"}}
        assert done == "data: [DONE]\n\n"


async def test_leaving_it_ends_the_run() -> None:
    import asyncio

    answer = Answer(chunks=["[[ ## answer ## ]]\n", *["word "] * 30], options={"stall": 20})
    with provided(answer) as provider:
        stream: Any = streaming_response(streamify(dspy.Predict("question -> answer"))(question="?"))
        await anext(stream)
        await stream.aclose()
        await asyncio.to_thread(provider.wait_for, lambda: provider.requests[0].disconnected.is_set())
