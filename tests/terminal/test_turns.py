"""The order in which calls are told."""

from collections.abc import Iterable

from fieldstream.events import CallEnded, CallStarted, Event
from fieldstream.terminal.turns import Turns
from tests.terminal.story import Story, agent, at_once, qa


def told(events: Iterable[Event]) -> list[Event]:
    turns = Turns()
    return [each for event in events for each in turns.take(event)]


def order(events: Iterable[Event]) -> str:
    return " ".join(
        f"+{event.call}" if isinstance(event, CallStarted) else f"-{event.call}"
        for event in events
        if isinstance(event, CallStarted | CallEnded)
    )


def test_one_thing_at_a_time_passes_as_it_is() -> None:
    for story in (qa(), agent()):
        assert told(story.events) == story.events


def test_calls_at_the_same_time_are_told_one_after_the_other() -> None:
    events = told(at_once().events)
    assert order(events) == "+c1 +c2 -c2 +c3 -c3 -c1"
    assert sorted(event.seq for event in events) == [event.seq for event in at_once().events]


def test_who_has_the_word_is_told_at_once() -> None:
    turns = Turns()
    *before, delta = at_once().events[:7]
    for event in before:
        list(turns.take(event))
    assert list(turns.take(delta)) == [delta]


def test_what_waits_has_its_own_turns_within() -> None:
    story = Story().call("c1", "module", "Two").call("a", "module", "A", "c1").call("b", "module", "B", "c1")
    story.call("a1", "predictor", "a1", "a").call("b1", "predictor", "b1", "b").call("b2", "predictor", "b2", "b")
    story.text("b2", "x", "2").text("a1", "x", "1").text("b1", "x", "3")
    story.end("b2").end("a1").end("b1").end("b").end("a").end("c1")
    assert order(told(story.events)) == "+c1 +a +a1 -a1 -a +b +b1 -b1 +b2 -b2 -b -c1"


def test_calls_without_a_program_around_them() -> None:
    story = Story("f").call("a", "predictor", "a").call("b", "predictor", "b").end("b").end("a")
    assert order(told(story.completed().events)) == "+a -a +b -b"


def test_many_at_once() -> None:
    story = Story("f")
    for index in range(2000):
        story.call(f"c{index}", "predictor", "p")
    for index in reversed(range(2000)):
        story.end(f"c{index}")
    assert order(told(story.events)) == " ".join(f"+c{index} -c{index}" for index in range(2000))


def test_a_log_that_was_cut_loses_nothing() -> None:
    story = at_once()
    cut = [event for event in story.events if not (isinstance(event, CallEnded) and event.call == "c2")]
    assert sorted(event.seq for event in told(cut)) == [event.seq for event in cut]
