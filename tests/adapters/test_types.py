"""DSPy's own types, and those of users, as fields: streamed against called."""

# DSPy's signatures are made at run time, and its keyword arguments are many.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false, reportIndexIssue=false

import json
import threading
from typing import Any
from xml.sax.saxutils import escape

import dspy
import pytest

import fieldstream
from fieldstream.events import FieldDelta, FieldStarted
from fieldstream.simulator import Answer, simulate
from tests.support.sameness import LITELLM_WARNS, WAYS, Way, chat, same

pytestmark = LITELLM_WARNS

CODE = 'def f(a: int) -> str:\n    return {"a": [1, "<b>"]}["a"]\n\n\nprint(f(1))'
FENCED = f"Here it is:\n```python\n{CODE}\n```\nHave fun!"
ADAPTERS: dict[str, type[dspy.Adapter]] = {"chat": dspy.ChatAdapter, "json": dspy.JSONAdapter, "xml": dspy.XMLAdapter}


def program(kind: Any, **fields: Any) -> dspy.Module:
    made: Any = dspy.Signature
    return dspy.Predict(made("question -> note, value").with_updated_fields("value", type_=kind))


def written(adapter: str, value: str, *, literal: bool = False) -> str:
    """An answer; with ``literal``, the value is JSON already."""
    match adapter:
        case "chat":
            return chat(note="n", value=value)
        case "json":
            return f'{{"note": "n", "value": {value if literal else json.dumps(value)}}}'
        case _:
            return f"<note>n</note>\n<value>\n{escape(value)}\n</value>"


def see(way: Way, adapter: str, kind: Any, answer: str) -> Any:
    return same(way, lambda: program(kind), [answer], around=lambda: dspy.context(adapter=ADAPTERS[adapter]()))


# Code

XML = pytest.param("xml", marks=pytest.mark.dspy(">=3.4"))
"""Before, its entities are text like any other."""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("adapter", ["chat", "json", XML])
@pytest.mark.parametrize("kind", [dspy.Code, dspy.Code["java"]])
def test_code_streams_without_its_fence(way: Way, adapter: str, kind: Any) -> None:
    run = see(way, adapter, kind, written(adapter, FENCED))
    assert run.result.value.code == CODE
    assert "".join(run.texts("value")) == CODE
    assert len(run.texts("value")) > 10
    assert run.resets() == []
    assert {event.field: event.kind for event in run.of(FieldStarted)} == {"note": "text", "value": "text"}


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize(
    "text", [CODE, "", "x", f"```{CODE}```", "```python\nx = 1", "```a```\nb", "1 + 2", "[1, 2]", "'x'"]
)
def test_code_that_is_written_otherwise(adapter: str, text: str) -> None:
    see("sync", adapter, dspy.Code, written(adapter, text))


@pytest.mark.parametrize("adapter", ["chat", "json"])
def test_code_in_an_object(adapter: str) -> None:
    run = see("sync", adapter, dspy.Code, written(adapter, json.dumps({"code": FENCED}), literal=True))
    assert len(run.texts("value")) > 10
    assert "".join(run.texts("value")) == CODE
    assert run.resets() == []


def test_code_without_a_fence_is_not_withdrawn() -> None:
    run = see("sync", "chat", dspy.Code, written("chat", "x = 1"))
    assert run.texts("value") == ["x = 1"]
    assert run.resets() == []


def test_code_is_shown_before_it_is_over() -> None:
    gate = threading.Event()
    answer = Answer(chat(note="n", value=FENCED), options={"chunking": "chars"}, gates={100: gate})
    with simulate([answer]) as provider:
        lm = dspy.LM(provider.model, **provider.lm_kwargs, cache=False)
        with dspy.context(lm=lm), fieldstream.stream(program(dspy.Code), question="?") as run:
            for event in run:
                if isinstance(event, FieldDelta) and event.field == "value":
                    gate.set()
    assert gate.is_set()


# Types that are known only when they are parsed


class Money(dspy.Type):
    """A type with a validator and a form of its own."""

    amount: int
    currency: str = "EUR"

    def format(self) -> str:
        return f"{self.amount} {self.currency}"


class Listed(dspy.Type):
    """A type whose form is a list of content parts."""

    names: list[str]

    def format(self) -> list[dict[str, Any]]:
        return [{"type": "text", "text": name} for name in self.names]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("adapter", ["chat", "json"])
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (dspy.Image, {"url": "https://example.com/a.png"}),
        (dspy.Audio, {"data": "AAAA", "audio_format": "wav"}),
        (dspy.History, {"messages": [{"question": "a", "answer": "b"}]}),
        (Money, {"amount": 3}),
        (list[Money], [{"amount": 3}, {"amount": 4, "currency": "CHF"}]),
        (Listed, {"names": ["a", "b"]}),
        (dict[str, Listed], {"x": {"names": ["a"]}}),
        (dspy.Reasoning | None, {"content": "so"}),
        (dspy.Code | None, {"code": "x = 1"}),
    ],
    ids=str,
)
def test_other_types_are_right_when_they_are_parsed(way: Way, adapter: str, kind: Any, value: Any) -> None:
    run = see(way, adapter, kind, written(adapter, json.dumps(value), literal=True))
    assert run.error is None
    assert run.resets() == []


@pytest.mark.parametrize("way", WAYS)
def test_a_value_that_a_type_refuses(way: Way) -> None:
    run = see(way, "json", Money, written("json", '{"amount": "many"}', literal=True))
    assert run.error is not None


@pytest.mark.parametrize("way", WAYS)
def test_a_history_goes_in(way: Way) -> None:
    signature: Any = dspy.Signature
    history = dspy.History(messages=[{"question": "One?", "answer": "1"}, {"question": "Two?", "answer": "2"}])
    run = same(
        way,
        lambda: dspy.Predict(signature("question, history: dspy.History -> answer")),
        [chat(answer="Three.")],
        question="And then?",
        history=history,
    )
    assert run.result.answer == "Three."
    assert len(run.texts("answer")) > 1
    assert len(run.requests[0]["messages"]) == 6
