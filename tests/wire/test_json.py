"""JSON on the wire: one line each, and everything comes back as it was."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.events import Custom, Event, FieldDelta
from fieldstream.wire.json import decode_event, encode
from tests.transforms.runs import runs

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    # Halves of surrogate pairs, too; a pair of two would come back as the character that it is.
    | st.text(st.characters(exclude_categories=("Cs",)) | st.just("\ud800")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_any_value_comes_back_and_is_one_line_of_utf_8(value: Any) -> None:
    line = encode(value)
    assert b"\n" not in line
    assert b"\r" not in line
    assert json.loads(line.decode("utf-8")) == value


@given(runs(), VALUES)
def test_any_event_comes_back(events: list[Event], value: Any) -> None:
    for event in [*events, Custom(seq=len(events), at=1.0, value=value)]:
        assert decode_event(encode(event)) == event
        assert decode_event(encode(event).decode()) == event


def test_half_a_surrogate_pair_is_escaped() -> None:
    event = FieldDelta(seq=1, at=0.5, call="c", field="answer", text="a\ud83d")
    assert b"a\\ud83d" in encode(event)
    assert decode_event(encode(event)) == event


def test_an_event_that_is_not_known_is_an_error() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_event(b'{"type":"run.paused","seq":1,"at":0.5}')


def test_what_is_no_json_is_an_error() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        decode_event(b'{"type":')
