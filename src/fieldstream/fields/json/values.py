"""The JSON format with its values: a data field's literal text is read once, by what reads the value.

A ``JsonParser`` looks for the literal's end, and for damage; to read the value, a ``LenientTokenizer`` does the same.
While all is plain JSON both find the same, so that one of them is enough: the parser is passed by until the literal has
ended. At the first damage, or the text's end, it reads what it missed, and goes on as if nothing had been kept from it.
"""

from collections.abc import Callable

from fieldstream.fields.changes import Appended, Change, Written
from fieldstream.fields.json.parser import JsonParser
from fieldstream.fields.lenient.tokenizer import LenientTokenizer
from fieldstream.fields.values.reader import ValueReader
from fieldstream.fields.values.shapes import Slot
from fieldstream.fields.values.structured import LiteralReader, StructuredParser


class JsonValuesParser(StructuredParser):
    """Says of each data field of a ``JSONAdapter``'s answer, besides its literal text, what changes in its value."""

    def __init__(self, parser: JsonParser, slots: dict[str, Slot]) -> None:
        super().__init__(parser, slots, raw=False)
        self._json = parser
        # The literal that is read past the parser, if there is one:
        self._tokens: LenientTokenizer | None = None
        self._value: ValueReader
        self._keep: Callable[[str], object]
        self._field = ""
        self._first = ""  # what the parser has read of it

    def feed(self, text: str) -> list[Change]:
        tokens = self._tokens
        if tokens is None:
            changes = self._json.feed(text)
            if not changes:
                return changes
            last = changes[-1]
            if len(changes) == 1 and type(last) is Appended and last.field not in self._texts:
                return changes
            read = self._read(changes)
            if type(last) is Written:
                self._pass_by(last)
            return read
        if not text:
            return []
        rest = tokens.feed(text)
        if tokens.strict:
            if tokens.state == "over":
                return self._end_literal(text, len(text) - rest)
            self._keep(text)  # nearly always
            return [Written(self._field, text), *self._value.take()]
        return self._read_again(text)

    def finish(self) -> list[Change]:
        if self._tokens is not None:
            self._tokens = None
            self._json.pass_back()
        return super().finish()

    def _pass_by(self, first: Written) -> None:
        """Pass the parser by from here on, if it is in a literal that allows it."""
        reader = self._literals.get(first.field) if self._json.in_literal else None
        if reader is None or (plain := reader.plain) is None:
            return
        self._tokens, self._value = plain
        self._keep = self._json.pass_by()
        self._field = first.field
        self._first = first.text

    def _end_literal(self, text: str, end: int) -> list[Change]:
        self._tokens = None
        literal = text[:end]
        self._keep(literal)
        changes = [Written(self._field, literal), *self._value.take(), *self._read(self._json.pass_end())]
        return changes + self.feed(text[end:]) if end < len(text) else changes

    def _read_again(self, text: str) -> list[Change]:
        """This text is damaged: what is read of it is for the parser to say."""
        self._tokens = None
        reader = self._literals[self._field] = LiteralReader(self._field, self._slots[self._field], raw=False)
        for known in (self._first, self._json.pass_back()):
            if known:
                reader.feed(known)
        return self.feed(text)
