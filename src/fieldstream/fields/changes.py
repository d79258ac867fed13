"""What a parser says: which field of an LM's text changed, and how."""

from typing import Any, Protocol, TypeAlias

import msgspec

from fieldstream.events import FieldKind, Path, ResetReason


class Opened(msgspec.Struct, frozen=True, gc=False):
    """The text of a field begins."""

    field: str


class Appended(msgspec.Struct, frozen=True, gc=False):
    """More of a text, free of the format: of the field's own, or of the one at ``path`` in its value."""

    field: str
    text: str
    path: Path = ()


class Assigned(msgspec.Struct, frozen=True):
    """What is at ``path`` in a ``data`` field's value is this JSON value; a container comes before what is in it."""

    field: str
    value: Any
    path: Path = ()


class Completed(msgspec.Struct, frozen=True, gc=False):
    """What is at ``path`` in the value of a ``data`` field is whole: the value itself with ``()``.

    The value itself is then what ``parse`` will make of it. To what is within it something may still come that its
    author computes of it.
    """

    field: str
    path: Path = ()


class Written(msgspec.Struct, frozen=True, gc=False):
    """More of the literal text of a ``data`` field, as the LM wrote it: of the format, not yet of a value."""

    field: str
    text: str


class Withdrawn(msgspec.Struct, frozen=True, gc=False):
    """What was said of the field, or of what is at ``path`` in it, was wrong (a repeated key, say).

    A field is open again, and empty. Of a list only the last element is ever withdrawn.
    """

    field: str
    reason: ResetReason = "repair"
    path: Path = ()


class Closed(msgspec.Struct, frozen=True, gc=False):
    """The field is whole in the text."""

    field: str


Change: TypeAlias = Opened | Appended | Assigned | Completed | Written | Withdrawn | Closed


class FieldParser(Protocol):
    """Reads one LM answer in one adapter's format, incrementally and without I/O.

    ``feed`` takes any split of the text; ``finish`` says that the text is over. Both give what changed, in order: for
    each field ``Opened``, then its text, then ``Closed``; what one call gives of a field's text is one change. A
    ``text`` field's appended text, joined, is the value that the adapter's own ``parse`` makes of the whole text. Of a
    ``data`` field comes its literal text (``Written``), which is read further as JSON; or, from a parser that knows,
    its value (``Assigned``, ``Appended`` with a path, ``Completed``).
    Garbage is no error: what cannot be told is not said, and ``parse``, which sees the whole, has the last word.
    ``feed`` after ``finish`` raises ``RuntimeError``; ``finish`` again gives nothing.
    """

    def feed(self, text: str) -> list[Change]: ...

    def finish(self) -> list[Change]: ...


Fields: TypeAlias = dict[str, FieldKind]
"""The output fields that a parser looks for, with their kinds, in the signature's order."""
