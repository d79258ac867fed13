"""Values in nested XML are what ``XMLAdapter.parse`` makes of them, however the text is split."""

import datetime
import enum
import json
from collections.abc import Iterable, Sequence
from typing import Any, Literal, Optional
from xml.sax.saxutils import escape, quoteattr

import dspy
import pytest
from dspy.utils.exceptions import AdapterParseError
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from fieldstream.events import UNSET
from fieldstream.fields import (
    Appended,
    Assigned,
    Change,
    Closed,
    Completed,
    Draft,
    Fields,
    Opened,
    Withdrawn,
    Written,
    XmlParser,
)
from fieldstream.tap.values import to_json
from fieldstream.tap.xml_types import xml_types_of
from tests.fields.helpers import cpu_ratio, every_split, split_at

ADAPTER = dspy.XMLAdapter()
FIELDS: Fields = {"value": "data"}
ABSENT = "<absent>"


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Point(BaseModel):
    x: int
    y: float = 0.5
    label: str = "none"


class Person(BaseModel):
    name: str
    age: int = 0
    tags: list[str] = []
    nick: Optional[str] = None
    home: Optional[Point] = None


class Tree(BaseModel):
    label: str
    children: list["Tree"] = []


class Shape(BaseModel):
    kind: Literal["circle", "square"]
    color: Color
    day: Optional[datetime.date] = None
    filled: bool = False
    corners: list[Point] = []
    notes: dict[str, str] = {}


class Aliased(BaseModel):
    first: str = Field(alias="One")
    second: int = Field(alias="Two")


class Row(TypedDict):
    id: int
    text: str


TEXTS = st.text(st.sampled_from(" \n\tab<>&'\"[{]é😀."), max_size=8)
WORDS = st.sampled_from(["a", "Ann", "two words", "[x", "3", " padded ", "", "None", "<b>x</b>", "a\n\nb"])
STRINGS = st.one_of(WORDS, TEXTS)
KEYS = st.one_of(st.sampled_from(["a", "b", "two words", "item", "entry", "x-y", "1"]), st.text("ab <", min_size=1))
INTS = st.integers(-3, 99)
POINTS = st.builds(Point, x=INTS, y=st.floats(-9, 9), label=STRINGS)
PEOPLE = st.builds(
    Person,
    name=STRINGS,
    age=INTS,
    tags=st.lists(STRINGS, max_size=3),
    nick=st.none() | STRINGS,
    home=st.none() | POINTS,
)
TREES = st.recursive(
    st.builds(Tree, label=STRINGS),
    lambda inner: st.builds(Tree, label=STRINGS, children=st.lists(inner, max_size=3)),
    max_leaves=6,
)
SHAPES = st.builds(
    Shape,
    kind=st.sampled_from(["circle", "square"]),
    color=st.sampled_from(Color),
    day=st.none() | st.dates(),
    filled=st.booleans(),
    corners=st.lists(POINTS, max_size=3),
    notes=st.dictionaries(KEYS, STRINGS, max_size=3),
)
ROWS = st.builds(lambda id, text: Row(id=id, text=text), INTS, STRINGS)
ALIASED = st.builds(lambda first, second: Aliased(One=first, Two=second), STRINGS, INTS)
ANY = st.recursive(
    st.one_of(st.none(), st.booleans(), INTS, STRINGS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)

CASES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (Point, POINTS),
    (Person, PEOPLE),
    (Tree, TREES),
    (Shape, SHAPES),
    (Row, ROWS),
    (Aliased, ALIASED),
    (list[str], st.lists(STRINGS, max_size=4)),
    (list[int], st.lists(INTS, max_size=4)),
    (list[Person], st.lists(PEOPLE, max_size=3)),
    (list[list[str]], st.lists(st.lists(STRINGS, max_size=3), max_size=3)),
    (list[Optional[str]], st.lists(st.none() | STRINGS, max_size=3)),
    (list[Color], st.lists(st.sampled_from(Color), max_size=3)),
    (dict[str, str], st.dictionaries(KEYS, STRINGS, max_size=3)),
    (dict[str, int], st.dictionaries(KEYS, INTS, max_size=3)),
    (dict[str, list[str]], st.dictionaries(KEYS, st.lists(STRINGS, max_size=3), max_size=3)),
    (dict[str, Person], st.dictionaries(KEYS, PEOPLE, max_size=2)),
    (dict[str, Any], st.dictionaries(KEYS, ANY, max_size=3)),
    (list[Any], st.lists(ANY, max_size=3)),
    (Any, ANY),
    (Optional[Person], st.none() | PEOPLE),
    (Optional[list[str]], st.none() | st.lists(STRINGS, max_size=3)),
    (Optional[int], st.none() | INTS),
    (int | str, INTS | STRINGS),
    (Point | Row, POINTS | ROWS),
    (list[Point | Person], st.lists(POINTS | PEOPLE, max_size=3)),
    (list[str] | str, STRINGS | st.lists(STRINGS, max_size=3)),
    (tuple[int, str], st.tuples(INTS, STRINGS)),
    (tuple[Point, list[int]], st.tuples(POINTS, st.lists(INTS, max_size=2))),
    (int, INTS),
    (float, st.floats(allow_nan=False)),
    (bool, st.booleans()),
    (Color, st.sampled_from(Color)),
    (Literal["a", "b c"], st.sampled_from(["a", "b c"])),
    (datetime.date, st.dates()),
]


def signature_of(annotation: Any) -> Any:
    made = dspy.Signature({"question": (str, dspy.InputField())}, "Answer.")  # pyright: ignore[reportCallIssue]
    return made.append("value", dspy.OutputField(default=ABSENT), type_=annotation)


def word(signature: Any, text: str) -> Any:
    """The adapter's own word; ``UNSET`` where it refuses the text."""
    try:
        value = ADAPTER.parse(signature, text)["value"]
    except (AdapterParseError, UnicodeEncodeError):
        return UNSET
    return UNSET if value == ABSENT else to_json(value)


class Reading:
    """What a reader has of the one field."""

    def __init__(self, signature: Any, chunks: Iterable[str]) -> None:
        self.draft = Draft()
        self.withdrawals = 0
        self.completed = False
        self.states: list[str] = []
        parser = XmlParser(FIELDS, xml_types_of(signature))
        for chunk in chunks:
            self._apply(parser.feed(chunk))
        self._apply(parser.finish())

    def _apply(self, changes: Sequence[Change]) -> None:
        for change in changes:
            assert not self.completed, f"{change} comes after the value was completed"
            match change:
                case Appended(_, text, path):
                    self.draft.append(path, text)
                case Assigned(_, value, path):
                    self.draft.assign(path, value)
                case Withdrawn(_, _, path):
                    self.draft.withdraw(path)
                    self.withdrawals += 1
                case Completed(_, ()):
                    self.completed = True
                case Opened() | Closed() | Written() | Completed():
                    pass
        self.states.append(json.dumps(None if self.draft.blank else self.draft.value))

    @property
    def value(self) -> Any:
        return self.draft.value


def is_part(shown: Any, final: Any) -> bool:
    """Whether the one can become the other by adding to it."""
    if isinstance(shown, dict) and isinstance(final, dict):
        return all(key in final and is_part(member, final[key]) for key, member in shown.items())  # pyright: ignore
    if isinstance(shown, list) and isinstance(final, list):
        return len(shown) <= len(final) and all(map(is_part, shown, final))  # pyright: ignore
    if isinstance(shown, str) and isinstance(final, str):
        return final.startswith(shown)
    return type(shown) is type(final) and shown == final  # pyright: ignore


def check(annotation: Any, text: str, splits: Iterable[list[str]], *, clean: bool) -> None:
    signature = signature_of(annotation)
    expected = word(signature, text)
    first: Reading | None = None
    for chunks in splits:
        reading = Reading(signature, chunks)
        first = first or reading
        assert reading.value == first.value, chunks
        assert reading.completed == first.completed, chunks
        if expected is UNSET:
            continue
        if reading.completed:
            assert reading.value == expected
        if clean:
            assert not reading.withdrawals
            assert reading.draft.blank or is_part(reading.value, expected), (reading.value, expected)
            for state in reading.states:
                assert state == "null" or is_part(json.loads(state), expected), (state, expected)


@st.composite
def written_by_adapter(draw: st.DrawFn) -> tuple[Any, str]:
    annotation, values = draw(st.sampled_from(CASES))
    value = draw(values)
    return annotation, ADAPTER.format_assistant_message_content(signature_of(annotation), {"value": value})


@given(written_by_adapter(), st.lists(st.integers(min_value=0), max_size=8))
@settings(max_examples=400)
def test_what_the_adapter_writes_is_never_withdrawn(case: tuple[Any, str], places: list[int]) -> None:
    annotation, text = case
    check(annotation, text, ([text], list(text), split_at(text, places)), clean=True)
