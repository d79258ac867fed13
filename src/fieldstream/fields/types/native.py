"""Fields that an LM fills beside its text: its reasoning, its tool calls, and what types read from its chunks.

Rules of this file: what is shown is what the field will hold. Tool calls are numbered by their provider, and stand in
the field in the order of these numbers; a call that comes out of this order is left out, and so are those after it.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec

from fieldstream.events import Path
from fieldstream.fields.changes import Appended, Assigned, Change, Closed, Completed, Fields
from fieldstream.fields.lenient.tokenizer import LenientTokenizer
from fieldstream.fields.values.reader import ValueReader
from fieldstream.fields.values.shapes import Members, Plain, Slot

_ARGUMENTS = Slot(Members(Slot(Plain())))


class NativeFields(msgspec.Struct, frozen=True):
    """Which fields they are."""

    reasoning: tuple[str, ...] = ()
    """They hold the LM's reasoning, as a text."""
    calls: str | None = None
    """It holds the LM's tool calls: ``{"tool_calls": [{"name": ..., "args": {...}}, ...]}``."""
    readers: Mapping[str, Callable[[Any], Any]] = {}
    """What they hold is read from each chunk by their type: a text or a list, of which that is more; else ``None``."""

    @property
    def kinds(self) -> Fields:
        """The fields with their kinds."""
        names = [*self.readers, *((self.calls,) if self.calls else ())]
        kinds: Fields = dict.fromkeys(names, "data")
        for name in self.reasoning:
            kinds[name] = "text"
        return kinds

    def __bool__(self) -> bool:
        return bool(self.reasoning or self.calls or self.readers)


class NativeReader:
    """Reads what comes of one answer, and says what changes. It gives ``None`` where no field shows it.

    A field is ``claimed`` when the first of it comes, if nothing else was shown of it until then (``free``).
    """

    def __init__(self, fields: NativeFields, free: Callable[[str], bool]) -> None:
        self.claimed: set[str] = set()
        self._fields = fields
        self._free = free
        self._refused: set[str] = set()
        self._calls: _Calls | None = None
        self._sizes: dict[str, int] = {}
        self._finished = False

    @property
    def wants_chunks(self) -> bool:
        """Whether ``chunk`` may tell something."""
        return bool(self._fields.readers)

    def reasoning(self, text: str) -> list[Change] | None:
        """More of the LM's reasoning."""
        shown = [name for name in self._fields.reasoning if self._claim(name)]
        return [Appended(name, text) for name in shown] if shown else None

    def tool_call(self, number: int, name: str | None, arguments: str) -> list[Change] | None:
        """More of the tool call with this number: its name, or more of its arguments."""
        field = self._fields.calls
        if field is None or not self._claim(field):
            return None
        self._calls = self._calls or _Calls(field)
        return self._calls.feed(number, name, arguments)

    def chunk(self, chunk: Any) -> list[Change]:
        """A chunk of the provider's, for the types that read it themselves."""
        changes: list[Change] = []
        for name, read in self._fields.readers.items():
            try:
                value = read(chunk)
            except Exception:  # It is the author's code; and what this makes of the whole answer is yet to come.
                continue
            if isinstance(value, str | list) and value and self._claim(name):
                changes += self._add(name, cast("str | list[Any]", value))
        return changes

    def finish(self) -> list[Change]:
        """The answer is over. More calls give nothing."""
        if self._finished:
            return []
        self._finished = True
        changes: list[Change] = [Closed(name) for name in self._fields.reasoning if name in self.claimed]
        return changes + self._calls.finish() if self._calls is not None else changes

    def stop(self) -> None:
        """Say nothing more. What is claimed stays so: it is not for the text to fill."""
        self._fields = NativeFields()
        self._finished = True

    def _claim(self, name: str) -> bool:
        if name in self.claimed:
            return True
        if name in self._refused or not self._free(name):
            self._refused.add(name)
            return False
        self.claimed.add(name)
        return True

    def _add(self, name: str, value: str | list[Any]) -> list[Change]:
        if isinstance(value, str):
            return [Appended(name, value)]
        changes: list[Change] = [] if name in self._sizes else [Assigned(name, [])]
        for item in value:
            index = self._sizes.get(name, 0)
            self._sizes[name] = index + 1
            changes += (Assigned(name, item, (index,)), Completed(name, (index,)))
        return changes


class _Calls:
    """The tool calls of one answer."""

    def __init__(self, field: str) -> None:
        self._field = field
        self._calls: dict[int, _Call] = {}
        self._in_order = True

    def feed(self, number: int, name: str | None, arguments: str) -> list[Change]:
        changes: list[Change] = []
        if not self._calls:
            changes += (Assigned(self._field, {}), Assigned(self._field, [], ("tool_calls",)))
        call = self._calls.get(number)
        if call is None:
            self._in_order = self._in_order and all(number > known for known in self._calls)
            if not self._in_order:
                return changes
            call = self._calls[number] = _Call(self._field, ("tool_calls", len(self._calls)))
            changes.append(Assigned(self._field, {}, call.path))
        return changes + call.feed(name, arguments)

    def finish(self) -> list[Change]:
        changes = [change for call in self._calls.values() for change in call.finish()]
        if self._in_order and all(call.complete for call in self._calls.values()):
            changes.append(Completed(self._field))
        return changes


class _Call:
    """One tool call. Its arguments are the text of a JSON object; no text is an empty one."""

    def __init__(self, field: str, path: Path) -> None:
        self.path = path
        self._field = field
        self._name: str | None = None
        self._empty = True
        self._reader = ValueReader(field, _ARGUMENTS, at=(*path, "args"))
        self._tokens = LenientTokenizer(self._reader)

    @property
    def complete(self) -> bool:
        return self._name is not None and (self._empty or self._reader.complete)

    def feed(self, name: str | None, arguments: str) -> list[Change]:
        changes: list[Change] = []
        if name and name != self._name:
            self._name = name
            changes.append(Assigned(self._field, name, (*self.path, "name")))
        if arguments:
            self._empty = False
            self._tokens.feed(arguments)
            changes += self._reader.take()
        return changes

    def finish(self) -> list[Change]:
        if self._empty:
            return [Assigned(self._field, {}, (*self.path, "args"))]
        self._tokens.finish()
        return self._reader.take()
