"""A reader of events, as anyone would write it who has read what the events mean."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from fieldstream.events import Event, FieldDelta, FieldReset, FieldStarted


class Client:
    """The fields of a run with one predictor, as they are shown."""

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self._empty: dict[str, Any] = {}

    def take(self, event: Event) -> None:
        match event:
            case FieldStarted(field=field, kind=kind):
                self.fields[field] = self._empty[field] = "" if kind == "text" else None
            case FieldReset(field=field, path=()):
                self.fields[field] = self._empty[field]
            case FieldReset(field=field):
                del self.at(field, event.path[:-1])[event.path[-1]]
            case FieldDelta(field=field):
                # The field itself is looked at as one of a dictionary of fields.
                holder: Any = self.at(field, event.path[:-1]) if event.path else self.fields
                last: Any = event.path[-1] if event.path else field
                if isinstance(holder, list) and last == len(holder):
                    holder.append("")
                before = holder.get(last) or "" if isinstance(holder, dict) else holder[last]
                holder[last] = deepcopy(event.value) if event.text is None else before + event.text
            case _:
                pass

    def at(self, field: str, path: Sequence[str | int]) -> Any:
        """What is shown at the path."""
        value = self.fields[field]
        for key in path:
            value = value[key]
        return value
