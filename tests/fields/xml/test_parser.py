"""The XML parser says what ``XMLAdapter.parse`` says, however the text is split."""

import itertools
from typing import Any

import dspy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.fields.changes import Appended, Change, Closed, Fields, Opened, Withdrawn, Written
from fieldstream.fields.xml.parser import XmlParser
from tests.fields.helpers import Replay, cpu_ratio, every_split, replay, signature, split_at, word_of

ADAPTER = dspy.XMLAdapter()
SIGNATURE = signature(answer=str, reasoning=str)
FIELDS: Fields = {"answer": "text", "reasoning": "text"}

CONTENT = [
    *(" ", "\n", "\r\n", "\r", "\t", "\u2028", "\x85", "\xa0", "a", "word", "é", "😀", '"', "'", "]", "answer"),
    *("&lt;", "&amp;", "&gt;", "&#65;", "&#x1F600;", "&#13;", "&#32;", "<![CDATA[x<]y&]]>", "<![CDATA[]]>"),
    *("<!-- c -->", "<!-->-->", "<?pi x?>", "<br/>", "<br />", "<c x:d='1' xmlns:x='u'/>"),
]
BROKEN = [
    *("<answer>", "</answer>", "<answer>\n", "\n</answer>", "<reasoning>", "</reasoning>", "<entry key='answer'>"),
    *("</entry>", "<b>", "</b>", "<", ">", "&", "&nbsp;", "&l", "<![CDATA[", "]]>", "]]", "<!--", "-->", "<!", "<?"),
    *("?>", "/>", "<a b", "='", "<!DOCTYPE x>", "<?xml version='1.0'?>", "</dspy_root>", "\0", "\x1f", "\ud83d"),
]
TAGS = [
    *(("<b>", "</b>"), ("<i a='1' b=\"x&lt;&quot;&#10;>\">", "</i>"), ("<answer>", "</answer>")),
    *(("<entry key='answer'>", "</entry>"), ("<x:y xmlns:x='u'>", "</x:y>"), ("<b xmlns='v'>", "</b>")),
    *(("<b xml:lang='en'>", "</b>"), ("<ü-1.2 >", "</ü-1.2 >")),
]
TOP_TAGS = [
    *(("<answer>", "</answer>"), ("<answer>\n", "\n</answer>"), ("<reasoning>\n", "\n</reasoning>")),
    *(("<entry key='answer'>", "</entry>"), ("<other>", "</other>"), ("<answer xmlns:q='w' a='b'>", "</answer>")),
]


def wrapped(tags: list[tuple[str, str]], inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda tag, content: tag[0] + content + tag[1], st.sampled_from(tags), inner)


def joined(pieces: st.SearchStrategy[str], most: int) -> st.SearchStrategy[str]:
    return st.lists(pieces, max_size=most).map("".join)


INNER = st.recursive(
    joined(st.sampled_from(CONTENT), 4), lambda inner: joined(st.one_of(inner, wrapped(TAGS, inner)), 3), max_leaves=6
)
WELL_FORMED = joined(st.one_of(INNER, wrapped(TOP_TAGS, INNER)), 4)
ANY_MIX = joined(st.sampled_from(CONTENT + BROKEN), 12)
TEXTS = st.one_of(WELL_FORMED, WELL_FORMED, ANY_MIX, wrapped(TOP_TAGS, ANY_MIX))


def word(text: str, of: Any = SIGNATURE) -> dict[str, Any] | None:
    try:
        return word_of(ADAPTER, of, text)
    except UnicodeEncodeError:  # a lone surrogate: no XML parser takes it, and the adapter does not expect that
        return None


def read(chunks: list[str], fields: Fields = FIELDS) -> dict[str, str]:
    return replay(XmlParser(fields), chunks).values


@given(TEXTS, st.lists(st.integers(min_value=0), max_size=12))
def test_it_says_what_parse_says(text: str, places: list[int]) -> None:
    expected = word(text)
    for chunks in ([text], list(text), split_at(text, places)):
        values = read(chunks)
        assert expected is None or values == expected, chunks


@given(TEXTS, st.lists(st.integers(min_value=0), max_size=12))
def test_a_literal_is_the_source_between_the_tags(text: str, places: list[int]) -> None:
    if word(text) is None:
        return
    fields: Fields = {"answer": "data"}
    values = read([text], fields)
    assert read(list(text), fields) == read(split_at(text, places), fields) == values
    assert values.get("answer", "") in text
    if "xmlns" not in text:  # what is declared around it, it lacks
        again = values and word(f"<answer>{values['answer']}</answer>")
        first = [item for item in (word(text) or {}).items() if item[0] in values]
        opened = sum(map(text.count, ("<answer", "key='answer'", 'key="answer"')))
        # Of an element that comes again, `parse` makes a list; there is the first one's literal.
        assert not first or again == dict(first) or opened > 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # The plain case, as the adapter asks for it.
        ("<answer>\nBlue.\n</answer>\n\n<reasoning>\nSky.\n</reasoning>", {"answer": "Blue.", "reasoning": "Sky."}),
        # References, CDATA and line ends are resolved before anything is stripped, so whitespace cannot hide.
        ("<answer>&#32;a &lt;b&gt; <![CDATA[<&]]> c&#x20;\r\nd&#10;</answer>", {"answer": "a <b> <& c \nd"}),
        # Comments and instructions are nothing.
        ("<answer>a<!-- <b> -->b<?c d?>e</answer>", {"answer": "abe"}),
        # Children: the text before them is kept as it is, spaces and bare signs too; they are written out anew.
        ("<answer> a &lt; <b>c &lt;</b> d &gt;</answer>", {"answer": " a < <b>c &lt;</b> d &gt;"}),
        # … empty ones in one tag, attributes in double quotes, escaped.
        ("<answer><br></br><i a='\"&#10;&amp;'></i></answer>", {"answer": '<br /><i a="&quot;&#10;&amp;" />'}),
        # … with namespaces as ElementTree names them.
        ("<answer>a<x:b xmlns:x='u'>c<x:d/></x:b>e</answer>", {"answer": 'a<ns0:b xmlns:ns0="u">c<ns0:d /></ns0:b>e'}),
        # … even if one turns up deep in a child of which a part was shown.
        ("<answer>a<b>c<d xmlns='u'/></b>e</answer>", {"answer": 'a<b xmlns:ns0="u">c<ns0:d /></b>e'}),
        # A child of the field's name is a child.
        ("<answer>a<answer>b</answer></answer>", {"answer": "a<answer>b</answer>"}),
        # An element inside of an unknown one is no field.
        ("<thought><answer>no</answer></thought><answer>yes</answer>", {"answer": "yes"}),
        # An entry is what its key says.
        ("<entry key='answer'>a</entry><entry>b</entry>", {"answer": "a"}),
        # Elements that come again make a list of texts.
        ("<answer> a </answer><answer>b<c/>d</answer>", {"answer": "['a', 'b']"}),
        # … unless the first has children.
        ("<answer>a<c/></answer><answer>b</answer>", {"answer": "a<c />"}),
        # Nothing is "".
        ("<answer/><reasoning> \n </reasoning>", {"answer": "", "reasoning": ""}),
        # Text outside of elements is nobody's.
        ("Sure: <answer>a</answer>!", {"answer": "a"}),
        # A quoted `>` ends no tag, and a tag may hold line ends.
        ("<answer a='>' b\n=\n'\"'>x</answer\n>", {"answer": "x"}),
        # Brackets that end no CDATA.
        ("<answer><![CDATA[a]]]b]]]]></answer>", {"answer": "a]]]b]]"}),
        ("<answer>a]]b>c] ]>\rd\r</answer>", {"answer": "a]]b>c] ]>\nd"}),
        # Not well-formed: refused as a whole.
        ("<answer>a & b</answer>", None),
        ("<answer>a < b</answer>", None),
        ("<answer>a ]]> b</answer>", None),
        ("<answer>a]]></answer>", None),
        ("<answer>a&nbsp;b</answer>", None),
        ("<answer>a", None),
        ("<answer>a</answer></dspy_root>", None),
        ("<?xml version='1.0'?><answer>a</answer>", None),
        ("<answer>\ud83d</answer>", None),
    ],
)
def test_known_traps(text: str, expected: dict[str, str] | None) -> None:
    assert word(text) == expected
    for chunks in every_split(text):
        values = read(chunks)
        assert expected is None or values == expected, chunks


def test_every_split_of_a_short_text() -> None:
    text = "<a>\r<b/> </a>"
    expected = {"a": "\n<b /> "}
    assert word(text, signature(a=str)) == expected
    for cuts in itertools.product([False, True], repeat=len(text) - 1):
        chunks = split_at(text, [place + 1 for place, cut in enumerate(cuts) if cut])
        assert read(chunks, {"a": "text"}) == expected


def test_a_whole_answer_gives_one_delta_per_field() -> None:
    text = "<reasoning>\na &amp; b\n<![CDATA[c]]> d\n</reasoning>\n<answer> x <b>y</b> z</answer>"
    assert XmlParser({"reasoning": "text", "answer": "text"}).feed(text) == [
        Opened("reasoning"),
        Appended("reasoning", "a & b\nc d"),
        Closed("reasoning"),
        Opened("answer"),
        Appended("answer", " x <b>y</b> z"),
        Closed("answer"),
    ]
    assert XmlParser({"reasoning": "data"}).feed(text) == [
        Opened("reasoning"),
        Written("reasoning", "\na &amp; b\n<![CDATA[c]]> d\n"),
        Closed("reasoning"),
    ]


def test_the_feed_that_decides_is_the_one_that_tells() -> None:
    parser = XmlParser(FIELDS)
    steps: list[tuple[str, list[Change]]] = [
        ("<answ", []),
        ("er>", [Opened("answer")]),
        ("\n", []),
        ("The", [Appended("answer", "The")]),
        (" sky ", [Appended("answer", " sky")]),  # the space may be the last one
        ("is &l", [Appended("answer", " is")]),
        ("t;", [Appended("answer", " <")]),
        ("<![CDATA", []),
        ("[a", [Appended("answer", "a")]),
        ("]", []),  # may be the end of the CDATA
        ("b]]>", [Appended("answer", "]b")]),
        ("<!-- > ", []),
        ("--", []),
        ("> c", [Appended("answer", " c")]),
        # A child: what was shown lacks the line break before it.
        ("<b>", [Withdrawn("answer"), Appended("answer", "\nThe sky is <a]b c")]),  # `<b />` is still possible
        ("d", [Appended("answer", "<b>d")]),
        ("</", []),
        ("b> e ", [Appended("answer", "</b> e ")]),  # with children, nothing is stripped
        ("<br/>", [Appended("answer", "<br />")]),
        ("</answer", []),
        ("><reasoning>x ", [Closed("answer"), Opened("reasoning"), Appended("reasoning", "x")]),
        ("</reasoning>", [Closed("reasoning")]),
        ("<reasoning> y", []),  # comes again: told at the end, which shows whether the text is well-formed
        ("</reasoning>", []),
    ]
    for chunk, changes in steps:
        assert parser.feed(chunk) == changes, chunk
    assert parser.finish() == [Withdrawn("reasoning"), Appended("reasoning", "['x', 'y']"), Closed("reasoning")]


def test_nothing_is_said_once_the_text_is_refused() -> None:
    parser = XmlParser(FIELDS)
    assert parser.feed("<answer>a &") == [Opened("answer"), Appended("answer", "a")]
    assert parser.feed(" b</answer><reasoning>c") == []
    assert parser.feed("</reasoning>") == []
    assert parser.finish() == [Closed("answer")]


def test_children_are_shown_too_early_only_once() -> None:
    text = "<answer>a" + "<b>c<d xmlns='u'/></b>" * 20 + "</answer>"
    result = replay(XmlParser(FIELDS), text)
    assert result.values == word(text)
    assert result.withdrawals == 1


@given(joined(st.sampled_from(["plain", " words", ", and", " more.", "\n", " "]), 30).flatmap(
    lambda text: st.tuples(st.just(text), st.lists(st.integers(min_value=0), max_size=9))
))  # fmt: skip
def test_plain_words_are_shown_at_once(case: tuple[str, list[int]]) -> None:
    parser, shown, fed = XmlParser(FIELDS), Replay(), ""
    shown.apply(parser.feed("<answer>"))
    for chunk in split_at(*case):
        fed += chunk
        shown.apply(parser.feed(chunk))
        assert shown.values["answer"] == fed.strip()


@given(TEXTS)
def test_what_was_shown_is_a_beginning_of_what_is_true(text: str) -> None:
    expected = word(text)
    if expected is None:
        return
    parser, shown = XmlParser(FIELDS), Replay()
    beginnings: list[tuple[int, dict[str, str]]] = []
    for char in text:
        shown.apply(parser.feed(char))
        beginnings.append((shown.withdrawals, dict(shown.values)))
    shown.apply(parser.finish())
    for withdrawals, values in beginnings:
        for name, value in values.items():
            assert expected[name].startswith(value) or withdrawals < shown.withdrawals


@pytest.mark.parametrize(
    "piece",
    ["word", " ", "a &lt;", "<b>x</b>", "<br/>", "<!-- ", "<!-- x --> ", "&a", "<b ", "]]", "<c xmlns='u'/>", "<b>"],
)
@pytest.mark.parametrize("kind", ["text", "data"])
def test_the_work_is_linear(piece: str, kind: Any) -> None:
    def feed(size: int) -> None:
        parser = XmlParser({"answer": kind})
        parser.feed("<answer>\n x")
        for _ in range(size):
            parser.feed(piece)
        parser.finish()

    assert cpu_ratio(feed, 1_000, 16_000) < 2


@pytest.mark.parametrize("opened", ["<!-- ", "<b a='", "<?p ", "<![CDATA[", "&"])
def test_long_markup_is_read_once(opened: str) -> None:
    def feed(size: int) -> None:
        parser = XmlParser(FIELDS)
        parser.feed("<answer>" + opened)
        for _ in range(size):
            parser.feed("abcd")
        parser.finish()

    assert cpu_ratio(feed, 2_000, 32_000) < 2


def test_feeding_a_finished_parser_is_an_error() -> None:
    parser = XmlParser(FIELDS)
    parser.feed("<answer>x")
    assert parser.finish() == [Closed("answer")]
    assert parser.finish() == []
    with pytest.raises(RuntimeError, match="make a new parser"):
        parser.feed("x")
