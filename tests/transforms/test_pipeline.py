"""Several transforms in a row, and a user's own."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fieldstream.events import CallStarted, Event, Failure, FieldDelta, FieldStarted, RunEnded, RunStarted, Status
from fieldstream.transforms import Draft, Guard, Pipeline, Redact, Smooth
from tests.support.order import check_order
from tests.support.values import apply, check_exact
from tests.transforms.runs import runs, through

redact = Redact([re.compile("a+b"), "ca"], "#")
smooth = Smooth(re.compile("[ac]"), every=0.2)


def no_secret(draft: Draft) -> str | None:
    return "a secret" if "ab" in draft.tail(len(draft.new) + 1) else None


def no_b(draft: Draft) -> str | None:
    return "a b" if "b" in draft.new else None


@given(runs(), st.permutations([redact, smooth, Guard(lambda draft: None), smooth]))
def test_any_order_gives_the_same_values(events: list[Event], transforms: list[Any]) -> None:
    out = through(transforms, events)
    check_order(out)
    check_exact(out)
    assert apply(out) == apply(through([redact], events))


@given(runs(), st.permutations([redact, smooth, Guard(no_b), Guard(no_secret)]))
def test_any_order_ends_in_order(events: list[Event], transforms: list[Any]) -> None:
    pipeline = Pipeline(transforms)
    out: list[Event] = []
    for event in events:
        pipeline.feed(event, event.at)
        out += pipeline.advance(event.at)
    out += pipeline.advance(1e9)
    check_order(out)
    assert pipeline.ended
    assert isinstance(out[-1], RunEnded)
    if pipeline.stopped is None:
        assert out[-1].outcome == _outcome(events)
    else:  # By the one or by the other; what one lets pass may be held back, and stopped by the other later.
        assert pipeline.stopped in REASONS
        assert out[-1].error in REASONS


REASONS = [Failure(kind="guard", message=reason) for reason in ("a secret", "a b")]


def _outcome(events: list[Event]) -> str:
    assert isinstance(events[-1], RunEnded)
    return events[-1].outcome


def test_the_first_that_stops_the_run_gives_the_reason() -> None:
    """The end of the first is what makes the second see the rest of a text."""
    pipeline = Pipeline([Guard(no_secret), Redact("bx"), Guard(no_b)])
    start = RunStarted(seq=0, at=0.0, run="r", program="p")
    call = CallStarted(seq=1, at=0.0, call="c", kind="predictor", name="q")
    field = FieldStarted(seq=2, at=0.0, call="c", field="f")
    for event in (start, call, field, *(FieldDelta(seq=3, at=0.0, call="c", field="f", text=t) for t in ("b", "ab"))):
        pipeline.feed(event, 0.0)
    out = pipeline.advance(0.0)
    check_order(out)
    assert isinstance(out[-1], RunEnded)
    assert out[-1].error == pipeline.stopped == REASONS[1]


@given(runs())
def test_a_guard_after_a_redaction_sees_what_readers_see(events: list[Event]) -> None:
    seen: list[str] = []
    guard = Guard(lambda draft: seen.append(draft.text))
    through([Redact("ab", "#"), guard], events)
    assert not [text for text in seen if "ab" in text]


def test_a_guard_after_a_cut_judges_whole_units() -> None:
    seen: list[str] = []
    guard = Guard(lambda draft: seen.append(draft.new))
    text = "One is good. The other is"
    events = [FieldDelta(seq=0, at=0.0, call="c", field="f", text=letter) for letter in text]
    through([Smooth(re.compile(r"[.!?]\s"), every=0), guard], list[Event](events))
    assert seen == ["One is good. "]


class Shout:
    """A user's own, without a state."""

    def start(self) -> "Shout":
        return self

    def feed(self, event: Event) -> Iterable[Event]:
        if isinstance(event, FieldDelta) and event.text is not None:
            event = replace(event, text=event.text.upper())
        return [event]


class Limit:
    """A user's own, which stops the run after so many events."""

    def __init__(self, count: int) -> None:
        self.count = count

    def start(self) -> "_Limiting":
        return _Limiting(self.count)


class _Limiting:
    def __init__(self, count: int) -> None:
        self.left = count

    def feed(self, event: Event) -> Iterator[Event]:
        self.left -= 1
        yield event
        if self.left == 0 and not isinstance(event, RunEnded):
            yield RunEnded(seq=0, at=event.at, outcome="cancelled", error=Failure(kind="limit", message="enough"))


@given(runs())
def test_a_users_own(events: list[Event]) -> None:
    out = through([Shout()], events)
    check_order(out)
    texts = [event.text for event in out if isinstance(event, FieldDelta) and event.text is not None]
    assert texts == [text.upper() for event in events if isinstance(event, FieldDelta) and (text := event.text)]


def test_a_transform_that_ends_the_run_stops_it() -> None:
    start = RunStarted(seq=0, at=0.0, run="r", program="p")
    status = Status(seq=1, at=0.0, message="x")
    pipeline = Pipeline([Limit(2), smooth])
    for event in (start, status, status, status):
        pipeline.feed(event, 0.0)
    assert pipeline.stopped == Failure(kind="limit", message="enough")
    out = pipeline.advance(0.0)
    assert out[:2] == [start, status]
    assert [event.seq for event in out] == [0, 1, 2]
    assert pipeline.ended


@pytest.mark.parametrize("upto", range(6))
def test_what_was_read_before_comes_at_once(upto: int) -> None:
    pipeline = Pipeline([Smooth(every=1, most_behind=9)])
    pipeline.feed(FieldDelta(seq=0, at=0.0, call="c", field="f", text="a b c d e f "), 0.0)
    assert [event.seq for event in pipeline.advance(0.0, upto)] == list(range(max(upto, 1)))
    assert [event.seq for event in pipeline.advance(1.0, upto)] == [max(upto, 1)]
