"""A run's state: what its events make, and a snapshot that stands for them at any place."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fieldstream._merged import merged
from fieldstream.events import (
    UNSET,
    CallEnded,
    CallStarted,
    Event,
    Failure,
    FieldDelta,
    FieldEnded,
    FieldReset,
    FieldStarted,
    RunEnded,
    RunSnapshot,
    RunStarted,
)
from fieldstream.readers.state import RunState
from fieldstream.wire.json import decode_event, encode
from tests.support.values import apply
from tests.transforms.runs import runs


def state(events: Iterable[Event]) -> RunState:
    state = RunState()
    state.feed(events)
    return state


def told(state: RunState) -> Any:
    """All that it tells, as plain data that stays as it is."""
    said = [state.run, state.program, state.seq, state.outcome, state.fields(), state.calls(), state.end]
    return msgspec.to_builtins([msgspec.convert(msgspec.to_builtins(each), Any) for each in said])


def halved(value: Any) -> Any:
    """The same with halves of surrogate pairs in its texts, which UTF-8 cannot carry."""
    match value:
        case str():
            return value.replace("b", "\ud800")
        case list():
            return [halved(each) for each in value]
        case dict():
            return {key: halved(each) for key, each in value.items()}
        case _:
            return value


def with_surrogates(events: Sequence[Event]) -> list[Event]:
    return [
        replace(event, text=halved(event.text), value=halved(event.value)) if isinstance(event, FieldDelta) else event
        for event in events
    ]


whole_runs = st.one_of(runs(), runs().map(with_surrogates))


@given(whole_runs)
def test_the_fields_are_those_that_any_reader_has(events: list[Event]) -> None:
    for cut in range(len(events) + 1):
        # A text that has begun and has no letter yet is no value yet.
        shown = {
            (call, field, candidate): UNSET if value == "" else value
            for (call, candidate), fields in apply(events[:cut]).items()
            for field, value in fields.items()
        }
        said = {
            (each.call, each.field, each.candidate): UNSET if each.value == "" else each.value
            for each in state(events[:cut]).fields()
        }
        assert said == shown


@given(whole_runs)
def test_a_snapshot_and_what_comes_after_it_are_the_whole_at_every_place(events: list[Event]) -> None:
    whole = told(state(events))
    for cut in range(1, len(events) + 1):
        snapshot = decode_event(encode(state(events[:cut]).snapshot()))
        tail = events[snapshot.seq + 1 :]
        assert isinstance(tail[-1], RunEnded), "the closing event is never left out"
        assert told(state([snapshot, *tail])) == whole
        assert told(state([snapshot, *(decode_event(encode(event)) for event in tail)])) == whole


@given(whole_runs, st.data())
def test_merged_deltas_are_as_good(events: list[Event], data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(events)), max_size=3)))
    parts = [events[a:b] for a, b in zip([0, *cuts], [*cuts, len(events)], strict=True)]
    assert told(state(event for part in parts for event in merged(part))) == told(state(events))


@given(whole_runs)
def test_who_reads_a_snapshot_may_make_one_of_it(events: list[Event]) -> None:
    for cut in range(1, len(events)):
        first = state(events[:cut]).snapshot()
        assert encode(state([first]).snapshot()) == encode(first)


@given(whole_runs)
def test_events_are_not_changed_by_who_reads_them(events: list[Event]) -> None:
    before = [encode(event) for event in events]
    state(events)
    assert [encode(event) for event in events] == before


START = RunStarted(seq=0, at=0.0, run="r", program="p")
CALL = CallStarted(seq=1, at=0.1, call="c", kind="predictor", name="extract.predict")
FIELD = FieldStarted(seq=2, at=0.2, call="c", field="answer")
TEXT = FieldDelta(seq=3, at=0.3, call="c", field="answer", text="An")
ENDED = FieldEnded(seq=4, at=0.4, call="c", field="answer")


def test_a_field_is_open_until_it_ends_and_again_when_it_is_withdrawn() -> None:
    reader = state([START, CALL, FIELD, TEXT])
    assert [(each.value, each.ended) for each in reader.fields()] == [("An", False)]
    reader.feed([ENDED])
    assert [(each.value, each.ended) for each in reader.fields()] == [("An", True)]
    reader.feed([FieldReset(seq=5, at=0.5, call="c", field="answer", reason="repair")])
    assert [(each.value, each.ended) for each in reader.fields()] == [(UNSET, False)]


def test_a_call_tells_what_came_of_it() -> None:
    reader = state([START, CALL])
    assert not reader.calls()[0].ended
    assert reader.predictor("c") == "extract.predict"
    failure = Failure(kind="ValueError", message="no")
    reader.feed([CallEnded(seq=2, at=0.7, call="c", seconds=0.6, error=failure, chosen="d")])
    call = reader.calls()[0]
    assert (call.ended, call.seconds, call.error, call.chosen, call.at) == (True, 0.6, failure, "d", 0.1)


def test_before_the_first_event_there_is_nothing() -> None:
    reader = RunState()
    assert (reader.seq, reader.outcome, reader.fields(), reader.calls()) == (-1, None, [], [])


@pytest.mark.parametrize("outcome", ["completed", "failed", "cancelled"])
def test_the_outcome_is_the_closing_events(outcome: Any) -> None:
    reader = state([START, RunEnded(seq=1, at=1.0, outcome=outcome)])
    assert reader.outcome == outcome
    assert reader.at == 1.0
    assert reader.snapshot() == RunSnapshot(seq=0, at=1.0, run="r", program="p", calls=[], fields=[])
