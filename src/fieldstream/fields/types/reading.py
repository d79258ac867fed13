"""Any parser's fields of a type with a format of its own, read further."""

from collections.abc import Callable, Mapping
from typing import Protocol

from fieldstream.fields.changes import Appended, Change, Closed, Completed, FieldParser, Opened, Withdrawn, Written


class FieldReader(Protocol):
    """Reads what is written of one field, and says what changes in its value."""

    @property
    def complete(self) -> bool:
        """Whether the value is over, and is shown as it will be."""
        ...

    def feed(self, text: str) -> list[Change]:
        """Read on."""
        ...

    def finish(self) -> list[Change]:
        """It is over."""
        ...


class ReadingParser:
    """Any parser, of whose fields some are read further. ``readers`` makes a reader for each time that one begins.

    With ``literals``, what the parser says of such a field is told, too; else only what the reader makes of it.
    """

    def __init__(
        self, parser: FieldParser, readers: Mapping[str, Callable[[], FieldReader]], *, literals: bool
    ) -> None:
        self._parser = parser
        self._new = readers
        self._literals = literals
        self._readers: dict[str, FieldReader] = {}

    def feed(self, text: str) -> list[Change]:
        return self._read(self._parser.feed(text))

    def finish(self) -> list[Change]:
        return self._read(self._parser.finish())

    def _read(self, changes: list[Change]) -> list[Change]:
        read: list[Change] = []
        for change in changes:
            field = change.field
            new = self._new.get(field)
            match change:
                case _ if new is None:
                    read.append(change)
                case Written(_, text) | Appended(_, text, ()):
                    if self._literals:
                        read.append(change)
                    read += self._readers[field].feed(text)
                case Opened() | Withdrawn():
                    self._readers[field] = new()
                    read.append(change)
                case Closed():
                    reader = self._readers[field]
                    read += (*reader.finish(), change)
                    if reader.complete:
                        read.append(Completed(field))
                case _ if self._literals:
                    read.append(change)
                case _:
                    pass
        return read
