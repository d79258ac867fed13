"""Applying field events, as any reader would, and what must come of it."""

import copy
from collections.abc import Iterable, Sequence
from typing import Any

from fieldstream.events import UNSET, CallEnded, CallStarted, Event, FieldDelta, FieldReset, FieldStarted

Shown = dict[tuple[str, int], dict[str, Any]]
"""The fields by call id and candidate."""


def apply(events: Iterable[Event]) -> Shown:
    """What a reader has in the end of each field of each call."""
    shown: Shown = {}
    kinds: dict[tuple[str, str, int], str] = {}
    for event in events:
        match event:
            case FieldStarted(call=call, field=field, candidate=candidate):
                kinds[call, field, candidate] = event.kind
                shown.setdefault((call, candidate), {})[field] = "" if event.kind == "text" else UNSET
            case FieldReset(call=call, field=field, candidate=candidate, path=()):
                shown[call, candidate][field] = "" if kinds[call, field, candidate] == "text" else UNSET
            case FieldReset(call=call, field=field, candidate=candidate, path=path):
                holder = shown[call, candidate][field]
                for key in path[:-1]:
                    holder = holder[key]
                assert isinstance(holder, dict) or path[-1] == len(holder) - 1, "of a list only the last is withdrawn"
                del holder[path[-1]]
            case FieldDelta(call=call, field=field, candidate=candidate):
                fields = shown[call, candidate]
                fields[field] = _changed(fields[field], event.path, event)
            case _:
                pass
    return shown


def _changed(value: Any, path: Sequence[str | int], delta: FieldDelta) -> Any:
    if not path:
        # A delta's value may grow in the reader's hands, and it is other readers', too.
        return copy.deepcopy(delta.value) if delta.text is None else (value or "") + delta.text
    key, *rest = path
    if isinstance(value, list):
        assert isinstance(key, int)
        if key == len(value):
            value.append(UNSET)
        value[key] = _changed(value[key], rest, delta)
    else:
        value[key] = _changed(value.get(key, UNSET), rest, delta)
    return value


def check_exact(events: Sequence[Event]) -> None:
    """Assert that applying the events gives each predictor's final fields, exactly."""
    shown = apply(events)
    predictors = {event.call for event in events if isinstance(event, CallStarted) and event.kind == "predictor"}
    for event in events:
        if isinstance(event, CallEnded) and event.call in predictors and event.fields is not None:
            fields = shown.get((event.call, 0), {})
            assert fields == event.fields
            assert {name: type(value) for name, value in fields.items()} == {
                name: type(value) for name, value in event.fields.items()
            }
