"""The order of a run's events that every reader may rely on, as a check."""

from collections.abc import Sequence

from fieldstream.events import (
    UNSET,
    CallEnded,
    CallStarted,
    Custom,
    Event,
    FieldDelta,
    FieldEnded,
    FieldReset,
    FieldStarted,
    LmDelta,
    RunEnded,
    RunStarted,
    Status,
)


def check_order(events: Sequence[Event]) -> None:
    """Assert that the events are those of one whole run, from its first to its last, in an order that makes sense."""
    assert events, "a run says at least that it began and ended"
    assert [event.seq for event in events] == list(range(len(events))), "seq counts from 0 without a gap"
    assert isinstance(events[0], RunStarted), f"the first event is {events[0]}"
    assert isinstance(events[-1], RunEnded), f"the last event is {events[-1]}"
    checker = _Checker()
    before = events[0].at
    for event in events:
        assert event.at >= before, f"time runs backwards at {event}"
        before = event.at
        checker.take(event)


class _Checker:
    def __init__(self) -> None:
        self.calls: dict[str, CallStarted] = {}
        self.ended: set[str] = set()
        self.fields: dict[tuple[str, str, int], bool] = {}
        self.over = False

    def take(self, event: Event) -> None:
        assert not self.over, f"after the run's end: {event}"
        match event:
            case RunStarted():
                assert not self.calls, "the run began twice"
                assert event.seq == 0
            case CallStarted():
                assert event.call not in self.calls, f"an id names one call: {event}"
                assert event.parent is None or self.is_open(event.parent), f"its parent is not open: {event}"
                self.calls[event.call] = event
            case FieldStarted():
                assert self.calls[event.call].kind == "predictor", f"not a predictor's: {event}"
                assert self.is_open(event.call), f"its call is not open: {event}"
                assert self.place(event) not in self.fields, f"started twice: {event}"
                self.fields[self.place(event)] = True
            case FieldDelta():
                assert self.fields.get(self.place(event)), f"its field is not open: {event}"
                assert (event.text is None) != (event.value is UNSET), f"text or a value, one of them: {event}"
                assert event.text != "" or event.path, f"it says nothing: {event}"
            case FieldReset():
                assert self.is_open(event.call), f"its call is not open: {event}"
                assert self.place(event) in self.fields, f"nothing was shown yet: {event}"
                self.fields[self.place(event)] = True
            case FieldEnded():
                assert self.fields.get(self.place(event)), f"its field is not open: {event}"
                self.fields[self.place(event)] = False
            case LmDelta():
                assert self.calls[event.call].kind == "lm", f"not an LM's: {event}"
                assert self.is_open(event.call), f"its call is not open: {event}"
                assert event.text, f"it says nothing: {event}"
            case Status() | Custom():
                assert event.call is None or self.is_open(event.call), f"its call is not open: {event}"
            case CallEnded():
                self.check_closing(event)
                self.ended.add(event.call)
            case RunEnded():
                still = sorted(set(self.calls) - self.ended)
                assert not still, f"still open at the run's end: {[self.calls[call] for call in still]}"
                self.over = True
            case _:
                raise AssertionError(f"no event of a log: {event}")

    def check_closing(self, event: CallEnded) -> None:
        assert self.is_open(event.call), f"its call is not open: {event}"
        children = [call.call for call in self.calls.values() if call.parent == event.call and self.is_open(call.call)]
        assert not children, f"{children} in it are still open: {event}"
        fields = [place for place, is_open in self.fields.items() if place[0] == event.call and is_open]
        assert not fields, f"{fields} are still open: {event}"
        if event.chosen is not None:
            chosen = self.calls.get(event.chosen)
            assert chosen is not None, f"it chose a call that never was: {event}"
            assert chosen.parent == event.call, f"it chose a call that is not its own: {event}"
            assert chosen.attempt is not None, f"it chose a call that was no attempt: {event}"

    def is_open(self, call: str) -> bool:
        return call in self.calls and call not in self.ended

    @staticmethod
    def place(event: FieldStarted | FieldDelta | FieldReset | FieldEnded) -> tuple[str, str, int]:
        return event.call, event.field, event.candidate
