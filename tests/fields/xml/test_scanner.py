"""XML source in pieces: nothing is lost, nothing is held without need, and no piece ends within markup."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.fields.xml.scanner import XmlScanner
from tests.fields.helpers import every_split

_PARTS = "< > </a> <a·b='>'> \" ' & ; &amp; <!-- --> -- <![CDATA[ ]]> ] <? ?> word é \n ·"
TEXTS = st.lists(st.sampled_from([part.replace("·", " ") for part in _PARTS.split(" ")]), max_size=9).map("".join)


def scanned(chunks: list[str]) -> tuple[list[str], str]:
    pieces: list[str] = []
    scanner = XmlScanner(pieces.append)
    for chunk in chunks:
        scanner.feed(chunk)
    return pieces, scanner.rest


@given(TEXTS)
def test_nothing_is_lost_in_any_split(text: str) -> None:
    whole, rest = scanned([text])
    assert "".join(whole) + rest == text
    for chunks in [list(text), *(every_split(text) if len(text) < 7 else [])]:
        pieces, left = scanned(chunks)
        assert ("".join(pieces), left) == ("".join(whole), rest)


@pytest.mark.parametrize(
    ("text", "pieces", "rest"),
    [
        ("a b", ["a b"], ""),
        ("a <b c='>'>d", ["a ", "<b c='>'>", "d"], ""),
        ("a <b", ["a "], "<b"),
        ("a &am", ["a "], "&am"),
        ("a &amp;b", ["a ", "&amp;", "b"], ""),
        ("<!-- a -- > -->b", ["<!-- a -- > -->", "b"], ""),
        ("<!-- a ->", [], "<!-- a ->"),
        ("<?a > ?>b", ["<?a > ?>", "b"], ""),
        ("<![CDATA[a < b", ["<![CDATA[", "a < b"], ""),
        ("<![CDATA[a]]>b", ["<![CDATA[", "a]]>", "b"], ""),
    ],
)
def test_pieces(text: str, pieces: list[str], rest: str) -> None:
    assert scanned([text]) == (pieces, rest)


@given(TEXTS.filter(lambda text: "<![CDATA[" not in text))  # in which a tag is no tag
def test_no_piece_ends_within_a_tag(text: str) -> None:
    pieces, _ = scanned([text])
    for piece in pieces:
        if re.match(r"</?[a-z]", piece):
            assert piece.endswith(">")
