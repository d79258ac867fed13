"""Runs as they may be: calls within calls and side by side, fields that grow, are withdrawn and corrected."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from fieldstream.events import (
    UNSET,
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
    Path,
    RunEnded,
    RunStarted,
    Status,
)
from fieldstream.transforms import Pipeline, Transform
from tests.support.values import apply
from tests.transforms.splits import split

LETTERS = "abc \n"
TEXTS = st.text(LETTERS, max_size=12)
KEYS = st.text("abc", max_size=3)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(0, 99), TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("abc", max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


class _Say:
    """Adds events, with their ``seq`` and ``at``."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, kind: Callable[..., Event], /, **members: Any) -> None:
        self.events.append(kind(seq=len(self.events), at=len(self.events) / 10, **members))


@st.composite
def runs(draw: st.DrawFn) -> list[Event]:
    """One whole run. What its fields give in the end is what their deltas say."""
    say = _Say()
    say(RunStarted, run="r", program="p")
    say(CallStarted, call="m", kind="module", name="program")
    # Each call writes its events on its own; then they are dealt out among each other.
    stories = [draw(_story(f"c{number}")) for number in range(draw(st.integers(1, 3)))]
    while stories:
        story = stories[draw(st.integers(0, len(stories) - 1))]
        kind, members = story.pop(0)
        say(kind, **members)
        if not story:
            stories.remove(story)
    say(CallEnded, call="m", seconds=1.0, result=UNSET)
    outcome = draw(st.sampled_from(["completed", "failed", "cancelled"]))
    error = None if outcome == "completed" else Failure(kind="ValueError", message=draw(TEXTS))
    say(RunEnded, outcome=outcome, result=draw(VALUES) if error is None else UNSET, error=error)
    shown = apply(say.events)
    return [
        replace(event, fields=shown.get((event.call, 0), {}))
        if isinstance(event, CallEnded) and event.fields is not None
        else event
        for event in say.events
    ]


_Step = tuple[Callable[..., Event], dict[str, Any]]


@st.composite
def _story(draw: st.DrawFn, call: str) -> list[_Step]:
    """The events of a predictor's call, of an LM's, or of a tool's."""
    kind = draw(st.sampled_from(["predictor", "predictor", "predictor", "lm", "tool"]))
    arguments = draw(st.dictionaries(KEYS, VALUES, max_size=2)) if kind == "tool" else None
    story: list[_Step] = [
        (CallStarted, {"call": call, "parent": "m", "kind": kind, "name": kind, "arguments": arguments})
    ]
    middle: list[list[_Step]] = []
    if kind == "predictor":
        fields = [
            draw(_field(call, f"f{number}", draw(st.integers(0, 1)))) for number in range(draw(st.integers(1, 2)))
        ]
        middle += fields
    elif kind == "lm":
        for channel in ("text", "reasoning"):
            pieces = draw(split(draw(TEXTS)))
            middle.append([(LmDelta, {"call": call, "channel": channel, "text": piece}) for piece in pieces])
    middle.append([(Status, {"message": draw(TEXTS), "call": call})] if draw(st.booleans()) else [])
    middle.append([(Custom, {"value": draw(VALUES), "call": call})] if draw(st.booleans()) else [])
    middle = [steps for steps in middle if steps]
    while middle:
        steps = middle[draw(st.integers(0, len(middle) - 1))]
        story.append(steps.pop(0))
        if not steps:
            middle.remove(steps)
    ending: dict[str, Any] = {"call": call, "seconds": 0.5}
    if kind == "predictor":
        ending["fields"] = {}
    elif kind == "tool":
        ending["result"] = draw(VALUES)
    story.append((CallEnded, ending))
    return story


@st.composite
def _field(draw: st.DrawFn, call: str, field: str, candidate: int) -> list[_Step]:
    place = {"call": call, "field": field, "candidate": candidate}
    kind = draw(st.sampled_from(["text", "data"]))
    steps: list[_Step] = [(FieldStarted, {**place, "kind": kind})]
    for number in range(draw(st.integers(1, 3))):
        if number:
            if draw(st.booleans()):
                steps.append((FieldEnded, place))
            steps.append((FieldReset, {**place, "reason": draw(st.sampled_from(["retry", "fallback", "repair"]))}))
        if kind == "text":
            steps += [(FieldDelta, {**place, "text": piece}) for piece in draw(split(draw(TEXTS)))]
        else:
            steps += draw(_value(place))
    steps.append((FieldEnded, place))
    return steps


@st.composite
def _value(draw: st.DrawFn, place: dict[str, Any]) -> list[_Step]:
    """A value, told from the inside or whole; a list's last element may be withdrawn, a string corrected or go on."""
    value = draw(VALUES)
    if draw(st.booleans()):
        return [(FieldDelta, {**place, "value": value})]
    steps: list[_Step] = []
    strings: list[Path] = []

    def tell(path: Path, value: Any) -> None:
        if isinstance(value, str) and value:
            pieces = draw(split(value))
            steps.extend((FieldDelta, {**place, "path": path, "text": piece}) for piece in pieces)
            strings.append(path)
        elif isinstance(value, dict | list):
            steps.append((FieldDelta, {**place, "path": path, "value": type(value)()}))
            for step, item in value.items() if isinstance(value, dict) else enumerate(value):
                if isinstance(value, list) and draw(st.integers(0, 5)) == 0:
                    tell((*path, step), draw(VALUES))
                    steps.append((FieldReset, {**place, "path": (*path, step), "reason": "repair"}))
                    strings[:] = [each for each in strings if each[: len(path) + 1] != (*path, step)]
                tell((*path, step), item)
        else:
            steps.append((FieldDelta, {**place, "path": path, "value": value}))

    tell((), value)
    if strings and draw(st.booleans()):
        path = draw(st.sampled_from(strings))
        said = (
            {"text": draw(st.text(LETTERS, min_size=1, max_size=4))} if draw(st.booleans()) else {"value": draw(TEXTS)}
        )
        steps.append((FieldDelta, {**place, "path": path, **said}))
    return steps


def through(transforms: list[Transform], events: list[Event]) -> list[Event]:
    """The events as they come out, time passing as it must."""
    return [event for batch in batches(transforms, events) for event in batch]


def batches(transforms: list[Transform], events: list[Event]) -> list[list[Event]]:
    """What comes out with each event, and what comes after the last as time goes by."""
    pipeline = Pipeline(transforms)
    out: list[list[Event]] = []
    for event in events:
        pipeline.feed(event, event.at)
        out.append(pipeline.advance(event.at))
    while (due := pipeline.due) is not None:
        out.append(pipeline.advance(due))
    return out
