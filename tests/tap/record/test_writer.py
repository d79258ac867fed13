"""The writer alone: whatever was shown, applying the events gives what it turned out to be."""

import gc
import json
import time
import tracemalloc
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.order import check_order
from tests.support.values import apply

from fieldstream.events import Event, FieldEnded, FieldKind, FieldReset
from fieldstream.fields import (
    Appended,
    Assigned,
    Change,
    ChatParser,
    FieldParser,
    NativeFields,
    NativeReader,
    Plain,
    Slot,
    StructuredParser,
)
from fieldstream.log import MemoryLog
from fieldstream.tap.record.calls import Recorder
from fieldstream.tap.record.writer import NewParser, Writer

FIELDS: dict[str, FieldKind] = {"answer": "text", "more": "data"}


def new_parser() -> FieldParser:
    return StructuredParser(ChatParser(FIELDS), {"more": Slot(Plain())}, raw=True)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(0, 1) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)
literals = json_values.map(json.dumps)
texts = st.text("ab\n[]#é ", max_size=6)
chat_texts = st.builds(
    lambda answer, more: f"[[ ## answer ## ]]\n{answer}\n\n[[ ## more ## ]]\n{more}", texts, texts | literals
) | st.text("[]# answer\n", max_size=30)


class Scene:
    """One predictor's call, from its start to its end."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.recorder = Recorder(self.log)
        self.recorder.start("run", "Program")
        self.call = self.recorder.open(None, "predictor", "self", hold=True)
        self.writer = Writer(self.recorder, self.call)

    def write(self, *pieces: str, candidate: int = 0) -> None:
        writing = self.writer.begin(candidate)
        for piece in pieces:
            self.writer.feed(writing, piece)
        self.writer.finish(writing)

    def end(self) -> list[Event]:
        self.recorder.close(self.call)
        self.recorder.end("completed")
        events = self.log.read(limit=10_000)
        check_order(events)
        return events


def with_kinds(values: dict[str, Any]) -> dict[str, tuple[FieldKind, Any]]:
    return {name: (FIELDS[name], value) for name, value in values.items()}


def same(one: Any, other: Any) -> bool:
    return msgspec.json.encode(one) == msgspec.json.encode(other)


@given(st.lists(chat_texts, max_size=3), texts | st.none(), json_values, st.booleans(), st.integers(1, 7))
def test_whatever_was_shown_the_end_is_right(
    tries: list[str], answer: str | None, more: Any, parsed: bool, size: int
) -> None:
    scene = Scene()
    scene.writer.plan(new_parser, FIELDS)
    for text in tries:
        scene.write(*(text[at : at + size] for at in range(0, len(text), size)))
    if parsed:
        scene.writer.parsed(with_kinds({"answer": "something", "more": [1]}))
    scene.writer.settle(0, with_kinds({"answer": answer, "more": more}))
    events = scene.end()
    assert same(apply(events)["c1", 0], {"answer": answer, "more": more})


def test_settling_again_says_nothing_again() -> None:
    scene = Scene()
    scene.writer.plan(new_parser, FIELDS)
    scene.write("[[ ## answer ## ]]\nBlue\n\n[[ ## more ## ]]\n[1]")
    for _ in range(3):
        scene.writer.settle(0, with_kinds({"answer": "Blue", "more": [1]}))
    events = scene.end()
    assert not [event for event in events if isinstance(event, FieldReset)]
    assert len([event for event in events if isinstance(event, FieldEnded)]) == 2


@pytest.mark.parametrize(("one", "other"), [(1, True), (1, 1.0), ("1", 1), (0.0, False), (None, ""), ([1], [True])])
def test_values_that_only_python_takes_for_equal(one: Any, other: Any) -> None:
    scene = Scene()
    scene.writer.settle(0, {"more": ("data", one)})
    scene.writer.settle(0, {"more": ("data", other)})
    assert same(apply(scene.end())["c1", 0], {"more": other})


def test_another_format_withdraws_what_the_first_showed() -> None:
    scene = Scene()
    scene.writer.plan(new_parser, FIELDS)
    scene.write("[[ ## answer ## ]]\nWrong")
    scene.writer.plan(None, FIELDS)
    scene.write("anything")
    scene.writer.settle(0, with_kinds({"answer": "Right"}))
    events = scene.end()
    assert [event.reason for event in events if isinstance(event, FieldReset)] == ["fallback"]
    assert apply(events)["c1", 0] == {"answer": "Right"}


def test_nothing_is_said_after_the_end() -> None:
    scene = Scene()
    scene.writer.plan(new_parser, FIELDS)
    writing = scene.writer.begin(0)
    scene.writer.feed(writing, "[[ ## answer ## ]]\nBl")
    events = scene.end()
    scene.writer.feed(writing, "ue")
    scene.writer.finish(writing)
    scene.writer.begin(0)
    scene.writer.plan(new_parser, FIELDS)
    scene.writer.parsed(with_kinds({"answer": "Blue"}))
    scene.writer.settle(0, with_kinds({"answer": "Blue"}))
    assert scene.log.read() == events


class Failing:
    """A parser that says something, and then fails."""

    def __init__(self, pieces: int) -> None:
        self._left = pieces
        self._parser = ChatParser(FIELDS)

    def feed(self, text: str) -> list[Change]:
        self._left -= 1
        if self._left < 0:
            raise RecursionError("too deep")
        return self._parser.feed(text)

    def finish(self) -> list[Change]:
        raise RuntimeError("not at the end, either")


class Rambling:
    """A parser that says what is no change, of a field that is none."""

    def feed(self, text: str) -> list[Change]:
        return [Appended("elsewhere", text), cast("Any", None)]

    def finish(self) -> list[Change]:
        return []


def impossible() -> FieldParser:
    raise ValueError("no parser today")


@pytest.mark.parametrize(
    "make", [lambda: Failing(0), lambda: Failing(2), lambda: Failing(9), Rambling, impossible], ids=range(5)
)
def test_a_parser_that_fails_breaks_nothing(make: NewParser, caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    scene.writer.plan(make, FIELDS)
    scene.write("[[ ## answer ## ]]\n", "Wrong", "ly\n", "[[ ## more ## ]]\n[1]")
    scene.write("[[ ## answer ## ]]\n", "Right", "ly\n", "[[ ## more ## ]]\n[1]")
    scene.writer.parsed(with_kinds({"answer": "Rightly", "more": [1]}))
    assert apply(scene.end())["c1", 0] == {"answer": "Rightly", "more": [1]}
    assert len(caplog.records) <= 1, "the log says it once"


@pytest.mark.parametrize("failing", ["reasoning", "tool_call", "chunk", "finish"])
@pytest.mark.parametrize("at", [0, 1, 5])
def test_a_reader_of_what_comes_beside_the_text_that_fails_breaks_nothing(
    failing: str, at: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = getattr(NativeReader, failing)
    calls: list[Any] = []

    def fail(self: NativeReader, *arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) > at:
            raise RecursionError("too deep")
        return real(self, *arguments)

    monkeypatch.setattr(NativeReader, failing, fail)
    monkeypatch.setattr("fieldstream.tap.record.writer._failed", set[str]())
    native = NativeFields(("thoughts",), "calls", {"sources": lambda chunk: chunk})
    scene = Scene()
    scene.writer.plan(new_parser, FIELDS, native)
    for _ in range(2):
        writing = scene.writer.begin(0)
        for number in range(3):
            scene.writer.beside(writing, lambda reader: reader.reasoning("Hm"))
            scene.writer.beside(writing, lambda reader, number=number: reader.tool_call(number, "f", '{"a": 1}'))
            scene.writer.beside(writing, lambda reader, number=number: reader.chunk([number]))
            scene.writer.feed(writing, "[[ ## answer ## ]]\nBlue" if not number else "r")
        scene.writer.finish(writing)
    scene.writer.parsed(with_kinds({"answer": "Bluerr", "more": [1]}))
    calls_made = {"tool_calls": [{"name": "f", "args": {"a": 1}}] * 3}
    beside: dict[str, tuple[FieldKind, Any]] = {
        "thoughts": ("text", "HmHmHm"),
        "calls": ("data", calls_made),
        "sources": ("data", [0, 1, 2]),
    }
    scene.writer.settle(0, beside)
    values = {name: value for name, (_, value) in beside.items()}
    assert apply(scene.end())["c1", 0] == {"answer": "Bluerr", "more": [1]} | values
    assert len(calls) > at or failing == "finish"
    assert len(caplog.records) == (len(calls) > at), "the log says it once"


def test_a_list_of_short_strings_weighs_little_more_than_its_deltas() -> None:
    strings = [f"number {index} of the list" for index in range(3_000)]
    text = f"[[ ## more ## ]]\n{json.dumps(strings)}\n"
    gc.collect()
    tracemalloc.start()
    try:
        scene = Scene()
        scene.writer.plan(new_parser, FIELDS)
        scene.write(*(text[at : at + 4] for at in range(0, len(text), 4)))
        scene.recorder.close(scene.call)
        gc.collect()
        weight, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert weight / len(strings) <= 300
    assert apply(scene.log.read(limit=10**6))["c1", 0] == {"more": strings}


class Listed:
    """Says of a whole list of texts, in one piece, what a parser would say of it."""

    def __init__(self, size: int) -> None:
        self._changes: list[Change] = [Assigned("more", [])]
        for index in range(size):
            self._changes += (Assigned("more", "", (index,)), Appended("more", "x", (index,)))

    def feed(self, text: str) -> list[Change]:
        return self._changes

    def finish(self) -> list[Change]:
        return []


def test_many_changes_at_once_cost_no_more_each_than_a_few() -> None:
    def cost(size: int) -> float:
        scene = Scene()
        scene.writer.plan(lambda: Listed(size), {"more": "data"})
        writing = scene.writer.begin(0)
        before = time.process_time()
        scene.writer.feed(writing, "whole")
        return (time.process_time() - before) / size

    gc.collect()
    assert min(cost(60_000) / cost(2_000) for _ in range(3)) < 3
