"""A field's text out of a run's events: call after call, with its resets."""

import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream import Text
from fieldstream._fields import FieldName
from fieldstream.events import (
    CallEnded,
    CallStarted,
    Event,
    FieldDelta,
    FieldEnded,
    FieldReset,
    FieldStarted,
    RunEnded,
)
from fieldstream.readers.text import TextAssembler

ANSWER = FieldName("p", "answer")


def event(made: Any, **members: Any) -> Event:
    return made(seq=0, at=0.0, **members)


def begin(call: str, *, name: str = "p", field: str = "answer", kind: str = "text", candidate: int = 0) -> list[Event]:
    return [
        event(CallStarted, call=call, kind="predictor", name=name),
        event(FieldStarted, call=call, field=field, kind=kind, candidate=candidate),
    ]


def delta(call: str, text: str, *, field: str = "answer", candidate: int = 0) -> Event:
    return event(FieldDelta, call=call, field=field, text=text, candidate=candidate)


def reset(call: str, reason: str = "retry") -> Event:
    return event(FieldReset, call=call, field="answer", reason=reason)


def end(call: str, **fields: Any) -> list[Event]:
    return [event(FieldEnded, call=call, field="answer"), event(CallEnded, call=call, seconds=0.0, fields=fields)]


def said(events: list[Event], name: FieldName = ANSWER) -> list[tuple[str, str, str | None]]:
    assembler = TextAssembler(name)
    return [(str(piece), piece.call, piece.reset) for each in events for piece in assembler.feed([each])]


def test_a_piece_is_a_string() -> None:
    piece = Text("abc", "c1", "retry")
    assert isinstance(piece, str)
    assert piece == "abc"
    assert hash(piece) == hash("abc")
    assert (piece.call, piece.reset) == ("c1", "retry")
    by_text: dict[str, int] = {piece: 1}
    assert by_text["abc"] == 1
    assert repr(piece) == "'abc'"
    assert json.dumps(piece) == '"abc"'
    assert f"{piece}d" == "abcd"
    assert type(piece + "d") is str
    assert type("".join([piece, piece])) is str


def test_a_piece_of_nobody() -> None:
    assert (Text("abc").call, Text("abc").reset) == ("", None)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_piece_is_pickled_whole(protocol: int) -> None:
    piece = pickle.loads(pickle.dumps(Text("abc", "c1", "retry"), protocol))
    assert type(piece) is Text
    assert (piece, piece.call, piece.reset) == ("abc", "c1", "retry")


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_piece_is_copied_whole(copied: Any) -> None:
    piece = copied(Text("abc", "c1", "retry"))
    assert (type(piece), piece, piece.call, piece.reset) == (Text, "abc", "c1", "retry")


def test_the_text_of_one_call() -> None:
    events = [*begin("c1"), delta("c1", "a"), delta("c1", "b"), *end("c1")]
    assert said(events) == [("a", "c1", None), ("b", "c1", None)]


def test_other_predictors_fields_and_candidates_are_others() -> None:
    events = [
        *begin("c1", name="other"),
        delta("c1", "of another predictor"),
        *begin("c2"),
        event(FieldStarted, call="c2", field="reasoning"),
        delta("c2", "of another field", field="reasoning"),
        event(FieldStarted, call="c2", field="answer", candidate=1),
        delta("c2", "of another candidate", candidate=1),
        delta("c2", "mine"),
        *end("c2"),
    ]
    assert said(events) == [("mine", "c2", None)]
    assert [text for text, _, _ in said(events, FieldName(None, "answer"))] == ["of another predictor"]


def test_calls_one_after_the_other() -> None:
    events = [*begin("c1"), delta("c1", "a"), *end("c1"), *begin("c2"), delta("c2", "b"), *end("c2")]
    assert said(events) == [("a", "c1", None), ("b", "c2", None)]


def test_calls_at_once_come_one_after_the_other() -> None:
    events = [
        *begin("c1"),
        *begin("c2"),
        delta("c2", "x"),
        delta("c1", "a"),
        *begin("c3"),
        delta("c3", "3"),
        delta("c2", "y"),
        *end("c3"),
        *end("c2"),
        delta("c1", "b"),
        *end("c1"),
    ]
    assert said(events) == [
        ("a", "c1", None),
        ("b", "c1", None),
        ("x", "c2", None),
        ("y", "c2", None),
        ("3", "c3", None),
    ]


def test_who_waits_is_written_on_when_its_turn_comes() -> None:
    events = [*begin("c1"), *begin("c2"), delta("c2", "x"), *end("c1"), delta("c2", "y"), *end("c2")]
    assert said(events) == [("x", "c2", None), ("y", "c2", None)]


def test_a_reset_is_told_with_what_comes_next() -> None:
    events = [
        *begin("c1"),
        delta("c1", "wrong"),
        reset("c1", "fallback"),
        delta("c1", "right"),
        delta("c1", "!"),
        *end("c1"),
    ]
    assert said(events) == [("wrong", "c1", None), ("right", "c1", "fallback"), ("!", "c1", None)]


def test_a_reset_after_which_nothing_comes_is_told_all_the_same() -> None:
    events = [*begin("c1"), delta("c1", "wrong"), reset("c1", "repair"), *end("c1")]
    assert said(events) == [("wrong", "c1", None), ("", "c1", "repair")]


def test_a_field_that_is_no_text_comes_as_json_when_its_call_ends() -> None:
    events = [
        *begin("c1", kind="data"),
        event(FieldDelta, call="c1", field="answer", value=[]),
        event(FieldDelta, call="c1", field="answer", path=(0,), text="An"),
        reset("c1", "repair"),
        event(FieldDelta, call="c1", field="answer", value=["Ann", None]),
        *end("c1", answer=["Ann", None]),
    ]
    assert said(events) == [('["Ann", null]', "c1", None)]


def test_half_a_surrogate_pair_in_a_field_that_is_no_text() -> None:
    events = [*begin("c1", kind="data"), *end("c1", answer=["\ud83d"])]
    assert said(events) == [('["\ud83d"]', "c1", None)]


def test_a_text_that_turns_out_to_be_none() -> None:
    events = [
        *begin("c1"),
        delta("c1", "nul"),
        reset("c1", "repair"),
        event(FieldDelta, call="c1", field="answer", value=None),
        *end("c1", answer=None),
    ]
    assert said(events) == [("nul", "c1", None), ("", "c1", "repair")]


def test_the_end() -> None:
    assembler = TextAssembler(ANSWER)
    assembler.feed([*begin("c1"), *end("c1")])
    assert not assembler.ended
    assert assembler.feed([event(RunEnded, outcome="completed")]) == []
    assert assembler.ended


@given(st.data())
def test_whatever_the_order_each_call_is_whole_and_in_one_piece(data: st.DataObject) -> None:
    calls = [f"c{number}" for number in range(data.draw(st.integers(1, 4)))]
    left = {
        call: [*begin(call), *(delta(call, f"{call}.{n};") for n in range(data.draw(st.integers(0, 4)))), *end(call)]
        for call in calls
    }
    whole = {
        call: "".join(each.text or "" for each in events if isinstance(each, FieldDelta))
        for call, events in left.items()
    }
    assembler = TextAssembler(ANSWER)
    pieces: list[Text] = []
    order: list[str] = []
    while any(left.values()):
        call = data.draw(st.sampled_from([call for call, events in left.items() if events]))
        batch = left[call][: data.draw(st.integers(1, 3))]
        del left[call][: len(batch)]
        order += [call for each in batch if isinstance(each, FieldStarted)]
        pieces += assembler.feed(batch)
    assert "".join(pieces) == "".join(whole[call] for call in order)
    assert [piece.call for piece in pieces] == [call for call in order for piece in pieces if piece.call == call]
