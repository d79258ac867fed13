"""What is valid is told as ``json.loads`` reads it; the rest as DSPy's parsing does, as often as one can know."""

import ast
import json
import re
from collections.abc import Callable, Iterable
from typing import Any

import json_repair
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.fields.json.tokens import Tokenizer
from fieldstream.fields.lenient.tokenizer import Kind, LenientTokenizer, Scalar
from tests.fields.helpers import cpu_ratio, every_split, split_at
from tests.fields.json.test_tokens import VALUES


class Reader:
    """Builds the value from what the tokenizer says, and checks the order in which it says it."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.stack: list[Any] = []
        self.keys: list[str] = []

    def key(self, name: str) -> None:
        assert isinstance(self.stack[-1], dict)
        self.keys.append(name)

    def begin(self, kind: Kind) -> None:
        assert not self.values
        self.stack.append({"{": dict, "[": list, '"': str}[kind]())

    def text(self, part: str) -> None:
        assert part
        self.stack[-1] += part

    def end(self, kind: Kind) -> None:
        value = self.stack.pop()
        assert isinstance(value, {"{": dict, "[": list, '"': str}[kind])
        self._put(value)

    def scalar(self, value: Scalar) -> None:
        assert not self.values
        self._put(value)

    def _put(self, value: Any) -> None:
        if not self.stack:
            self.values.append(value)
        elif isinstance(self.stack[-1], dict):
            self.stack[-1][self.keys.pop()] = value
        else:
            self.stack[-1].append(value)


LOST = "<lost>"


def read(chunks: Iterable[str]) -> Any:
    reader = Reader()
    tokens = LenientTokenizer(reader)
    for chunk in chunks:
        tokens.feed(chunk)
    tokens.finish()
    tokens.finish()
    if tokens.lost:
        return LOST
    assert tokens.over
    assert not reader.keys
    [value] = reader.values
    return value


def word_of_dspy(text: str) -> Any:
    """What ``dspy.adapters.utils.parse_value`` makes of a text before it validates it."""
    value = json_repair.loads(text)
    if value == "" and text != "":
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError):
            return text
    return value


@given(VALUES, st.booleans(), st.sampled_from([None, 1]), st.lists(st.integers(min_value=0)))
def test_what_is_valid_is_read(value: Any, ascii_only: bool, indent: int | None, places: list[int]) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    expected = repr(json.loads(text))
    for chunks in ([text], list(text), split_at(text, places)):
        assert repr(read(chunks)) == expected


@pytest.mark.parametrize(
    "text",
    [
        # Python.
        *("True", "None", "'it\\'s'", "(1, 'a', [2])", "()", "[('a', 'b'), ('c', 'd')]"),
        """{'a': True, "b": None, 'c': (1, 2), 3: 'x\\n', 'd': "it's"}""",
        # What stands around a value.
        *("```json\n[1, {}]\n```", "Here is the list: [1, 2] ok", "# Title\n[1]", "Note (see below): {}", "(1)"),
        # Commas and comments.
        *("[1, 2,]", '{"a": 1,}', "[1,, 2]", '{,"a": 1}', "[1 2 3]", '["a" "b"]', '{"a": "x" "b": 2}'),
        *("[1, // one\n2, # two\n3 /* three */]", '{"a": "x" // one\n, "b": 2}', '{"a": , "b": }'),
        # Quotes.
        *('["he said "hi" to me", "b"]', '{"a": "he said "hi", then left", "b": 1}', '["he said "hi""]'),
        *("{'a': 'it's ok', 'b': 1}", '{"a": "6" nail", "b": 1}', "{“a”: “b”, “c”: [“d”, “e”]}"),
        *('{"a": ""hi" he said", "b": 2}', '[""a"]'),
        # No quotes.
        *("{a: 1, b: 'x'}", '{"a": hello world, "b": 1}', "[foo, bar baz, true]", '{"a": undefined}'),
        # Strings.
        *('["a\\qb", "c\\/d", "\\x41"]', '["a\nb", "tab\tx"]', "{'a': 'b\\n', 'c': 'x\\ty '}"),
        # Numbers.
        *('{"a": 1,000, "b": 2}', "[2024-01-01, 10%, 5kg, .5, 007, 1_000, -, ...]", "[NaN, -Infinity]"),
        # Brackets.
        *("{'a', 'b'}", "{1, 2}", '[{"a": 1]', '{"a": [1, 2}', '[{"a": 1}}, {"b": 2}]', '{{"a": 1}}'),
        # Text that ends too early.
        *("[1, 2", '{"a": [1, {"b": "c d ', '{"a": 1, "c', '{"a": "b", "c"', '{"a": "b", "c":', '{"a": tr', '{"ab'),
        # None of these.
        *("", "hello", "2024-01-01", "1. One", "'it's'", "\\"),
    ],
)
def test_what_is_damaged(text: str) -> None:
    expected = word_of_dspy(text)
    if text == "(1)":
        expected = LOST
    for chunks in every_split(text):
        assert repr(read(chunks)) == repr(expected)


def test_an_integer_too_long_for_python_is_a_string() -> None:
    text = "[" + "9" * 5000 + "]"
    assert read([text]) == json_repair.loads(text) == ["9" * 5000]


class Deaf:
    def key(self, name: str) -> None: ...
    def begin(self, kind: Kind) -> None: ...
    def text(self, part: str) -> None: ...
    def end(self, kind: Kind) -> None: ...
    def scalar(self, value: Scalar) -> None: ...


PIECES = {
    "strings": ('["', "a b ", ""),
    "quotes": ("", '"', ""),
    "quotes in an array": ("[", '"', ""),
    "quotes in an object": ('{"a": "b', '"', ""),
    "quotations": ('["', '"a" b ', ""),
    "quotes and blanks": ('["a"', " ", ""),
    "quotes and commas": ('{"a": "b "c', '", ', ""),
    "blanks": ('["a', " ", ""),
    "backslashes": ("['", "\\", ""),
    "surrogates": ('["', "\\ud83d", ""),
    "arrays": ("", "[", ""),
    "arrays that end": ("", "[", "]"),
    "objects": ("", '{"a":', ""),
    "objects that end": ("", '{"a":', "}"),
    "objects without arrays": ("[" + '{"a":' * 1000, "1]", ""),
    "numbers": ("[", "1", ""),
    "numbers in an object": ('{"a": ', "1,", ""),
    "words": ("[", "a b ", ""),
    "prose": ("", "a ", ""),
    "prose in parentheses": ("", "(\n", ""),
    "prose and slashes": ("", "a/b ", ""),
    "comments": ("[", "/* * */", ""),
    "a comment": ("[/*", "*", ""),
    "sets": ("", "{1, ", ""),
    "keys": ("{", "a ", ""),
}


def test_values_may_be_deep() -> None:
    text = '[{"a":' * 100_000
    tokens = LenientTokenizer(Deaf())
    tokens.feed(text)
    tokens.finish()
    assert tokens.over


@pytest.mark.parametrize(("before", "piece", "closer"), PIECES.values(), ids=PIECES)
@pytest.mark.parametrize("size", [1, 100_000])
def test_work_is_linear(before: str, piece: str, closer: str, size: int) -> None:
    def work(length: int) -> None:
        count = length // len(piece)
        text = before + piece * count + closer * count
        tokens = LenientTokenizer(Deaf())
        for at in range(0, len(text), size):
            tokens.feed(text[at : at + size])
        tokens.finish()

    assert cpu_ratio(work, 5_000, 50_000) < 3


ATOMS = [
    *(
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        ",",
        ":",
        '"',
        "'",
        "“",
        "”",
        "\\",
        "\\n",
        "\\u",
        "\\ud83d",
        "\\ude00",
        "\\x4",
        "1",
    ),
    *("//", "/*", "*/", "/", "#", "`", "\n", " ", "-", ".", "e", "+", "_", "=", "...", "a", "é", "😀", "\x00", "\xa0"),
    *("true", "None", "NaN", '"a"', '"b": ', "c: ", "1, ", '", "', '"]', '"}', ', "d": ', "\u2028", "\ud83d", "²"),
]


@given(st.lists(st.sampled_from(ATOMS), max_size=25).map("".join), st.lists(st.integers(min_value=0)))
def test_any_split_says_the_same(text: str, places: list[int]) -> None:
    expected = repr(read([text]))
    assert repr(read(text)) == expected
    assert repr(read(split_at(text, places))) == expected


WORDS = ["the", "cat", "isn't", "on", "it", "Café", "😀", "(a", "mammal)", "left.", "3"]
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
TAME = st.recursive(
    st.one_of(TEXTS, st.integers(), st.booleans(), st.none()),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3),
        st.dictionaries(st.sampled_from(["name", "is_ok", "Größe", "id2"]), inner, min_size=1, max_size=3),
    ),
    max_leaves=8,
).filter(lambda value: isinstance(value, dict | list))


def dumped(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


DAMAGES: dict[str, Callable[[Any], str]] = {
    "python": repr,
    "tuples": lambda value: repr((value, 1)),
    "fence": lambda value: f"```json\n{dumped(value)}\n```",
    "prose": lambda value: f"I don't know (yet), but:\n{dumped(value)}\nHope this helps!",
    "comma before the end": lambda value: re.sub(r"(?<=\S)(\s*[\]}])", r",\1", dumped(value)),
    "comma twice": lambda value: dumped(value).replace(", ", ",, "),
    "comma missing": lambda value: dumped(value).replace('", "', '" "'),
    "comments": lambda value: dumped(value, 1).replace(",\n", ", // one's own\n"),
    "keys without quotes": lambda value: re.sub(r'"(\w+)":', r"\1:", dumped(value)),
    "a quotation": lambda value: dumped(value).replace(" on ", ' "on" '),
    "a quotation and a comma": lambda value: dumped(value).replace(" on ", ' "on", '),
    "a quotation at the end": lambda value: re.sub(r" on(?=\")", ' "on"', dumped(value)),
    "line breaks": lambda value: dumped(value).replace(" on ", "\non\n"),
    "no escapes": lambda value: dumped(value).replace(" on ", r" on\_ "),
    "names of Python": lambda value: re.sub(r"\b(true|false)\b", lambda name: name[0].title(), dumped(value)),
}


@pytest.mark.parametrize("damage", DAMAGES)
@given(TAME, st.lists(st.integers(min_value=0)))
def test_what_models_write(damage: str, value: Any, places: list[int]) -> None:
    text = DAMAGES[damage](value)
    assert repr(read(split_at(text, places))) == repr(word_of_dspy(text))


class Calls(Deaf):
    """The order of the calls, for either tokenizer."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def key(self, name: str) -> None:
        self.told.append(("key", name))

    def begin(self, kind: str, at: int = 0) -> None:
        self.told.append(("begin", kind))

    def end(self, kind: str, at: int = 0) -> None:
        self.told.append(("end", kind))

    def scalar(self, value: Scalar) -> None:
        self.told += [("begin", "0"), ("end", "0")]


@given(VALUES)
def test_valid_json_is_told_in_the_strict_order(value: Any) -> None:
    text = json.dumps([value])
    strict, lenient = Calls(), Calls()
    Tokenizer(strict).feed(text)
    LenientTokenizer(lenient).feed(text)
    assert lenient.told == strict.told


RESTS = st.lists(
    st.sampled_from(
        [
            *'{}[]",:"{[]}',
            *('"a": ', '"a"', '""', "\\", "\\u", "\\ud83d", "\\n", "\\x41", "'", "“", "é", "\ud83d"),
            *("1", "0", "-", "1.5", "e5", ".", "9" * 4300, "NaN", "Infinity", "true", "nul", "True", "..."),
            *(" ", "\n", "\x0b", "\x1f", "\xa0", "\u2028", "\0", "\x7f"),
            *("#", "/", "//", "/*", "*/", "(", ")", "```", "words"),
        ]
    ),
    max_size=20,
).map("".join)


@given(st.sampled_from(['{"a": ', "[", '"', "{", '[{"a": 1}', '["a"', '{"a": "b"', '{"a": 1']), RESTS)
def test_damage_is_known_where_a_strict_reader_stops(first: str, rest: str) -> None:
    strict, lenient = Tokenizer(Calls()), LenientTokenizer(Deaf())
    for char in first + rest:
        strict.feed(char)
        lenient.feed(char)
        assert lenient.strict == (strict.state != "broken")
        if not lenient.strict:
            break
        assert lenient.over == (strict.state == "over")


def test_what_is_decided_is_told_at_once() -> None:
    told: list[str] = []

    class Ears(Deaf):
        def begin(self, kind: Kind) -> None:
            told.append(kind)

        def text(self, part: str) -> None:
            told.append(part)

        def end(self, kind: Kind) -> None:
            told.append("end")

        def scalar(self, value: Scalar) -> None:
            told.append(repr(value))

    tokens = LenientTokenizer(Ears())
    for chunk in ['[{"a', '":', ' "b', " ", "c", '"', ",", '"d": "e",', '"f": 12', "}", "]"]:
        told.append("|")
        assert not tokens.over
        tokens.feed(chunk)
    assert tokens.over
    assert "".join(told) == '|[|{|"b|| c||end|"eend||12end|end'
