"""Any parser's data fields, as values: their literal text is read further, as JSON.

A literal may be ``raw``: not of a format that says of each value where it ends and what kind it is, but a section's or
an element's whole text, which holds JSON, or a bare word or number.
"""

from fieldstream.fields.changes import Appended, Change, Closed, Completed, FieldParser, Opened, Withdrawn, Written
from fieldstream.fields.lenient.tokenizer import LenientTokenizer
from fieldstream.fields.values.reader import ValueReader
from fieldstream.fields.values.shapes import Choice, Items, Later, Members, Plain, Slot


class StructuredParser:
    """Says of each data field, besides its literal text, what changes in its value.

    A text field that is marked as ``done`` is shown when it is whole, too.
    """

    def __init__(self, parser: FieldParser, slots: dict[str, Slot], *, raw: bool) -> None:
        self._parser = parser
        self._slots = slots
        self._raw = raw
        self._literals: dict[str, LiteralReader] = {}
        self._texts: dict[str, list[str]] = {field: [] for field, slot in slots.items() if slot.done}

    def feed(self, text: str) -> list[Change]:
        changes = self._parser.feed(text)
        if len(changes) == 1 and type(written := changes[0]) is Written:  # nearly always
            literal = self._literals.get(written.field)
            return [written, *literal.feed(written.text)] if literal is not None else changes
        return self._read(changes)

    def finish(self) -> list[Change]:
        return self._read(self._parser.finish())

    def _read(self, changes: list[Change]) -> list[Change]:
        read: list[Change] = []
        for change in changes:
            if type(change) is Written:
                read.append(change)
                if (literal := self._literals.get(change.field)) is not None:
                    read += literal.feed(change.text)
            elif type(change) is Appended:
                if change.field in self._texts and not change.path:
                    self._texts[change.field].append(change.text)
                else:
                    read.append(change)
            else:
                read += self._turn(change)
        return read

    def _turn(self, change: Change) -> list[Change]:
        """A field begins, ends, or begins anew."""
        field = change.field
        match change:
            case Opened() | Withdrawn(path=()) if field in self._slots:
                self._literals[field] = LiteralReader(field, self._slots[field], raw=self._raw)
                if field in self._texts:
                    self._texts[field] = []
            case Closed() if (literal := self._literals.pop(field, None)) is not None:
                text = "".join(self._texts.get(field, ()))
                whole: list[Change] = [Appended(field, text)] if text else literal.finish()
                return [*whole, change, Completed(field)] if literal.complete else [*whole, change]
            case _:
                pass
        return [change]


class LiteralReader:
    """One field's literal text, and the value that is in it."""

    __slots__ = ("_raw", "_reader", "_slot", "_tokens", "_whole")

    def __init__(self, field: str, slot: Slot, *, raw: bool) -> None:
        self._raw = raw
        self._slot = slot
        self._reader = ValueReader(field, slot)
        self._tokens: LenientTokenizer | None = None
        self._whole: list[str] | None = [] if raw else None  # a text that is no JSON, or not yet known to be

    @property
    def complete(self) -> bool:
        return self._reader.complete

    @property
    def plain(self) -> tuple[LenientTokenizer, ValueReader] | None:
        """What reads the text and the value, if that is an object, an array or a string, and valid JSON so far."""
        tokens = self._tokens
        if tokens is None or not tokens.strict or tokens.over or tokens.state == "prose":
            return None
        return tokens, self._reader

    def feed(self, text: str) -> list[Change]:
        tokens = self._tokens or self._begin(text)
        if tokens is None:
            return []
        tokens.feed(text)
        return self._reader.take()

    def finish(self) -> list[Change]:
        if self._tokens is not None:
            self._tokens.finish()
        elif self._whole:
            self._reader.scalar("".join(self._whole).strip())
        return self._reader.take()

    def _begin(self, text: str) -> LenientTokenizer | None:
        """What reads the text from here on, if that is JSON."""
        if isinstance(self._slot.shape, Later):
            return None
        if self._whole is not None:
            first = text.lstrip()[:1]
            if any(self._whole) or not self._may_be_json(first):
                if first or self._whole:
                    self._whole.append(text)
                return None
        self._tokens = LenientTokenizer(self._reader)
        return self._tokens

    def _may_be_json(self, first: str) -> bool:
        match self._slot.shape:
            case Items() | Members():
                return True
            case Choice() as choice:
                holds = any(isinstance(shape, Items | Members | Plain) for shape in choice.shapes)
                return holds and first in set("[{(`")
            case Plain():
                return first in set("[{(`")
            case _:
                return False
