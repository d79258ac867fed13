"""Tool calls that are written as text: what ``dspy.ToolCalls`` makes of them, in any split."""

import json
from typing import Any

import dspy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.events import UNSET
from fieldstream.fields import Assigned, Change, Completed, Withdrawn, corrections
from fieldstream.fields.types.calls import CallsReader
from fieldstream.tap import to_json
from tests.fields.applied import applied

values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab\"'\n{é", max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=2),
    max_leaves=4,
)
arguments = st.dictionaries(st.text("abc", min_size=1, max_size=3), values, max_size=3)
calls = st.builds(
    lambda name, given, key, extra: {**extra, "name": name, key: given},
    st.text("abc_", min_size=1, max_size=5),
    arguments,
    st.sampled_from(["args", "arguments"]),
    st.sampled_from([{}, {"id": "1"}, {"type": "function", "call_id": "2"}]),
)
written = (
    st.lists(calls, max_size=3).map(lambda each: {"tool_calls": each}) | st.lists(calls, min_size=1, max_size=3) | calls
)


def read(text: str, size: int) -> tuple[list[Change], CallsReader]:
    reader = CallsReader("calls")
    changes = [change for at in range(0, len(text), size) for change in reader.feed(text[at : at + size])]
    return changes + reader.finish(), reader


def expected(value: Any) -> Any:
    return to_json(dspy.ToolCalls.model_validate(value))


@given(written, st.integers(1, 9))
def test_it_is_what_dspy_makes_of_it(value: Any, size: int) -> None:
    changes, reader = read(json.dumps(value), size)
    assert applied(changes, "calls") == expected(value)
    assert reader.complete


@pytest.mark.parametrize(
    "value",
    [
        {"function": {"name": "a", "arguments": '{"b": 1}'}, "id": "1"},
        [{"function": {"name": "a", "arguments": {"b": 1}}}],
        {"tool_calls": [{"name": "a", "args": '{"b": 1}'}]},
        {"tool_calls": [{"name": "a"}, {"args": {"b": 1}, "name": "c"}]},
        {"tool_calls": [], "tool_call_results": [1]},
    ],
    ids=str,
)
@pytest.mark.parametrize("size", [1, 1000])
def test_of_other_forms_nothing_wrong_is_said(value: Any, size: int) -> None:
    changes, reader = read(json.dumps(value), size)
    final = expected(value)
    shown = applied(changes, "calls")
    added = corrections("calls", UNSET if shown is None else shown, final)
    assert not any(isinstance(change, Withdrawn) for change in added)
    assert not reader.complete or shown == final


def test_a_name_is_shown_before_the_arguments_are_over() -> None:
    reader = CallsReader("calls")
    assert Assigned("calls", "search", ("tool_calls", 0, "name")) in reader.feed(
        '[{"name": "search", "args": {"q": "bl'
    )
    assert not any(isinstance(change, Completed) for change in reader.feed('ue"'))
