"""Lines of so many cells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from fieldstream.terminal.wrapping import Growing, wrap, wrap_json

texts = st.text(alphabet=st.sampled_from("ab,. \n漢🌊é"), max_size=300)


@given(texts, st.integers(2, 30))
def test_lines_fit_and_are_the_text(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert all(cell_len(line.rstrip(" ")) <= width for line in lines)
    assert "".join(lines) == text.replace("\n", "")


@given(texts, st.integers(2, 30), st.data())
def test_a_text_that_begins_with_a_line_of_another_wraps_as_it(text: str, width: int, data: st.DataObject) -> None:
    paragraph = text.replace("\n", " ")
    lines = wrap(paragraph, width)
    at = data.draw(st.integers(0, len(lines) - 1))
    assert wrap("".join(lines[at:]), width) == lines[at:]


def test_words_stay_whole_where_they_fit() -> None:
    assert wrap("one two  three", 8) == ["one two  ", "three"]
    assert wrap("abcdefghij kl", 4) == ["abcd", "efgh", "ij ", "kl"]
    assert wrap("", 4) == [""]
    assert wrap("a\n\nb", 4) == ["a", "", "b"]


def test_json_keeps_its_indent() -> None:
    assert wrap_json('[\n  "one two three"\n]', 12) == ["[", '  "one two ', '    three"', "]"]


@pytest.mark.parametrize("separator", [" ", "\n"])
def test_the_end_of_a_growing_text(separator: str) -> None:
    growing, pieces = Growing(), list[str]()
    for number in range(4000):
        pieces.append(f"word{number}{separator}")
        if number % 10:
            continue
        lines, above = growing.lines(pieces, 0, 40, 10)
        assert above == (len(wrap("".join(pieces), 40)) > 10) if number < 300 else above
        if number % 100 == 0:
            assert lines == wrap("".join(pieces), 40)[-10:]
    assert len(growing._text) < 150 * 2 * 41 + 41


def test_a_growing_text_that_begins_anew() -> None:
    growing = Growing()
    assert growing.lines(["one"], 0, 40, 10) == (["one"], False)
    assert growing.lines(["two"], 1, 40, 10) == (["two"], False)
    assert growing.lines(["two", " \x1b[2J"], 1, 40, 10) == ([r"two \x1b[2J"], False)
