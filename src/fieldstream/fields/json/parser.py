r"""The JSON format: one object whose members are the fields.

``JSONAdapter.parse`` takes ``json_repair.loads`` of the whole text and, if that is no object, of the first group of
balanced braces in it. What this means for a text that holds a valid object, and what this parser does:

* Prose and code fences around the object are nobody's. The first ``{`` begins the object.
* A member whose key is a field is its value; keys deeper down, and unknown ones, are not. Of a repeated key the last
  value wins: the field is withdrawn when the second one begins.
* A ``text`` field whose value is no string is Python's ``str`` of it, told when the value is whole.
* If more values follow the object, it counts only if its braces balance, those within strings included; or the last
  object counts, if all have the same shape. That is known at the end of the text, and put right there.

An object that is not valid is read by other rules, all of it: ``RepairedParser`` knows the common ones. What was shown
already and is otherwise by them is withdrawn. Where they are not to be told this parser says nothing more: ``lost`` is
true, and ``parse`` has the last word.
"""

import io
import json
import re
from collections.abc import Callable, Collection, Iterable
from typing import Any, Literal, cast

from fieldstream.fields.changes import (
    Appended,
    Assigned,
    Change,
    Closed,
    Completed,
    Fields,
    Opened,
    Withdrawn,
    Written,
)
from fieldstream.fields.json.repaired import CAREFUL, RepairedParser
from fieldstream.fields.json.tokens import Kind, Tokenizer

_NOT_PLAIN = re.compile(r'["\\\x00-\x1f]')
_QUOTES = "\"'“”"
_GROUPED = re.compile(r"(?:\A|[\n\r])[^\S\n\r]*\(\s*(?:\Z|[)({\[\"'“”\d.-]|true|null|none|false)", re.IGNORECASE)
"""A parenthesis that begins a line and holds a value: Python's tuples count as values."""
_MORE_MEMBERS = re.compile(r"\s*,\s*[\"'“”]")
_EMPTY_LIST = re.compile(r"\[(?!\s*(?:[^\W_]|\Z))")
"""A list that may come to nothing, so that what follows it counts."""


class JsonParser:
    """Reads the answer of a ``JSONAdapter`` incrementally."""

    __slots__ = (
        "_after",
        "_before",
        "_changes",
        "_depth",
        "_done",
        "_field",
        "_fields",
        "_from",
        "_in_list",
        "_mode",
        "_name",
        "_open",
        "_optional",
        "_passed",
        "_place",
        "_quick",
        "_raw",
        "_repaired",
        "_repairs",
        "_seen",
        "_shown",
        "_shown_of_open",
        "_text",
        "_tokens",
        "_whole",
        "lost",
    )

    def __init__(self, fields: Fields, optional: Collection[str] = ()) -> None:
        self.lost = False
        self._fields = dict(fields)
        self._optional = optional
        self._seen: set[str] = set()
        self._done = False
        self._place: Literal["before", "inside", "after"] = "before"
        self._before: list[str] = []
        self._raw = io.StringIO()  # of the object
        self._passed = 0  # the place in it from which on others read the literal
        self._after: list[str] = []
        self._in_list = False
        self._tokens = Tokenizer(self, deep=1)
        self._quick: type[Appended] | type[Written] | None = None  # plain text is this
        self._repaired: RepairedParser | None = None
        self._repairs = True
        self._open: dict[str, bool] = {}  # what was told of and not yet read again: was it closed?
        self._shown_of_open: set[str] = set()
        # Where the object is being read.
        self._depth = 0
        self._name = ""
        # The field that is being read: its text as it is, its literal, or nothing before it is whole.
        self._field = ""
        self._mode: Literal["text", "literal", "whole"] = "text"
        self._from = 0
        self._whole: list[str] = []
        # This feed.
        self._text = ""
        self._shown: list[str] = []
        self._changes: list[Change] = []

    @property
    def in_literal(self) -> bool:
        """Whether the literal text of a data field goes on."""
        return bool(self._field) and self._mode == "literal" and not self.lost

    def pass_by(self) -> Callable[[str], object]:
        """Leave the rest of the literal, an object, an array or a string, to who reads its value anyway.

        What this gives is to be called with each piece of it; then comes ``pass_end`` or ``pass_back``.
        """
        self._quick = None
        self._passed = self._raw.tell()
        return self._raw.write

    def pass_end(self) -> list[Change]:
        """The literal was valid JSON, and has ended."""
        self._tokens.leave()
        self._depth = 1
        self._end_field()
        return self._flush()

    def pass_back(self) -> str:
        """Read on: the literal may end otherwise. Gives what was passed by."""
        self._raw.seek(self._passed)
        passed = self._raw.read()
        self._tokens.feed(passed)
        return passed

    def feed(self, text: str) -> list[Change]:
        if self._quick is not None and _NOT_PLAIN.search(text) is None:
            if not text:
                return []
            self._raw.write(text)
            return [self._quick(self._field, text)]
        if self._done:
            raise RuntimeError("feed after finish: make a new parser for each answer")
        if self.lost:
            return []
        if self._repaired is not None:
            changes = self._repaired.feed(text)
            self.lost = self._repaired.lost
            return self._told_again(changes) if self._open else changes
        if self._place == "after":
            self._after.append(text)
            return []
        start = 0
        if self._place == "before":
            start = text.find("{")
            self._before.append(text if start < 0 else text[:start])
            if start < 0:
                return []
            if not self._enter("".join(self._before)):
                self.lost = True
                return []
            self._place = "inside"
        return self._read(text, start)

    def finish(self) -> list[Change]:
        if self._done:
            return []
        self._done = True
        self._quick = None
        if self._repaired is not None:
            self._changes = self._told_again(self._repaired.finish())
            self.lost = self._repaired.lost
        elif self._place == "after":
            try:
                self._conclude(self._raw.getvalue(), "".join(self._after))
            except (ValueError, RecursionError):
                self.lost = True
        elif self._place == "before":
            self.lost = True
        elif not self.lost:
            self._repair(finished=True)
        if not self.lost:  # Else a field that is open is not known to be whole.
            self._end_field()
            self._changes += [Closed(name) for name, closed in self._open.items() if not closed]
        return self._flush()

    def _enter(self, before: str) -> bool:
        """Whether the object that follows this text is what ``parse`` finds first."""
        line = re.split("[\n\r]", before)[-1]
        if "#" in line or "//" in line or before.rfind("/*") > before.rfind("*/"):
            return False  # in a comment
        if _GROUPED.search(before) or _EMPTY_LIST.search(before):
            return False
        first = before.lstrip()
        if first and first[0] in _QUOTES:  # a member, whose object perhaps lacks its brace
            end = first.find(first[0], 1)
            if "\\" in first or end < 0 or first[end + 1 :].lstrip().startswith(":"):
                return False
        self._in_list = "[" in before
        return True

    def _read(self, text: str, start: int) -> list[Change]:
        self._text = text
        self._from = start
        in_literal = self._field and self._mode == "literal"
        end = self._tokens.feed(text, start)
        state = self._tokens.state
        if in_literal and text and not self._changes and state != "broken":  # it goes on, with all of this
            self._raw.write(text)
            self._quick = Written if self._tokens.in_plain_text else None
            return [Written(self._field, text)]
        if self._field:
            self._take_literal(end)
        self._raw.write(text[start:end] if state == "over" else text[start:])
        if state == "over":
            self._place = "after"
            self._after.append(text[end:])
        elif state == "broken":
            self._repair(finished=False)
            return self._flush()
        self._quick = None
        if self._field and self._tokens.in_plain_text and self._mode != "whole":
            self._quick = Appended if self._mode == "text" else Written
        return self._flush()

    def _repair(self, *, finished: bool) -> None:
        """Read the object again, by the other rules, and put right what was shown."""
        self._quick = None
        if not self._repairs or self._in_list:
            self.lost = True
            return
        raw = self._raw.getvalue()
        self._flush_text()
        repaired = RepairedParser(self._fields, self._optional)
        changes = repaired.feed(raw)
        if finished:
            changes += repaired.finish()
        self.lost = repaired.lost
        if self.lost:
            return
        strict = JsonParser(self._fields, self._optional)
        strict._repairs = False
        told, right = _Told(strict.feed(raw)), _Told(changes)
        self._correct(told, right)
        self._field = ""
        self._open = {name: name in told.closed for name in told.texts if name not in right.texts}
        self._shown_of_open = {name for name in self._open if told.texts[name]}
        if not finished:
            self._repaired = repaired
            self._raw = io.StringIO()

    def _told_again(self, changes: list[Change]) -> list[Change]:
        told: list[Change] = []
        for change in changes:
            if isinstance(change, Opened) and change.field in self._open:
                if self._open.pop(change.field) or change.field in self._shown_of_open:
                    told.append(Withdrawn(change.field))
            else:
                told.append(change)
        return told

    # What the tokenizer says.

    def key(self, name: str) -> None:
        if self._depth == 1:
            self._name = name

    def begin(self, kind: Kind, at: int) -> None:
        if self._depth == 1 and self._name in self._fields:
            self._field = self._name
            if self._fields[self._field] == "data":
                self._mode = "literal"
            else:
                self._mode = "text" if kind == '"' else "whole"
            self._from = at
            if self._field in self._seen:
                self._changes.append(Withdrawn(self._field))
            else:
                self._seen.add(self._field)
                self._changes.append(Opened(self._field))
        if kind == "{" or kind == "[":
            self._depth += 1

    def text(self, part: str) -> None:
        if self._field and self._mode == "text":
            self._shown.append(part)

    def end(self, kind: Kind, at: int) -> None:
        if kind == "{" or kind == "[":
            self._depth -= 1
        if self._depth == 1 and self._field:
            self._take_literal(at)
            if self._mode == "whole":
                try:
                    value = json.loads("".join(self._whole))
                except (ValueError, RecursionError):
                    self.lost = True
                else:
                    if value is not None or self._field not in self._optional:
                        self._shown.append(str(value))
                self._whole = []
            self._end_field()

    def _take_literal(self, end: int) -> None:
        if self._mode == "text" or end <= self._from:
            return
        literal = self._text[self._from : end]
        self._from = end
        if self._mode == "literal":
            self._shown.append(literal)
        else:
            self._whole.append(literal)

    def _end_field(self) -> None:
        if self._field:
            self._flush_text()
            self._changes.append(Closed(self._field))
            self._field = ""

    def _flush_text(self) -> None:
        if self._shown:
            shown = "".join(self._shown)
            self._shown = []
            if shown:
                self._changes.append((Written if self._mode == "literal" else Appended)(self._field, shown))

    def _flush(self) -> list[Change]:
        self._flush_text()
        changes = self._changes
        self._changes = []
        self._text = ""
        return changes

    # What the end of the text decides.

    def _conclude(self, raw: str, after: str) -> None:
        """Decide whether the object is what ``parse`` takes, now that all that follows is known."""
        if not any(char in after for char in "{[(,"):
            if self._in_list and not _balances(raw):
                self.lost = True
            return
        first = after.lstrip()
        repaired = first.startswith(",") and not "".join(self._before)  # for once, though it was valid
        if repaired and (CAREFUL.search(raw) or _MORE_MEMBERS.match(after)):
            self.lost = True
            return
        if "{" in after and not self._in_list:
            self._conclude_objects(raw, after)
        elif "[" in after or self._in_list or _GROUPED.search(after):
            self.lost = not _balances(raw)

    def _conclude_objects(self, raw: str, after: str) -> None:
        one = json.loads(raw)
        last = raw
        at = after.find("{")
        listed = False
        outside: list[str] = [after[:at]]
        decoder = json.JSONDecoder()
        while at >= 0:
            other, end = decoder.raw_decode(after, at)
            separated = outside[-1].rstrip().endswith(",")
            if not other or CAREFUL.search(after, at, end):
                self.lost = True
                return
            if not one or (not separated and _same_shape(one, other)):
                one, last = other, after[at:end]
            else:
                listed = True
            at = after.find("{", end)
            outside.append(after[end:] if at < 0 else after[end:at])
        if any(char in part for char in "[(#/" for part in outside) or any(map(_MORE_MEMBERS.match, outside)):
            self.lost = True
        elif listed:
            self.lost = not _balances(raw)
        elif last is not raw:
            told, right = (JsonParser(self._fields, self._optional).feed(each) for each in (raw, last))
            self._correct(_Told(told), _Told(right))

    def _correct(self, told: "_Told", right: "_Told") -> None:
        """Say what leads from what was told to what is right."""
        for name, text in right.texts.items():
            before = told.texts.get(name)
            if before is None:
                self._changes.append(Opened(name))
            elif before != text if name in told.closed else not text.startswith(before):
                self._changes.append(Withdrawn(name))
            else:
                text = text[len(before) :]
                if text and isinstance(last := self._changes[-1] if self._changes else None, Appended | Written):
                    text = last.text + text
                    self._changes.pop()
                if name in told.closed:
                    continue
            if text:
                self._changes.append((Written if self._fields[name] == "data" else Appended)(name, text))
            if name in right.closed:
                self._changes.append(Closed(name))


class _Told:
    """What changes come to."""

    def __init__(self, changes: Iterable[Change]) -> None:
        self.texts: dict[str, str] = {}
        self.closed: set[str] = set()
        for change in changes:
            name = change.field
            match change:
                case Opened() | Withdrawn():
                    self.texts[name] = ""
                    self.closed.discard(name)
                case Appended(text=text) | Written(text=text):
                    self.texts[name] += text
                case Closed():
                    self.closed.add(name)
                case Assigned() | Completed():
                    pass  # This parser says nothing of values.


def _balances(text: str) -> bool:
    """Whether the object holds something, and its braces balance only at the end, those within strings included."""
    if not text[1:-1].strip():
        return False
    depth = 0
    for brace in re.finditer("[{}]", text):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return brace.end() == len(text)
    return False


def _same_shape(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    match one:
        case dict():
            members = cast("dict[str, Any]", one)
            return members.keys() == other.keys() and all(_same_shape(members[name], other[name]) for name in members)
        case list():
            items = cast("list[Any]", one)
            return len(items) == len(other) and all(map(_same_shape, items, other))
        case _:
            return True
