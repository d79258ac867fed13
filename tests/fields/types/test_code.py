"""The code in a text: what ``dspy.Code`` makes of it, in any split."""

import json
from typing import Any

import dspy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.fields.changes import Appended, Change, Withdrawn
from fieldstream.fields.types.code import CodeFilter, CodeReader

texts = st.lists(
    st.sampled_from(["```", "``", "`", "\n", " ", "\t", "python", "x = 1", "\u2028", "é"]), max_size=14
).map("".join)
FENCED = "Here:\n```python\ndef f():\n    return `1`\n\n```\nThat is it."


def expected(value: Any) -> str:
    return dspy.Code.model_validate(value).code


def in_pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def filtered(pieces: list[str]) -> tuple[str, bool]:
    reading = CodeFilter()
    shown = "".join(map(reading.feed, pieces))
    right, rest = reading.finish()
    return (shown + rest if right else rest), right


def read(pieces: list[str], **options: Any) -> list[Change]:
    reader = CodeReader("code", **options)
    return [change for piece in pieces for change in reader.feed(piece)] + reader.finish()


def text_of(changes: list[Change]) -> str:
    text = ""
    for change in changes:
        assert isinstance(change, Appended | Withdrawn)
        text = text + change.text if isinstance(change, Appended) else ""
    return text


@given(texts, st.integers(1, 9))
def test_it_is_what_dspy_makes_of_the_text(text: str, size: int) -> None:
    code, _ = filtered(in_pieces(text, size))
    assert code == expected(text)


@given(texts, texts, st.integers(1, 9))
def test_of_a_fence_that_is_closed_nothing_was_wrong(before: str, code: str, size: int) -> None:
    _, right = filtered(in_pieces(f"{before}```python\n{code}\n```", size))
    assert right


@given(st.data())
def test_code_is_shown_as_it_is_written(data: st.DataObject) -> None:
    lines = data.draw(
        st.lists(st.text("ab =`", min_size=1, max_size=9).filter(lambda line: "``" not in line), min_size=2)
    )
    reading = CodeFilter()
    reading.feed("```\nx")
    for line in lines:
        shown = reading.feed("\n" + line + "y")
        assert shown.endswith("y")


@given(texts, st.integers(1, 9), st.booleans())
def test_in_json_it_is_a_string_or_a_member(text: str, size: int, object_: bool) -> None:
    value = {"why": "`", "code": text, "more": {"code": "no"}} if object_ else text
    if not object_ and text.lstrip()[:1] in set("{\"'"):
        return
    assert text_of(read(in_pieces(json.dumps(value), size), literal=True)) == expected(value)


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("text", [FENCED, f"  {FENCED}", json.dumps({"code": FENCED}), json.dumps(FENCED), "x = 1"])
def test_a_text_may_be_json(text: str, size: int) -> None:
    changes = read(in_pieces(text, size), literal=False)
    assert text_of(changes) == ("x = 1" if text == "x = 1" else "def f():\n    return `1`")
    assert not any(isinstance(change, Withdrawn) for change in changes)


def test_the_last_of_a_repeated_member_counts() -> None:
    text = '{"code": "```\\na = 1\\n```", "code": "```\\nb = 2\\n```"}'
    assert text_of(read(in_pieces(text, 4), literal=True)) == "b = 2"


def test_a_fence_that_is_not_closed_is_withdrawn() -> None:
    changes = read(["```python\n", "x = 1"], literal=False)
    assert changes == [Appended("code", "x = 1"), Withdrawn("code"), Appended("code", "```python\nx = 1")]


@pytest.mark.parametrize("text", [FENCED, "```python\nx = 1", "x"])
def test_whole_on_request(text: str) -> None:
    assert read(in_pieces(text, 3), literal=False, whole=True) == [Appended("code", expected(text))]
