"""The chat parser says what ``ChatAdapter.parse`` says, however the text is split."""

import itertools

import dspy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.fields.changes import Appended, Change, Closed, Fields, Opened
from fieldstream.fields.chat import ChatParser
from tests.fields.helpers import Replay, cpu_ratio, every_split, replay, signature, split_at, word_of

ADAPTER = dspy.ChatAdapter()
SIGNATURE = signature(answer=str, reasoning=str, notes=str | None)  # `str | None` is taken as it stands
FIELDS: Fields = {"answer": "text", "reasoning": "text", "notes": "data"}

ATOMS = [
    *("[[ ## answer ## ]]", "[[ ## reasoning ## ]]", "[[ ## notes ## ]]", "[[ ## completed ## ]]", "[[ ## é ## ]]"),
    *("[[ ## answer ## ]]\n", "\n[[ ## reasoning ## ]]\n", "\n\n[[ ## completed ## ]]\n", "[[##answer##]]"),
    *("[[ ## ", " ## ]]", "## ]]", "[[", "[", "]]", "]", "##", "#", "answer", "[[ ## a b ## ]]", "[[ ##  ## ]]"),
    *("\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"),
    *(" ", "  ", "\t", "\x1f", "\xa0", "\u3000", "\u200b", "\ufeff"),
    *("a", "word", "two words", "é", "😀", "\ud83d", "\0", "{", '"', "\\", "&amp;", "<answer>"),
]
TEXTS = st.one_of(
    st.lists(st.sampled_from(ATOMS), max_size=16).map("".join),
    st.lists(st.sampled_from(ATOMS), max_size=16).map(lambda atoms: "[[ ## answer ## ]]" + "".join(atoms)),
    st.text(max_size=40).map(lambda text: "[[ ## answer ## ]]\n" + text + "\n\n[[ ## completed ## ]]"),
)


def read(chunks: list[str]) -> dict[str, str]:
    result = replay(ChatParser(FIELDS), chunks)
    assert result.withdrawals == 0, "chat text never turns out otherwise"
    return result.values


@given(TEXTS, st.lists(st.integers(min_value=0), max_size=12))
def test_it_says_what_parse_says(text: str, places: list[int]) -> None:
    expected = word_of(ADAPTER, SIGNATURE, text)
    assert read([text]) == expected
    assert read(list(text)) == expected
    assert read(split_at(text, places)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # The plain case, as the adapter asks for it.
        ("[[ ## answer ## ]]\nBlue.\n\n[[ ## completed ## ]]\n", {"answer": "Blue."}),
        # Text on the header's line counts, stripped of both its sides.
        ("[[ ## answer ## ]]  one  \n  two", {"answer": "one\n  two"}),
        # … but indentation of the first line below it is stripped with the section.
        ("[[ ## answer ## ]]\n  one\n  two", {"answer": "one\n  two"}),
        # An indented header leaves its own end: parse measures the stripped line and cuts the unstripped one.
        ("  [[ ## answer ## ]] hello", {"answer": "]] hello"}),
        (" [[ ## answer ## ]]", {"answer": "]"}),
        # … all of itself, where it is indented by more than its length.
        (" " * 20 + "[[ ## answer ## ]]", {"answer": "[[ ## answer ## ]]"}),
        # A header in the middle of a line is text.
        ("[[ ## answer ## ]]\nsee [[ ## reasoning ## ]] there", {"answer": "see [[ ## reasoning ## ]] there"}),
        # … also behind another header.
        ("[[ ## answer ## ]][[ ## reasoning ## ]]", {"answer": "[[ ## reasoning ## ]]"}),
        # The first section of a name counts; text of the second is nobody's.
        ("[[ ## answer ## ]]\none\n[[ ## answer ## ]]\ntwo", {"answer": "one"}),
        # … even where the first is empty.
        ("[[ ## answer ## ]]\n[[ ## answer ## ]]\ntwo", {"answer": ""}),
        # A header that no field has ends a section, in letters of any script.
        ("[[ ## answer ## ]]\none\n[[ ## größe ## ]]\ntwo", {"answer": "one"}),
        # What looks like a header and is none: two words, no word, no spaces.
        ("[[ ## answer ## ]] x\n[[ ## a b ## ]]\n[[ ##  ## ]]", {"answer": "x\n[[ ## a b ## ]]\n[[ ##  ## ]]"}),
        ("[[ ## answer ## ]]\n[[##a##]]", {"answer": "[[##a##]]"}),
        # A text that ends within a header ends with text.
        ("[[ ## answer ## ]]\none\n[[ ## reasoning ## ]", {"answer": "one\n[[ ## reasoning ## ]"}),
        # Lines end at eleven kinds of break and are joined with one; `\r\n` is one break, `\n\r` two.
        ("[[ ## answer ## ]]\na\r\nb\rc\x0bd\x0ce\x1cf", {"answer": "a\nb\nc\nd\ne\nf"}),
        ("[[ ## answer ## ]]\na\x1db\x1ec\x85d\u2028e\u2029f\n\rg", {"answer": "a\nb\nc\nd\ne\nf\n\ng"}),
        # … and any of them may stand before a header.
        ("[[ ## answer ## ]]\x85one\u2028[[ ## reasoning ## ]]\x1ctwo", {"answer": "one", "reasoning": "two"}),
        # The unit separator is whitespace, but no break.
        ("[[ ## answer ## ]]\none\x1f[[ ## reasoning ## ]]", {"answer": "one\x1f[[ ## reasoning ## ]]"}),
        # Text before the first header is nobody's; without a header there is no field.
        ("Sure!\n[[ ## answer ## ]]\none", {"answer": "one"}),
        ("Sure!", {}),
        ("", {}),
        # Lone surrogates are text.
        ("[[ ## answer ## ]]\n\ud83d", {"answer": "\ud83d"}),
    ],
)  # fmt: skip
def test_known_traps(text: str, expected: dict[str, str]) -> None:
    assert word_of(ADAPTER, SIGNATURE, text) == expected
    for chunks in every_split(text):
        assert read(chunks) == expected, chunks


def test_every_split_of_a_short_text() -> None:
    text = "[[ ## a ## ]]\r\n x \r[[\n"
    expected = {"a": "x \n[["}
    assert word_of(ADAPTER, signature(a=str), text) == expected
    for cuts in itertools.product([False, True], repeat=16):
        chunks = split_at(text, [place + 6 for place, cut in enumerate(cuts) if cut])
        assert replay(ChatParser({"a": "text"}), chunks).values == expected


def test_a_whole_answer_gives_one_delta_per_field() -> None:
    text = "[[ ## reasoning ## ]]\nA [b]\n[[ c\n\n[[ ## answer ## ]] d\ne\n\n[[ ## completed ## ]]\n"
    assert ChatParser(FIELDS).feed(text) == [
        Opened("reasoning"),
        Appended("reasoning", "A [b]\n[[ c"),
        Closed("reasoning"),
        Opened("answer"),
        Appended("answer", "d\ne"),
        Closed("answer"),
    ]


def test_the_feed_that_decides_is_the_one_that_tells() -> None:
    parser = ChatParser(FIELDS)
    steps: list[tuple[str, list[Change]]] = [
        ("[[ ##", []),
        (" answer", []),
        (" ## ]", []),
        ("]", [Opened("answer")]),  # the header is whole
        ("\n", []),
        ("The", [Appended("answer", "The")]),
        (" sky", [Appended("answer", " sky")]),
        (" ", []),  # may be the section's end
        ("is [", [Appended("answer", " is [")]),  # in the middle of a line a bracket is text
        ("[ ## ", [Appended("answer", "[ ##")]),
        ("x\n", [Appended("answer", " x")]),
        ("[[ ", []),  # may be a header
        ("no", [Appended("answer", "\n[[ no")]),  # and is none
        ("\n\n[[ ## other", []),
        (" ## ]] blue", [Closed("answer")]),
        ("\n[[ ## reasoning ## ]] so\n[", [Opened("reasoning"), Appended("reasoning", "so")]),
    ]
    for chunk, changes in steps:
        assert parser.feed(chunk) == changes, chunk
    assert parser.finish() == [Appended("reasoning", "\n["), Closed("reasoning")]


@given(st.lists(st.sampled_from(["plain", " words", ", and", " more.", "\n", " "]), max_size=30))
def test_plain_words_are_shown_at_once(chunks: list[str]) -> None:
    parser = ChatParser(FIELDS)
    shown = Replay()
    shown.apply(parser.feed("[[ ## answer ## ]]\n"))
    fed = ""
    for chunk in chunks:
        fed += chunk
        shown.apply(parser.feed(chunk))
        assert shown.values["answer"] == fed.strip()


@given(TEXTS)
def test_what_was_shown_is_a_beginning_of_what_is_true(text: str) -> None:
    expected = word_of(ADAPTER, SIGNATURE, text) or {}
    parser, shown = ChatParser(FIELDS), Replay()
    for char in text:
        shown.apply(parser.feed(char))
        assert all(expected[name].startswith(value) for name, value in shown.values.items())


@pytest.mark.parametrize(
    "piece",
    ["word", "\n", "    ", "[[[[", "\n[[ ", "aaaa", "\n[[ ## a", "\r\n \r"],
)
def test_the_work_is_linear(piece: str) -> None:
    def feed(size: int) -> None:
        parser = ChatParser(FIELDS)
        parser.feed("[[ ## answer ## ]]\n[[ ## ")
        for _ in range(size):
            parser.feed(piece)
        parser.finish()

    assert cpu_ratio(feed, 2_000, 32_000) < 2


def test_feeding_a_finished_parser_is_an_error() -> None:
    parser = ChatParser(FIELDS)
    parser.feed("[[ ## answer ## ]] x")
    assert parser.finish() == [Closed("answer")]
    assert parser.finish() == []
    with pytest.raises(RuntimeError, match="make a new parser"):
        parser.feed("x")
