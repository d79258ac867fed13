r"""JSON in pieces: an incremental tokenizer of RFC 8259, exactly as strict as ``json.loads``.

Rules of this file: it knows no fields and keeps no values. It tells a ``Listener`` where each value begins and ends,
at any depth, and what a string says as soon as that is decided; a listener that wants paths gets all it needs, in
order. Places are indexes into the text of the present ``feed``. At the first character that ``json.loads`` would refuse
it stops for good, and says where.

==========  =================================================  ================
state       what may come                                      where it leads
==========  =================================================  ================
``VALUE``   a value                                            by its kind
``ITEM``    a value, or ``]``                                  by its kind
``KEY``     ``"``                                              ``NAME``
``MEMBER``  ``"``, or ``}``                                    ``NAME``
``NAME``    the rest of a key                                  ``COLON``
``COLON``   ``:``                                              ``VALUE``
``STRING``  the rest of a string                               ``NEXT``
``SCALAR``  the rest of a number, or of ``true`` and the like  ``NEXT``
``NEXT``    ``,`` or the container's end                       ``KEY``, ``VALUE``
``OVER``    nothing: the outermost value has ended
``BROKEN``  nothing: this was no JSON
==========  =================================================  ================
"""

import enum
import json.decoder
import re
import sys
from collections.abc import Callable
from typing import Any, Final, Literal, Protocol, TypeAlias, cast

Kind: TypeAlias = Literal["{", "[", '"', "0"]
"""A value's kind: an object, an array, a string, or anything else."""

_unescape = cast("Callable[[str, int], tuple[str, int]]", cast("Any", json.decoder).scanstring)  # what `loads` uses
_PARTIAL_ESCAPE = re.compile(r"\\(?:u[0-9A-Fa-f]{0,3})?\Z")
_WHOLE_SCALAR = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null|NaN|-?Infinity")


def _all(pattern: str) -> Callable[[str, int], re.Match[str]]:
    """A pattern that always matches, if only nothing."""
    return re.compile(f"(?:{pattern})*+").match  # pyright: ignore[reportReturnType]


_blank = _all(r"[ \t\n\r]")
_run = _all(r'[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})')
_scalar = _all(r"[-+.0-9A-Za-z]")
_digits = sys.get_int_max_str_digits() or sys.maxsize


class State(enum.Enum):
    """Where the tokenizer stands."""

    VALUE = enum.auto()
    ITEM = enum.auto()
    KEY = enum.auto()
    MEMBER = enum.auto()
    NAME = enum.auto()
    COLON = enum.auto()
    STRING = enum.auto()
    SCALAR = enum.auto()
    NEXT = enum.auto()
    OVER = enum.auto()
    BROKEN = enum.auto()


VALUE: Final = State.VALUE
ITEM: Final = State.ITEM
KEY: Final = State.KEY
MEMBER: Final = State.MEMBER
NAME: Final = State.NAME
COLON: Final = State.COLON
STRING: Final = State.STRING
SCALAR: Final = State.SCALAR
NEXT: Final = State.NEXT
OVER: Final = State.OVER
BROKEN: Final = State.BROKEN


class Listener(Protocol):
    """Is told what a text of JSON says, in order."""

    def key(self, name: str) -> None:
        """The next value is the member ``name`` of the innermost object."""
        ...

    def begin(self, kind: Kind, at: int) -> None:
        """A value begins with the character at this place."""
        ...

    def text(self, part: str) -> None:
        """More of the innermost value, a string: free of escapes."""
        ...

    def end(self, kind: Kind, at: int) -> None:
        """The innermost value ended before this place."""
        ...


class Tokenizer:
    """Reads one JSON value, in any split."""

    __slots__ = ("_held", "_listener", "_parts", "_stack", "state")

    def __init__(self, listener: Listener) -> None:
        self.state = VALUE
        self._listener = listener
        self._stack: list[Literal["{", "["]] = []
        self._held: str = ""  # the string's last characters, if they do not yet say what they mean
        self._parts: list[str] = []  # of a key or a scalar

    @property
    def in_plain_text(self) -> bool:
        """In a string that is no key, where the next character means itself if it is no quote, escape or control."""
        return self.state is STRING and not self._held

    def feed(self, text: str, at: int = 0) -> int:
        """Read from this place on; give the place where reading ended."""
        while at < len(text):
            match self.state:
                case State.STRING | State.NAME:
                    at = self._read_string(text, at)
                    continue
                case State.SCALAR:
                    at = self._read_scalar(text, at)
                    continue
                case State.OVER | State.BROKEN:
                    return at
                case _:
                    pass
            char = text[at]
            if char in " \t\n\r":
                at = _blank(text, at).end()
                continue
            match self.state:
                case State.NEXT:
                    inside = self._stack[-1]
                    if char == ",":
                        self.state = KEY if inside == "{" else VALUE
                        at += 1
                        continue
                    if char == ("}" if inside == "{" else "]"):
                        at = self._close(at)
                        continue
                case State.COLON:
                    if char == ":":
                        self.state = VALUE
                        at += 1
                        continue
                case State.KEY | State.MEMBER:
                    if char == '"':
                        self.state = NAME
                        at += 1
                        continue
                    if char == "}" and self.state is MEMBER:
                        at = self._close(at)
                        continue
                case _:
                    if char == '"':
                        self._listener.begin('"', at)
                        self.state = STRING
                        at += 1
                        continue
                    if char == "{" or char == "[":
                        self._listener.begin(char, at)
                        self._stack.append(char)
                        self.state = MEMBER if char == "{" else ITEM
                        at += 1
                        continue
                    if char == "]" and self.state is ITEM:
                        at = self._close(at)
                        continue
                    if char in "-0123456789tfnNI":
                        self._listener.begin("0", at)
                        self.state = SCALAR
                        continue
            self.state = BROKEN
        return at

    def _close(self, at: int) -> int:
        self._listener.end(self._stack.pop(), at + 1)
        self.state = NEXT if self._stack else OVER
        return at + 1

    def _read_scalar(self, text: str, at: int) -> int:
        end = _scalar(text, at).end()
        self._parts.append(text[at:end])
        if end == len(text):
            return end
        literal = "".join(self._parts)
        self._parts = []
        if _WHOLE_SCALAR.fullmatch(literal) and (len(literal) <= _digits or not literal.lstrip("-").isdigit()):
            self.state = NEXT if self._stack else OVER
            self._listener.end("0", end)
        else:
            self.state = BROKEN
        return end

    def _read_string(self, text: str, at: int) -> int:
        """Read to the string's end, or to the text's; keep what does not yet say what it means."""
        before = len(self._held)
        if before:
            text = self._held + text[at:]
            shift = at - before
            at = 0
        else:
            shift = 0
        end = _run(text, at).end()
        raw = text[at:end]
        part = _unescape(raw + '"', 0)[0] if "\\" in raw else raw
        rest = end
        broken = False
        if end == len(text) or (text[end] == "\\" and _PARTIAL_ESCAPE.match(text, end)):
            # An escaped high surrogate is half a character if the next escape is a low one.
            if part and "\ud800" <= part[-1] <= "\udbff" and raw[-1] != part[-1]:
                part = part[:-1]
                rest = end - 6
            end = len(text)
        else:
            broken = text[end] != '"'
        self._held = text[rest:end]
        if self.state is NAME:
            self._parts.append(part)
        elif part:
            self._listener.text(part)
        if end == len(text):
            return end + shift
        if broken:
            self.state = BROKEN
        elif self.state is NAME:
            name = "".join(self._parts)
            self._parts = []
            self.state = COLON
            self._listener.key(name)
            end += 1
        else:
            end += 1
            self.state = NEXT if self._stack else OVER
            self._listener.end('"', end + shift)
        return end + shift
