"""The state that an AG-UI agent shares with its app, as a run changes it."""

from typing import Any, cast

from ag_ui.core import BaseEvent, StateSnapshotEvent

from fieldstream.events import FieldDelta, FieldReset
from fieldstream.wire.parts import DataPart
from fieldstream.wire.patches import Patches
from fieldstream.wire.sse import data


class SharedState:
    """The state that an agent shares with its app: the app's own, and in it the program's fields by their names.

    Where several calls write a field, it is that of the one which began last.
    """

    def __init__(self, state: Any) -> None:
        self._given = cast("dict[str, Any]", state) if isinstance(state, dict) else {}
        self._patches = Patches({**self._given})
        self._told = False
        # Who writes each field, in the order of their first words; it has the last one's value.
        self._writers: dict[str, list[DataPart]] = {}

    def change(self, part: DataPart, event: FieldDelta | FieldReset) -> None:
        """A field's value changes so."""
        if isinstance(event, FieldReset):
            if not event.path:
                self.withdraw(part)
            elif part in self._writers.get(part.field, ()) and self._writes(part):
                self._patches.withdraw(part.field, event.path)
        elif self._writes(part):
            if event.text is not None:
                self._patches.append(part.field, event.path, event.text)
            else:
                self._patches.assign(part.field, event.path, event.value)

    def settle(self, part: DataPart) -> None:
        """A field has the value that it has now."""
        if self._writes(part):
            self._patches.set(part.field, part.value)

    def withdraw(self, part: DataPart) -> None:
        """What this part wrote does not stand any more."""
        writers = self._writers.get(part.field, [])
        if part not in writers:
            return
        last = writers[-1]
        writers[:] = [each for each in writers if each is not part and (each.shown or each is last)]
        if last is not part:
            return
        self._patches.withdraw(part.field, ())
        if writers:
            self._patches.set(part.field, writers[-1].value)

    def conclude(self, result: Any) -> None:
        """What the program returned has the last word."""
        members = cast("dict[str, Any]", result) if isinstance(result, dict) else {}
        for field, writers in self._writers.items():
            while writers and not writers[-1].shown:
                self.withdraw(writers[-1])
            if writers and field in members:
                self._patches.set(field, members[field])

    def standing(self) -> list[BaseEvent]:
        """What it is, for a client that may have an earlier one; nothing, where none was told."""
        return [StateSnapshotEvent(snapshot=self._patches.document)] if self._told else []

    def take(self) -> bytes:
        """What is to be told of it."""
        operations = self._patches.take()
        if not operations:
            return b""
        delta = data({"type": "STATE_DELTA", "delta": operations})
        if self._told:
            return delta
        self._told = True
        return data(StateSnapshotEvent(snapshot=self._given).model_dump(by_alias=True)) + delta

    def _writes(self, part: DataPart) -> bool:
        """Whether what it says of its field is to be seen. With its first word it takes the place of another."""
        if part.candidate:
            return False
        writers = self._writers.setdefault(part.field, [])
        if part not in writers:
            writers.append(part)
            self._patches.withdraw(part.field, ())
        return writers[-1] is part
