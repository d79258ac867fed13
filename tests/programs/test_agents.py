"""Agents and their tools: thoughts, tool calls with arguments and results, the final extraction."""

# DSPy's signatures are made at run time, and its keyword arguments are many.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false

import asyncio
from collections.abc import Callable
from typing import Any

import dspy
import pytest
from dspy.utils.callback import BaseCallback
from pydantic import BaseModel

from fieldstream.events import Status
from fieldstream.simulator import Answer, ToolCall
from tests.programs.tree import tree
from tests.support.sameness import HAS_ENGINES, LITELLM_WARNS, WAYS, Streamed, Way, chat, same

pytestmark = [pytest.mark.parametrize("way", WAYS), *LITELLM_WARNS]


class Place(BaseModel):
    """Somewhere."""

    city: str
    country: str | None = None


def weather(place: Place, days: int = 1) -> str:
    """The weather at a place."""
    return f"{days} sunny days in {place.city}"


async def later(place: str) -> str:
    """The same, but takes its time."""
    await asyncio.sleep(0)
    return f"sunny in {place}"


def tools_used(run: Streamed) -> list[tuple[str, Any, Any]]:
    return [(call.name, call.arguments, run.ended(call.call).result) for call in run.calls("tool")]


def step(thought: str, tool: str, arguments: str = "{}") -> str:
    return chat(next_thought=thought, next_tool_name=tool, next_tool_args=arguments)


THE_END = chat(reasoning="I looked.", answer="Sunny.")


# ReAct


def test_react(way: Way) -> None:
    run = same(
        way,
        lambda: dspy.ReAct("question -> answer", tools=[weather]),
        [step("Look.", "weather", '{"place": {"city": "Paris"}, "days": 2}'), step("Done.", "finish"), THE_END],
    )
    assert tree(run.events) == [
        "module ReAct",
        "  predictor react",
        "    lm openai/sim",
        "  tool weather",
        "  predictor react",
        "    lm openai/sim",
        "  tool finish",
        "  module extract",
        "    predictor extract.predict",
        "      lm openai/sim",
    ]
    assert tools_used(run) == [
        ("weather", {"place": {"city": "Paris"}, "days": 2}, "2 sunny days in Paris"),
        ("finish", {}, "Completed."),
    ]
    assert "".join(run.texts("next_thought")) == "Look.Done."
    assert "".join(run.texts("answer")) == "Sunny."
    assert [event.message for event in run.of(Status)] == [
        "Calling tool weather...",
        "Tool calling finished! Querying the LLM with tool calling results...",
    ]


def test_arguments_that_do_not_fit(way: Way) -> None:
    run = same(
        way,
        lambda: dspy.ReAct("question -> answer", tools=[weather], max_iters=1),
        [step("Look.", "weather", '{"nowhere": 1}'), THE_END],
        around=lambda: dspy.context(callbacks=[BaseCallback()]),  # Else a traceback, which the LM sees, differs.
    )
    [call] = run.calls("tool")
    assert call.arguments == {"nowhere": 1}
    error = run.ended(call.call).error
    assert error is not None
    assert error.message == "Arg nowhere is not in the tool's args."


def test_a_tool_that_is_a_program(way: Way) -> None:
    """What a tool calls belongs to it."""
    inner = dspy.ChainOfThought("question -> answer")

    def ask(question: str) -> str:
        """Ask somebody else."""
        return inner(question=question).answer

    async def ask_later(question: str) -> str:
        """Ask somebody else."""
        return (await inner.acall(question=question)).answer

    tool = dspy.Tool(ask_later if way == "async" else ask, name="ask")
    run = same(
        way,
        lambda: dspy.ReAct("question -> answer", tools=[tool], max_iters=1),
        [step("Ask.", "ask", '{"question": "Why?"}'), chat(reasoning="So.", answer="Air."), THE_END],
    )
    assert tree(run.events)[3:7] == [
        "  tool ask",
        "    module ChainOfThought",
        "      predictor ChainOfThought.predict",
        "        lm openai/sim",
    ]
    assert tools_used(run) == [("ask", {"question": "Why?"}, "Air.")]


# ReActV2


def text_step(thought: str, tool: str, arguments: str) -> str:
    return chat(next_thought=thought, tool_calls=f'{{"tool_calls": [{{"name": "{tool}", "args": {arguments}}}]}}')


def native_step(tool: str, arguments: dict[str, Any], number: int, thought: str = "") -> Answer:
    return Answer(tool_calls=[ToolCall(tool, arguments, f"call_{number}")], reasoning=thought)


NATIVE = [
    native_step("weather", {"place": {"city": "Paris"}}, 1, "I had better look."),
    native_step("submit", {"answer": "Sunny."}, 2),
]
IN_TEXT = [
    text_step("I had better look.", "weather", '{"place": {"city": "Paris"}}'),
    text_step("I know.", "submit", '{"answer": "Sunny."}'),
]


@pytest.mark.parametrize(
    ("adapter", "answers"),
    [
        (dspy.ChatAdapter, NATIVE),
        (dspy.JSONAdapter, NATIVE),
        (lambda: dspy.ChatAdapter(use_native_function_calling=False), IN_TEXT),
    ],
    ids=["chat", "json", "text"],
)
@pytest.mark.filterwarnings("ignore:Passing OpenAI-style message:DeprecationWarning")
def test_react_v2(way: Way, adapter: Callable[[], dspy.Adapter], answers: list[Answer | str]) -> None:
    if way == "async" and not HAS_ENGINES:
        return  # It has no aforward there.
    run = same(
        way,
        lambda: dspy.ReActV2("question -> answer", tools=[weather]),
        answers,
        around=lambda: dspy.context(adapter=adapter()),
    )
    assert run.result.answer == "Sunny."
    assert tree(run.events) == [
        "module ReActV2",
        "  predictor react",
        "    lm openai/sim",
        "  tool weather",
        "  predictor react",
        "    lm openai/sim",
        "  tool submit",
    ]
    assert tools_used(run) == [
        ("weather", {"place": {"city": "Paris"}}, "1 sunny days in Paris"),
        ("submit", {"answer": "Sunny."}, {"answer": "Sunny."}),
    ]


@pytest.mark.filterwarnings("ignore:Passing OpenAI-style message:DeprecationWarning")
def test_react_v2_is_made_to_submit(way: Way) -> None:
    if way == "async" and not HAS_ENGINES:
        return  # It has no aforward there.
    run = same(way, lambda: dspy.ReActV2("question -> answer", tools=[weather], max_iters=1), NATIVE)
    assert run.result.termination_reason == "forced_submit"
    assert [call.name for call in run.calls("predictor")] == ["react", "react"]


def test_react_v2_without_an_end(way: Way) -> None:
    run = same(way, lambda: dspy.ReActV2("question -> answer", tools=[weather]), ["", "", "", ""])
    assert (run.error is not None) == (HAS_ENGINES or way == "async")  # Before 3.4 it gives up without one.


# Asynchronous tools


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # DSPy leaves the tool's coroutine.
def test_an_asynchronous_tool(way: Way) -> None:
    """In a synchronous program it is an error, unless DSPy is told to wait for it."""
    run = same(
        way,
        lambda: dspy.ReAct("question -> answer", tools=[later]),
        [step("Look.", "later", '{"place": "Paris"}'), step("Done.", "finish"), THE_END],
        around=lambda: dspy.context(callbacks=[BaseCallback()]),
    )
    [used, _] = run.calls("tool")
    if way == "async":
        assert run.ended(used.call).result == "sunny in Paris"
    else:
        assert run.ended(used.call).error is not None


def test_an_asynchronous_tool_in_any_program(way: Way) -> None:
    run = same(
        way,
        lambda: dspy.ReAct("question -> answer", tools=[later]),
        [step("Look.", "later", '{"place": "Paris"}'), step("Done.", "finish"), THE_END],
        around=lambda: dspy.context(allow_tool_async_sync_conversion=True),
    )
    assert tools_used(run)[0] == ("later", {"place": "Paris"}, "sunny in Paris")


def test_a_predictor_in_an_asynchronous_tool(way: Way) -> None:
    """It runs in a loop that DSPy makes for it."""
    inner = dspy.Predict("question -> answer")

    async def ask(question: str) -> str:
        """Ask somebody else."""
        return (await inner.acall(question=question)).answer

    class Using(dspy.Module):
        def forward(self, question: str) -> Any:
            return dspy.Tool(ask)(question=question)

        async def aforward(self, question: str) -> Any:
            return await dspy.Tool(ask).acall(question=question)

    run = same(
        way,
        Using,
        [chat(answer="Because of the air.")],
        around=lambda: dspy.context(allow_tool_async_sync_conversion=True),
    )
    assert tree(run.events) == ["module Using", "  tool ask", "    predictor Predict", "      lm openai/sim"]
    assert len(run.texts("answer")) > 2


def test_several_tools_at_once(way: Way) -> None:
    async def all_of_them() -> Any:
        tool = dspy.Tool(later)
        return await asyncio.gather(*(tool.acall(place=place) for place in ("Paris", "Rome", "Oslo")))

    class Using(dspy.Module):
        def forward(self, question: str) -> Any:
            return asyncio.run(all_of_them())

        async def aforward(self, question: str) -> Any:
            return await all_of_them()

    run = same(way, Using, [])
    assert tools_used(run) == [("later", {"place": place}, f"sunny in {place}") for place in ("Paris", "Rome", "Oslo")]
    assert len({call.parent for call in run.calls("tool")}) == 1
