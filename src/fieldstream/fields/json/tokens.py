r"""JSON in pieces: an incremental tokenizer of RFC 8259, exactly as strict as ``json.loads``.

Rules of this file: it knows no fields and keeps no values. It tells a ``Listener`` where each value begins and ends,
at any depth, and what a string says as soon as that is decided; a listener that wants paths gets all it needs, in
order. Places are indexes into the text of the present ``feed``. At the first character that ``json.loads`` would refuse
it stops for good, and says where.

==========  =================================================  ================
state       what may come                                      where it leads
==========  =================================================  ================
``value``   a value                                            by its kind
``item``    a value, or ``]``                                  by its kind
``key``     ``"``                                              ``name``
``member``  ``"``, or ``}``                                    ``name``
``name``    the rest of a key                                  ``colon``
``colon``   ``:``                                              ``value``
``string``  the rest of a string                               ``next``
``scalar``  the rest of a number, or of ``true`` and the like  ``next``
``next``    ``,`` or the container's end                       ``key``, ``value``
``over``    nothing: the outermost value has ended
``broken``  nothing: this was no JSON
==========  =================================================  ================
"""

import json.decoder
import re
import sys
from collections.abc import Callable
from typing import Any, Final, Literal, Protocol, TypeAlias, cast

from fieldstream.fields.lenient.words import is_json

Kind: TypeAlias = Literal["{", "[", '"', "0"]
"""A value's kind: an object, an array, a string, or anything else."""

State: TypeAlias = Literal[
    "value", "item", "key", "member", "name", "colon", "string", "scalar", "next", "over", "broken"
]
"""Where the tokenizer stands: see the table above."""

_unescape = cast("Callable[[str, int], tuple[str, int]]", cast("Any", json.decoder).scanstring)  # what `loads` uses
_PARTIAL_ESCAPE = re.compile(r"\\(?:u[0-9A-Fa-f]{0,3})?\Z")


def _all(pattern: str) -> Callable[[str, int], re.Match[str]]:
    """A pattern that always matches, if only nothing."""
    return re.compile(f"(?:{pattern})*+").match  # pyright: ignore[reportReturnType]


_blank = _all(r"[ \t\n\r]")
_run = _all(r'[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})')
_scalar = _all(r"[-+.0-9A-Za-z]")
_CLOSES: Final = {"{": "}", "[": "]"}


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
    """Reads one JSON value, in any split. It tells of what is at most so ``deep``: within so many containers."""

    __slots__ = ("_deep", "_held", "_listener", "_parts", "_stack", "state")

    def __init__(self, listener: Listener, deep: int = sys.maxsize) -> None:
        self.state: State = "value"
        self._listener = listener
        self._deep = deep
        self._stack: list[Literal["{", "["]] = []
        self._held: str = ""  # the string's last characters, if they do not yet say what they mean
        self._parts: list[str] = []  # of a key or a scalar

    @property
    def in_plain_text(self) -> bool:
        """In a string that is no key, where the next character means itself if it is no quote, escape or control."""
        return self.state == "string" and not self._held

    def leave(self) -> None:
        """The value that is being read within the outermost object has ended: go on behind it."""
        del self._stack[1:]
        self._held = ""
        self._parts = []
        self.state = "next"

    def feed(self, text: str, at: int = 0) -> int:
        """Read from this place on; give the place where reading ended."""
        size = len(text)
        while at < size:
            state = self.state
            if state == "string" or state == "name":
                at = self._read_string(text, at)
                continue
            if state == "scalar":
                at = self._read_scalar(text, at)
                continue
            char = text[at]
            if char in " \t\n\r" and state != "over" and state != "broken":
                at = at + 1 if char == " " else _blank(text, at).end()
                continue
            match state:
                case "next":
                    if char == ",":
                        self.state = "key" if self._stack[-1] == "{" else "value"
                    elif (char == "}" or char == "]") and char == _CLOSES[self._stack[-1]]:
                        self._close(at)
                    else:
                        break
                case "colon":
                    if char != ":":
                        break
                    self.state = "value"
                case "key" | "member":
                    if char == '"':
                        self.state = "name"
                    elif char == "}" and state == "member":
                        self._close(at)
                    else:
                        break
                case "value" | "item":
                    told = len(self._stack) <= self._deep
                    if char == '"':
                        if told:
                            self._listener.begin('"', at)
                        self.state = "string"
                    elif char == "{" or char == "[":
                        if told:
                            self._listener.begin(char, at)
                        self._stack.append(char)
                        self.state = "member" if char == "{" else "item"
                    elif char in "-0123456789tfnNI":
                        if told:
                            self._listener.begin("0", at)
                        self.state = "scalar"
                        continue
                    elif char == "]" and state == "item":
                        self._close(at)
                    else:
                        break
                case "over" | "broken":
                    return at
            at += 1
        else:
            return at
        self.state = "broken"
        return at

    def _close(self, at: int) -> None:
        kind = self._stack.pop()
        if len(self._stack) <= self._deep:
            self._listener.end(kind, at + 1)
        self.state = "next" if self._stack else "over"

    def _read_scalar(self, text: str, at: int) -> int:
        end = _scalar(text, at).end()
        self._parts.append(text[at:end])
        if end == len(text):
            return end
        literal = "".join(self._parts)
        self._parts = []
        if is_json(literal):
            self.state = "next" if self._stack else "over"
            if len(self._stack) <= self._deep:
                self._listener.end("0", end)
        else:
            self.state = "broken"
        return end

    def _read_string(self, text: str, at: int) -> int:
        """Read to the string's end, or to the text's; keep what does not yet say what it means."""
        if not self._held:
            end = text.find('"', at)
            part = text[at:] if end < 0 else text[at:end]
            if part.isprintable() and "\\" not in part:  # nearly always: it is what it says
                return self._take_string(part, at + len(part), ends=end >= 0)
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
        ends = end < len(text) and not broken
        end = self._take_string(part, end + shift, ends=ends)
        if broken:
            self.state = "broken"
            return max(end, 0)
        return end

    def _take_string(self, part: str, end: int, *, ends: bool) -> int:
        """More of a string, up to this place, where it may end; give the place behind it."""
        told = len(self._stack) <= self._deep
        if self.state == "name":
            if told:
                self._parts.append(part)
            if not ends:
                return end
            self.state = "colon"
            if told:
                name = "".join(self._parts)
                self._parts = []
                self._listener.key(name)
            return end + 1
        if part and told:
            self._listener.text(part)
        if not ends:
            return end
        self.state = "next" if self._stack else "over"
        if told:
            self._listener.end('"', end + 1)
        return end + 1
