"""Data fields of any parser, as values; and texts that are shown when they are whole."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.events import UNSET, FieldKind
from fieldstream.fields import (
    Appended,
    Change,
    ChatParser,
    Closed,
    Completed,
    FieldParser,
    Items,
    JsonParser,
    Later,
    Opened,
    Plain,
    Slot,
    StructuredParser,
    Text,
)
from tests.fields.growth import Growth, grows_to, identical
from tests.fields.helpers import cpu_ratio, split_at
from tests.fields.values.test_reader import values

FIELDS: dict[str, FieldKind] = {"note": "text", "x": "data"}
SLOTS = {"note": Slot(Text()), "x": Slot(Plain())}


def chat(slots: dict[str, Slot] = SLOTS) -> StructuredParser:
    return StructuredParser(ChatParser(FIELDS), slots, raw=True)


def written(value: Any, *, raw: bool) -> str:
    literal = json.dumps(value)
    return f"[[ ## x ## ]]\n{literal}\n\n[[ ## note ## ]]\nok" if raw else f'{{"x": {literal}, "note": "ok"}}'


@given(values, st.lists(st.integers(0, 80)), st.booleans())
def test_a_value_is_exact_in_both_formats(value: Any, places: list[int], raw: bool) -> None:
    inner: FieldParser = ChatParser(FIELDS) if raw else JsonParser(FIELDS)
    parser, growth = StructuredParser(inner, SLOTS, raw=raw), Growth()
    changes: list[Change] = []
    for chunk in split_at(written(value, raw=raw), places):
        changes += parser.feed(chunk)
    changes += parser.finish()
    for change in changes:
        if change.field == "x":
            growth.apply([change])
            assert raw or grows_to(growth.value, value)
    if raw and not isinstance(value, dict | list):
        return  # A bare word: what it is depends on the type.
    assert identical(growth.value, value)
    assert identical(growth.completed[()], value)
    assert "".join(change.text for change in changes if change.field == "note" and isinstance(change, Appended)) == "ok"


def test_a_field_is_complete_with_its_end() -> None:
    parser = chat()
    parser.feed("[[ ## x ## ]]\n[1]\n")
    assert parser.feed("\n[[ ## note ## ]]\n")[:2] == [Closed("x"), Completed("x")]


def test_a_text_that_is_done_comes_whole() -> None:
    parser = chat(SLOTS | {"note": Slot(Text(), done=True)})
    assert parser.feed("[[ ## note ## ]]\nsome") == [Opened("note")]
    assert parser.feed(" text\n") == []
    assert parser.feed("\n[[ ## x ## ]]\n")[:2] == [Appended("note", "some text"), Closed("note")]
    parser = chat(SLOTS | {"note": Slot(Text(), done=True)})
    parser.feed("[[ ## note ## ]]\nto the")
    assert parser.feed(" end") == []
    assert parser.finish() == [Appended("note", "to the end"), Closed("note")]


@pytest.mark.parametrize("text", ["some words", "[1", "{", "```json\n[1]\n```", "(1, 2)", "'a'"])
def test_what_only_code_can_tell_is_not_read(text: str) -> None:
    parser, growth = chat(SLOTS | {"x": Slot(Later())}), Growth()
    growth.apply(parser.feed(f"[[ ## x ## ]]\n{text}"))
    growth.apply(parser.finish())
    assert growth.value is UNSET
    assert growth.completed == {}


def test_work_is_linear_in_a_long_string_within_a_value() -> None:
    slots = SLOTS | {"x": Slot(Items(Slot(Text())))}

    def run(size: int) -> None:
        parser = chat(slots)
        parser.feed('[[ ## x ## ]]\n["')
        for _ in range(size):
            parser.feed("abc ")
        parser.feed('"]')
        parser.finish()

    assert cpu_ratio(run, 2_000, 32_000) < 2
