"""Fields that hold code: what a model writes around it, mostly a Markdown fence, is not theirs.

Rules of this file (``dspy.Code`` has them): the code is what stands between the line of the first fence and the next
fence, stripped; without a second fence after that line, what stands between the first two fences; without these, the
whole text. So nothing can be said of a text before its first fence; and what follows that is shown in the expectation
that the fence will be closed. The text itself may be a string in JSON, or an object with the member ``code``.
"""

from collections.abc import Mapping
from functools import partial
from typing import Literal

from fieldstream.fields.changes import Appended, Change, FieldParser, Withdrawn
from fieldstream.fields.lenient.tokenizer import LenientTokenizer
from fieldstream.fields.types.reading import ReadingParser

FENCE = "```"


class CodeFilter:
    """Gives the code that is in a text, in any split."""

    __slots__ = ("_begun", "_gap", "_line", "_parts", "_shown", "_state", "_ticks")

    def __init__(self) -> None:
        self._state: Literal["before", "line", "code", "after", "unknown"] = "before"
        self._parts: list[str] = []  # all of the text
        self._ticks = ""  # what may be the beginning of a fence
        self._line: list[str] = []  # of the first fence
        self._gap: list[str] = []  # blanks that are the code's if it goes on
        self._begun = False
        self._shown: list[str] = []

    def feed(self, text: str) -> str:
        """Read on; gives what is known of the code now."""
        if self._state == "after" or not text:
            return ""
        self._parts.append(text)
        if self._state == "before":
            text = self._find_fence(text)
        if self._state == "line":
            text = self._read_line(text)
        return self._read_code(text) if self._state == "code" else ""

    def finish(self) -> tuple[bool, str]:
        """The text is over: whether what was given is right, and what is missing of it, or else the whole."""
        if self._state == "after":
            return True, ""
        code, shown = _code_in("".join(self._parts)), "".join(self._shown)
        return (True, code[len(shown) :]) if code.startswith(shown) else (False, code)

    def _find_fence(self, text: str) -> str:
        text = self._ticks + text
        at = text.find(FENCE)
        if at < 0:
            self._ticks = _ticks_ending(text)
            return ""
        self._ticks = ""
        self._state = "line"
        return text[at + len(FENCE) :]

    def _read_line(self, text: str) -> str:
        line, end, text = text.partition("\n")
        self._line.append(line)
        if end:
            # With another fence in its line, it depends on what follows which of them are meant.
            self._state = "unknown" if FENCE in "".join(self._line) else "code"
        return text

    def _read_code(self, text: str) -> str:
        text = self._ticks + text
        at = text.find(FENCE)
        if at >= 0:
            self._state = "after"
            text = text[:at]
        else:
            self._ticks = _ticks_ending(text)
            text = text.removesuffix(self._ticks)
        kept = text.rstrip()
        if not kept:
            self._gap.append(text)
            return ""
        shown = "".join((*self._gap, kept)) if self._begun else kept.lstrip()
        self._gap = [text[len(kept) :]]
        self._begun = True
        self._shown.append(shown)
        return shown


def _ticks_ending(text: str) -> str:
    return "``" if text.endswith("``") else "`" if text.endswith("`") else ""


def _code_in(text: str) -> str:
    first = text.find(FENCE)
    if first < 0:
        return text
    line_end = text.find("\n", first)
    if line_end >= 0 and (end := text.find(FENCE, line_end + 1)) >= 0:
        return text[line_end + 1 : end].strip()
    end = text.find(FENCE, first + len(FENCE))
    return text[first + len(FENCE) : end].strip() if end >= 0 else text


class CodeReader:
    """Reads what is written of one field that holds code.

    ``literal``: that is JSON. ``whole``: the code is shown only when all of it is known.
    """

    def __init__(self, field: str, *, literal: bool, whole: bool = False) -> None:
        self._field = field
        self._whole = whole
        self._filter = CodeFilter()
        self._literal = LenientTokenizer(_Strings(self, nested=True)) if literal else None
        self._json: LenientTokenizer | None = None  # a text that is JSON itself
        self._blanks: list[str] | None = []  # before it is known whether it is
        self._changes: list[Change] = []

    @property
    def complete(self) -> bool:
        """Never: it is a text, which ends with its field."""
        return False

    def feed(self, text: str) -> list[Change]:
        """Read on."""
        if self._literal is not None:
            self._literal.feed(text)
        else:
            self.text(text)
        return [] if self._whole else self._take()

    def finish(self) -> list[Change]:
        """It is over."""
        if self._literal is not None:
            self._literal.finish()
        if self._json is not None:
            self._json.finish()
        elif self._blanks:
            self.code("".join(self._blanks))
        right, rest = self._filter.finish()
        if not right:
            self._changes.append(Withdrawn(self._field))
        self._show(rest)
        changes = self._take()
        if not self._whole:
            return changes
        code = ""
        for change in changes:
            code = code + change.text if isinstance(change, Appended) else ""
        return [Appended(self._field, code)] if code else []

    def text(self, text: str) -> None:
        """More of the text that is the code, or holds it."""
        if self._blanks is not None:
            self._blanks.append(text)
            if not (first := text.lstrip()[:1]):
                return
            text, self._blanks = "".join(self._blanks), None
            if first in "{\"'":
                self._json = LenientTokenizer(_Strings(self, nested=False))
        if self._json is not None:
            self._json.feed(text)
        else:
            self.code(text)

    def code(self, text: str) -> None:
        """More of the code, with what is around it."""
        self._show(self._filter.feed(text))

    def again(self) -> None:
        """Another text takes the place of the one before."""
        self._filter = CodeFilter()
        self._changes.append(Withdrawn(self._field))

    def _show(self, text: str) -> None:
        if text:
            self._changes.append(Appended(self._field, text))

    def _take(self) -> list[Change]:
        changes, self._changes = self._changes, []
        return changes


class _Strings:
    """Hears of a JSON value the string that it is, or that its member ``code`` is."""

    def __init__(self, reader: CodeReader, *, nested: bool) -> None:
        self._reader = reader
        self._nested = nested  # the string may itself be such a value
        self._depth = 0
        self._key = ""
        self._heard = False

    def key(self, name: str) -> None:
        if self._depth == 1:
            self._key = name
            if name == "code" and self._heard:
                self._reader.again()

    def begin(self, kind: str) -> None:
        self._depth += 1
        if self._depth == 2 and self._key == "code" and kind == '"':
            self._heard = True

    def text(self, part: str) -> None:
        if self._depth == 1:
            (self._reader.text if self._nested else self._reader.code)(part)
        elif self._depth == 2 and self._key == "code":
            self._reader.code(part)

    def end(self, kind: str) -> None:
        self._depth -= 1

    def scalar(self, value: object) -> None: ...


class CodeParser(ReadingParser):
    """Any parser, of whose fields some hold code: in their texts, or in their literals.

    ``fields`` says of each of these whether it is shown only when it is whole.
    """

    def __init__(self, parser: FieldParser, fields: Mapping[str, bool], *, literal: bool) -> None:
        readers = {field: partial(CodeReader, field, literal=literal, whole=whole) for field, whole in fields.items()}
        super().__init__(parser, readers, literals=False)
