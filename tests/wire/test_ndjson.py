"""Newline-delimited JSON: any reader of lines reads it, heartbeats or not."""

import json

from hypothesis import given
from hypothesis import strategies as st

from fieldstream.events import Event
from fieldstream.wire.json import decode_event
from fieldstream.wire.ndjson import NdjsonEncoder
from tests.readers.test_state import whole_runs


@given(whole_runs, st.data())
def test_each_line_is_an_event_and_heartbeats_are_none(events: list[Event], data: st.DataObject) -> None:
    encoder = NdjsonEncoder()
    heartbeats = data.draw(st.lists(st.integers(0, 2), min_size=len(events), max_size=len(events)))
    parts = [encoder.heartbeat * count + encoder.feed([event]) for count, event in zip(heartbeats, events, strict=True)]
    lines = b"".join(parts).split(b"\n")
    assert lines.pop() == b""
    assert [decode_event(line) for line in lines] == events
    assert [json.loads(line)["seq"] for line in lines] == [event.seq for event in events]


@given(whole_runs)
def test_many_at_once_are_the_same_bytes_as_one_by_one(events: list[Event]) -> None:
    encoder = NdjsonEncoder()
    assert encoder.feed(events) == b"".join(encoder.feed([event]) for event in events)
