"""What an LM says beside its text: the same in any split, and what DSPy makes of it."""

import json
from typing import Any

from dspy.adapters.base import _provider_tool_call_to_tool_call_dict as provided  # pyright: ignore[reportPrivateUsage]
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.fields import Appended, Assigned, Change, Closed, Completed, NativeFields, NativeReader
from tests.fields.applied import applied

FIELDS = NativeFields(reasoning=("thought",), calls="calls")

values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab\"'\n{é", max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=2),
    max_leaves=4,
)
arguments = st.just("") | st.dictionaries(st.text("abc", min_size=1, max_size=3), values, max_size=3).map(json.dumps)
Call = tuple[str, str]


def reader(fields: NativeFields = FIELDS) -> NativeReader:
    return NativeReader(fields, lambda name: True)


def expected(calls: list[Call]) -> Any:
    made = [provided({"id": "", "function": {"name": name, "arguments": text}}) for name, text in calls]
    return {"tool_calls": [{"name": call["name"], "args": call["args"]} for call in made]} if calls else None


@given(st.lists(st.tuples(st.text("abc", min_size=1), arguments), max_size=4), st.integers(1, 9), st.randoms())
def test_tool_calls_may_be_written_at_once(calls: list[Call], size: int, random: Any) -> None:
    reading = reader()
    changes: list[Change] = []
    waiting: list[list[tuple[int, str | None, str]]] = []
    for number, (name, text) in enumerate(calls):
        changes += reading.tool_call(number * 2, name, "") or []
        waiting.append([(number * 2, None, text[at : at + size]) for at in range(0, len(text), size)])
    while any(waiting):
        pieces = random.choice([each for each in waiting if each])
        changes += reading.tool_call(*pieces.pop(0)) or []
    changes += reading.finish()
    assert applied(changes, "calls") == expected(calls)
    assert (Completed("calls") in changes) == bool(calls)
    assert reading.finish() == []


def test_a_name_may_come_late() -> None:
    reading = reader()
    changes = reading.tool_call(0, None, '{"a": 1') or []
    changes += reading.tool_call(0, "look", "}") or []
    changes += reading.finish()
    assert applied(changes, "calls") == {"tool_calls": [{"args": {"a": 1}, "name": "look"}]}
    assert changes[-1] == Completed("calls")


def test_a_call_out_of_order_is_left_out() -> None:
    reading = reader()
    changes = [
        *(reading.tool_call(1, "second", "{}") or []),
        *(reading.tool_call(0, "first", "{}") or []),
        *(reading.tool_call(2, "third", "{}") or []),
        *reading.finish(),
    ]
    assert applied(changes, "calls") == {"tool_calls": [{"name": "second", "args": {}}]}
    assert Completed("calls") not in changes


def test_reasoning() -> None:
    reading = reader()
    assert reading.reasoning("a") == [Appended("thought", "a")]
    assert reading.reasoning(" b") == [Appended("thought", " b")]
    assert reading.claimed == {"thought"}
    assert reading.finish() == [Closed("thought")]


def test_a_field_that_shows_something_else_is_left_alone() -> None:
    shown = {"thought"}
    reading = NativeReader(FIELDS, lambda name: name not in shown)
    assert reading.reasoning("a") is None
    shown.clear()
    assert reading.reasoning("b") is None, "it would lack its beginning"
    assert reading.claimed == set()
    assert NativeReader(NativeFields(), lambda name: True).tool_call(0, "look", "{}") is None


def test_types_that_read_chunks() -> None:
    def fail(chunk: Any) -> Any:
        raise ValueError(chunk)

    reads = {"words": lambda chunk: chunk.get("w"), "items": lambda chunk: chunk.get("i"), "bad": fail}
    reading = reader(NativeFields(readers=reads))
    assert reading.wants_chunks
    assert reading.chunk({"w": "a"}) == [Appended("words", "a")]
    assert reading.chunk({"i": [1, 2]}) == [
        Assigned("items", []),
        *(Assigned("items", 1, (0,)), Completed("items", (0,))),
        *(Assigned("items", 2, (1,)), Completed("items", (1,))),
    ]
    assert reading.chunk({"i": [3]}) == [Assigned("items", 3, (2,)), Completed("items", (2,))]
    assert reading.chunk({"i": 4, "w": ""}) == []
    assert reading.claimed == {"words", "items"}
