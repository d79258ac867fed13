"""A data field's literal that is read once says what it says when it is read twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.fields import (
    Appended,
    Assigned,
    Change,
    Closed,
    Completed,
    FieldParser,
    Fields,
    Items,
    JsonParser,
    JsonValuesParser,
    Later,
    Members,
    Opened,
    Plain,
    Slot,
    StructuredParser,
    Text,
    Written,
)
from tests.fields.helpers import every_split, split_at
from tests.fields.json.test_parser import OBJECTS, SURROUNDINGS

FIELDS: Fields = {"answer": "text", "reasoning": "text", "data": "data", "other": "data"}
MEMBERS = Members()
MEMBERS.slots = {"a": Slot(Text(), needed=True), "b": Slot(Plain(), done=True)}
MEMBERS.keys = {"a": "a", "b": "b"}
SLOTS = {
    "answer": Slot(Text()),
    "reasoning": Slot(Text(), done=True),
    "data": Slot(Plain()),
    "other": Slot(Items(Slot(MEMBERS))),
}

PIECES = st.lists(
    st.sampled_from(
        [
            *'{}[]",:"{[]}',
            *(
                '{"data": ',
                ', "data": ',
                ', "other": ',
                ', "answer": ',
                ', "reasoning": "',
                ', "none": ',
                '"a": ',
                '"b": ',
            ),
            *(
                '"a"',
                '"é😀"',
                '"data"',
                '""',
                "\\",
                "\\u",
                "\\ud83d",
                "\\ude00",
                "\\n",
                "\\x41",
                "\\/",
                "\ud83d",
                "'",
                "“",
                "”",
            ),
            *("1", "0", "01", "-", "1.5", "1e5", ".", "9" * 4300, "9", "NaN", "Infinity", "true", "nul", "True", "..."),
            *(" ", "\n", "\t", "\x0b", "\x1f", "\xa0", "\u2028", "\0", "\x7f"),
            *("#", "/", "//", "/*", "*/", "(", ")", "```", "some words, and more"),
        ]
    ),
    max_size=25,
).map("".join)
DEPTHS = st.integers(0, 150).map(lambda depth: '{"data": ' + "[" * depth + "1" + "]" * depth + "}")


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """An object in which something stands where it should not, or that is cut off."""
    text = draw(OBJECTS)
    place = draw(st.integers(0, len(text)))
    end = draw(st.sampled_from([place, place, place + 1, len(text)]))
    return text[:place] + draw(st.one_of(st.just(""), PIECES)) + text[end:]


TEXTS = st.one_of(
    OBJECTS,
    damaged(),
    damaged(),
    PIECES.map(lambda pieces: '{"data": [' + pieces),
    PIECES.map(lambda pieces: '{"other": [{"a": "' + pieces),
    DEPTHS,
    st.tuples(SURROUNDINGS, OBJECTS, SURROUNDINGS).map("".join),
)


def twice(slots: dict[str, Slot] = SLOTS) -> FieldParser:
    """Reads a literal once for its end, and once for its value."""
    return StructuredParser(JsonParser(FIELDS), slots, raw=False)


def once(slots: dict[str, Slot] = SLOTS) -> FieldParser:
    return JsonValuesParser(JsonParser(FIELDS), slots)


def check(chunks: list[str], slots: dict[str, Slot] = SLOTS) -> None:
    """Every feed says the same. Changes are compared as they are shown: NaN is not itself."""
    parser, other = once(slots), twice(slots)
    for chunk in chunks:
        assert repr(parser.feed(chunk)) == repr(other.feed(chunk)), chunk
    assert repr(parser.finish()) == repr(other.finish())
    assert parser.finish() == []


@given(TEXTS, st.lists(st.integers(min_value=0)))
def test_each_feed_says_what_reading_twice_says(text: str, places: list[int]) -> None:
    check(split_at(text, places))
    check(list(text))


@given(TEXTS, st.integers(1, 9), st.sampled_from([Slot(Later()), Slot(Plain(), done=True), Slot(Items(Slot(Text())))]))
def test_it_is_so_for_every_kind_of_value(text: str, size: int, slot: Slot) -> None:
    check([text[at : at + size] for at in range(0, len(text), size)], SLOTS | {"data": slot})


@pytest.mark.parametrize(
    "text",
    [
        '{"data": {"a": [1, -2.5e3, true, null, NaN, -Infinity]}, "other": [{"b": 1, "a": "x"}], "answer": "y"}',
        '{"data": "a \\"quoted\\" \\ud83d\\ude00 \\ud83d text ", "answer": 1}',
        '{"data": [1], "data": {"a": 2}, "data": "x", "unknown": {"data": []}}',  # repeated, and not ours
        '{"data": [1], "answer": "x",}',  # damaged after it
        '{"data": {"a": 1], "b": 2}}',  # a wrong end
        '{"data": [{"a": 1}}, "answer": "x"}',
        '{"data": [1, 2, "answer": "x"}',  # no end
        '{"data": {"a" 1}}',
        '{"data": {"a": "x" "b": 1}}',
        '{"data": ["a": 1]}',
        '{"data": ["a"\xa0, 1]}',  # a blank that JSON does not know
        '{"data": [1,\x0b2]}',
        '{"data": [1\x0b,2]}',
        '{"data": {\xa0}}',
        '{"data": ["a"/, 1]}',
        '{"data": [1/2, 3]}',
        '{"data": {"a": 01, "b": 1}}',
        '{"data": {"a": 1,000, "b": 1}}',
        '{"data": ["\\x41", "\\u12"]}',
        '{"data": ["a\nb"]}',
        '{"data": [// so\n1]}',
        '{"data": [1,], "answer": "x"}',
        '{"data": [1], "answer": "x"} {"data": [2], "answer": "y"}',
        '[{"data": [1]}, {"data": [2]}]',
        '{"data": "cut off in an escape \\',
        '{"data": {"a": "cut off ',
        '{"data": {"a": 1,',
        '{"data": [1.',
    ],
)
def test_every_split(text: str) -> None:
    for chunks in every_split(text):
        check(chunks)


@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("digits", [4300, 4301])
def test_a_number_of_too_many_digits_is_damage(sign: str, digits: int) -> None:
    text = '{"data": {"a": ' + sign + "9" * digits + ', "b": 1}, "answer": "x"}'
    check([text])
    check(list(text))
    check([text[:1000], text[1000:-20], *text[-20:]])


def test_a_literal_is_given_as_it_is_written() -> None:
    parser = once()
    steps: list[tuple[str, list[Change]]] = [
        ('{"data": [ "a', [Opened("data"), Written("data", '[ "a'), Assigned("data", []), Appended("data", "a", (0,))]),
        ("b ", [Written("data", "b "), Appended("data", "b", (0,))]),
        ("", []),
        ('",', [Written("data", '",'), Appended("data", " ", (0,)), Completed("data", (0,))]),
        (" 1", [Written("data", " 1")]),
        ('] , "answer": "', [Written("data", "]"), Assigned("data", 1, (1,)), Completed("data", (1,))]),
    ]
    for text, changes in steps[:-1]:
        assert parser.feed(text) == changes, text
    text, changes = steps[-1]
    assert parser.feed(text) == [*changes, Closed("data"), Completed("data"), Opened("answer")]
    assert parser.feed('c"}') == [Appended("answer", "c"), Closed("answer")]
