"""Deltas of one text, which are as good as one."""

from collections.abc import Sequence

from msgspec.structs import replace

from fieldstream.events import Event, FieldDelta, LmDelta


def merged(events: Sequence[Event]) -> list[Event]:
    """Consecutive deltas of one text as one, which carries the last ``seq`` it covers."""
    merged: list[Event] = []
    parts: list[str] = []
    for event in events:
        before = merged[-1] if merged else None
        text = _continued(before, event)
        if text is None:
            _join(merged, parts)
            merged.append(event)
        else:
            if not parts and isinstance(before, FieldDelta | LmDelta):
                parts.append(before.text or "")
            parts.append(text)
            merged[-1] = event
    _join(merged, parts)
    return merged


def _continued(before: Event | None, event: Event) -> str | None:
    """The event's text, if that belongs to the text of the event before."""
    match before, event:
        case FieldDelta(text=str()), FieldDelta(text=str(text)):
            same = (before.call, before.field, before.candidate, before.path) == (
                event.call,
                event.field,
                event.candidate,
                event.path,
            )
            return text if same else None
        case LmDelta(), LmDelta(text=text):
            same = (before.call, before.channel, before.candidate) == (event.call, event.channel, event.candidate)
            return text if same else None
        case _:
            return None


def _join(merged: list[Event], parts: list[str]) -> None:
    if parts:
        last = merged[-1]
        assert isinstance(last, FieldDelta | LmDelta)
        merged[-1] = replace(last, text="".join(parts))
        parts.clear()
