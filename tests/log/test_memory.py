"""The log in memory: whatever is written in whatever order is read back so, from any place."""

import gc
import itertools
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.events import Event, FieldDelta, FieldEnded, LmDelta, RunEnded, RunStarted, Status
from fieldstream.log import MemoryLog

BLOCK = 512

# The steps of a writer: an event of its own, or a piece of one of four texts.
pieces = st.text(max_size=6)
steps = st.lists(
    st.tuples(st.just("status"), st.text(max_size=3)) | st.tuples(st.sampled_from("abcd"), pieces), max_size=60
)
# Long runs of one text cross the borders of the log's blocks.
counts = st.sampled_from([0, 1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 1])
long_steps = st.lists(st.tuples(st.sampled_from("abcd"), pieces, counts), max_size=5).map(
    lambda runs: [(text, f"{piece}{number}") for text, piece, count in runs for number in range(count)]
)

MEMBERS: dict[str, dict[str, Any]] = {
    "c": {"call": "c2", "channel": "reasoning"},
    "d": {"call": "c1", "field": "a", "path": ("x", 0)},
}


class Written:
    """A log, and beside it the events that it ought to hold."""

    def __init__(self, steps: list[Any], *, end: bool) -> None:
        clock = itertools.count()
        self.log = MemoryLog(clock=lambda: float(next(clock)))
        self.events: list[Event] = []
        self._log_it(RunStarted, run="r", program="p")
        handles = {name: self.log.open_text(FieldDelta, call="c1", field=name) for name in "ab"}
        handles["d"] = self.log.open_text(FieldDelta, **MEMBERS["d"])
        handles["c"] = self.log.open_text(LmDelta, **MEMBERS["c"])
        for what, value in steps:
            if what == "status":
                self._log_it(Status, message=value)
            else:
                self.log.append(handles[what], value)
                made: Callable[..., Event] = LmDelta if what == "c" else FieldDelta
                members: dict[str, Any] = MEMBERS.get(what, {"call": "c1", "field": what})
                self.events.append(made(seq=len(self.events), at=float(len(self.events) + 1), text=value, **members))
        if end:
            self._log_it(RunEnded, outcome="completed")

    def _log_it(self, kind: Callable[..., Event], **members: Any) -> None:
        self.log.record(kind, **members)
        self.events.append(kind(seq=len(self.events), at=float(len(self.events) + 1), **members))


def read_all(log: MemoryLog, after: int = -1, *, limit: int = 1024, merge: bool = False) -> list[Event]:
    events: list[Event] = []
    while batch := log.read(after, limit=limit, merge=merge):
        assert len(batch) <= limit
        events += batch
        after = batch[-1].seq
    return events


def text_of(event: Event) -> tuple[Any, str]:
    if isinstance(event, FieldDelta):
        return (event.field, event.path), event.text or ""
    assert isinstance(event, LmDelta)
    return "c", event.text


def merged(events: list[Event]) -> list[Event]:
    """Neighbouring deltas of one text as one, with the last one's place: what a merging reader ought to see."""
    out: list[Event] = []
    for event in events:
        if isinstance(event, FieldDelta | LmDelta) and out and isinstance(last := out[-1], FieldDelta | LmDelta):
            (one, before), (other, text) = text_of(last), text_of(event)
            if one == other:
                members: dict[str, Any] = {name: getattr(event, name) for name in event.__struct_fields__}
                members["text"] = before + text
                out[-1] = type(event)(**members)
                continue
        out.append(event)
    return out


@given(steps=steps | long_steps, end=st.booleans())
def test_what_is_written_is_read(steps: list[Any], end: bool) -> None:
    written = Written(steps, end=end)
    assert read_all(written.log) == written.events
    assert len(written.log) == len(written.events)
    assert written.log.ended == end


@given(steps=steps | long_steps, end=st.booleans(), data=st.data())
def test_prefix_and_replay_are_the_whole(steps: list[Any], end: bool, data: st.DataObject) -> None:
    written = Written(steps, end=end)
    place = data.draw(st.integers(0, len(written.events)))
    limit = data.draw(
        st.sampled_from([1, 2, 7, BLOCK, 1024]) if len(steps) < 100 else st.sampled_from([97, BLOCK, 1024])
    )
    assert written.events[:place] + read_all(written.log, place - 1, limit=limit) == written.events


@given(steps=steps | long_steps, end=st.booleans(), data=st.data())
def test_a_merging_reader_gets_the_same_text_from_any_place(steps: list[Any], end: bool, data: st.DataObject) -> None:
    written = Written(steps, end=end)
    place = data.draw(st.integers(0, len(written.events)))
    assert read_all(written.log, place - 1, merge=True) == merged(written.events[place:])


@given(steps=steps, data=st.data())
def test_a_merging_reader_who_reads_while_it_is_written_misses_nothing(steps: list[Any], data: st.DataObject) -> None:
    log = MemoryLog()
    handles = {name: log.open_text(FieldDelta, call="c1", field=name) for name in "abcd"}
    wanted: dict[str, str] = dict.fromkeys("abcd", "")
    got: dict[str, str] = dict.fromkeys("abcd", "")
    after = -1

    def take(after: int) -> int:
        for event in log.read(after, merge=data.draw(st.booleans())):
            assert event.seq > after
            after = event.seq
            if isinstance(event, FieldDelta):
                got[event.field] += event.text or ""
        return after

    for what, value in steps:
        if what == "status":
            log.record(Status, message=value)
        else:
            log.append(handles[what], value)
            wanted[what] += value
        if data.draw(st.booleans()):
            after = take(after)
    assert take(after) == len(log) - 1
    assert got == wanted


@pytest.mark.parametrize("count", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 1])
@pytest.mark.parametrize("sealed", [False, True])
def test_every_piece_at_the_borders_of_blocks(count: int, sealed: bool) -> None:
    log = MemoryLog()
    text = log.open_text(LmDelta, call="c1")
    pieces = ["" if number % 5 == 0 else "\N{SNOWMAN}" * (number % 4) + str(number) for number in range(count)]
    for piece in pieces:
        log.append(text, piece)
    if sealed:
        log.record(RunEnded, outcome="completed")
    events = [event for event in read_all(log) if isinstance(event, LmDelta)]
    assert [event.text for event in events] == pieces
    for place in {0, 1, BLOCK - 1, BLOCK, BLOCK + 1, count - 1} & set(range(count)):
        (event, *_) = log.read(place - 1, merge=True)
        assert isinstance(event, LmDelta)
        assert event.text == "".join(pieces[place:])
        assert event.seq == count - 1


def test_a_huge_piece() -> None:
    log = MemoryLog()
    text = log.open_text(LmDelta, call="c1")
    huge = "x" * 5_000_000
    for piece in ["a", huge, "", "b"] + ["c"] * BLOCK:
        log.append(text, piece)
    assert [event.text for event in read_all(log)[:4] if isinstance(event, LmDelta)] == ["a", huge, "", "b"]
    (event,) = log.read(merge=True)
    assert isinstance(event, LmDelta)
    assert event.text == "a" + huge + "b" + "c" * BLOCK


def test_merging_stops_at_what_stands_between() -> None:
    log = MemoryLog()
    one, other = (log.open_text(FieldDelta, call="c1", field=name) for name in ("one", "other"))
    for text, piece in [(one, "a"), (one, "b"), (other, "x"), (one, "c")]:
        log.append(text, piece)
    log.record(FieldEnded, call="c1", field="one")
    log.append(other, "y")
    seen = [(event.seq, text_of(event)[1]) for event in log.read(merge=True) if isinstance(event, FieldDelta)]
    assert seen == [(1, "ab"), (2, "x"), (3, "c"), (5, "y")]


def test_a_cursor_before_the_first_event_or_beyond_the_last() -> None:
    log = MemoryLog()
    for message in "abc":
        log.record(Status, message=message)
    assert [event.seq for event in log.read(-7)] == [0, 1, 2]
    assert log.read(2) == log.read(99) == []


def test_the_closing_event_is_the_last() -> None:
    log = MemoryLog()
    text = log.open_text(LmDelta, call="c1")
    log.record(RunEnded, outcome="completed")
    with pytest.raises(RuntimeError, match="complete"):
        log.record(Status, message="late")
    with pytest.raises(RuntimeError, match="complete"):
        log.append(text, "late")
    assert len(log) == 1


def test_an_event_that_cannot_be_made_leaves_no_gap() -> None:
    log = MemoryLog()
    log.record(Status, message="one")
    with pytest.raises(TypeError):
        log.record(Status, nonsense=True)
    log.record(Status, message="two")
    assert [event.seq for event in log.read()] == [0, 1]


def test_a_delta_weighs_about_what_its_text_does() -> None:
    chunks = 64_000
    gc.collect()
    tracemalloc.start()
    try:
        log = MemoryLog()
        text = log.open_text(FieldDelta, call="c1", field="answer")
        for number in range(chunks):
            log.append(text, f"{number % 10_000:04}")
        log.record(RunEnded, outcome="completed")
        gc.collect()
        weight, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert weight <= chunks * (4 + 32)
    assert len(log) == chunks + 1


def test_a_short_text_in_a_value_weighs_little_more_than_its_deltas() -> None:
    texts, chunks = 5_000, 6
    gc.collect()
    tracemalloc.start()
    try:
        log = MemoryLog()
        for number in range(texts):
            path = (number,)
            text = log.open_text(FieldDelta, call="c1", field="more", candidate=0, path=path)
            for chunk in range(chunks):
                log.append(text, f"{chunk:04}")
            log.completed("c1", "more", 0, path)
        log.record(RunEnded, outcome="completed")
        gc.collect()
        weight, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert weight / texts <= chunks * (4 + 20) + 150
    events = [event for event in read_all(log) if isinstance(event, FieldDelta)]
    assert len(events) == texts * chunks
    assert [(event.path, event.text) for event in events[-2:]] == [((texts - 1,), "0004"), ((texts - 1,), "0005")]
    assert len(log.completions(0, len(log))) == texts
