"""Runs as a program may make them: any events, in an order that makes sense."""

from hypothesis import strategies as st

from fieldstream.events import (
    CallEnded,
    CallStarted,
    Custom,
    Event,
    Failure,
    FieldDelta,
    FieldEnded,
    FieldReset,
    FieldStarted,
    LmDelta,
    Status,
)
from tests.wire.chat import START, call, chose, end, ended, event, field, over, reset, text, thought, value

_IDS = ["a", "b", "c", "d", "e"]
_ID = st.sampled_from(_IDS)
_NAMES = st.sampled_from(["answer", "reasoning", "n"])
_TEXTS = st.text("ab \ud800\n", max_size=4)
_PATHS = st.sampled_from([(), (), (), (0,), (1,), ("k",), (0, "k"), ("k/", 0)])
_REASONS = st.sampled_from(["retry", "fallback", "repair"])
_ERRORS = st.none() | st.just(Failure(kind="E", message="m"))
_JSON = st.sampled_from([[], {}, 1, None, True, "s", [1, {"k": 2}], {"k": {}, "k/": []}])
_RESULTS = st.fixed_dictionaries({}, optional={"answer": _TEXTS, "n": _JSON})
_CANDIDATES = st.sampled_from([0, 0, 0, 1])
_EVENTS = st.one_of(
    st.builds(call, _ID, kind=st.sampled_from(["predictor", "tool", "lm", "module"]), parent=_ID | st.none()),
    st.builds(call, _ID, kind=st.just("module"), parent=_ID, attempt=st.integers(1, 2)),
    st.builds(field, _ID, _NAMES, kind=st.sampled_from(["text", "data"]), candidate=_CANDIDATES),
    st.builds(text, _ID, _TEXTS, _NAMES, path=_PATHS, candidate=_CANDIDATES),
    st.builds(value, _ID, _JSON, _NAMES, path=_PATHS, candidate=_CANDIDATES),
    st.builds(reset, _ID, _REASONS, _NAMES, path=_PATHS),
    st.builds(ended, _ID, _NAMES, candidate=_CANDIDATES),
    st.builds(thought, _ID, st.text("ab", min_size=1, max_size=3)),
    st.builds(end, _ID, _ERRORS, answer=_TEXTS, n=_JSON),
    st.builds(chose, _ID, _ID | st.none()),
    st.builds(lambda message: event(Status, message=message), _TEXTS),
    st.builds(lambda value: event(Custom, value=value), _JSON),
)


class _Order:
    """Which events may come next."""

    def __init__(self) -> None:
        self.calls: dict[str, CallStarted] = {}
        self.open: list[str] = []
        self.fields: set[tuple[str, str, int]] = set()

    def take(self, event: Event) -> bool:
        match event:
            case CallStarted():
                if event.call in self.calls or (event.parent is not None and event.parent not in self.open):
                    return False
                self.calls[event.call] = event
                self.open.append(event.call)
            case CallEnded():
                attempts = [None, *(id for id in self.calls if self.calls[id].attempt is not None)]
                if event.call not in self.open or self.inside(event.call) or event.chosen not in attempts:
                    return False
                self.open.remove(event.call)
            case FieldStarted():
                if not self.writes(event.call):
                    return False
                self.fields.add((event.call, event.field, event.candidate))
            case FieldDelta() | FieldReset() | FieldEnded():
                return self.writes(event.call) and (event.call, event.field, event.candidate) in self.fields
            case LmDelta():
                return event.call in self.open and self.calls[event.call].kind == "lm"
            case _:
                pass
        return True

    def writes(self, call: str) -> bool:
        return call in self.open and self.calls[call].kind == "predictor"

    def inside(self, call: str) -> list[str]:
        return [id for id in self.open if self.calls[id].parent == call]


@st.composite
def proper_runs(draw: st.DrawFn) -> list[Event]:
    """A whole run, from its first event to its last."""
    order = _Order()
    events = [each for each in draw(st.lists(_EVENTS, max_size=60)) if order.take(each)]
    while order.open:
        last = end(order.open[-1], draw(_ERRORS))
        assert order.take(last)
        events.append(last)
    ends = st.builds(over, _RESULTS, st.sampled_from(["completed", "failed", "cancelled"]), _ERRORS)
    return [START, *events, draw(ends)]
