"""What leads from a value to another."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.events import UNSET
from fieldstream.fields import Appended, Assigned, Withdrawn, alike, corrections
from tests.fields.growth import Growth, deep, identical

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


@pytest.mark.parametrize("kind", ["list", "object"])
def test_nothing_recurses(kind: str) -> None:
    assert alike(deep(kind, 1), deep(kind, 1))
    assert not alike(deep(kind, 1), deep(kind, 2))
    assert corrections("x", deep(kind, 1), deep(kind, 1)) == []
    assert corrections("x", 1, deep(kind, 1))[0] == Withdrawn("x")
