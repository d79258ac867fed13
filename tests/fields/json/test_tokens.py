"""The tokenizer is as strict as ``json.loads``, and says the same."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.fields.json.tokens import Kind, State, Tokenizer
from tests.fields.helpers import every_split, split_at


class Reader:
    """Builds the value from what the tokenizer says: the model of any listener that keeps a stack."""

    def __init__(self) -> None:
        self.value: Any = None
        self.stack: list[Any] = []
        self.keys: list[str] = []
        self.start: int = 0
        self.literal = ""
        self.chunk = ""

    def key(self, name: str) -> None:
        self.keys.append(name)

    def begin(self, kind: Kind, at: int) -> None:
        assert self.chunk[at] == kind or kind == "0"
        self.start = at
        self.stack.append({"{": dict, "[": list, '"': str, "0": str}[kind]())

    def text(self, part: str) -> None:
        assert part
        self.stack[-1] += part

    def end(self, kind: Kind, at: int) -> None:
        value = self.stack.pop()
        if kind == "0":
            value = json.loads(self.literal + self.chunk[self.start : at])
            self.literal = ""
        if not self.stack:
            self.value = value
        elif isinstance(self.stack[-1], dict):
            self.stack[-1][self.keys.pop()] = value
        else:
            self.stack[-1].append(value)

    def read(self, chunks: list[str]) -> tuple[State, Any]:
        tokens = Tokenizer(self)
        for chunk in chunks:
            self.chunk, self.start = chunk, 0
            end = tokens.feed(chunk)
            if tokens.state == "scalar":
                self.literal += chunk[self.start :]
            assert end == len(chunk) or tokens.state in {"over", "broken"}
            assert tokens.state != "broken" or tokens.feed("more") == 0
        return tokens.state, self.value


ATOMS = [
    *("{", "}", "[", "]", ",", ":", '"', "\\", '"a"', '"a":', "\\n", "\\u", "\\ud83d", "\\ude00", "\\u00e9", "\\/"),
    *(
        " ",
        "\n",
        "\t",
        "\x00",
        "\x7f",
        "\xa0",
        "0",
        "1",
        "-",
        ".",
        "e",
        "+",
        "true",
        "null",
        "NaN",
        "-Infinity",
        "é",
        "😀",
    ),
]
VALUES = st.recursive(
    st.one_of(st.text(st.characters(codec=None)), st.integers(), st.floats(), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
)


@given(VALUES, st.booleans(), st.sampled_from([None, 1]), st.lists(st.integers(min_value=0)))
def test_what_is_valid_is_read(value: Any, ascii_only: bool, indent: int | None, places: list[int]) -> None:
    text = json.dumps([value], ensure_ascii=ascii_only, indent=indent)
    expected = repr(json.loads(text))
    for chunks in ([text], list(text), split_at(text, places)):
        state, read = Reader().read(chunks)
        assert state == "over"
        assert repr(read) == expected


@pytest.mark.parametrize(
    ("number", "is_read"),
    [("9" * 4300, True), ("-" + "9" * 4300, True), ("9" * 4301, False), ("9" * 4301 + ".0", True)],
)
def test_a_number_has_as_many_digits_as_python_takes(number: str, is_read: bool) -> None:
    state, _ = Reader().read([f"[{number}]"])
    assert (state == "over") == is_read


class Depths:
    """Hears what is within at most so many containers."""

    def __init__(self, deep: int) -> None:
        self.heard: list[tuple[str, ...]] = []
        self.depth = 0
        self.deep = deep

    def key(self, name: str) -> None:
        self.hear("key", name)

    def begin(self, kind: Kind, at: int) -> None:
        self.hear("begin", kind, str(at))
        self.depth += kind in "{["

    def text(self, part: str) -> None:
        self.hear("text", part)

    def end(self, kind: Kind, at: int) -> None:
        self.depth -= kind in "{["
        self.hear("end", kind, str(at))

    def hear(self, *said: str) -> None:
        if self.depth <= self.deep:
            self.heard.append(said)


@given(VALUES, st.lists(st.integers(min_value=0)), st.integers(min_value=0, max_value=3))
def test_it_tells_of_nothing_deeper_than_it_is_asked_for(value: Any, places: list[int], deep: int) -> None:
    text = json.dumps({"": value})
    everything, asked = Depths(deep), Depths(len(text))
    tokens, quieter = Tokenizer(everything), Tokenizer(asked, deep=deep)
    for chunk in split_at(text, places):
        assert tokens.feed(chunk) == quieter.feed(chunk)
        assert tokens.state == quieter.state
    assert asked.heard == everything.heard


@given(st.lists(st.sampled_from(ATOMS), max_size=10).map(lambda atoms: "[" + "".join(atoms) + "]"))
def test_what_is_refused_is_not_read(text: str) -> None:
    try:
        value, end = json.JSONDecoder().raw_decode(text)
    except ValueError:
        value, end = None, 0
    for chunks in ([text], list(text)):
        state, read = Reader().read(chunks)
        assert (state == "over") == (end > 0)
        if end:
            assert repr(read) == repr(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # Two escapes make one character, in whatever pieces they come.
        (r'["\ud83d\ude00"]', ["😀"]),
        # Half a pair is half a character, also before another half, a character or an escape.
        (r'["\ud83d"]', ["\ud83d"]),
        (r'["\ud83d\ud83d\ude00"]', ["\ud83d😀"]),
        (r'["\ude00\ud83d"]', ["\ude00\ud83d"]),
        (r'["\ud83dx\ud83d\n\ud83d\u0041"]', ["\ud83dx\ud83d\n\ud83dA"]),
        # … and a half that was written as it is makes no pair with an escape.
        ('["\ud83d\\ude00"]', ["\ud83d\ude00"]),
        # A backslash before what looks like an escape.
        (r'["\\ud83d\\\ud83d"]', ["\\ud83d\\\ud83d"]),
        # An escape may stand in a key.
        (r'{"\u0061\ud83d\ude00": 1}', {"a😀": 1}),
    ],
)
def test_escapes(text: str, value: Any) -> None:
    assert json.loads(text) == value
    for chunks in every_split(text):
        assert Reader().read(chunks) == ("over", value)


def test_reading_ends_with_the_value() -> None:
    reader = Reader()
    reader.chunk = ' {"a": 1} \n{"b": 2}'
    assert Tokenizer(reader).feed(reader.chunk) == 9


def test_an_integer_too_long_for_python_is_refused() -> None:
    assert Reader().read(["[" + "9" * 5000 + "]"])[0] == "broken"


def test_text_is_told_in_the_feed_that_decides_it() -> None:
    told: list[str] = []

    class Ears(Reader):
        def begin(self, kind: Kind, at: int) -> None: ...
        def end(self, kind: Kind, at: int) -> None: ...
        def text(self, part: str) -> None:
            told.append(part)

    tokens = Tokenizer(Ears())
    for chunk in ['"ab', "c\\", "n", "\\u00", "e9", "\\ud83d", "\\u", "de0", "0", "\\ud83d", "!", '"']:
        told.append("|")
        tokens.feed(chunk)
    assert "".join(told) == "|ab|c|\n||é||||😀||\ud83d!|"
