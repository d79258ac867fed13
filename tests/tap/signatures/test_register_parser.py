"""Parsers that users bring for adapters of their own; the example is the one of the documentation."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import dspy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.order import check_order
from tests.support.values import check_exact

import fieldstream
from fieldstream.events import CallStarted, Event, FieldDelta, FieldReset
from fieldstream.simulator import Answer, simulate

sys.path.insert(0, str(Path(__file__).parents[3] / "examples"))
import own_adapter  # pyright: ignore[reportMissingImports]

LinesAdapter = cast("type[dspy.ChatAdapter]", own_adapter.LinesAdapter)
LinesParser = cast("Any", own_adapter.LinesParser)

ANSWER = "note: nothing\nanswer: Blue: light\nsources: ['a', 'b']\nanswer: again"


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    yield
    fieldstream.register_parser(LinesAdapter, LinesParser)


def run(adapter: dspy.Adapter, answer: Answer | str) -> tuple[Any, list[Event]]:
    program = dspy.Predict("question -> answer, sources: list[str]")
    with simulate([answer]) as provider:
        lm = dspy.LM(provider.model, **provider.lm_kwargs, cache=False)
        with dspy.context(lm=lm, adapter=adapter), fieldstream.stream(program, question="Why?") as stream:
            events = list(stream)
            result = stream.wait()
    check_order(events)
    check_exact(events)
    return result, events


def whole(events: list[Event]) -> list[str | None]:
    return [event.whole for event in events if isinstance(event, CallStarted) and event.kind == "predictor"]


@given(st.lists(st.integers(1, 6), min_size=1))
def test_its_fields_stream_in_any_split(sizes: list[int]) -> None:
    chunks: list[str] = []
    rest = ANSWER
    while rest:
        size = sizes[len(chunks) % len(sizes)]
        chunks.append(rest[:size])
        rest = rest[size:]
    result, events = run(LinesAdapter(), Answer(chunks=chunks))
    assert (result.answer, result.sources) == ("Blue: light", ["a", "b"])
    assert whole(events) == [None]
    assert not [event for event in events if isinstance(event, FieldReset)]
    assert len([event for event in events if isinstance(event, FieldDelta)]) >= 4


class Derived(LinesAdapter):  # pyright: ignore[reportGeneralTypeIssues, reportUntypedBaseClass]
    """Reads as its base does."""


class Other(LinesAdapter):  # pyright: ignore[reportGeneralTypeIssues, reportUntypedBaseClass]
    """Reads otherwise, for all that is known."""

    def parse(self, signature: Any, completion: str) -> dict[str, Any]:
        return super().parse(signature, completion)


def test_it_holds_for_adapters_that_inherit_parse() -> None:
    assert whole(run(Derived(), ANSWER)[1]) == [None]
    assert whole(run(Other(), ANSWER)[1]) == ["adapter"]


def test_none_takes_it_back() -> None:
    fieldstream.register_parser(LinesAdapter, None)
    assert whole(run(LinesAdapter(), ANSWER)[1]) == ["adapter"]


def test_it_comes_before_what_is_known() -> None:
    class Chat(dspy.ChatAdapter): ...

    text = "[[ ## answer ## ]]\nBlue\n[[ ## sources ## ]]\n[]"
    assert whole(run(Chat(), text)[1]) == [None]
    fieldstream.register_parser(Chat, lambda fields: LinesParser(fields))
    result, events = run(Chat(), text)
    assert result.answer == "Blue"  # The parser sees none of it, and so the value comes with the adapter's word.
    assert whole(events) == [None]
    assert whole(run(dspy.ChatAdapter(), text)[1]) == [None]


def test_what_is_no_adapter_and_no_factory() -> None:
    with pytest.raises(TypeError, match=r"pass the class that you derived from dspy\.Adapter"):
        fieldstream.register_parser(cast("Any", LinesAdapter()), LinesParser)
    with pytest.raises(TypeError, match=r"factory\(fields\) gives a parser"):
        fieldstream.register_parser(LinesAdapter, cast("Any", "LinesParser"))
