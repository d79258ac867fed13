"""A value that grows, and what leads from it to another."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.events import UNSET
from fieldstream.fields import Appended, Assigned, Change, Draft, Withdrawn, alike, corrections, value_at
from tests.fields.growth import Growth, identical

scalars = st.none() | st.booleans() | st.integers(-2, 2) | st.floats(allow_infinity=False) | st.text("ab", max_size=3)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=1), inner, max_size=2),
    max_leaves=8,
)


@given(values | st.just(UNSET), values, st.booleans())
def test_corrections_lead_from_any_value_to_any_other(shown: Any, value: Any, ended: bool) -> None:
    growth = Growth()
    growth.value = copy.deepcopy(shown)
    changes = corrections("x", shown, value, ended=ended and shown is not UNSET)
    growth.apply(changes)
    assert identical(growth.value, value)
    assert (not changes) == identical(shown, value)
    if ended and shown is not UNSET and changes:
        assert isinstance(changes[0], Withdrawn), "a field that has ended is open again only then"


@given(values, values)
def test_only_what_is_wrong_is_withdrawn(shown: Any, more: Any) -> None:
    assert corrections("x", [shown], [shown, more]) == [Assigned("x", more, (1,))]
    added = corrections("x", {"a": shown}, {"a": shown, "b": more})
    assert added == [Assigned("x", more, ("b",))]
    assert corrections("x", "ab", "abc") == [Appended("x", "c")]
    assert corrections("x", {"a": 3}, {"a": True}) == [Assigned("x", True, ("a",))]
    assert corrections("x", {"a": [1], "b": 2}, {"a": {}, "b": 2}) == [
        Withdrawn("x", path=("a",)),
        Assigned("x", {}, ("a",)),
    ]


@given(values, values)
def test_alike_is_the_same_json(one: Any, other: Any) -> None:
    assert alike(one, other) == identical(one, other)
    assert alike(one, copy.deepcopy(one))


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
    def deep(inside: Any) -> Any:
        for _ in range(100_000):
            inside = [inside] if kind == "list" else {"a": inside}
        return inside

    draft = Draft()
    draft.assign((), deep(1))
    assert alike(draft.value, deep(1))
    assert not alike(draft.value, deep(2))
    assert corrections("x", draft.value, deep(1)) == []
    assert corrections("x", 1, deep(1))[0] == Withdrawn("x")
