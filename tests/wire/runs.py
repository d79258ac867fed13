"""Runs as a program may make them: calls in each other and beside each other, attempts, resets, in any order."""

from typing import Any

from hypothesis import strategies as st

from fieldstream._draft import Draft, value_at
from fieldstream.events import UNSET, CallEnded, CallStarted, Custom, Event, Failure, FieldKind, Path, Status
from tests.wire.chat import START, call, chose, end, ended, event, field, over, reset, text, thought, value

_Field = tuple[str, FieldKind, int]
"""A name, a kind, a candidate."""

_FIELDS: list[_Field] = [
    *(("answer", "text", 0), ("reasoning", "text", 0), ("n", "data", 0), ("title", "text", 0), ("n", "data", 1))
]
_TEXTS = st.text("ab \ud800\n", min_size=1, max_size=20)
_REASONS = st.sampled_from(["retry", "fallback", "repair"])
_ERRORS = st.none() | st.just(Failure(kind="E", message="m"))
_JSON = st.sampled_from([[], {}, 1, None, True, "s", [1, {"k": 2}], {"k": {}, "k/": []}])
_SCALARS = st.sampled_from([1, None, True, "s"])
_RESULTS = st.fixed_dictionaries({}, optional={"answer": _TEXTS, "n": _JSON, "title": _TEXTS})


class _Program:
    """A program at work: what it does next is drawn from what it can do now."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.calls: dict[str, CallStarted] = {}
        self.open: list[str] = []
        # The fields that were begun, of each whether it is open.
        self.fields: dict[tuple[str, _Field], bool] = {}
        self.values: dict[tuple[str, _Field], Draft] = {}

    def step(self) -> Event:
        begun = [place for place in self.fields if place[0] in self.open]
        writing = [place for place in begun if self.fields[place]]
        actions = {
            "call": len(self.calls) < 8,
            "field": any(self.calls[id].kind == "predictor" for id in self.open),
            "write": bool(writing),
            "more": bool(writing),
            "reset": bool(begun),
            "ended": bool(writing),
            "think": any(self.calls[id].kind == "lm" for id in self.open),
            "end": bool(self.open),
            "say": True,
        }
        match self.draw(st.sampled_from([name for name, possible in actions.items() if possible])):
            case "call":
                return self.begin()
            case "field":
                id, (name, kind, candidate) = place = (self.one_of("predictor"), self.draw(st.sampled_from(_FIELDS)))
                self.fields.setdefault(place, True)
                return field(id, name, kind=kind, candidate=candidate)
            case "write" | "more":
                return self.write(*self.draw(st.sampled_from(writing)))
            case "reset":
                id, (name, kind, _) = place = self.draw(st.sampled_from(begun))
                self.fields[place] = True
                path = () if kind == "text" else self.draw(st.sampled_from([(), *self.last(place)]))
                self.value(place).withdraw(path)
                return reset(id, self.draw(_REASONS), name, path=path)
            case "ended":
                id, (name, _, candidate) = place = self.draw(st.sampled_from(writing))
                self.fields[place] = False
                return ended(id, name, candidate=candidate)
            case "think":
                return thought(self.one_of("lm"), self.draw(_TEXTS))
            case "end":
                return self.finish(self.draw(st.sampled_from([id for id in self.open if not self.inside(id)])))
            case _:
                message = self.draw(_TEXTS)
                return event(Status, message=message) if self.draw(st.booleans()) else event(Custom, value=message)

    def begin(self) -> Event:
        id = "abcdefgh"[len(self.calls)]
        parent = self.draw(st.sampled_from([None, *self.open[-2:]]))
        kind = self.draw(st.sampled_from(["predictor", "predictor", "tool", "lm", "module"]))
        tries = [each for each in self.calls.values() if each.parent == parent and each.attempt is not None]
        attempt = None
        if parent is not None and self.calls[parent].kind == "module" and kind in ("module", "predictor"):
            attempt = len(tries) + 1
        started: Any = call(id, kind=kind, parent=parent, attempt=attempt, arguments={"q": 1} if id < "e" else None)
        self.calls[id] = started
        self.open.append(id)
        return started

    def write(self, id: str, place: _Field) -> Event:
        name, kind, candidate = place
        known = self.value((id, place))
        if kind == "text":
            return text(id, self.draw(_TEXTS), name, candidate=candidate)
        paths: list[Path] = [*self.last((id, place))]
        if isinstance(known.value, list):
            paths.append((len(known.value),))
        elif isinstance(known.value, dict):
            paths += [("k",), ("k/",)]
        path = self.draw(st.sampled_from(paths or [()]))
        there = value_at(known.value, path)
        if isinstance(there, str) or (path and there is UNSET and self.draw(st.booleans())):
            more = self.draw(_TEXTS)
            known.append(path, more)
            return text(id, more, name, path=path, candidate=candidate)
        new = self.draw(_JSON if there is UNSET or path == () else _SCALARS)
        known.assign(path, new)
        return value(id, new, name, path=path, candidate=candidate)

    def value(self, place: tuple[str, _Field]) -> Draft:
        return self.values.setdefault(place, Draft())

    def last(self, place: tuple[str, _Field]) -> list[Path]:
        """Where the last of what is in the value is, if something is in it."""
        known = self.value(place).value
        if isinstance(known, list):
            return [(len(known) - 1,)] if known else []
        return [(list(known)[-1],)] if isinstance(known, dict) and known else []

    def finish(self, id: str) -> Event:
        self.open.remove(id)
        tries = [each.call for each in self.calls.values() if each.parent == id and each.attempt is not None]
        if tries:
            return chose(id, self.draw(st.sampled_from(tries)))
        if self.calls[id].kind == "tool":
            return event(CallEnded, call=id, seconds=0.0, result=self.draw(_JSON), error=self.draw(_ERRORS))
        return end(id, self.draw(_ERRORS))

    def one_of(self, kind: str) -> str:
        return self.draw(st.sampled_from([id for id in self.open if self.calls[id].kind == kind]))

    def inside(self, id: str) -> bool:
        return any(self.calls[each].parent == id for each in self.open)


@st.composite
def proper_runs(draw: st.DrawFn) -> list[Event]:
    """A whole run, from its first event to its last."""
    program = _Program(draw)
    events = [program.begin()]
    events += [program.step() for _ in range(draw(st.integers(0, 60)))]
    while program.open:
        events.append(program.finish(program.open[-1]))
    ends = st.builds(over, _RESULTS, st.sampled_from(["completed", "completed", "failed", "cancelled"]), _ERRORS)
    return [START, *events, draw(ends)]
