"""The Responses API, asked by DSPy's own engines (3.4 and later). LiteLLM's responses come whole."""

# DSPy's signatures are made at run time, and its keyword arguments are many.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false

import dspy
import pytest

from fieldstream.events import LmDelta
from fieldstream.simulator import Answer, ToolCall, simulate
from tests.support.sameness import LITELLM_WARNS, WAYS, Way, chat, same, stream

pytestmark = [
    pytest.mark.parametrize("way", WAYS),
    pytest.mark.filterwarnings("ignore:Passing OpenAI-style message:DeprecationWarning"),
    *LITELLM_WARNS,
]

SKY = chat(answer="Because air scatters blue light the most.")


def qa() -> dspy.Module:
    return dspy.Predict("question -> answer")


def test_responses_stream(way: Way) -> None:
    run = same(way, qa, [Answer(SKY, reasoning="First I think about it.")], lm={"model_type": "responses"})
    assert run.calls("predictor")[0].whole is None
    assert len(run.texts("answer")) > 5
    thoughts = [event.text for event in run.of(LmDelta) if event.channel == "reasoning"]
    assert "".join(thoughts) == "First I think about it."


def test_tool_calls_in_responses(way: Way) -> None:
    def weather(city: str) -> str:
        """The weather in a city."""
        return f"sunny in {city}"

    answers = [
        Answer(tool_calls=[ToolCall("weather", {"city": "Paris"}, "call_1")]),
        Answer(tool_calls=[ToolCall("submit", {"answer": "Sunny."}, "call_2")]),
    ]
    run = same(
        way, lambda: dspy.ReActV2("question -> answer", tools=[weather]), answers, lm={"model_type": "responses"}
    )
    assert run.result.answer == "Sunny."
    assert [call.name for call in run.calls("tool")] == ["weather", "submit"]


@pytest.mark.parametrize("after", [1, 9])
def test_responses_that_break_off(way: Way, after: int) -> None:
    run = same(
        way,
        qa,
        [SKY],
        provider={"drop": after, "fault_times": 1},
        lm={"model_type": "responses", "num_retries": 2},
    )
    assert len(run.requests) == 2
    assert run.resets() == ([("answer", "retry")] if after > 5 else [])


def test_responses_without_their_end_are_no_answer(way: Way) -> None:
    with simulate([SKY], truncate=9, fault_times=1) as provider:
        lm = dspy.LM(provider.model, **provider.lm_kwargs, model_type="responses", cache=False, num_retries=1)
        run = stream(way, qa(), lm)
    assert run.result.answer == "Because air scatters blue light the most."
    assert run.resets() == [("answer", "retry")]
    assert len(provider.requests) == 2
