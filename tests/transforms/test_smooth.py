"""Smoothing: the same run, in units, at a steady pace that never lags too far."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fieldstream.events import Event, FieldDelta, FieldEnded, FieldReset, FieldStarted, LmDelta, RunEnded, Status
from fieldstream.transforms import Pipeline, Smooth, merged
from tests.support.order import check_order
from tests.support.values import apply, check_exact
from tests.transforms.runs import batches, runs, through
from tests.transforms.splits import split

units = st.sampled_from(["word", "line", "character", re.compile("[ab]"), re.compile(r"\S+\s+")])
paces = st.builds(
    lambda unit, every, most_behind: Smooth(unit, every=every, most_behind=most_behind),
    units,
    st.sampled_from([0, 0.05, 0.3]),
    st.sampled_from([0, 0.2, 1.0]),
)


def cut(smooth: Smooth, pieces: Sequence[str]) -> list[str]:
    """One text in units."""
    events: list[Event] = [FieldDelta(seq=0, at=0, call="c", field="f", text=piece) for piece in pieces]
    events.append(FieldEnded(seq=0, at=0, call="c", field="f"))
    return [event.text or "" for event in through([smooth], events) if isinstance(event, FieldDelta)]


@given(runs(), paces)
def test_it_is_the_same_run(events: list[Event], smooth: Smooth) -> None:
    out = through([smooth], events)
    check_order(out)
    check_exact(out)
    assert apply(out) == apply(events)
    assert [without_place(event) for event in out if not is_text(event)] == [
        without_place(event) for event in events if not is_text(event)
    ]


def is_text(event: Event) -> bool:
    return isinstance(event, LmDelta) or (isinstance(event, FieldDelta) and event.text is not None)


def without_place(event: Event) -> Event:
    return replace(event, seq=0, at=0.0)


@given(runs(), paces, st.lists(st.floats(0, 3), min_size=1))
def test_what_comes_out_depends_on_what_came_in_alone(events: list[Event], smooth: Smooth, pauses: list[float]) -> None:
    """Not on when it was fed and asked for; so that ``seq`` is a cursor."""
    pipeline = Pipeline([smooth])
    now = 0.0
    out: list[Event] = []
    for number, event in enumerate(events):
        now += pauses[number % len(pauses)]
        pipeline.feed(event, now)
        if number % 3 == 0:
            out += pipeline.advance(now)
    out += pipeline.advance(now + 99)
    assert out == through([smooth], events)


@given(runs(), paces)
def test_nothing_lags_more_than_it_may(events: list[Event], smooth: Smooth) -> None:
    """What is held for its pace alone: a unit whose end has not come is not complete."""
    pipeline = Pipeline([smooth])
    pace: Any = pipeline._stages[0]
    for event in events:
        pipeline.feed(event, event.at)
        while (due := pipeline.due) is not None and due <= event.at:
            _, came, _ = pace._queue[0]
            assert came <= due <= came + smooth.most_behind + 1e-9
            pipeline.advance(due)
        for _, came, _ in pace._queue:
            assert event.at < came + smooth.most_behind + 1e-9


@given(st.text("ab \n、語ก", max_size=60), st.sampled_from(["word", "line", "character"]), st.data())
def test_units_do_not_depend_on_the_pieces(text: str, unit: Any, data: st.DataObject) -> None:
    smooth = Smooth(unit)
    assert "".join(cut(smooth, [text] if text else [])) == text
    assert cut(smooth, data.draw(split(text))) == cut(smooth, list(text))


@pytest.mark.parametrize(
    ("unit", "text", "expected"),
    [
        ("word", "Why is  the\n\nsky blue?", ["Why ", "is ", " the\n", "\nsky ", "blue?"]),
        ("word", "天は青い。Yes it is", ["天", "は", "青", "い", "。", "Yes ", "it ", "is"]),
        ("word", "see 東京 now", ["see ", "東", "京", " now"]),
        ("word", "x" * 50 + " y", ["x" * 24, "x" * 24, "xx ", "y"]),
        ("word", " " * 50 + "y", [" " * 24, " " * 24, "  y"]),
        ("line", "one\n\ntwo\nthree", ["one\n", "\n", "two\n", "three"]),
        ("character", "a b", ["a", " ", "b"]),
        (re.compile(r"[.!?]\s"), "One. Two! Three", ["One. ", "Two! ", "Three"]),
    ],
)
def test_units(unit: Any, text: str, expected: list[str]) -> None:
    assert cut(Smooth(unit), [text]) == expected
    assert cut(Smooth(unit), list(text)) == expected


def test_a_unit_that_does_not_end_is_cut() -> None:
    pieces = cut(Smooth("line"), ["x" * 7] * 1000)
    assert "".join(pieces) == "x" * 7000
    assert max(map(len, pieces)) <= 1000


# At its pace


def times(smooth: Smooth, events: Sequence[tuple[float, Event]]) -> list[tuple[float, str]]:
    """What comes out, and when; the reader is always there."""
    pipeline = Pipeline([smooth])
    out: list[tuple[float, str]] = []
    clock = 0.0

    def take(until: float) -> None:
        nonlocal clock
        while (due := pipeline.due) is not None and due <= until:
            clock = max(clock, due)
            said = pipeline.advance(clock)
            out.extend((round(clock, 6), getattr(event, "text", None) or event.type) for event in said)
        clock = max(clock, until)

    for now, event in events:
        take(now)
        pipeline.feed(event, now)
    take(1e9)
    return out


def delta(text: str, call: str = "c") -> FieldDelta:
    return FieldDelta(seq=0, at=0, call=call, field="f", text=text)


ENDED = FieldEnded(seq=0, at=0, call="c", field="f")


def test_a_burst_comes_word_by_word_and_its_end_after_it() -> None:
    assert times(Smooth(every=0.1), [(0.0, delta("a b c d")), (0.0, ENDED)]) == [
        (0.0, "a "),
        (0.1, "b "),
        (0.2, "c "),
        (0.3, "d"),
        (0.3, "field.ended"),
    ]


def test_a_text_that_comes_slowly_does_not_wait() -> None:
    assert times(Smooth(every=0.1), [(0.0, delta("a ")), (1.0, delta("b ")), (1.05, delta("c "))]) == [
        (0.0, "a "),
        (1.0, "b "),
        (1.1, "c "),
    ]


def test_a_long_burst_comes_faster_and_still_steadily() -> None:
    shown = times(Smooth(every=0.1, most_behind=1.0), [(0.0, delta("x " * 51))])
    pauses = [later - earlier for (earlier, _), (later, _) in pairwise(shown)]
    assert shown[-1][0] == pytest.approx(1.0, abs=0.03)
    assert max(pauses) < 0.021
    assert min(pauses) > 0.019


def test_texts_of_two_calls_have_a_pace_each() -> None:
    events = [(0.0, delta(f"{number} ", call)) for number in range(3) for call in ("c", "d")]
    assert [time for time, _ in times(Smooth(every=0.1), events)] == [0.0, 0.0, 0.1, 0.1, 0.2, 0.2]


def test_what_is_withdrawn_and_what_is_cancelled_is_not_paced() -> None:
    reset = FieldReset(seq=0, at=0, call="c", field="f", reason="retry")
    assert times(Smooth(every=0.1), [(0.0, delta("a b c")), (0.05, reset), (0.05, delta("x y "))]) == [
        (0.0, "a "),
        (0.05, "b "),
        (0.05, "field.reset"),
        (0.15, "x "),
        (0.25, "y "),
    ], "the c was never shown: it was no whole word yet"
    end = RunEnded(seq=0, at=0, outcome="cancelled")
    assert times(Smooth(every=0.1), [(0.0, delta("a b c")), (0.05, end)])[1:] == [
        (0.05, "b "),
        (0.05, "c"),
        (0.05, "run.ended"),
    ]


def test_what_comes_after_a_text_waits_for_it_no_longer_than_it_may() -> None:
    status = Status(seq=0, at=0, message="x")
    assert times(Smooth(every=0.5, most_behind=0.2), [(0.0, delta("a b c ")), (0.0, status)])[-1] == (0.2, "status")


def test_a_cut_without_a_pace() -> None:
    assert [
        [getattr(event, "text", "") for event in batch] for batch in batches([Smooth(every=0)], [delta("a b c")])
    ] == [["a ", "b "]]


@given(runs(), paces)
def test_merged_events_say_the_same(events: list[Event], smooth: Smooth) -> None:
    out = through([smooth], events)
    short = merged(out)
    assert apply(short) == apply(out)
    assert [event.seq for event in short] == sorted({event.seq for event in short})
    assert short[-1].seq == out[-1].seq
    assert len(merged(short)) == len(short)
    places = {event.seq: event for event in out}
    for event in short:
        assert replace(event, text="") == replace(places[event.seq], text="") if is_text(event) else event in out


def test_what_is_merged() -> None:
    lm = [LmDelta(seq=number, at=0, call="l", text=text) for number, text in enumerate("ab", 3)]
    events: list[Event] = [
        FieldStarted(seq=0, at=0, call="c", field="f"),
        *(replace(delta(text), seq=number) for number, text in enumerate("xy", 1)),
        *lm,
        replace(lm[1], seq=5, channel="reasoning"),
        replace(delta("z"), seq=6, path=(0,)),
        replace(delta("z"), seq=7, path=(1,)),
    ]
    assert merged(events) == [
        events[0],
        replace(delta("xy"), seq=2),
        replace(lm[1], text="ab"),
        *events[5:],
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": -1}, "0 or more"),
        ({"most_behind": -1}, "0 or more"),
        ({"unit": "sentence"}, "must be 'word', 'line', 'character'"),
        ({"unit": re.compile("a*")}, "match some text"),
    ],
)
def test_what_cannot_be_right_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Smooth(**options)
