"""The JSON parser says what ``JSONAdapter.parse`` says, however the text is split, or knows that it may not."""

import itertools
import json
import random
from typing import Any

import dspy
import pytest
from dspy.adapters.utils import parse_value
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.fields.changes import Appended, Change, Closed, Fields, Opened, Withdrawn, Written
from fieldstream.fields.json.parser import JsonParser
from tests.fields.helpers import Replay, cpu_ratio, every_split, replay, signature, split_at, word_of

ADAPTER = dspy.JSONAdapter()
SIGNATURE = signature(answer=str, reasoning=str, data=Any)
FIELDS: Fields = {"answer": "text", "reasoning": "text", "data": "data"}

STRINGS = st.lists(
    st.sampled_from(
        [
            *"ab \"\\{}[],:/#\n\t'é😀“”„",
            "\ud83d",
            "\ude00",
            "answer",
            '": "',
            "```",
            "\0",
            "\x7f",
            "\u2028",
            "it's, so: ",
        ]
    ),
    max_size=8,
).map("".join)
NAMES = st.sampled_from(["answer", "reasoning", "data", "other", "an\\swer"])
VALUES = st.recursive(
    st.one_of(STRINGS, STRINGS, st.integers(), st.floats(), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES | STRINGS, inner, max_size=3)),
    max_leaves=6,
)
SURROUNDINGS = st.lists(
    st.sampled_from(
        [
            *("```json\n", "\n```", "Here it is:", "\n", " ", "true", "12", '"', "'x'", "\ufeff", ",", "...", "and/or"),
            *("{}", "[1]", "[ ]", "[", "]", "(", "(1)", "{", "}", "#", "/", "//", "/*", "*/"),
        ]
    ),
    max_size=4,
).map("".join)


def written(pairs: list[tuple[str, Any]], ascii_only: bool, indent: int | None, seed: int) -> str:
    """An object as some model may write it: keys may repeat and be escaped, spaces stand anywhere."""
    chance = random.Random(seed)

    def space() -> str:
        return chance.choice(["", "", " ", "\n", "\t \r\n"])

    def key(name: str) -> str:
        plain = json.dumps(name)
        return '"' + "".join(f"\\u{ord(char):04x}" for char in name) + '"' if chance.random() < 0.2 else plain

    def value(of: Any) -> str:
        text = json.dumps(of, ensure_ascii=ascii_only, indent=indent)
        return text.replace("/", "\\/") if chance.random() < 0.2 else text

    members = [key(name) + space() + ":" + space() + value(of) for name, of in pairs]
    return "{" + space() + (space() + "," + space()).join(members) + space() + "}"


OBJECTS = st.builds(
    written, st.lists(st.tuples(NAMES, VALUES), max_size=5), st.booleans(), st.sampled_from([None, 2]), st.integers()
)


def check(text: str, chunks: list[str]) -> bool:
    """Read the text, and compare with the adapter's word. Give whether the parser is sure of what it said."""
    expected = word_of(ADAPTER, SIGNATURE, text)
    parser = JsonParser(FIELDS)
    values: dict[str, Any] = replay(parser, chunks).values
    if expected is None or parser.lost:
        return False
    assert values.keys() == expected.keys()
    if "data" in values:
        literal = values.pop("data")
        data = expected.pop("data")
        if is_valid(text):
            assert repr(parse_value(json.loads(literal), Any)) == repr(data)
    assert values == expected
    return True


def is_valid(text: str) -> bool:
    try:
        json.JSONDecoder().raw_decode(text, max(text.find("{"), 0))
    except ValueError:
        return False
    return True


@given(
    OBJECTS, st.sampled_from(["", "```json\n", "Sure! Here it is:\n\n", "\ufeff"]), st.lists(st.integers(min_value=0))
)
def test_it_says_what_parse_says_of_an_object(text: str, before: str, places: list[int]) -> None:
    text = before + text + ("\n```" if before.startswith("`") else "")
    assert check(text, [text])
    assert check(text, list(text))
    assert check(text, split_at(text, places))


@given(SURROUNDINGS, OBJECTS, st.one_of(SURROUNDINGS, st.tuples(SURROUNDINGS, OBJECTS).map("".join)))
def test_it_says_what_parse_says_of_an_object_among_others(before: str, text: str, after: str) -> None:
    text = before + text + after
    assert check(text, [text]) == check(text, list(text))


PIECES = [
    *("Hello", "the, ", "it's ", "don't", "a, b", "line\n", "\n", "tab\t", '"quoted"', "\\", "x = {y}", "[1]", "é"),
    *("f(x)", "😀", ": ", "`code`", "e.g. ", "{", "}", ",", "/", "http://x.y/z", "' ", "”", "„", "# ", "; "),
]
PROSE = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)
PLAIN_VALUES = st.one_of(
    *(PROSE, PROSE, PROSE, st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False)),
    *(st.lists(PROSE, max_size=2), st.dictionaries(st.sampled_from(["k", "answer"]), PROSE, max_size=2)),
)
BAD_ESCAPES = ["\\d", "\\/", "\\f", "\\x41", "\\'", "\\ud83d\\ude00", "\\\\\\n", "\\("]


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """An object with one or two of the faults that models make."""
    members = draw(st.dictionaries(st.sampled_from(["answer", "reasoning", "data", "other"]), PLAIN_VALUES, min_size=1))
    text = json.dumps(members, indent=draw(st.sampled_from([None, 2])), ensure_ascii=draw(st.booleans()))
    match draw(st.sampled_from(["json", "json", "breaks", "python", "bare", "escapes"])):
        case "breaks":
            text = text.replace("\\n", "\n").replace("\\t", "\t")
        case "python":
            text = repr(members)
        case "bare":
            for name in members:
                text = text.replace(f'"{name}": ', f"{name}: ", 1)
        case "escapes":
            text = text.replace("\\n", draw(st.sampled_from(BAD_ESCAPES)))
        case _:
            pass
    place = draw(st.integers(0, len(text)))
    match draw(st.sampled_from(["", "cut", "cut", "comma", "comment", "lose", "add", "twice"])):
        case "cut":
            return text[:place]
        case "comma":
            text = text[:-1] + draw(st.sampled_from([",", ", ", ",\n", ",,"])) + "}"
        case "comment":
            text = text.replace("{", draw(st.sampled_from(["{// hi\n", '{/* a "b" */', "{# hi\n"])), 1)
        case "lose":
            text = text[:place] + text[place + 1 :]
        case "add":
            text = text[:place] + draw(st.sampled_from(list("\",:{}[]\\' \n"))) + text[place:]
        case "twice":
            text = text[:-1] + ', "answer": "again"}'
        case _:
            pass
    return text + draw(st.sampled_from(["", "\n```", " That is it."]))


@given(damaged(), st.sampled_from(["", "```json\n", "Sure:\n"]), st.lists(st.integers(min_value=0), max_size=6))
def test_of_a_damaged_object_it_says_what_parse_says_or_gives_up(text: str, before: str, places: list[int]) -> None:
    text = before + text
    assert check(text, [text]) == check(text, list(text)) == check(text, split_at(text, places))


@given(st.text(st.sampled_from("{}[]\",:'\\nu0d8a /#\n-1.etrueNaN“"), max_size=30), st.booleans())
def test_garbage_is_no_error(text: str, braced: bool) -> None:
    text = '{"answer": ' + text if braced else text
    parser = JsonParser(FIELDS)
    for char in text:
        parser.feed(char)
    parser.finish()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # The plain case, as the adapter asks for it.
        ('{\n  "reasoning": "So.",\n  "answer": "Blue."\n}', {"reasoning": "So.", "answer": "Blue."}),
        # Prose and fences around it; braces in the strings.
        ('Sure:\n```json\n{"answer": "a } b"}\n```\nOk?', {"answer": "a } b"}),
        # Spaces before the colon, keys with escapes, keys that are no fields.
        (r'{"x": "no" , "\u0061nswer" : "yes"}', {"answer": "yes"}),
        # A deeper key of that name is no field.
        ('{"data": {"answer": "no"}, "answer": "yes"}', {"data": '{"answer": "no"}', "answer": "yes"}),
        # Of a repeated key the last value wins.
        ('{"answer": "one", "answer": "two"}', {"answer": "two"}),
        # Escapes, a pair of them for one character, half a pair.
        (r'{"answer": "\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\ud83d"}', {"answer": '"\\/\b\f\n\r\té😀\ud83d'}),
        # A text field takes what is no text as Python writes it.
        ('{"answer": 1.50, "reasoning": null}', {"answer": "1.5", "reasoning": "None"}),
        ('{"answer": [true, {"a": "b"}], "reasoning": NaN}', {"answer": "[True, {'a': 'b'}]", "reasoning": "nan"}),
        # A data field's literal is as the model wrote it.
        ('{"data": [1,\n 2.0] , "answer": ""}', {"data": "[1,\n 2.0]", "answer": ""}),
        ('{"data": "a\\n" }', {"data": '"a\\n"'}),
        # In a list, behind other values, before other values: the first braces that balance.
        ('[{"answer": "x"}]', {"answer": "x"}),
        ('See [1]: {"answer": "x"}', {"answer": "x"}),
        ('{"answer": "x"} {"other": 1}', {"answer": "x"}),
        # … but of objects of one shape the last.
        ('{"answer": "draft"}\nBetter:\n{"answer": "final"}', {"answer": "final"}),
        # … and an empty one is nothing.
        ('{} {"answer": "x"}', {"answer": "x"}),
        # Cut off: in a string, whose last whitespace and comma go; behind a key; in a word.
        ('{"reasoning": "So.", "answer": "Blue and ', {"reasoning": "So.", "answer": "Blue and"}),
        ('{"answer": "Blue, ', {"answer": "Blue"}),
        ('{"answer": "Blue, red, ', {"answer": "Blue, red,"}),
        ('{"answer": "Blue\\n\\u00', {"answer": "Blue\n\\u00"}),
        ('{"answer": "Blue", "reason', {"answer": "Blue"}),
        ('{"answer": "Blue", "reasoning":', {"answer": "Blue", "reasoning": ""}),
        ('{"answer": tru', {"answer": "tru"}),
        ('{"answer": true', {"answer": "True"}),
        ('{"answer": 12', {"answer": "12"}),
        ('```json\n{"data": [1, 2], "answer": "Blue', {"data": "[1, 2]", "answer": "Blue"}),
        # Cut off, JSON's own escapes are no longer all known, in whole strings neither.
        (r'{"reasoning": "\ud83d\ude00 \/", "answer": "Bl', {"reasoning": "\ud83d\ude00 \\/", "answer": "Bl"}),
        # … and what ends in a line break loses it.
        (r'{"reasoning": "So. \n", "answer": "Bl', {"reasoning": "So.", "answer": "Bl"}),
        # Controls in a string stay.
        ('{"answer": "one\ntwo\tthree", "reasoning": "So."}', {"answer": "one\ntwo\tthree", "reasoning": "So."}),
        # Escapes that there are not stay, too.
        (r'{"answer": "\alpha \frac \nu"}', {"answer": "\\alpha \\frac \nu"}),
        # Commas too many.
        ('{"answer": "one", "reasoning": "So.",}', {"answer": "one", "reasoning": "So."}),
        # Comments.
        ('{// the answer\n"answer": /* it */ "one"}', {"answer": "one"}),
        # Python.
        ("{'answer': 'one', 'reasoning': None, 'data': True}", {"answer": "one", "reasoning": "None", "data": "True"}),
        # Keys without quotes.
        ('{answer: "one", reasoning : 2}', {"answer": "one", "reasoning": "2"}),
        # A value that was forgotten.
        ('{"answer": , "reasoning": "So."}', {"answer": "", "reasoning": "So."}),
    ],
)
def test_known_traps(text: str, expected: dict[str, str]) -> None:
    for chunks in every_split(text):
        assert check(text, chunks)
        assert replay(JsonParser(FIELDS), chunks).values == expected, chunks


@pytest.mark.parametrize(
    "text",
    [
        '{"answer": "He said "hi" to me", "reasoning": "So."}',  # quotes that should have been escaped
        '{"answer": "one" "reasoning": "So."}',  # a comma that is missing
        '{"answer": "one\nNote, mind: 5", "reasoning": "So."}',  # may be a member
        '# {"answer": "one"}',  # in a comment
        '"answer": "one"}',  # no brace
        '({"answer": "one"})',  # a tuple, it seems
        "{answer} {\"answer\": \"one\"}",  # what comes first is no object
        '[{"answer": "} one"}]',  # braces that balance too early
    ],
)  # fmt: skip
def test_it_knows_when_it_does_not_know(text: str) -> None:
    for chunks in every_split(text):
        parser = JsonParser(FIELDS)
        replay(parser, chunks)
        assert parser.lost


def test_every_split_of_a_short_text() -> None:
    text = r'{"a":"\ud83d\ude00"}'
    for cuts in itertools.product([False, True], repeat=14):
        chunks = split_at(text, [place + 5 for place, cut in enumerate(cuts) if cut])
        assert replay(JsonParser({"a": "text"}), chunks).values == {"a": "😀"}


def test_a_whole_answer_gives_one_delta_per_field() -> None:
    text = '```json\n{"reasoning": "a \\"b\\"\\nc", "data": [1, {"x": "y"}], "answer": 12}\n```'
    assert JsonParser(FIELDS).feed(text) == [
        Opened("reasoning"),
        Appended("reasoning", 'a "b"\nc'),
        Closed("reasoning"),
        Opened("data"),
        Written("data", '[1, {"x": "y"}]'),
        Closed("data"),
        Opened("answer"),
        Appended("answer", "12"),
        Closed("answer"),
    ]


def test_the_feed_that_decides_is_the_one_that_tells() -> None:
    parser = JsonParser(FIELDS)
    steps: list[tuple[str, list[Change]]] = [
        ('{"ans', []),
        ('wer" : ', []),
        ('"The', [Opened("answer"), Appended("answer", "The")]),
        (" sky ", [Appended("answer", " sky ")]),
        ("is\\", [Appended("answer", "is")]),
        ("n", [Appended("answer", "\n")]),
        ("\\ud83d", []),  # half a character, perhaps
        ("\\", []),
        ("ude00!", [Appended("answer", "😀!")]),
        ("\\ud83d", []),
        (".", [Appended("answer", "\ud83d.")]),  # no: it stands alone
        ('"', [Closed("answer")]),
        (', "data":', []),
        (" [1", [Opened("data"), Written("data", "[1")]),
        ("", []),
        (', "', [Written("data", ', "')]),
        ("x]", [Written("data", "x]")]),
        ('"] ', [Written("data", '"]'), Closed("data")]),
        (', "reasoning": nul', [Opened("reasoning")]),
        ("l", []),
        (" ", [Appended("reasoning", "None"), Closed("reasoning")]),
        (', "answer": "', [Withdrawn("answer")]),  # again: the first one does not count
        ('Red"}', [Appended("answer", "Red"), Closed("answer")]),
        ("\n```", []),
    ]
    for chunk, changes in steps:
        assert parser.feed(chunk) == changes, chunk
    assert parser.finish() == []
    assert not parser.lost


def test_what_a_repair_makes_otherwise_is_withdrawn() -> None:
    parser = JsonParser(FIELDS)
    assert parser.feed(r'{"reasoning": "a\/b", "answer": "one ') == [
        Opened("reasoning"),
        Appended("reasoning", "a/b"),
        Closed("reasoning"),
        Opened("answer"),
        Appended("answer", "one "),
    ]
    assert parser.feed("\ntwo") == [  # a line break as it is: JSON has none
        Withdrawn("reasoning"),
        Appended("reasoning", r"a\/b"),
        Closed("reasoning"),
        Appended("answer", "\ntwo"),
    ]
    assert parser.feed(' three"}') == [Appended("answer", " three"), Closed("answer")]
    assert parser.finish() == []


def test_once_it_is_lost_it_says_nothing_more() -> None:
    parser = JsonParser(FIELDS)
    assert parser.feed('{"answer": "He said "') == [Opened("answer"), Appended("answer", "He said "), Closed("answer")]
    assert parser.feed("hi") == []
    assert parser.lost
    assert parser.feed(' to me", "reasoning": "So."}') == []
    assert parser.finish() == []


@given(st.lists(st.sampled_from(["plain", " words", ", and", " more.", " "]), max_size=30))
def test_plain_words_are_shown_at_once(chunks: list[str]) -> None:
    parser, shown = JsonParser(FIELDS), Replay()
    shown.apply(parser.feed('{"answer": "'))
    for count, chunk in enumerate(chunks, 1):
        shown.apply(parser.feed(chunk))
        assert shown.values["answer"] == "".join(chunks[:count])


@given(st.one_of(OBJECTS, damaged()))
def test_what_was_shown_is_a_beginning_of_what_is_true(text: str) -> None:
    parser, shown = JsonParser(FIELDS), Replay()
    beginnings: list[tuple[int, dict[str, str]]] = []
    for char in text:
        shown.apply(parser.feed(char))
        beginnings.append((shown.withdrawals, dict(shown.values)))
    shown.apply(parser.finish())
    for withdrawals, values in beginnings:
        for name, value in values.items():
            assert shown.values[name].startswith(value) or withdrawals < shown.withdrawals


@pytest.mark.parametrize("kind", ["text", "data"])
@pytest.mark.parametrize(
    ("start", "piece"),
    [
        ('"', "word"),
        ('"', "\\n\\\""),
        ('"', "\\ud83d"),
        ('"', '", "answer": "'),
        ('"\n', "word"),  # repaired
        ('"\n', "\\n, "),
        ("[", '"a", '),
        ("[", "["),
        ("[", "12"),
        ("", "    "),
        ("1, ", "    "),
        ("1}", "    "),
        ("1}", "word"),
    ],
)  # fmt: skip
def test_the_work_is_linear(kind: Any, start: str, piece: str) -> None:
    def feed(size: int) -> None:
        parser = JsonParser({"answer": kind})
        parser.feed('{"answer": ' + start)
        for _ in range(size):
            parser.feed(piece)
        parser.finish()

    assert cpu_ratio(feed, 2_000, 32_000) < 2


def test_feeding_a_finished_parser_is_an_error() -> None:
    parser = JsonParser(FIELDS)
    parser.feed('{"answer": "x')
    assert parser.finish() == [Closed("answer")]
    assert parser.finish() == []
    with pytest.raises(RuntimeError, match="make a new parser"):
        parser.feed("x")
