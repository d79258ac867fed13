r"""An object that is not quite JSON, read as ``json_repair`` reads it, as far as that can be told.

``json_repair`` decides by rules of thumb, many of which look ahead without limit, for one string on what is in all that
follow. This parser knows what they come to in common cases, and gives up (``lost``) in others:

* The text ends too early. What is there counts: a string without the whitespace at its end, or without a comma there; a
  key with its colon is an empty string.
* Line breaks and other controls in strings; escapes that JSON does not have (they stay as they are).
* Commas too many; ``//`` and ``/* */`` comments before a key or a value.
* Keys in single quotes or without any; strings in single quotes; Python's ``True``, ``False`` and ``None``.

Once a text needs repair, strings with escapes are read by other rules than JSON's, wherever they stand: half a pair of
surrogates stays half a pair, ``\/`` and ``\f`` stay as they are, and whitespace that ends in a line break is dropped.

It gives up where a string may end at a quote within it, where a member's comma is missing, where a string with escapes
has what may be taken for a member, an object or a list, and in ``#`` comments. Of a data field's nested value that is
itself damaged the literal text is told to its end, as a lenient tokenizer finds it; what follows it is not.
"""

import io
import json
import re
from collections.abc import Collection
from typing import Final, Literal

from fieldstream.fields.changes import Appended, Change, Closed, Fields, Opened, Withdrawn, Written
from fieldstream.fields.json.tokens import Kind, Tokenizer
from fieldstream.fields.lenient.tokenizer import LenientTokenizer

_LIMIT: Final = 10_000
"""More than this is not held between values: it would be searched again with every feed."""

_NUMBER: Final = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
_SKIP = re.compile(r"(?:\s+|//[^\n\r]*[\n\r]|/\*.*?\*/)*", re.DOTALL)
_SKIP_GOES_ON = re.compile(r"/\Z|//|/\*")
_KEY = re.compile(r"""(?:"([^"\\\n\r]*)"|'([\w -]*)'|([A-Za-z]\w*))\s*:""")
_KEY_GOES_ON = re.compile(r"""(?:"[^"\\\n\r]*(?:"\s*)?|'[\w -]*(?:'\s*)?|[A-Za-z]\w*\s*)\Z""")
_LAST_KEY = re.compile(r"""(?:"[\w -]*"?|'[\w -]*'?|[A-Za-z]\w*)\s*""")
_SCALAR = re.compile(rf"({_NUMBER}|[A-Za-z]+)(?=[\s}}]|,[\s\"'}}])")
_SCALAR_GOES_ON = re.compile(r"[-+.0-9A-Za-z]*,?\Z")
_LAST_SCALAR = re.compile(rf"({_NUMBER}|[A-Za-z]+)(\s*,)?\s*\Z")
_WORDS: Final = {"true": "True", "false": "False", "null": "None", "none": "None"}

_CONTENT: Final = {quote: re.compile(rf"(?:[^\\{quote}]++|\\.)*+", re.DOTALL) for quote in "\"'"}
_STRING = re.compile(r'"((?:[^\\"]++|\\.)*+)"(\s*:)?')
_UNIT = re.compile(r"[^\\]+|\\u([0-9A-Fa-f]{4})|\\x([0-9A-Fa-f]{2})|(\\{2,})|\\([^\\]?)")
_UNIT_GOES_ON = re.compile(r"\\+(?:u[0-9A-Fa-f]{0,3}|x[0-9A-Fa-f]?)?\Z")
_ONE: Final = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", '"': '"', "'": "'"}
_NOT_SIMPLE = re.compile(r"[\\\n\r]")
_STRANGE = re.compile(
    r"""
      [“”„]                         # quotes of another kind, which may end it
    | \A```json                     # a block that is parsed
    | \{\s*\w[\w-]*\s*:             # an object, it seems
    | ,\s*[{\[}]                    # a value, it seems; or the object's end
    | ,\s*`?\w[\w-]*\s*:            # a member, it seems
    | \A\s*[:,}]                    # what would follow another string
    | \}\s*```                      # the end of a fenced object
    """,
    re.VERBOSE,
)
_CHARACTER_CLASS = re.compile(r"\[[^\]\s]*\Z")
_SPECIAL = re.compile(r"(?<!\\)['\"{\[]|,\s*`")
CAREFUL = re.compile(r'\\|""|\{\s*\}|\[\s*\]|NaN|Infinity')
"""What valid JSON may hold that is not the same when it is read by the rules of repair."""


class _Nobody:
    """Listens to nested values, of which only the end matters."""

    def key(self, name: str) -> None: ...
    def begin(self, kind: Kind, at: int) -> None: ...
    def text(self, part: str) -> None: ...
    def end(self, kind: Kind, at: int) -> None: ...


class _NobodyLenient:
    """Listens to a damaged one."""

    def key(self, name: str) -> None: ...
    def begin(self, kind: Kind) -> None: ...
    def text(self, part: str) -> None: ...
    def end(self, kind: Kind) -> None: ...
    def scalar(self, value: object) -> None: ...


class RepairedParser:
    """Reads the object that begins with the text's first character."""

    __slots__ = (
        "_after",
        "_at",
        "_blank",
        "_changes",
        "_done",
        "_field",
        "_fields",
        "_key",
        "_lenient",
        "_nested",
        "_optional",
        "_quote",
        "_raw",
        "_rest",
        "_risks",
        "_seen",
        "_shown",
        "_state",
        "_tail",
        "lost",
    )

    def __init__(self, fields: Fields, optional: Collection[str] = ()) -> None:
        self.lost = False
        self._fields = dict(fields)
        self._optional = optional
        self._seen: set[str] = set()
        self._done = False
        self._state: Literal["start", "member", "value", "string", "quote", "nested", "damaged", "next", "over"] = (
            "start"
        )
        self._rest = ""  # what was not read yet, from `_at` on
        self._at = 0
        self._tail = io.StringIO()  # what follows the object
        # What earlier strings ask of the text behind them: quotes that no colon may follow, the next key's quote.
        self._risks: set[str] = set()
        self._after = ""
        # The value, and its source.
        self._key = ""
        self._field = ""
        self._quote = ""
        self._raw = io.StringIO()
        self._blank: list[str] = []
        self._nested = Tokenizer(_Nobody())
        self._lenient = LenientTokenizer(_NobodyLenient())
        # This feed.
        self._shown: list[str] = []
        self._changes: list[Change] = []

    def feed(self, text: str) -> list[Change]:
        if self._done:
            raise RuntimeError("feed after finish: make a new parser for each answer")
        if self.lost:
            return []
        self._rest = self._rest[self._at :] + text
        self._at = 0
        while not self.lost and self._step():
            pass
        if len(self._rest) - self._at > _LIMIT:
            self.lost = True
        return self._flush()

    def finish(self) -> list[Change]:
        if self._done:
            return []
        self._done = True
        if not self.lost:
            self._end_early()
        if self._field and not self.lost:  # Else it is not known to be whole.
            self._end_value()
        return self._flush()

    def _step(self) -> bool:
        """Read the next piece; or say that it is not all there, or that there is no more."""
        match self._state:
            case "start":
                self._at = 1
                self._state = "member"
                return True
            case "member":
                return self._skip() and self._read_member()
            case "value":
                return self._skip() and self._read_value()
            case "string":
                return self._read_string()
            case "quote":
                return self._read_quote()
            case "nested":
                return self._read_nested()
            case "damaged":
                return self._read_damaged()
            case "next":
                return self._skip_blank() and self._read_next()
            case "over":
                self._tail.write(self._rest[self._at :])
                self._at = len(self._rest)
                return False

    def _skip(self) -> bool:
        """Go to what is neither whitespace nor a comment. Give whether there is something."""
        if skipped := _SKIP.match(self._rest, self._at):
            self._at = skipped.end()
        return self._at < len(self._rest) and not _SKIP_GOES_ON.match(self._rest, self._at)

    def _skip_blank(self) -> bool:
        while self._at < len(self._rest) and self._rest[self._at].isspace():
            self._at += 1
        return self._at < len(self._rest)

    def _read_member(self) -> bool:
        char = self._rest[self._at]
        if char == ",":
            self._at += 1
        elif char == "}":
            self._at += 1
            self._state = "over"
        elif key := _KEY.match(self._rest, self._at):
            name = key[key.lastindex or 0]
            quote = ("", '"', "'", "")[key.lastindex or 0]
            if (self._after and quote != self._after) or quote in self._risks or name.lstrip()[:1] in set(":,}"):
                self.lost = True
            self._at = key.end()
            self._after = ""
            self._key = name
            self._state = "value"
        elif _KEY_GOES_ON.match(self._rest, self._at):
            return False
        else:
            self.lost = True
        return True

    def _read_value(self) -> bool:
        char = self._rest[self._at]
        if char in ",}":  # a value that was forgotten is ""
            self._begin()
            self._end_value()
            self._state = "next"
        elif char in "\"'":
            self._begin()
            self._quote = char
            self._take_raw(1)
            self._state = "string"
        elif char in "{[":
            self._begin()
            self._nested = Tokenizer(_Nobody())
            self._state = "nested"
        elif scalar := _SCALAR.match(self._rest, self._at):
            self._read_scalar(scalar[1])
            self._state = "next"
        elif _SCALAR_GOES_ON.match(self._rest, self._at):
            return False
        else:
            self.lost = True
        return True

    def _read_scalar(self, literal: str) -> None:
        value = _WORDS.get(literal.lower(), "")
        if not value:
            if literal[0].isalpha():
                self.lost = True
                return
            try:
                value = str(json.loads(literal))
            except ValueError:  # too long for Python
                self.lost = True
                return
        self._begin()
        self._take_raw(len(literal))
        if value != "None" or self._field not in self._optional:
            self._show_value(value)
        self._end_value()

    def _read_nested(self) -> bool:
        end = self._nested.feed(self._rest, self._at)
        self._take_raw(end - self._at)
        if self._nested.state == "broken":
            if not self._field or self._is_text():
                self.lost = True
                return False
            self._lenient = LenientTokenizer(_NobodyLenient())
            self._lenient.feed(self._raw.getvalue())
            self._state = "damaged"
            return True
        if self._nested.state == "over":
            raw = self._raw.getvalue()
            self._quote = '"'
            if (
                self._risks
                or (self._is_text() and CAREFUL.search(raw))
                or ("\\" in raw and any(map(self._is_strange_within, _STRING.finditer(raw))))
            ):
                self.lost = True
                return False
            if self._is_text():
                try:
                    self._show_value(str(json.loads(raw)))
                except RecursionError:
                    self.lost = True
            self._end_value()
            self._state = "next"
        return self._at < len(self._rest)

    def _read_damaged(self) -> bool:
        """Read on in a damaged value, and give up at its end: what follows may mean anything."""
        left = self._lenient.feed(self._rest[self._at :])
        self._take_raw(len(self._rest) - self._at - left)
        self.lost = self._lenient.over or self._lenient.lost
        return False

    def _read_next(self) -> bool:
        char = self._rest[self._at]
        if char == ",":
            self._state = "member"
        elif char == "}":
            self._state = "over"
        else:
            self.lost = True
        self._at += 1
        return True

    # Strings.

    def _read_string(self) -> bool:
        content = _CONTENT[self._quote].match(self._rest, self._at)
        end = content.end() if content else self._at
        closed = self._rest[end : end + 1] == self._quote
        if not closed:
            unclear = _UNIT_GOES_ON.search(self._rest, self._at)
            end = unclear.start() if unclear else len(self._rest)
        self._show_text(self._take_raw(end - self._at))
        if closed:
            self._take_raw(1)
            self._state = "quote"
        return closed

    def _read_quote(self) -> bool:
        if (
            self._at < len(self._rest)
            and self._rest[self._at].isspace()
            and self._raw.tell() == 2
            and self._quote == "'"
        ):
            self.lost = True
        if not self._skip_blank():
            return False
        if self._rest[self._at] not in ",}":
            self.lost = True
        self._end_string()
        return True

    def _end_string(self) -> None:
        raw = self._raw.getvalue()[1:-1]
        blank = "".join(self._blank)
        if self._quote == "'" or _NOT_SIMPLE.search(raw):
            if self._is_strange(raw) or _CHARACTER_CLASS.search(raw):
                self.lost = True
            if blank.endswith("\n"):
                blank = ""
            self._after = self._quote
        elif self._has_risk(raw):
            self.lost = True
        if self._is_text() and blank:
            self._shown.append(blank)
        if not self.lost:
            self._end_value()
            self._state = "next"

    def _has_risk(self, text: str) -> bool:
        return any(re.search(rf"{quote}\s*:", text) for quote in self._risks)

    def _is_strange(self, raw: str) -> bool:
        """Whether more than the escapes may mean something in this string."""
        other = "'" if self._quote == '"' else '"'
        if "," in raw and other in raw:
            self._risks.add(other)
        if _STRANGE.search(raw) or self._has_risk(raw) or re.search(rf"{other}\s*:", raw):
            return True
        depth = 0
        for brace in re.finditer("[{}]", raw):
            depth += 1 if brace[0] == "{" else -1
            if depth < 0:
                return True
        return False

    def _is_strange_within(self, string: re.Match[str]) -> bool:
        """Whether this may be so in a string of a nested value."""
        raw, colon = string.groups()
        if "\\" not in raw:
            return False
        return bool(colon or _CHARACTER_CLASS.search(raw) or "\\\\\\" in raw) or self._is_strange(raw)

    def _show_text(self, raw: str) -> None:
        if self._is_text():
            text = self._unescape(raw)
            body = text.rstrip()
            if body:
                self._shown += self._blank
                self._shown.append(body)
                self._blank = []
            if len(body) < len(text):
                self._blank.append(text[len(body) :])

    def _unescape(self, raw: str) -> str:
        if "\\" not in raw:
            return raw
        parts: list[str] = []
        for unit in _UNIT.finditer(raw):
            if unit.lastindex is None:
                parts.append(unit[0])
            elif unit.lastindex <= 2:
                parts.append(chr(int(unit[unit.lastindex], 16)))
            elif unit.lastindex == 4:
                parts.append(_ONE.get(unit[4], unit[0]))
            elif len(unit[0]) % 2:
                self.lost = True
            else:
                parts.append(unit[0][: len(unit[0]) // 2])
        return "".join(parts)

    # The end of a text that is not whole.

    def _end_early(self) -> None:
        rest = self._rest[self._at :]
        match self._state:
            case "string":
                self._show_text(self._take_raw(len(rest)))
                self._end_string_early(self._raw.getvalue()[1:])
            case "quote":
                self._end_string()
            case "value":
                scalar = _LAST_SCALAR.match(rest)
                if not rest:
                    self._begin()
                elif scalar and (scalar[1].lower() in _WORDS or not scalar[1].isalpha()):
                    self._read_scalar(scalar[1])
                elif scalar and not scalar[2]:
                    self._begin()
                    self._show_value(scalar[1])
                else:
                    self.lost = True
            case "nested" | "damaged":
                self.lost = True
            case "member" if rest:
                self.lost = not _LAST_KEY.fullmatch(rest)
            case "over":
                tail = self._tail.getvalue()
                first = tail.lstrip()
                member = first.startswith(",") and first[1:].lstrip()[:1] in set("\"'“”")
                if member or any(char in tail for char in "{[(") or self._has_risk(tail):
                    self.lost = True
            case _:
                pass

    def _end_string_early(self, raw: str) -> None:
        """Of a string without its end, the whitespace at its end is dropped, and usually a comma there."""
        self._blank = []
        visible = raw.rstrip()
        if self._is_strange(raw) or visible.endswith("}"):
            self.lost = True
        elif visible.endswith(",") and self._is_text():
            before = visible[:-1]
            last = max((special.end() for special in _SPECIAL.finditer(before)), default=0)
            if before.find(",", last) < 0:
                self._shown = []
                self._changes.append(Withdrawn(self._field))
                self._shown.append(self._unescape(before).rstrip())

    # What is shown.

    def _is_text(self) -> bool:
        return bool(self._field) and self._fields[self._field] == "text"

    def _begin(self) -> None:
        self._raw = io.StringIO()
        self._blank = []
        if self._key in self._fields:
            self._field = self._key
            if self._field in self._seen:
                self._changes.append(Withdrawn(self._field))
            else:
                self._seen.add(self._field)
                self._changes.append(Opened(self._field))

    def _take_raw(self, length: int) -> str:
        raw = self._rest[self._at : self._at + length]
        self._at += length
        self._raw.write(raw)
        if self._field and not self._is_text():
            self._shown.append(raw)
        return raw

    def _show_value(self, value: str) -> None:
        if self._is_text():
            self._shown.append(value)

    def _end_value(self) -> None:
        if self._field:
            self._flush_text()
            self._changes.append(Closed(self._field))
            self._field = ""

    def _flush_text(self) -> None:
        shown = "".join(self._shown)
        self._shown = []
        if shown:
            self._changes.append((Appended if self._is_text() else Written)(self._field, shown))

    def _flush(self) -> list[Change]:
        self._flush_text()
        changes = self._changes
        self._changes = []
        return changes
