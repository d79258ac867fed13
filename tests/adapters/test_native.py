"""Fields that an LM fills beside its text: tool calls, reasoning. Streamed against called, by every engine."""

# DSPy's signatures are made at run time, and its keyword arguments are many.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
# pyright: reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false

import json
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import dspy
import pytest

import fieldstream
from fieldstream.events import FieldDelta, FieldEnded, LmDelta
from fieldstream.simulator import Answer, ToolCall, simulate
from tests.support.sameness import HAS_ENGINES, LITELLM_WARNS, WAYS, Streamed, Way, chat, same, stream
from tests.support.values import apply

pytestmark = [
    *LITELLM_WARNS,
    # LiteLLM's clients of a loop stay open when the loop ends, in plain calls, too.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ENGINES: list[dict[str, Any]] = [{"engine": "auto"}, {"engine": "litellm"}] if HAS_ENGINES else [{}]
everywhere = pytest.mark.parametrize(("way", "lm"), [(way, lm) for way in WAYS for lm in ENGINES], ids=str)


class Able(dspy.LM):
    """An LM that calls tools and reasons natively."""

    supports_function_calling = True  # pyright: ignore[reportAssignmentType]
    supports_reasoning = True  # pyright: ignore[reportAssignmentType]


def search(query: str, limit: int = 1) -> str:
    """Search for something."""
    return query * limit


def other() -> str:
    """Do something else."""
    return ""


class Acting(dspy.Signature):
    """Act."""

    question: str = dspy.InputField()
    tools: list[dspy.Tool] = dspy.InputField()
    thought: dspy.Reasoning = dspy.OutputField()
    answer: str = dspy.OutputField()
    calls: dspy.ToolCalls = dspy.OutputField()


class Thinking(dspy.Signature):
    """Think."""

    question: str = dspy.InputField()
    thought: dspy.Reasoning = dspy.OutputField()
    answer: str = dspy.OutputField()


SEARCH = ToolCall(
    "search", {"query": 'blue "sky"\n🙂', "limit": 2, "more": {"tags": ["a", "b c"], "deep": [[1.5, None]]}}
)
OTHER = ToolCall("other")


def acting(**config: Any) -> Callable[[], dspy.Module]:
    return lambda: dspy.Predict(Acting, **config)


def native(adapter: type[dspy.Adapter] = dspy.ChatAdapter) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: dspy.context(adapter=adapter(use_native_function_calling=True))


def act(way: Way, lm: dict[str, Any], *answers: Answer, program: Any = None, **options: Any) -> Streamed:
    options = {"around": native(), "kind": Able, **options}
    return same(
        way,
        program or acting(),
        answers,
        lm=lm,
        question="Why?",
        tools=[dspy.Tool(search), dspy.Tool(other)],
        **options,
    )


def deltas(run: Streamed, field: str) -> list[FieldDelta]:
    return [event for event in run.of(FieldDelta) if event.field == field]


def ended_in_the_text(run: Streamed, field: str) -> bool:
    """Whether the field is whole before its LM's call ends."""
    lm = run.calls("lm")[-1].call
    (end,) = [event for event in run.of(FieldEnded) if event.field == field]
    return end.seq < run.ended(lm).seq


# Tool calls


@everywhere
def test_a_tool_call_streams(way: Way, lm: dict[str, Any]) -> None:
    run = act(way, lm, Answer(tool_calls=[SEARCH], reasoning="I had better search."))
    assert run.result.calls.tool_calls[0].args == SEARCH.arguments
    assert run.resets() == []
    said = deltas(run, "calls")
    assert [(event.path, event.value) for event in said[:5]] == [
        ((), {}),
        (("tool_calls",), []),
        (("tool_calls", 0), {}),
        (("tool_calls", 0, "name"), "search"),
        (("tool_calls", 0, "args"), {}),
    ]
    assert len([event for event in said if event.path == ("tool_calls", 0, "args", "query")]) > 3
    assert "".join(run.texts("thought")) == "I had better search."
    assert len(run.texts("thought")) > 3
    assert ended_in_the_text(run, "calls")
    assert ended_in_the_text(run, "thought")
    assert run.of(LmDelta) == []


@everywhere
@pytest.mark.parametrize("adapter", [dspy.ChatAdapter, dspy.JSONAdapter])
def test_text_and_several_tool_calls(way: Way, lm: dict[str, Any], adapter: type[dspy.Adapter]) -> None:
    text = chat(answer="Let me see.") if adapter is dspy.ChatAdapter else '{"answer": "Let me see."}'
    run = act(way, lm, Answer(text, tool_calls=[SEARCH, OTHER, SEARCH]), around=native(adapter))
    assert run.result.answer == "Let me see."
    assert [call.name for call in run.result.calls.tool_calls] == ["search", "other", "search"]
    assert run.resets() == []
    assert ended_in_the_text(run, "calls")
    assert ended_in_the_text(run, "answer")


@everywhere
def test_text_that_is_not_in_the_format_beside_a_tool_call(way: Way, lm: dict[str, Any]) -> None:
    run = act(way, lm, Answer("I will look it up.", tool_calls=[SEARCH]))
    assert run.result.answer is None
    assert run.resets() == []


@everywhere
def test_no_tool_call(way: Way, lm: dict[str, Any]) -> None:
    run = act(way, lm, Answer(chat(answer="Blue.")))
    assert run.result.calls is None
    assert run.resets() == []


@everywhere
@pytest.mark.parametrize("arguments", ["[1, 2]", '"text"', "12", '{"a": 1', "{'a': 1}", '{"a": 1} and more', "garbage"])
def test_arguments_that_are_no_object(way: Way, lm: dict[str, Any], arguments: str) -> None:
    act(way, lm, Answer(tool_calls=[ToolCall("search", arguments), OTHER]))


@everywhere
def test_a_connection_that_breaks_in_a_tool_call(way: Way, lm: dict[str, Any]) -> None:
    options = {"drop": 7, "fault_times": 1}
    run = act(way, {**lm, "num_retries": 2}, Answer(tool_calls=[SEARCH]), Answer(tool_calls=[SEARCH]), provider=options)
    assert len(run.requests) == 2
    assert ("calls", "retry") in run.resets()
    assert {reason for _, reason in run.resets()} == {"retry"}


@everywhere
def test_candidates_of_which_one_has_no_text(way: Way, lm: dict[str, Any]) -> None:
    answers = [
        Answer(tool_calls=[SEARCH], reasoning="One."),
        Answer(chat(answer="Two."), reasoning="Two."),
        Answer(chat(answer="Three."), tool_calls=[OTHER]),
    ]
    said = answers if lm.get("engine") == "auto" else [Answer(choices=answers)]
    run = act(way, lm, *said, program=acting(n=3))
    assert run.resets() == []
    shown = apply(run.events)
    predictor = run.calls("predictor")[0].call
    for index in range(3):
        completion = run.result.completions[index]
        calls = completion.calls.format() if completion.calls else None
        thought = None if completion.thought is None else str(completion.thought)
        assert shown[predictor, index] == {"calls": calls, "thought": thought, "answer": completion.answer}


@everywhere
def test_a_tool_call_that_no_field_shows_is_the_lms(way: Way, lm: dict[str, Any]) -> None:
    answer = Answer(chat(thought="Hm.", answer="Blue."), tool_calls=[SEARCH], reasoning="Well.")
    run = same(way, lambda: dspy.Predict("question -> answer, thought"), [answer], lm=lm, kind=Able)
    said = {event.channel: "" for event in run.of(LmDelta)}
    for event in run.of(LmDelta):
        said[event.channel] += event.text
    assert said == {"tool_call": SEARCH.arguments_text, "reasoning": "Well."}


def test_a_tool_call_is_shown_before_it_is_over() -> None:
    gate = threading.Event()
    answer = Answer(tool_calls=[SEARCH, OTHER], options={"chunking": "chars"}, gates={20: gate})
    with simulate([answer]) as provider, native()():
        lm = Able(provider.model, **provider.lm_kwargs, cache=False)
        with (
            dspy.context(lm=lm),
            fieldstream.stream(dspy.Predict(Acting), question="?", tools=[dspy.Tool(search)]) as run,
        ):
            for event in run:
                if isinstance(event, FieldDelta) and event.path == ("tool_calls", 0, "args", "query"):
                    gate.set()
        assert gate.is_set()


def test_its_text_is_told_on_request() -> None:
    with simulate([Answer(tool_calls=[SEARCH], reasoning="Hm.")]) as provider, native()():
        lm = Able(provider.model, **provider.lm_kwargs, cache=False)
        watch = fieldstream.Streamer(dspy.Predict(Acting), lm_text=True)
        with dspy.context(lm=lm), watch(question="?", tools=[dspy.Tool(search)]) as run:
            events = list(run)
    said = [(event.channel, event.text) for event in events if isinstance(event, LmDelta)]
    assert "".join(text for channel, text in said if channel == "tool_call") == SEARCH.arguments_text
    assert "".join(text for channel, text in said if channel == "reasoning") == "Hm."


def test_a_cached_tool_call() -> None:
    with simulate([Answer(tool_calls=[SEARCH, OTHER], reasoning="Hm.")]) as provider, native()():
        lm = Able(provider.model, **provider.lm_kwargs, cache=True)
        inputs = {"question": "?", "tools": [dspy.Tool(search)]}
        first = stream("sync", dspy.Predict(Acting), lm, **inputs)
        second = stream("sync", dspy.Predict(Acting), lm, **inputs)
    assert len(provider.requests) == 1
    assert second.resets() == []
    assert second.calls("predictor")[0].whole == "cached"
    assert ended_in_the_text(second, "calls")
    assert ended_in_the_text(second, "thought")
    assert apply(first.events) == apply(second.events)


# Reasoning


@everywhere
def test_reasoning_is_a_field(way: Way, lm: dict[str, Any]) -> None:
    answer = Answer(chat(answer="Blue."), reasoning="  Light scatters.\n")
    run = same(way, lambda: dspy.Predict(Thinking), [answer], lm=lm, kind=Able)
    assert "".join(run.texts("thought")) == str(run.result.thought) == "  Light scatters.\n"
    assert run.resets() == []
    assert run.of(LmDelta) == []
    assert ended_in_the_text(run, "thought")


@everywhere
def test_reasoning_that_is_written_as_text(way: Way, lm: dict[str, Any]) -> None:
    answer = chat(thought="Light scatters.", answer="Blue.")
    run = same(way, lambda: dspy.Predict(Thinking), [answer], lm=lm)
    assert len(run.texts("thought")) > 1
    assert run.resets() == []
    assert ended_in_the_text(run, "thought")


@everywhere
def test_reasoning_takes_the_place_of_what_is_written(way: Way, lm: dict[str, Any]) -> None:
    """An LM that nobody asked to reason, and that does so all the same."""
    answer = Answer(chat(thought="What is written.", answer="Blue."), reasoning="What is thought.")
    run = same(way, lambda: dspy.Predict(Thinking), [answer], lm=lm)
    assert str(run.result.thought) == "What is thought."
    assert run.resets() == []


@everywhere
def test_a_fallback_begins_its_reasoning_anew(way: Way, lm: dict[str, Any]) -> None:
    answers = [Answer("no format", reasoning="First."), Answer(json.dumps({"answer": "Blue."}), reasoning="Second.")]
    run = same(way, lambda: dspy.Predict(Thinking), answers, lm=lm, kind=Able)
    assert str(run.result.thought) == "Second."
    assert run.resets() == [("thought", "fallback")]


# Tool calls that are written as text


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("adapter", ["chat", "json", "xml"])
@pytest.mark.parametrize("form", ["whole", "list", "single", "provider's"])
def test_tool_calls_that_are_written(way: Way, adapter: str, form: str) -> None:
    adapters = {"chat": dspy.ChatAdapter(), "json": dspy.JSONAdapter(), "xml": dspy.XMLAdapter()}
    call = {"name": "search", "args": {"query": "a long blue sky", "limit": 2}}
    forms: dict[str, Any] = {
        "whole": {"tool_calls": [call, {"name": "other", "args": {}}]},
        "list": [call, call],
        "single": {"id": "1", **call},
        "provider's": [{"type": "function", "function": {"name": "search", "arguments": '{"query": "sky"}'}}],
    }
    said = {
        "chat": chat(thought="Hm.", answer="See.", calls=json.dumps(forms[form])),
        "json": json.dumps({"thought": "Hm.", "answer": "See.", "calls": forms[form]}),
        "xml": f"<thought>Hm.</thought><answer>See.</answer><calls>{json.dumps(forms[form])}</calls>",
    }
    around = lambda: dspy.context(adapter=adapters[adapter])  # noqa: E731
    run = act(way, {}, Answer(said[adapter]), kind=dspy.LM, around=around)
    assert run.result.calls.tool_calls[0].name == "search"
    assert run.resets() == []
    if adapter != "xml" and form != "provider's":
        assert len([event for event in deltas(run, "calls") if event.path[-1:] == ("query",)]) > 1
        assert ended_in_the_text(run, "calls")
