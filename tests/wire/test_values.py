"""A value that grows: what it is after each delta, and how often it is worth saying."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.events import UNSET, Path
from fieldstream.wire.json import encode
from fieldstream.wire.values import GrowingValue, as_text

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def write(growing: GrowingValue, path: Path, value: Any) -> None:
    """As a parser tells it: containers before what fills them, texts in pieces, scalars whole."""
    if isinstance(value, str):
        growing.append(path, "")
        for character in value:
            growing.append(path, character)
    elif isinstance(value, dict | list):
        growing.assign(path, type(value)())
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            write(growing, (*path, key), item)
    else:
        growing.assign(path, value)


@given(value=_JSON)
def test_deltas_make_the_value(value: Any) -> None:
    growing = GrowingValue()
    assert growing.value is UNSET
    write(growing, (), value)
    assert growing.value == value


@given(value=_JSON, other=_JSON)
def test_what_was_assigned_is_not_shared(value: Any, other: Any) -> None:
    given = [value]
    before = encode(given)
    growing = GrowingValue()
    growing.assign((), given)
    growing.withdraw((0,))
    write(growing, (0,), other)
    write(growing, (1,), other)
    assert growing.value == [other, other]
    assert encode(given) == before


def test_what_is_withdrawn_is_gone() -> None:
    growing = GrowingValue()
    growing.assign((), {"a": [1, 2, 3], "b": "x"})
    growing.withdraw(("a", 1))
    assert growing.value == {"a": [1], "b": "x"}
    growing.append(("b",), "y")
    growing.withdraw(("b",))
    assert growing.value == {"a": [1]}
    growing.withdraw(())
    assert growing.value is UNSET


def test_a_value_is_due_when_it_has_grown_by_a_quarter() -> None:
    growing = GrowingValue()
    assert growing.due
    growing.append((), "x" * 100)
    growing.said()
    growing.append((), "x" * 24)
    assert growing.changed
    assert not growing.due
    growing.append((), "x")
    assert growing.due
    growing.said()
    assert not growing.changed


def test_what_is_withdrawn_in_part_is_a_change() -> None:
    growing = GrowingValue()
    growing.assign((), [1, 2])
    growing.said()
    growing.withdraw((1,))
    assert growing.changed


@given(value=_JSON)
def test_what_is_said_in_all_is_a_multiple_of_the_deltas(value: Any) -> None:
    growing, said = GrowingValue(), 0
    items = [value] * 50
    growing.assign((), [])
    for index, item in enumerate(items):
        write(growing, (index,), item)
        if growing.due:
            growing.said()
            said += len(encode(growing.value))
    assert said <= 6 * len(encode(items)) + 100


@pytest.mark.parametrize(
    ("value", "text"),
    [("é\n", "é\n"), (None, ""), (UNSET, ""), ([], "[]"), ({"ä": [1, None]}, '{"ä": [1, null]}'), (True, "true")],
)
def test_as_text(value: Any, text: str) -> None:
    assert as_text(value) == text
