"""Guards: what they let pass is as it was; what they stop ends in good order, and is not shown."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.events import (
    CallEnded,
    CallStarted,
    Event,
    Failure,
    FieldDelta,
    FieldEnded,
    FieldReset,
    FieldSnapshot,
    FieldStarted,
    LmDelta,
    RunEnded,
    RunSnapshot,
    RunStarted,
)
from fieldstream.transforms import Draft, Guard, Pipeline
from tests.support.order import check_order
from tests.support.values import apply
from tests.transforms.runs import runs, through

STOPPED = Failure(kind="guard", message="not that")


def not_that(draft: Draft) -> str | None:
    return "not that" if "ab" in draft.tail(len(draft.new) + 1) else None


@given(runs())
def test_what_passes_is_as_it_was(events: list[Event]) -> None:
    assert through([Guard(lambda draft: None)], events) == events


@given(runs())
def test_what_stops_the_run_is_not_shown_and_all_is_closed(events: list[Event]) -> None:
    pipeline = Pipeline([Guard(not_that)])
    out: list[Event] = []
    for event in events:
        pipeline.feed(event, 0.0)
        out += pipeline.advance(0.0)
    check_order(out)
    bad = [text for fields in apply(out).values() for value in fields.values() for text in texts(value) if "ab" in text]
    assert not bad
    if pipeline.stopped is None:
        assert out == events
        assert not any(
            "ab" in text for fields in apply(events).values() for value in fields.values() for text in texts(value)
        )
        return
    assert pipeline.stopped == STOPPED
    assert isinstance(out[-1], RunEnded)
    assert (out[-1].outcome, out[-1].error) == ("cancelled", STOPPED)
    shown = next(at for at, (one, other) in enumerate(zip(out, events, strict=False)) if one != other)
    assert all(isinstance(event, FieldEnded | CallEnded | RunEnded) for event in out[shown:])
    assert all(event.error == STOPPED for event in out[shown:] if isinstance(event, CallEnded))


def texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for item in items for text in texts(item)]


@given(runs())
def test_each_text_is_seen_as_it_grows_and_once_as_a_whole(events: list[Event]) -> None:
    seen: list[tuple[Any, ...]] = []
    last: dict[int, str] = {}
    drafts: list[Draft] = []

    def check(draft: Draft) -> None:
        assert not (draft.new and draft.whole)
        if id(draft) not in last:
            drafts.append(draft)
        assert draft.text == last.get(id(draft), "") + draft.new
        assert draft.length == len(draft.text)
        for length in (0, 1, 3, 99):
            assert draft.tail(length) == draft.text[max(draft.length - length, 0) :]
        last[id(draft)] = draft.text
        if draft.whole:
            seen.append((draft.call, draft.field, draft.candidate, draft.path, draft.text))

    through([Guard(check)], events)
    final = [
        (call, name, candidate, path, text)
        for (call, candidate), fields in apply(events).items()
        for name, value in fields.items()
        for path, text in leaves((), value)
    ]
    kinds = {event.call: event.kind for event in events if isinstance(event, CallStarted)}
    for call, name, candidate, path, text in final:
        if text:
            ends = [each[4] for each in seen if each[:4] == (call, name, candidate, path)]
            assert ends, "its end was told"
            assert text.endswith(ends[-1]), "of a text that goes on after its end it sees what came then"
    for call, kind in kinds.items():
        if kind == "lm":
            whole = [
                "".join(e.text for e in events if isinstance(e, LmDelta) and e.call == call and e.channel == channel)
                for channel in ("text", "reasoning")
            ]
            assert sorted(each[4] for each in seen if each[0] == call) == sorted(filter(None, whole))


def leaves(path: tuple[Any, ...], value: Any) -> list[tuple[tuple[Any, ...], str]]:
    match value:
        case str():
            return [(path, value)]
        case dict():
            return [leaf for key, item in value.items() for leaf in leaves((*path, key), item)]
        case list():
            return [leaf for index, item in enumerate(value) for leaf in leaves((*path, index), item)]
        case _:
            return []


# Readable cases

START: list[Event] = [
    RunStarted(seq=0, at=0.0, run="r", program="p"),
    CallStarted(seq=1, at=1.0, call="m", kind="module", name="program"),
    CallStarted(seq=2, at=2.0, call="c", parent="m", kind="predictor", name="predict"),
    FieldStarted(seq=3, at=3.0, call="c", field="f"),
]


def delta(text: str, at: float = 4.0) -> FieldDelta:
    return FieldDelta(seq=4, at=at, call="c", field="f", text=text)


def test_the_end_of_a_stopped_run() -> None:
    assert through([Guard(not_that)], [*START, delta("a"), delta("b", at=5.0), delta("never", at=6.0)]) == [
        *START,
        delta("a"),
        FieldEnded(seq=5, at=5.0, call="c", field="f"),
        CallEnded(seq=6, at=5.0, call="c", seconds=3.0, error=STOPPED),
        CallEnded(seq=7, at=5.0, call="m", seconds=4.0, error=STOPPED),
        RunEnded(seq=8, at=5.0, outcome="cancelled", error=STOPPED),
    ]


def test_what_a_check_is_told() -> None:
    seen: list[tuple[Any, ...]] = []

    def check(draft: Draft) -> None:
        seen.append((draft.name, draft.field, draft.path, draft.new, draft.whole, draft.text))

    value = FieldDelta(seq=0, at=4.0, call="c", field="g", value={"a": ["x"]})
    reset = FieldReset(seq=0, at=4.0, call="c", field="f", reason="retry")
    ended = FieldEnded(seq=0, at=4.0, call="c", field="f")
    lm = CallStarted(seq=0, at=4.0, call="l", parent="c", kind="lm", name="model")
    said = LmDelta(seq=0, at=4.0, call="l", text="hi")
    over = CallEnded(seq=0, at=4.0, call="l", seconds=0.0)
    through([Guard(check)], [*START, delta("a"), delta("b"), reset, ended, value, lm, said, over])
    assert seen == [
        ("predict", "f", (), "a", False, "a"),
        ("predict", "f", (), "b", False, "ab"),
        ("predict", "f", (), "", True, ""),
        ("predict", "g", ("a", 0), "x", False, "x"),
        ("predict", "g", ("a", 0), "", True, "x"),
        ("model", None, (), "hi", False, "hi"),
        ("model", None, (), "", True, "hi"),
    ]


def test_a_snapshot_is_looked_at_and_closed() -> None:
    calls = [event for event in START if isinstance(event, CallStarted)]

    def snapshot(text: str, value: Any) -> RunSnapshot:
        fields = [
            FieldSnapshot(call="c", field="f", kind="text", value=text),
            FieldSnapshot(call="c", field="g", kind="data", value=value),
        ]
        return RunSnapshot(seq=0, at=4.0, run="r", program="p", calls=calls, fields=fields)

    stop = [type(event) for event in through([Guard(not_that)], [snapshot("a", ["x"]), delta("b")])]
    assert stop == [RunSnapshot, FieldEnded, FieldEnded, CallEnded, CallEnded, RunEnded]
    for bad in (snapshot("ab", []), snapshot("", [{"x": "ab"}])):
        assert [type(event) for event in through([Guard(not_that)], [bad])] == [RunEnded]


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda draft: 1 / 0, "the guard's check raised ZeroDivisionError: division by zero"),
        (lambda draft: True, "the guard's check gave True, where it is to give None or a reason as text"),
        (lambda draft: "", ""),
    ],
)
def test_a_check_that_is_wrong_stops_the_run(check: Any, message: str) -> None:
    end = through([Guard(check)], [*START, delta("a")])[-1]
    assert isinstance(end, RunEnded)
    assert end.error == Failure(kind="guard", message=message)


def test_an_async_check_is_refused() -> None:
    async def check(draft: Draft) -> None: ...

    with pytest.raises(TypeError, match="plain function"):
        Guard(check)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def test_work_is_linear() -> None:
    def work(pieces: int) -> float:
        stage = Guard(lambda draft: draft.tail(20) if len(draft.tail(20)) > 20 else None).start()
        began = time.process_time()
        for event in [*START, *(delta("abcd") for _ in range(pieces))]:
            list(stage.feed(event))
        return time.process_time() - began

    work(1000)
    assert min(work(40_000) / work(10_000) for _ in range(3)) < 8


@given(runs(), st.integers(0, 99))
def test_a_stop_at_any_event_is_in_order(events: list[Event], count: int) -> None:
    asked = 0

    def check(draft: Draft) -> str | None:
        nonlocal asked
        asked += 1
        return "now" if asked > count else None

    out = through([Guard(check)], events)
    check_order(out)
    stopped = [event for event in out if isinstance(event, RunEnded) and event.error and event.error.kind == "guard"]
    assert bool(stopped) == (asked > count)
