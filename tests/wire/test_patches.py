"""A client's document, as JSON Patches lead it along."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fieldstream.events import UNSET
from fieldstream.fields import corrections
from fieldstream.fields.changes import Appended, Assigned, Withdrawn
from fieldstream.wire.json import encode
from fieldstream.wire.patches import Patches
from tests.fields.growth import identical
from tests.wire.json_patch import patched

KEYS = st.sampled_from(["x", "y", "a/b", "m~n", "0", ""])
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text("ab\ud800", max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def lead(patches: Patches, name: str, shown: Any, goal: Any) -> None:
    """Let the member's value become this one, in the steps in which a run tells of it."""
    for change in corrections("f", copy.deepcopy(shown), copy.deepcopy(goal)):
        match change:
            case Appended(_, text, path):
                for character in text:
                    patches.append(name, path, character)
            case Assigned(_, value, path):
                before = copy.deepcopy(value)
                patches.assign(name, path, value)
                assert identical(value, before), "what events hold is others', too"
            case Withdrawn(_, _, path):
                patches.withdraw(name, path)
            case _:
                raise AssertionError(change)


@given(st.lists(st.tuples(st.sampled_from("fg"), VALUES), max_size=6), st.data())
def test_a_client_that_applies_them_has_the_values(steps: list[tuple[str, Any]], data: st.DataObject) -> None:
    values: dict[str, Any] = {}
    client: Any = {"kept": [1]}
    patches = Patches({"kept": [1]})
    for name, goal in steps:
        lead(patches, name, values.get(name, UNSET), goal)
        values[name] = goal
        if data.draw(st.booleans()):
            patches.settle(name)
            client = patched(client, patches.take())
            assert identical(client[name], goal)
    for name in values:
        patches.settle(name)
    client = patched(client, patches.take())
    assert identical(client, {"kept": [1], **values})
    assert identical(patches.document, client)


def test_an_element_is_added_when_it_is_there() -> None:
    patches = Patches({})
    patches.assign("sources", (), [])
    patches.append("sources", (0,), "https://a")
    patches.assign("sources", (1,), {"url": "b"})
    assert patches.take() == [
        {"op": "add", "path": "/sources", "value": []},
        {"op": "add", "path": "/sources/0", "value": "https://a"},
        {"op": "add", "path": "/sources/1", "value": {"url": "b"}},
    ]


def test_a_text_that_grows_is_replaced_by_more_of_it() -> None:
    patches = Patches({})
    patches.assign("f", (), {})
    for piece in ["ab", "c" * 15, "d", "e" * 15, "f", "g"]:
        patches.append("f", ("x",), piece)
    patches.settle("f")
    assert [operation["value"] for operation in patches.take()[1:]] == [
        "ab",
        "ab" + "c" * 15 + "d",
        "ab" + "c" * 15 + "d" + "e" * 15 + "f",
        "ab" + "c" * 15 + "d" + "e" * 15 + "fg",
    ]


def test_an_empty_text_is_there() -> None:
    patches = Patches({})
    patches.append("f", (), "")
    assert patches.take() == [{"op": "add", "path": "/f", "value": ""}]


def test_a_name_that_clients_refuse_to_go_through_comes_with_the_whole() -> None:
    patches = Patches({})
    patches.assign("f", (), {})
    patches.assign("f", ("__proto__",), {})
    patches.append("f", ("__proto__", "x"), "no")
    patches.withdraw("f", ("__proto__",))
    assert patches.take() == [{"op": "add", "path": "/f", "value": {}}]
    patches.set("f", {"__proto__": {"x": "no"}})
    assert patches.take() == [{"op": "replace", "path": "/f", "value": {"__proto__": {"x": "no"}}}]


def test_what_the_client_has_is_not_said_again() -> None:
    patches = Patches({"f": [1]})
    patches.set("f", [1])
    assert patches.take() == []
    patches.set("f", [True])
    assert patches.take() == [{"op": "replace", "path": "/f", "value": [True]}]


def test_bytes_are_linear_in_the_values() -> None:
    """Also where two of them are told in turns, and where one is a long text."""

    def size(count: int) -> int:
        patches = Patches({})
        for name in ("f", "g"):
            patches.assign(name, (), [""])
        for _ in range(count):
            for name in ("f", "g"):
                patches.append(name, (0,), "word ")
        for name in ("f", "g"):
            for number in range(count):
                patches.append(name, (number + 1,), "an element")
            patches.settle(name)
        return len(encode(patches.take()))

    assert size(8000) / size(1000) < 10
