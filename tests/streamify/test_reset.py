"""What was said and turned out otherwise: a retry, a fallback, a repair."""

import json
from typing import Any

import dspy
import pytest

from fieldstream import StreamListener, streamify
from fieldstream.simulator import Answer
from tests.streamify.helpers import chat, check_ends, gather, provided, read, responses, text

BOTH = [StreamListener("answer"), StreamListener("why")]


def resets(values: list[Any], field: str) -> list[str]:
    return [response.reset for response in responses(values, field) if response.reset]


@pytest.mark.parametrize("is_async", [False, True])
async def test_after_a_dropped_connection_the_text_begins_anew(is_async: bool) -> None:
    pieces = ["[[ ## answer ## ]]\n", "one ", "two ", "three", "\n\n[[ ## why ## ]]\nw\n\n[[ ## completed ## ]]"]
    broken = Answer(chunks=pieces, options={"drop": 3})
    with provided(broken, Answer(chunks=pieces)) as provider:
        program = dspy.Predict("question -> answer, why")
        wrapped = streamify(program, stream_listeners=BOTH, is_async_program=is_async)
        values = await gather(wrapped(question="?"))
        assert len(provider.requests) == 2
    assert resets(values, "answer") == ["retry"]
    assert text(values, "answer") == values[-1].answer == "one two three"
    assert text(values, "why") == "w"
    assert len({response.call_id for response in responses(values)}) == 1
    check_ends(values)


async def test_the_fallback_to_json_stays_on() -> None:
    wrong = Answer(chunks=["[[ ## answer ## ]]\n", "one ", "two"])
    right = json.dumps({"answer": "three", "why": "w"})
    with provided(wrong, right):
        values = await gather(streamify(dspy.Predict("question -> answer, why"), stream_listeners=BOTH)(question="?"))
    assert resets(values, "answer") == ["fallback"]
    assert text(values, "answer") == values[-1].answer == "three"
    assert text(values, "why") == values[-1].why == "w"
    check_ends(values)


async def test_a_value_that_the_adapter_makes_otherwise_is_a_repair() -> None:
    class Upper(dspy.ChatAdapter):
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return [{**values, "answer": values["answer"].upper()} for values in super().__call__(*args, **kwargs)]

    with provided(chat(answer="quiet", why="w"), adapter=Upper()):
        values = await gather(streamify(dspy.Predict("question -> answer, why"), stream_listeners=BOTH)(question="?"))
    assert resets(values, "answer") == ["repair"]
    assert text(values, "answer") == values[-1].answer == "QUIET"
    assert resets(values, "why") == []


async def test_where_all_goes_well_nothing_is_withdrawn() -> None:
    with provided():
        values = await gather(streamify(dspy.Predict("question -> answer, why"), stream_listeners=BOTH)(question="?"))
    assert all(response.reset is None and response.call_id for response in responses(values))


async def test_what_is_said_of_a_failed_call_ends_before_its_exception() -> None:
    broken = Answer(chunks=["[[ ## answer ## ]]\n", "one ", "two "], options={"drop": 3})
    values: list[Any] = []
    with provided(broken, *[Answer(options={"error": 400})] * 9), pytest.raises(Exception, match=r"\w"):
        await read(streamify(dspy.Predict("question -> answer, why"), stream_listeners=BOTH)(question="?"), values)
    check_ends(values)
