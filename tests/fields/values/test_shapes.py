"""Shapes, and choices among them."""

from typing import Any

import pytest

from fieldstream.events import UNSET
from fieldstream.fields import Choice, Items, Later, Members, Plain, Scalar, Shape, Slot, Text
from fieldstream.fields.values.shapes import Opening, shape_that_begins


def choice(*shapes: Shape) -> Choice:
    made = Choice(int, int)
    made.shapes += shapes
    return made


def members(**slots: Slot) -> Members:
    shape = Members()
    shape.slots = slots
    shape.keys = {name: name for name in slots}
    return shape


LIST, OBJECT, NUMBER = Items(Slot(Text())), members(a=Slot(Text())), Scalar(int, int)


@pytest.mark.parametrize(
    ("shape", "opening", "kind"),
    [
        (LIST, "[", Items),
        (LIST, "{", None),
        (LIST, '"', None),
        (OBJECT, "{", Members),
        (OBJECT, "[", None),
        (Text(), '"', Text),
        (Text(), "[", None),
        (NUMBER, '"', Scalar),
        (NUMBER, "{", None),
        (Plain(), "{", Members),
        (Plain(), "[", Items),
        (Plain(), '"', Plain),
        (Later(), "{", None),
        (choice(LIST, OBJECT), "[", Items),
        (choice(LIST, Items(Slot(NUMBER))), "[", None),
        (choice(LIST, choice(OBJECT, NUMBER)), "{", Members),
        (choice(NUMBER, Text()), '"', Text),
        (choice(LIST, Later()), "[", None),
    ],
)
def test_a_value_has_the_shape_that_begins_so(shape: Shape, opening: Opening, kind: type[Shape] | None) -> None:
    found = shape_that_begins(shape, opening)
    assert found is None if kind is None else isinstance(found, kind)


def test_choices_among_choices_are_one() -> None:
    inner = choice(LIST, NUMBER)
    outer = choice(inner, OBJECT)
    inner.shapes.append(outer)  # of a type that holds itself
    assert outer.every == [LIST, NUMBER, OBJECT]


def test_several_objects_have_the_members_of_all() -> None:
    one = members(kind=Slot(NUMBER), name=Slot(Text(), default="a"), both=Slot(Text(), done=True))
    other = members(kind=Slot(NUMBER), size=Slot(NUMBER), both=Slot(Text()))
    merged = choice(one, other).members
    assert merged is not None
    assert merged.slots.keys() == {"kind", "name", "both", "size"}
    assert all(slot.default is UNSET for slot in merged.slots.values())
    assert not merged.certain
    assert merged.slots["both"].done, "it is marked, if it is the first"
    assert not merged.slots["both"].needed
    one.slots["kind"].needed = other.slots["kind"].needed = one.slots["name"].needed = True
    needed = choice(one, other).members
    assert needed is not None
    assert [name for name, slot in needed.slots.items() if slot.needed] == ["kind"]
    assert choice(one, NUMBER).members is one
    assert choice(NUMBER).members is None


def test_a_key_means_a_member() -> None:
    shape = members(a=Slot(Text()))
    shape.keys = {"A": "a"}
    assert (shape.name("A"), shape.name("a")) == ("a", None)
    shape.rest = Slot(Plain())
    assert shape.name("b") == "b"
    shape.rename = lambda key: str(int(key))
    assert shape.name("01") == "1"
    with pytest.raises(ValueError, match="no number"):
        shape.name("no number")


def test_items_have_their_places() -> None:
    first, rest = Slot(NUMBER), Slot(Text())
    assert Items(rest, (first,)).slot(0) is first
    assert Items(rest, (first,)).slot(7) is rest
    assert Items(None, (first,)).slot(1) is None


def test_a_slot_may_be_marked_anew() -> None:
    slot: Any = Slot(NUMBER, default=3, needed=True)
    marked = slot.marked({"done", "stateful"})
    assert (marked.done, marked.needed, marked.stateful, marked.default) == (True, True, True, 3)
    assert (slot.done, slot.stateful) == (False, False)
    assert slot.with_shape(LIST).default == 3
    assert slot.without_default().default is UNSET
