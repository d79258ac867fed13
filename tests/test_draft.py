"""A value that grows."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream._draft import Draft, value_at
from fieldstream.events import UNSET
from fieldstream.fields import Appended, Assigned, Change, Withdrawn, alike
from tests.fields.growth import Growth, deep, identical

scalars = st.none() | st.booleans() | st.integers(-2, 2) | st.floats(allow_infinity=False) | st.text("ab", max_size=3)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=1), inner, max_size=2),
    max_leaves=8,
)


@given(st.lists(values, max_size=6), st.data())
def test_a_draft_is_what_its_deltas_make(assigned: list[Any], data: st.DataObject) -> None:
    draft, growth = Draft(), Growth()
    changes: list[Change] = [Assigned("x", [])]
    for index, value in enumerate(assigned):
        changes.append(Assigned("x", value, (index,)))
        if isinstance(value, str):
            changes += [Appended("x", piece, (index,)) for piece in data.draw(st.lists(st.text("ab"), max_size=2))]
    if assigned and data.draw(st.booleans()):
        changes.append(Withdrawn("x", path=(len(assigned) - 1,)))
    for change in changes:
        match change:
            case Assigned(_, value, path):
                draft.assign(path, value)
            case Appended(_, text, path):
                draft.append(path, text)
            case _:
                draft.withdraw((len(assigned) - 1,))
    growth.apply(changes)
    assert identical(draft.value, growth.value)


def test_what_was_assigned_does_not_grow() -> None:
    value: dict[str, Any] = {"a": []}
    draft = Draft()
    draft.assign((), value)
    draft.assign(("a", 0), "b")
    draft.append(("a", 0), "c")
    assert draft.value == {"a": ["bc"]}
    assert value == {"a": []}


def test_what_is_nowhere_is_not_there() -> None:
    draft = Draft()
    assert draft.blank
    draft.assign(("a", 0), 1)
    assert draft.value is UNSET
    draft.append((), "a")
    assert not draft.blank
    assert value_at({"a": [1]}, ("a", 1)) is UNSET
    assert value_at({"a": 1}, ("a", "b")) is UNSET
    assert draft.withdraw(()) == "a"
    assert draft.blank


@pytest.mark.parametrize("kind", ["list", "object"])
def test_nothing_recurses(kind: str) -> None:
    draft = Draft()
    draft.assign((), deep(kind, 1))
    assert alike(draft.value, deep(kind, 1))
