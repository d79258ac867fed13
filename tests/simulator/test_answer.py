"""What an answer may be."""

import pytest

from fieldstream.simulator import Answer, ToolCall


def test_chunks_make_the_text() -> None:
    assert Answer(chunks=["a", "", "b"]).text == "ab"
    assert Answer("ab", chunks=["a", "b"]).text == "ab"


def test_contradictions_are_refused() -> None:
    with pytest.raises(ValueError, match="disagree"):
        Answer("abc", chunks=["a", "b"])
    with pytest.raises(ValueError, match="into the choices"):
        Answer("abc", choices=["a", "b"])


def test_arguments_are_a_json_text() -> None:
    assert ToolCall("t", {"é": 1}).arguments_text == '{"é": 1}'
    assert ToolCall("t", '{"broken').arguments_text == '{"broken'
    assert ToolCall("t").arguments_text == "{}"
