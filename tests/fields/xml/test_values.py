"""Values in nested XML are what ``XMLAdapter.parse`` makes of them, however the text is split."""

import datetime
import enum
import json
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from typing import Any, Literal
from xml.sax.saxutils import escape, quoteattr

import dspy
import pytest
from dspy.utils.exceptions import AdapterParseError
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from fieldstream._draft import Draft
from fieldstream.events import UNSET
from fieldstream.fields import (
    Appended,
    Assigned,
    Change,
    Closed,
    Completed,
    Fields,
    Opened,
    Withdrawn,
    Written,
    XmlParser,
)
from fieldstream.tap.signatures.values import to_json
from fieldstream.tap.signatures.xml_types import xml_types_of
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
    nick: str | None = None
    home: Point | None = None


class Tree(BaseModel):
    label: str
    children: list["Tree"] = []


class Shape(BaseModel):
    kind: Literal["circle", "square"]
    color: Color
    day: datetime.date | None = None
    filled: bool = False
    corners: list[Point] = []
    notes: dict[str, str] = {}


class Aliased(BaseModel):
    first: str = Field(alias="One")
    second: int = Field(alias="Two")


class Renamed(BaseModel):
    """By its own name DSPy does not find the member, and takes the default."""

    title: str
    count: int = Field(default=7, alias="Count")


class Recursive(BaseModel):
    """Its items have no schema where the adapter does not look the reference up."""

    name: str | None = None
    next: "Recursive | None" = None
    parts: list[Point] = []


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
RENAMED = st.builds(lambda title, count: Renamed(title=title, Count=count), STRINGS, INTS)
RECURSIVE = st.recursive(
    st.builds(Recursive, name=st.none() | STRINGS),
    lambda inner: st.builds(Recursive, name=st.none() | STRINGS, next=inner, parts=st.lists(POINTS, max_size=2)),
    max_leaves=4,
)
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
    (Renamed, RENAMED),
    (Recursive, RECURSIVE),
    (Recursive | None, RECURSIVE),
    (list[str], st.lists(STRINGS, max_size=4)),
    (list[int], st.lists(INTS, max_size=4)),
    (list[Person], st.lists(PEOPLE, max_size=3)),
    (list[list[str]], st.lists(st.lists(STRINGS, max_size=3), max_size=3)),
    (list[str | None], st.lists(st.none() | STRINGS, max_size=3)),
    (list[Color], st.lists(st.sampled_from(Color), max_size=3)),
    (dict[str, str], st.dictionaries(KEYS, STRINGS, max_size=3)),
    (dict[str, int], st.dictionaries(KEYS, INTS, max_size=3)),
    (dict[str, list[str]], st.dictionaries(KEYS, st.lists(STRINGS, max_size=3), max_size=3)),
    (dict[str, Person], st.dictionaries(KEYS, PEOPLE, max_size=2)),
    (dict[str, Any], st.dictionaries(KEYS, ANY, max_size=3)),
    (list[Any], st.lists(ANY, max_size=3)),
    (Any, ANY),
    (Person | None, st.none() | PEOPLE),
    (list[str] | None, st.none() | st.lists(STRINGS, max_size=3)),
    (int | None, st.none() | INTS),
    (int | str, INTS | STRINGS),
    (Point | Row, POINTS | ROWS),
    (list[Point | Person], st.lists(POINTS | PEOPLE, max_size=3)),
    (list[str] | str, STRINGS | st.lists(STRINGS, max_size=3)),
    (tuple[str, int] | None, st.none() | st.tuples(STRINGS, INTS)),
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
    except (AdapterParseError, UnicodeEncodeError, TypeError):  # An enum's element that is repeated is a TypeError.
        return UNSET
    return UNSET if value == ABSENT else to_json(value)


def is_well_formed(text: str) -> bool:
    try:
        ET.fromstring(f"<root>{text}</root>")
    except (ET.ParseError, UnicodeEncodeError):
        return False
    return True


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
            assert not self.completed or isinstance(change, Withdrawn), f"{change} comes after the value was completed"
            match change:
                case Appended(_, text, path):
                    self.draft.append(path, text)
                case Assigned(_, value, path):
                    self.draft.assign(path, value)
                case Withdrawn(_, _, path):
                    self.draft.withdraw(path)
                    self.withdrawals += 1
                    self.completed = False
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
        if not is_well_formed(text):  # How much of it Expat reads before it refuses the whole, depends on the split.
            continue
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


@st.composite
def written_otherwise(draw: st.DrawFn) -> tuple[Any, str]:
    """A value of one type, for this one or another, as models write: in any way that may be read, and in others."""
    annotation, values = draw(st.sampled_from(CASES))
    if draw(st.sampled_from([True, True, True, False])):
        values = draw(st.sampled_from(CASES))[1]
    elements = draw(written("value", to_json(draw(values))))
    return annotation, draw(PADS).join(["Here: ", *elements, "."])


PADS = st.sampled_from(["", "", "\n  ", "<!-- c -->", " and "])
EXTRA = st.sampled_from(["", "", "", "", "<more>1</more>", "<item>a</item>", "<name/>", "x", "<x:y xmlns:x='u'/>"])


@st.composite
def written(draw: st.DrawFn, tag: str, value: Any, *, depth: int = 0) -> list[str]:
    """The elements of a value; several if it is a list whose items are repeated elements."""
    begin = f"<{tag}>"
    if not tag.isidentifier() or draw(st.integers(0, 9)) == 0:
        begin, tag = f"<entry key={quoteattr(tag)}>", "entry"
    inner: list[str] = []
    if isinstance(value, dict):
        for key, member in value.items():  # pyright: ignore[reportUnknownVariableType]
            inner += draw(written(str(key), member, depth=depth + 1))  # pyright: ignore[reportUnknownArgumentType]
        if draw(st.integers(0, 9)) == 0:
            inner = draw(st.permutations(inner))
    elif isinstance(value, list):
        if value and draw(st.booleans()):  # pyright: ignore[reportUnknownArgumentType]
            return [each for item in value for each in draw(written(tag, item, depth=depth + 1))]  # pyright: ignore
        if draw(st.integers(0, 3)) == 0:
            inner = [draw(written_text(json.dumps(value)))]
        else:
            for item in value:  # pyright: ignore[reportUnknownVariableType]
                inner += draw(written("item", item, depth=depth + 1))
    elif value is not None:
        inner = [draw(written_text(value if isinstance(value, str) else str(value)))]
    elif draw(st.booleans()):
        return [begin.removesuffix(">") + "/>"]
    pad, extra = draw(PADS), draw(EXTRA)
    inner.insert(draw(st.integers(0, len(inner))), extra)
    return [begin + pad + pad.join(inner) + pad + f"</{tag}>"]


@st.composite
def written_text(draw: st.DrawFn, text: str) -> str:
    match draw(st.integers(0, 4)):
        case 0 if "]]>" not in text:
            return f"<![CDATA[{text}]]>"
        case 1:
            return "".join(f"&#{ord(char)};" if char in "<>&[ " else char for char in text)
        case 2 if "<" in text:
            return text.replace("&", "&amp;")  # Markup in it, if it is any.
        case _:
            return escape(text)


SPLITS = st.lists(st.integers(min_value=0), max_size=8)


@given(written_by_adapter(), SPLITS)
@settings(max_examples=300)
def test_what_the_adapter_writes_is_never_withdrawn(case: tuple[Any, str], places: list[int]) -> None:
    annotation, text = case
    clean = "<b>x</b>" not in text  # Of a union it writes JSON, and that as it is: a string's markup becomes elements.
    check(annotation, text, ([text], list(text), split_at(text, places)), clean=clean)


@given(written_otherwise(), SPLITS)
@settings(max_examples=300)
def test_what_is_complete_is_what_parse_says(case: tuple[Any, str], places: list[int]) -> None:
    annotation, text = case
    check(annotation, text, ([text], list(text), split_at(text, places)), clean=False)


@given(written_by_adapter(), st.integers(min_value=0), st.sampled_from(["", "<", "</b>", "&", "&x;", "]]>", "\0"]))
@settings(max_examples=100)
def test_what_is_not_well_formed_says_nothing_more(case: tuple[Any, str], place: int, damage: str) -> None:
    annotation, text = case
    place %= len(text)
    signature = signature_of(annotation)
    if word(signature, broken := text[:place] + damage) is not UNSET:
        return
    whole, reading = Reading(signature, list(text)), Reading(signature, list(broken))
    assert whole.withdrawals or reading.draft.blank or is_part(reading.value, whole.value)
    assert reading.withdrawals <= whole.withdrawals


def shown(annotation: Any, text: str) -> tuple[Any, bool]:
    """What a reader has of a text in single characters; and whether that is the whole value."""
    reading = Reading(signature_of(annotation), list(text))
    return reading.value, reading.completed


@pytest.mark.parametrize(
    ("annotation", "text", "expected"),
    [
        # Objects: their members by tags, or by keys; what is unknown is dropped.
        (Point, "<value>So: <x> 1 </x><z/><y>2</y></value>", {"x": 1, "y": 2.0, "label": "none"}),
        (Person, "<value><entry key='name'>\nA &amp; <![CDATA[<B>]]>\n</entry></value>", {"name": "A & <B>"}),
        (dict[str, int], "<value><entry key='two words'>2</entry><b>3</b></value>", {"two words": 2, "b": 3}),
        (dict[str, int], "<value> </value>", {}),
        # Lists: items, or elements that are repeated; nothing; JSON.
        (list[str], "<value><item>a</item><no/><item/></value>", ["a", ""]),
        (list[str], "<value>a</value><value>b</value>", ["a", "b"]),
        (list[str], "<value>a</value>", ["a"]),
        (list[Point], "<value><x>1</x></value><value><x>2</x></value>", [{"x": 1}, {"x": 2}]),
        (list[list[str]], "<value>a</value><value>b</value>", [["a"], ["b"]]),
        (list[str], "<value>Here: <item>a</item></value>", ["a"]),
        (list[str], "<value/>", []),
        (list[str], '<value>["a", "&lt;b>"]</value>', ["a", "<b>"]),
        (Point, '<value>{"x": 1, "label": "<![CDATA[<b>]]>"}</value>', {"x": 1, "label": "<b>"}),
        (Person, "<value><name>A</name><tags>a</tags><tags>b</tags><age>3</age></value>", {"tags": ["a", "b"]}),
        # Markup in a string is written out, and nothing is stripped.
        (Person, "<value><name> a<b x='1'/> &lt; </name></value>", {"name": ' a<b x="1" /> &lt; '}),
        # Members that may be none.
        (Person, "<value><name>A</name><nick/><home><x>1</x></home></value>", {"nick": None, "home": {"x": 1}}),
        # What a scalar's text says counts, not how it looks.
        (Shape, "<value><kind>circle</kind><color>red</color><filled>True</filled></value>", {"filled": True}),
        # Without its schema, `Recursive` has no list of parts, so that another reading counts: with its names.
        (
            Recursive | None,
            "<value><name/><parts><item><x>1</x></item></parts></value>",
            {"parts": [{"x": 1, "y": 0.5, "label": "none"}]},
        ),
        (Recursive | None, "<value/>", None),
        (int | None, "<value>None</value>", None),
        (list[str] | None, "<value>None</value>", ["None"]),
        (int | str, "<value>3</value>", 3),
        (tuple[int, str], "<value><item>1</item><item>a</item></value>", [1, "a"]),
        (dict[str, Any], "<value><a>1</a><b><c/></b><a>2</a></value>", {"a": ["1", "2"], "b": {"c": ""}}),
    ],
)
def test_known_forms(annotation: Any, text: str, expected: Any) -> None:
    final = word(signature_of(annotation), text)
    assert is_part(expected, final) or contains(final, expected)
    value, completed = shown(annotation, text)
    assert contains(value, expected)
    assert value == final or not completed
    check(annotation, text, every_split(text), clean=False)


def contains(value: Any, expected: Any) -> bool:
    if isinstance(expected, dict):
        return all(contains(value[key], member) for key, member in expected.items())  # pyright: ignore
    if isinstance(expected, list):
        return len(value) == len(expected) and all(map(contains, value, expected))  # pyright: ignore
    return type(value) is type(expected) and value == expected


def test_what_only_validation_can_tell_is_left_out() -> None:
    """Read as a list it lacks an item, so that the last schema counts, which is that of nothing."""
    assert word(signature_of(tuple[str, int] | None), "<value>None</value>") is None
    assert shown(tuple[str, int] | None, "<value>None</value>") == (UNSET, False)


def changes_of(annotation: Any, text: str) -> list[Change]:
    parser = XmlParser(FIELDS, xml_types_of(signature_of(annotation)))
    return [change for char in text for change in parser.feed(char) if not isinstance(change, Written)]


def test_a_text_is_shown_as_it_grows() -> None:
    assert changes_of(Person, "<value><name> An n ") == [
        Opened("value"),
        Assigned("value", {}),
        Appended("value", "A", ("name",)),
        Appended("value", "n", ("name",)),
        Appended("value", " n", ("name",)),
    ]


def test_an_item_is_shown_before_it_is_known_whether_others_follow() -> None:
    assert changes_of(list[str], "<value>ab</value><value>c") == [
        Opened("value"),
        Assigned("value", []),
        Appended("value", "a", (0,)),
        Appended("value", "b", (0,)),
        Completed("value", (0,)),
        Closed("value"),
        Appended("value", "c", (1,)),
    ]


@pytest.mark.parametrize("text", ["<x>1</x><x>2</x>", "<y>1</y><x>1</x><z/><x>2</x>"])
def test_a_member_that_comes_again_is_withdrawn(text: str) -> None:
    value, completed = shown(Point, f"<value>{text}</value>")
    assert "x" not in value
    assert not completed
    assert word(signature_of(Point), f"<value>{text}</value>") is UNSET


@pytest.mark.parametrize(
    ("annotation", "unit", "around"),
    [
        (list[str], "<item>word</item>", "<value>{}</value>"),
        (list[str], "<value>word</value>", "{}"),
        (dict[str, Any], "<a>word</a>", "<value>{}</value>"),
        (Person, "<tags>word</tags>", "<value><name>A</name>{}</value>"),
        (Person, "word and ", "<value><name>{}</name></value>"),
        (Person, "<b>word</b> and ", "<value><name>{}</name></value>"),
        (Person, "<no>", "<value>{}"),
        (list[Point], "<item><x>1</x></item>", "<value>{}</value>"),
        (list[Point] | None, "<item><x>1</x></item>", "<value>{}</value>"),
    ],
)
@pytest.mark.parametrize("size", [1, 1 << 30])
def test_work_is_linear(annotation: Any, unit: str, around: str, size: int) -> None:
    types = xml_types_of(signature_of(annotation))

    def work(count: int) -> None:
        parser = XmlParser(FIELDS, types)
        text = around.format(unit * count)
        for at in range(0, len(text), size):
            parser.feed(text[at : at + size])
        parser.finish()

    assert cpu_ratio(work, 200, 4000) < 4
