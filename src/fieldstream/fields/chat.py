r"""The chat format: sections under ``[[ ## name ## ]]`` headers.

Rules of the format, as ``ChatAdapter.parse`` has them:

* Lines are what ``str.splitlines`` gives: eleven kinds of break end one. Joined again, each break is ``\n``.
* A header is a line whose stripped start is ``[[ ## name ## ]]``. An unknown name ends a section, too; of a repeated
  name the first section counts; text before the first header is nobody's.
* What follows a header on its line is text, stripped on both sides. ``parse`` counts the header's end in the stripped
  line but cuts the unstripped one: an indented header leaves as many of its own last characters as it was indented.
* A section is stripped on both sides.

Rules of this file: what was shown ends in a visible character. ``_blank`` holds the whitespace since then, exactly as
it came, because it may be dropped (at the end of a section), shortened (on a header's line) or be a header's
indentation. ``_held`` holds what may yet be a header: it starts with the first ``[`` of a line. Everything else is
shown at once.

==========  ==============================================================================
``_fresh``  nothing of this section was shown yet: leading whitespace is dropped
``_head``   still on the header's own line: whitespace before its end is dropped
``_quick``  neither, nothing is held, and the section is wanted: text without ``[`` is text
==========  ==============================================================================
"""

import re

from fieldstream.fields.changes import Appended, Change, Closed, Fields, Opened, Written

_BREAK = re.compile("[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_ODD_BREAK = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_HEADER = re.compile(r"\[\[ ## (\w+) ## \]\]")
_WORD = re.compile(r"\w*")
_BEFORE = "[[ ## "
_AFTER = " ## ]]"


class ChatParser:
    """Reads the answer of a ``ChatAdapter`` incrementally."""

    __slots__ = (
        "_blank",
        "_closed",
        "_done",
        "_field",
        "_fields",
        "_fresh",
        "_head",
        "_held",
        "_matched",
        "_named",
        "_quick",
        "_seen",
        "_shown",
        "_text",
    )

    def __init__(self, fields: Fields) -> None:
        self._fields = dict(fields)
        self._seen: set[str] = set()
        self._done = False
        self._quick = False
        # The section.
        self._field = ""
        self._text: type[Appended] | type[Written] = Appended
        self._fresh = True
        self._head = False
        self._blank = ["\n"]  # the text's start is a line's start
        # What may yet be a header: its parts, the name's parts, and how much of ``_BEFORE`` or ``_AFTER`` was seen.
        self._held: list[str] = []
        self._named: list[str] | None = None
        self._matched = 0
        # What this feed shows of the section.
        self._shown: list[str] = []

    def feed(self, text: str) -> list[Change]:
        if self._quick and "[" not in text:
            body = text.rstrip()
            if not body:
                if text:
                    self._blank.append(text)
                return []
            if self._blank:
                self._blank.append(body)
                shown = "".join(self._blank)
                self._blank = []
            else:
                shown = body
            if len(body) != len(text):
                self._blank.append(text[len(body) :])
            if not shown.isprintable():
                shown = _ODD_BREAK.sub("\n", shown)
            return [self._text(self._field, shown)]
        if self._done:
            raise RuntimeError("feed after finish: make a new parser for each answer")
        changes: list[Change] = []
        self._read(text, changes)
        self._flush(changes)
        self._quick = bool(self._field) and not (self._fresh or self._head or self._held)
        return changes

    def finish(self) -> list[Change]:
        if self._done:
            return []
        self._done = True
        self._quick = False
        changes: list[Change] = []
        if self._held:
            self._release()
        self._close(changes)
        return changes

    def _read(self, text: str, changes: list[Change]) -> None:
        at = 0
        if self._held:
            at = self._header_goes_on(text, 0, changes)
        while at < len(text):
            bracket = text.find("[", at)
            self._take(text[at:] if bracket < 0 else text[at:bracket])
            if bracket < 0:
                return
            if not self._line_starts():
                self._take("[")
                at = bracket + 1
            elif header := _HEADER.match(text, bracket):
                at = header.end()
                self._open(header[0], header[1], changes)
            else:
                at = self._header_goes_on(text, bracket, changes)

    def _header_goes_on(self, text: str, start: int, changes: list[Change]) -> int:
        """Match ``text[start:]`` against what is left of a header; give how far this decides the text."""
        at = start
        while True:
            if self._named is None or self._matched:
                literal = _BEFORE if self._named is None else _AFTER
                while at < len(text) and self._matched < len(literal) and text[at] == literal[self._matched]:
                    at += 1
                    self._matched += 1
                fits = at == len(text) or self._matched == len(literal)
                if self._matched == len(literal):
                    if self._named is not None:
                        self._held.append(text[start:at])
                        marker, name = "".join(self._held), "".join(self._named)
                        self._forget()
                        self._open(marker, name, changes)
                        return at
                    self._named = []
                    self._matched = 0
                    continue
            else:
                end = _WORD.match(text, at).end()  # pyright: ignore[reportOptionalMemberAccess]
                if end > at:
                    self._named.append(text[at:end])
                    at = end
                fits = at == len(text) or (bool(self._named) and text[at] == " ")
                if at < len(text) and fits:
                    self._matched = 1
                    at += 1
                    continue
            if at > start:
                self._held.append(text[start:at])
            if not fits:
                self._release()
            return at

    def _forget(self) -> None:
        self._held = []
        self._named = None
        self._matched = 0

    def _release(self) -> None:
        """It was no header."""
        held = "".join(self._held)
        self._forget()
        self._take(held)

    def _line_starts(self) -> bool:
        return bool(self._blank) and any(_BREAK.search(blank) for blank in self._blank)

    def _open(self, marker: str, name: str, changes: list[Change]) -> None:
        lines = "".join(self._blank).splitlines(keepends=True)
        indented = lines[-1] if lines and not _BREAK.search(lines[-1]) else ""
        self._close(changes)
        self._blank = []
        self._fresh = True
        self._head = True
        if name in self._fields and name not in self._seen:
            self._seen.add(name)
            self._field = name
            self._text = Appended if self._fields[name] == "text" else Written
            changes.append(Opened(name))
        if indented:
            self._take((indented + marker)[len(marker) :])

    def _close(self, changes: list[Change]) -> None:
        self._flush(changes)
        if self._field:
            changes.append(Closed(self._field))
            self._field = ""

    def _flush(self, changes: list[Change]) -> None:
        if self._shown:
            changes.append(self._text(self._field, "".join(self._shown)))
        self._shown = []

    def _take(self, text: str) -> None:
        """Text in which no header starts: show it, but for the whitespace at its end."""
        if self._head and (end := _BREAK.search(text)):
            self._take_visible(text[: end.start()])
            self._blank = []
            self._head = False
            text = text[end.start() :]
        self._take_visible(text)

    def _take_visible(self, text: str) -> None:
        body = text.rstrip()
        if body:
            if self._fresh:
                body = body.lstrip()
                self._fresh = False
            else:
                body = "".join(self._blank) + body
            self._blank = []
            if self._field:
                self._shown.append(body if body.isprintable() else _ODD_BREAK.sub("\n", body))
        blank = text[len(text.rstrip()) :]
        if blank:
            self._blank.append(blank)
