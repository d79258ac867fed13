"""Fields that an LM fills beside its text: a text as it comes, tool calls as their JSON."""

import json
from typing import Any

import dspy
import pytest

from fieldstream import StreamListener, streamify
from fieldstream.simulator import Answer, ToolCall, simulate
from tests.streamify.helpers import chat, check_ends, chunks, gather, responses, text


class Able(dspy.LM):
    """An LM that calls tools and reasons natively."""

    supports_function_calling = True  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]
    supports_reasoning = True  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]


def look(at: str) -> str:
    """Look at something."""
    return at


async def values_of(field: str, answer: Answer) -> list[Any]:
    made: Any = dspy.Signature
    program: Any = dspy.Predict(
        made("question, tools: list[dspy.Tool] -> thought: dspy.Reasoning, answer, calls: dspy.ToolCalls")
    )
    with simulate([answer]) as provider:
        lm = Able(provider.model, **provider.lm_kwargs, cache=False)
        with dspy.context(lm=lm, adapter=dspy.ChatAdapter(use_native_function_calling=True)):
            streamed = streamify(program, stream_listeners=[StreamListener(field)])
            return await gather(streamed(question="?", tools=[dspy.Tool(look)]))


@pytest.mark.parametrize("said", ["", chat(answer="Blue.")])
async def test_reasoning_comes_as_it_is_thought(said: str) -> None:
    values = await values_of("thought", Answer(said, reasoning="Light scatters in air.", tool_calls=[ToolCall("look")]))
    assert text(values) == "Light scatters in air."
    assert len(chunks(values)) > 3
    assert not any(response.reset for response in responses(values))
    check_ends(values)


@pytest.mark.parametrize("said", ["", chat(answer="Blue.")])
async def test_tool_calls_are_json(said: str) -> None:
    calls = [ToolCall("look", {"at": "the sky"}), ToolCall("look", {"at": "air"})]
    values = await values_of("calls", Answer(said, tool_calls=calls))
    assert json.loads(text(values)) == values[-1].calls.format()
    assert not any(response.reset for response in responses(values))
    check_ends(values)
