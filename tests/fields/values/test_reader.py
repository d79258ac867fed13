"""One value, read from what a tokenizer tells."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.events import UNSET
from fieldstream.fields import Assigned, Choice, Items, Later, Members, Plain, Scalar, Slot, Text
from fieldstream.fields.lenient.tokenizer import LenientTokenizer
from fieldstream.fields.values.reader import ValueReader
from tests.fields.growth import Growth, grows_to, identical
from tests.fields.helpers import split_at

ANY = Slot(Plain())
TEXT = Slot(Text())
scalars = st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=4)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


def members(**slots: Slot) -> Members:
    shape = Members()
    shape.slots = slots
    shape.keys = {name: name for name in slots}
    shape.expected = {name for name, slot in slots.items() if slot.default is UNSET}
    return shape


def read(slot: Slot, *chunks: str) -> tuple[ValueReader, list[Any], Growth]:
    """The reader, what changed in each chunk, and what came of it."""
    reader, growth = ValueReader("x", slot), Growth()
    tokens = LenientTokenizer(reader)
    changes: list[Any] = []
    for chunk in chunks:
        tokens.feed(chunk)
        changes.append(reader.take())
        growth.apply(changes[-1])
    tokens.finish()
    changes.append(reader.take())
    growth.apply(changes[-1])
    return reader, changes, growth


@given(values, st.lists(st.integers(0, 60)), st.booleans(), st.booleans())
def test_any_value_grows_to_itself(value: Any, places: list[int], done: bool, spaced: bool) -> None:
    text = json.dumps(value, indent=1 if spaced else None)
    reader, growth = ValueReader("x", Slot(Plain(), done=done)), Growth()
    tokens = LenientTokenizer(reader)
    for chunk in split_at(text, places):
        tokens.feed(chunk)
        growth.apply(reader.take())
        assert grows_to(growth.value, value)
        assert not done or growth.value is UNSET or identical(growth.value, value)
    tokens.finish()
    growth.apply(reader.take())
    assert identical(growth.value, value)
    assert reader.complete
    assert not growth.withdrawn
    if isinstance(value, list) and not done:
        assert growth.completed == {(index,): item for index, item in enumerate(value)}


def test_a_string_is_one_change_in_each_feed() -> None:
    _, changes, _ = read(Slot(Items(TEXT)), '["a', "b c", 'd", ', '"e", "f', '"]')
    assert [[type(change).__name__ for change in each] for each in changes] == [
        ["Assigned", "Appended"],
        ["Appended"],
        ["Appended", "Completed"],
        ["Appended", "Completed", "Appended"],
        ["Completed"],
        [],
    ]


def test_the_last_of_a_repeated_key_counts() -> None:
    _, _, growth = read(Slot(members(a=TEXT, b=Slot(Items(ANY)))), '{"a": "1", "b": [1, 2], "a": "3", "b": [4]}')
    assert growth.value == {"a": "3", "b": [4]}
    assert growth.withdrawn == [("a",), ("b",)]
    _, _, growth = read(Slot(members(a=TEXT), done=True), '{"a": "1", "a": "3"}')
    assert growth.value == {"a": "3"}
    assert not growth.withdrawn


def test_what_only_code_can_tell_is_left_out() -> None:
    reader, _, growth = read(Slot(members(a=Slot(Later()), b=TEXT)), '{"a": {"c": ["d"]}, "b": "e"}')
    assert growth.value == {"b": "e"}
    assert not reader.complete
    reader, _, growth = read(Slot(Items(TEXT, (TEXT, Slot(Later()), TEXT))), '["a", "b", "c"]')
    assert growth.value == ["a"], "where the items stand that follow is not known"
    assert not reader.complete


def test_defaults_come_with_the_end_of_their_object() -> None:
    shape = members(a=TEXT, b=Slot(Plain(), default=[1]))
    reader, changes, growth = read(Slot(shape), '{"a": "c"', "}")
    assert changes[1] == [Assigned("x", [1], ("b",))]
    assert growth.value == {"a": "c", "b": [1]}
    assert reader.complete
    reader, _, growth = read(Slot(shape), '{"b": [2]}')
    assert growth.value == {"b": [2]}
    assert not reader.complete, "nobody knows what a is"


def test_keys_may_have_other_names() -> None:
    shape = Members(TEXT)
    shape.rename = lambda key: str(int(key))
    reader, _, growth = read(Slot(shape), '{"01": "a", "2": "b"}')
    assert growth.value == {"1": "a", "2": "b"}
    assert reader.complete
    reader, _, growth = read(Slot(shape), '{"1": "a", "no number": "b", "2": "c"}')
    assert growth.value == {"1": "a"}
    assert not reader.complete
    fixed = members(name=TEXT)
    fixed.keys = {"Name": "name", "nom": "name"}
    reader, _, growth = read(Slot(fixed), '{"nom": "a", "name": "dropped", "else": [1]}')
    assert growth.value == {"name": "a"}
    assert reader.complete


def test_a_scalar_that_does_not_fit_is_not_shown() -> None:
    slot = Slot(members(a=Slot(Scalar(int, int)), b=Slot(Scalar(int, int)), c=TEXT))
    reader, _, growth = read(slot, '{"a": "3", "b": "no", "c": 4}')
    assert growth.value == {"a": 3}
    assert not reader.complete


def test_of_several_shapes_the_one_that_begins_so_is_read() -> None:
    choice = Choice(int, int)
    choice.shapes = [Items(TEXT), members(a=TEXT), Scalar(int, int)]
    for text, value in (('["a"]', ["a"]), ('{"a": "b"}', {"a": "b"}), ("3", 3)):
        assert read(Slot(choice), text)[2].value == value
    unknown = Choice(int, int)
    unknown.shapes = [*choice.shapes, Later()]
    for text in ('["a"]', '{"a": "b"}', "3"):
        assert read(Slot(unknown), text)[2].value is UNSET


def test_who_waits_comes_with_what_it_waits_for() -> None:
    inner = members(id=Slot(Text(), needed=True), body=TEXT)
    outer = members(inner=Slot(inner, needed=True), note=TEXT)
    reader, changes, growth = read(
        Slot(Items(Slot(outer))), '[{"note": "a", "inner": {"body": "b"', ', "id": "c', '"}}]'
    )
    assert changes[0] == [Assigned("x", [])]
    paths = [(0,), (0, "note"), (0, "inner"), (0, "inner", "body"), (0, "inner", "id")]
    assert list(dict.fromkeys(change.path for change in changes[1])) == paths
    assert reader.complete
    assert growth.value == [{"note": "a", "inner": {"body": "b", "id": "c"}}]


def test_what_is_null_or_never_comes_is_not_waited_for_beyond_the_end() -> None:
    waiting = Slot(Items(Slot(members(id=Slot(Plain(), needed=True), body=TEXT))))
    assert read(waiting, '[{"body": "a", "id": null}]')[2].value == [{"body": "a", "id": None}]
    assert read(waiting, '[{"body": "a"}]')[2].value == [{"body": "a"}]


def test_done_within_done_comes_with_the_outer() -> None:
    inner = Slot(members(id=Slot(Text(), done=True, needed=True)), done=True, stateful=True)
    _, changes, growth = read(Slot(Items(inner, ()), done=True), '[{"id": "a"}', "]")
    assert changes[:2] == [[], [Assigned("x", [{"id": "a"}])]]
    assert growth.completed == {}


def test_what_is_too_deep_is_left_out_and_costs_no_more() -> None:
    reader, changes, growth = read(ANY, "[" * 100_000 + "]" * 100_000)
    assert not reader.complete
    assert len(list(itertools.chain(*changes))) < 200
    assert isinstance(growth.value, list)


@pytest.mark.parametrize("text", ["", "[", '{"a', '{"a": "b', "[1, 2", "no value at all"])
def test_a_text_may_break_off(text: str) -> None:
    _, _, whole = read(ANY, text)
    _, _, pieces = read(ANY, *text)
    assert identical(whole.value, pieces.value)
