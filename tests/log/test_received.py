"""A log that is fed with events received: with gaps, repetitions, and snapshots."""

import asyncio
import random
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream._fields import FieldName
from fieldstream._merged import merged
from fieldstream.events import (
    CallEnded,
    CallStarted,
    Event,
    FieldDelta,
    FieldEnded,
    FieldReset,
    FieldStarted,
    RunEnded,
    RunSnapshot,
    RunStarted,
    Status,
)
from fieldstream.log import Completion, CompletionCursor, Cursor, ReceivedLog
from fieldstream.readers.state import RunState
from fieldstream.readers.text import TextAssembler
from tests.support.values import apply
from tests.transforms.runs import runs


def statuses(*seqs: int) -> list[Event]:
    return [Status(seq=seq, at=0.0, message=str(seq)) for seq in seqs]


END = RunEnded(seq=9, at=1.0, outcome="completed")


def test_events_keep_their_numbers_and_come_once() -> None:
    log = ReceivedLog()

    assert log.take(statuses(0, 3, 4))
    assert not log.take(statuses(3, 4))
    assert log.take(statuses(4, 7))

    assert [event.seq for event in log.read()] == [0, 3, 4, 7]
    assert [event.seq for event in log.read(1)] == [3, 4, 7]
    assert [event.seq for event in log.read(3, limit=1)] == [4]
    assert log.last == 7
    assert not log.ended


def test_nothing_comes_after_the_closing_event() -> None:
    log = ReceivedLog()
    assert log.take([*statuses(1), END, *statuses(12)])
    assert log.ended
    assert log.read() == [*statuses(1), END]
    log.fail(RuntimeError("too late"))
    assert log.error is None
    assert log.read(9) == []


def test_what_is_known_already_is_not_expected() -> None:
    log = ReceivedLog(after=5)
    assert log.last == 5
    assert not log.take(statuses(4, 5))
    assert log.wait(-1, lambda: None)
    assert log.take(statuses(6))
    assert not log.wait(-1, lambda: None)


def test_an_error_comes_after_all_that_there_is() -> None:
    log = ReceivedLog()
    log.take(statuses(0))
    log.fail(RuntimeError("broken"))
    cursor = Cursor(log)
    assert cursor.next_blocking() == statuses(0)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="broken"):
            cursor.next_blocking()


async def test_who_waits_is_woken() -> None:
    log = ReceivedLog()
    cursor = Cursor(log)
    got: list[Event] = []
    thread = threading.Thread(target=lambda: got.extend(Cursor(log).next_blocking()))
    thread.start()
    task = asyncio.create_task(cursor.next())
    await asyncio.sleep(0)
    log.take(statuses(2))
    assert await task == statuses(2)
    thread.join()
    assert got == statuses(2)
    failing = asyncio.create_task(cursor.next())
    await asyncio.sleep(0)
    log.fail(RuntimeError("broken"))
    with pytest.raises(RuntimeError, match="broken"):
        await failing


def test_who_hears_hears_before_anyone_reads() -> None:
    heard: list[Event] = []
    log = ReceivedLog(heard=heard.append)
    log.take([*statuses(1, 1, 2), END])
    assert heard == [*statuses(1, 2), END]


# What is whole


def delta(seq: int, *path: str | int, **said: Any) -> FieldDelta:
    return FieldDelta(seq=seq, at=0.0, call="c", field="f", path=path, **said)


def completed(*events: Event) -> list[tuple[Any, ...]]:
    log = ReceivedLog()
    log.take(events)
    return [(each.events, each.path) for each in log.completions(0, 1_000)]


def test_a_part_is_whole_when_another_begins() -> None:
    assert completed(
        delta(0, value=[]),
        delta(1, 0, value={}),
        delta(2, 0, "a", text="x"),
        delta(3, 0, "a", text="y"),
        delta(4, 0, "b", text="z"),
        delta(6, 1, text="w"),
        FieldEnded(seq=7, at=0.0, call="c", field="f"),
    ) == [(4, (0, "a")), (5, (0, "b")), (5, (0,)), (7, (1,))]


def test_a_value_that_comes_whole_goes_on_at_its_end() -> None:
    assert completed(delta(0, value=["a", "b"]), delta(1, 1, text="c"), delta(2, 2, text="d")) == [(2, (1,))]


def test_what_is_withdrawn_was_not_whole() -> None:
    reset = FieldReset(seq=2, at=0.0, call="c", field="f", reason="repair", path=(0,))
    assert completed(delta(0, value=[]), delta(1, 0, text="a"), reset, delta(3, 0, text="b")) == []


def test_completions_come_between_the_events_that_they_are_between() -> None:
    log = ReceivedLog()
    log.take([delta(0, value=[]), delta(1, 0, text="a"), delta(2, 0, text="b"), delta(5, 1, text="c")])
    entries = CompletionCursor(log).take()
    assert entries == [
        delta(0, value=[]),
        delta(2, 0, text="ab"),
        Completion(3, "c", "f", 0, (0,)),
        delta(5, 1, text="c"),
    ]


# Snapshots


def snapshot(events: list[Event]) -> RunSnapshot:
    state = RunState()
    state.feed(events)
    return state.snapshot()


@given(events=runs(), at=st.integers(0, 60), joins=st.booleans())
def test_a_snapshot_comes_as_what_it_stands_for(events: list[Event], at: int, joins: bool) -> None:
    at = min(at, len(events) - 2)
    log = ReceivedLog()
    if joins:
        log.take(events[: at // 2])
    known = len(log.read(limit=10_000))
    log.take([snapshot(events[: at + 1])])
    log.take(events[at + 1 :])

    received: list[Event] = []
    cursor = Cursor(log)
    while batch := cursor.take():
        received += batch

    assert not any(isinstance(event, RunSnapshot) for event in received)
    assert isinstance(received[0], RunStarted)
    assert all(event.seq == at for event in received[known:] if event.seq <= at)
    assert apply(received) == apply(events)
    for kind in (CallStarted, CallEnded):
        calls = [event.call for event in received if isinstance(event, kind)]
        assert sorted(calls) == sorted(event.call for event in events if isinstance(event, kind))
    assert [event for event in received if event.seq > at] == events[at + 1 :]
    for name in ("f0", "f1"):
        assert _shown(received, name) == _shown(events, name)


def _shown(events: list[Event], field: str) -> dict[str, str]:
    """The text that stands for each call in the end."""
    shown: dict[str, str] = {}
    for piece in TextAssembler(FieldName(None, field)).feed(events):
        for call in piece.withdrawn:
            shown[call] = ""
        shown[piece.call] = shown.get(piece.call, "") + piece
    return {call: text for call, text in shown.items() if text}


def test_a_snapshot_of_an_ended_run_is_followed_by_its_end() -> None:
    events: list[Event] = [RunStarted(seq=0, at=0.0, run="r", program="p"), RunEnded(seq=1, at=0.5, outcome="failed")]
    log = ReceivedLog(after=77)
    log.take([snapshot(events), events[-1]])
    assert [type(event) for event in log.read()] == [RunStarted, RunEnded]
    assert log.ended


def test_a_snapshot_that_tells_less_than_is_known_is_passed_over() -> None:
    events: list[Event] = [
        RunStarted(seq=0, at=0.0, run="r", program="p"),
        CallStarted(seq=1, at=0.0, call="c", kind="predictor", name="p"),
        FieldStarted(seq=2, at=0.0, call="c", field="f"),
    ]
    log = ReceivedLog()
    log.take(events)
    assert not log.take([snapshot(events[:2])])
    assert log.read() == events


@given(events=runs(), dice=st.randoms(use_true_random=False))
def test_however_it_is_read_it_says_the_same(events: list[Event], dice: random.Random) -> None:
    log = ReceivedLog()
    cursor = Cursor(log, merge=True)
    read: list[Event] = []
    left = list(events)
    while left:
        count = dice.randrange(1, 5)
        # What comes over the wire may be merged there already, and come twice.
        log.take(merged(left[:count]))
        log.take(left[:count])
        left = left[count:]
        if dice.randrange(3) == 0:
            read += cursor.take()
    read += cursor.take()
    assert merged(read) == merged(events)
