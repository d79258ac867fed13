"""What must hold of every case."""

from collections.abc import Mapping
from typing import Any

import dspy
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from fieldstream.events import UNSET, CallEnded, Custom, Event, FieldDelta, FieldReset, FieldStarted, RunEnded
from tests.corpus.case import Case
from tests.corpus.client import Client
from tests.corpus.lms import LAST
from tests.corpus.running import Outcome
from tests.support.order import check_order


def check(case: Case, plain: Outcome, streamed: Outcome) -> None:
    """Assert that both did the same, and that the events say it, as they should."""
    check_same(plain, streamed)
    check_order(streamed.events)
    final = {name: as_json(value) for name, value in streamed.result.items()}
    check_shown(streamed, final)
    if is_clean(case, plain, final):
        check_growth(streamed.events, final)


def check_same(plain: Outcome, streamed: Outcome) -> None:
    """Both gave the same values, or raised the same."""
    assert type(streamed.error) is type(plain.error), f"{streamed.error!r} instead of {plain.error!r}"
    assert str(streamed.error) == str(plain.error)
    assert list(streamed.result) == list(plain.result)
    for name, value in plain.result.items():
        other = streamed.result[name]
        assert type(other) is type(value)
        assert repr(other) == repr(value)
        assert other == value or "nan" in repr(value)
    assert streamed.asked == plain.asked
    assert streamed.warnings == plain.warnings


def check_shown(streamed: Outcome, final: Mapping[str, Any]) -> None:
    """Applying the events gives each field of the prediction, as JSON, and as the predictor's closing event says it."""
    end = streamed.events[-1]
    assert isinstance(end, RunEnded)
    if streamed.error is not None:
        assert end.outcome == "failed"
        return
    assert end.outcome == "completed"
    client = Client()
    for event in streamed.events:
        assert not getattr(event, "candidate", 0), f"there is one candidate: {event}"
        client.take(event)
    ended = [event.fields for event in streamed.events if isinstance(event, CallEnded) and event.fields is not None]
    assert len(ended) == 1
    for name, value in final.items():
        assert identical(client.fields[name], value), f"{name} is {value!r}, and was shown as {client.fields[name]!r}"
        assert identical(ended[0][name], value), f"{name} is {value!r}, and ended as {ended[0][name]!r}"
    assert client.fields.keys() == final.keys() == ended[0].keys()


def is_clean(case: Case, plain: Outcome, final: Mapping[str, Any]) -> bool:
    """Whether the LM's answer says the values that it was made of in a way that nobody could take for anything else."""
    if not case.clean or plain.error is not None or plain.asked != (2 if case.adapter == "two steps" else 1):
        return False
    given = {name: as_json(value) for name, value in case.outputs.items()}
    return all(
        identical(given[name], value) or (isinstance(given[name], str) and given[name].strip() == value)
        for name, value in final.items()
    )


def check_growth(events: list[Event], final: Mapping[str, Any]) -> None:
    """What was shown was never wrong: strings and containers only grew, and all else came once."""
    client = Client()
    assigned: set[tuple[str, tuple[str | int, ...]]] = set()
    for event in events:
        assert not isinstance(event, FieldReset), f"nothing was wrong: {event}"
        client.take(event)
        if not isinstance(event, FieldDelta):
            continue
        shown = client.at(event.field, event.path)
        try:
            value = _at(final[event.field], event.path)
        except LookupError:
            raise AssertionError(f"{final[event.field]!r} has no such place: {event}") from None
        if event.text is not None:
            assert isinstance(value, str), f"{value!r} is no text: {event}"
            assert value.startswith(shown), f"{shown!r} is no beginning of {value!r}: {event}"
            continue
        assert (event.field, event.path) not in assigned, f"corrected: {event}"
        assigned.add((event.field, event.path))
        assert identical(shown, value) or (type(shown) is type(value) and shown in ([], {})), (
            f"{shown!r} instead of {value!r}: {event}"
        )


def early(streamed: Outcome, final: Mapping[str, Any]) -> tuple[int, int]:
    """How many structured values there are, and of how many something was shown before their answer's last chunk."""
    events = streamed.events
    data = {event.field for event in events if isinstance(event, FieldStarted) and event.kind == "data"}
    structured = {name for name in data if isinstance(final[name], list | dict) and final[name]}
    marks = [event for event in events if isinstance(event, Custom) and event.name == LAST]
    marked = next((mark.seq for mark in marks if mark.value == streamed.asked), -1)
    shown = {event.field for event in events if isinstance(event, FieldDelta) and event.seq < marked}
    return (len(structured), len(structured & shown)) if marked >= 0 else (0, 0)


def as_json(value: Any) -> Any:
    """A value as JSON, by its members' own names."""
    if isinstance(value, dspy.Reasoning):
        return str(value)
    try:
        return to_jsonable_python(value, by_alias=False, fallback=str, serialize_unknown=True)
    except UnicodeEncodeError:  # Pydantic does not write a key that is a lone surrogate.
        if isinstance(value, BaseModel):
            return {name: as_json(member) for name, member in value}
        if isinstance(value, dict):
            keys = (key if isinstance(key, str) else next(iter(to_jsonable_python({key: None}))) for key in value)
            return dict(zip(keys, map(as_json, value.values()), strict=True))
        return [as_json(item) for item in value] if isinstance(value, list | tuple) else str(value)
    except Exception:  # As Pydantic fails with whatever an author's code raises.
        return str(value)


def identical(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON. For Python, 1 equals true, and 1.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(identical, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(identical(value, other[key]) for key, value in one.items())
    return one is UNSET or repr(one) == repr(other)


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        value = value[key]
    return value
