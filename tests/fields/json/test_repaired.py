"""An object that is not quite JSON, in pieces. What it comes to is compared with the adapter in ``test_json.py``."""

import pytest

from fieldstream.fields.changes import Appended, Change, Closed, Fields, Opened, Withdrawn, Written
from fieldstream.fields.json.parser import JsonParser
from fieldstream.fields.json.repaired import RepairedParser
from tests.fields.helpers import cpu_ratio, replay

FIELDS: Fields = {"answer": "text", "data": "data"}


def test_the_feed_that_decides_is_the_one_that_tells() -> None:
    parser = RepairedParser(FIELDS)
    steps: list[tuple[str, list[Change]]] = [
        ("{ans", []),
        ("wer", []),
        (": ", []),
        ('"one', [Opened("answer"), Appended("answer", "one")]),
        (" two ", [Appended("answer", " two")]),  # the space goes if the text ends here
        ("\\", []),
        ('"x\\d', [Appended("answer", ' "x\\d')]),  # what is no escape stays
        ("\\u00", []),
        ("e9\n", [Appended("answer", "é")]),  # a line break at the end would go
        ('"', []),  # may be a quote within
        (" ", []),
        (", // and\n 'data'", [Closed("answer")]),
        (": [1", [Opened("data"), Written("data", "[1")]),
        ("]", [Written("data", "]"), Closed("data")]),
        (",, answer: Tru", []),
        ("e", []),
        (",", []),  # a number might go on
        ("}", [Withdrawn("answer"), Appended("answer", "True"), Closed("answer")]),
    ]
    for chunk, changes in steps[:11]:
        assert parser.feed(chunk) == changes, chunk
    # Behind a string with escapes only a key in the same quotes is understood, so the rest is another parser's.
    parser = RepairedParser(FIELDS)
    parser.feed('{answer: "one" ')
    for chunk, changes in steps[11:]:
        assert parser.feed(chunk) == changes, chunk
    assert parser.finish() == []
    assert not parser.lost


@pytest.mark.parametrize(
    "text", ['{"answer": "one" x', "{# ", '{"answer": "\\\\\\n"', '{"answer": yes,}', '{"_": 1, _a: 2}']
)
def test_it_knows_when_it_does_not_know(text: str) -> None:
    parser = RepairedParser(FIELDS)
    replay(parser, text)
    assert parser.lost


@pytest.mark.parametrize("piece", ["word", "\\n", "    ", "\\\\", ', ""'])
def test_the_work_is_linear(piece: str) -> None:
    def feed(size: int) -> None:
        parser = RepairedParser(FIELDS)
        parser.feed("{answer: '")
        for _ in range(size):
            parser.feed(piece)
        parser.finish()

    assert cpu_ratio(feed, 2_000, 32_000) < 2


def test_it_does_not_wait_for_ever_between_values() -> None:
    parser = RepairedParser(FIELDS)
    parser.feed("{/*")
    for _ in range(3_000):
        parser.feed("....")
    assert parser.lost


def test_feeding_a_finished_parser_is_an_error() -> None:
    parser = RepairedParser(FIELDS)
    parser.feed("{answer: 'x")
    assert parser.finish() == [Closed("answer")]
    assert parser.finish() == []
    with pytest.raises(RuntimeError, match="make a new parser"):
        parser.feed("x")


@pytest.mark.parametrize("size", [1, 3, 20])
def test_a_damaged_value_is_told_to_its_end_and_nothing_behind_it(size: int) -> None:
    literal = "{'items': ['a b', \"c}\"], 'n': True, /* so */ m: [1, 2,],}"
    text = f'{{"answer": "before", "items": {literal}, "note": "behind"}}'
    parser = JsonParser({"answer": "text", "items": "data", "note": "text"})
    changes = [
        change for at in range(0, len(text), size) for change in parser.feed(text[at : at + size])
    ] + parser.finish()
    assert "".join(change.text for change in changes if isinstance(change, Written)) == literal
    assert "".join(change.text for change in changes if isinstance(change, Appended)) == "before"
    assert Closed("items") not in changes, "what it means is not known"
    assert parser.lost
