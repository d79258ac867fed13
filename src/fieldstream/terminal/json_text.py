"""A structured value as JSON text that grows with it, for an output that cannot take anything back."""

import json
from typing import Any, cast

from fieldstream.events import Path


class JsonText:
    """Deltas of a value go in, and the JSON text they add comes out.

    That works as long as the value grows at its end, as a value that is being written does. A delta that goes elsewhere
    (a correction) makes ``broken`` true, and from then on nothing comes out.
    """

    __slots__ = ("_begun", "_counts", "_last", "_open", "_text", "broken")

    def __init__(self) -> None:
        self.broken = False
        self._begun = False
        self._open: list[tuple[Path, str]] = []  # Containers that are not closed, outermost first, and how they close.
        self._counts: list[int] = []
        self._last: Path | None = None
        self._text: Path | None = None

    def append(self, path: Path, text: str) -> str:
        """The text at this path grows."""
        if self.broken:
            return ""
        if path == self._text:
            return _inside(text)
        out = self._go(path)
        if self.broken:
            return out
        self._text = path
        return f'{out}"{_inside(text)}'

    def set(self, path: Path, value: Any) -> str:
        """The value at this path is set."""
        out = self._go(path)
        if self.broken:
            return out
        if isinstance(value, list | dict) and not value:
            closing = "]" if isinstance(value, list) else "}"
            self._open.append((path, closing))
            self._counts.append(0)
            return out + ("[" if closing == "]" else "{")
        if isinstance(value, list | dict):  # It comes whole: nothing is set in it afterwards, but by a correction.
            return out + json.dumps(cast("list[Any] | dict[str, Any]", value), ensure_ascii=False, default=str)
        return out + json.dumps(value, ensure_ascii=False, default=str)

    def finish(self) -> str:
        """The value is whole: what is still to be closed."""
        return "" if self.broken else self._close(0)

    def _go(self, path: Path) -> str:
        """Go to a place where nothing was yet: close what it is not in, and begin the element."""
        if self.broken or (self._begun and not path) or path == self._last:
            self.broken = True
            return ""
        depth = len(self._open)
        while depth and self._open[depth - 1][0] != path[: len(self._open[depth - 1][0])]:
            depth -= 1
        # An element belongs right into the container that is open there.
        if path and (not depth or self._open[depth - 1][0] != path[:-1]):
            self.broken = True
            return ""
        out = self._close(depth)
        self._begun, self._last = True, path
        if path:
            closing, count = self._open[depth - 1][1], self._counts[depth - 1]
            if closing == "]" and path[-1] != count:
                self.broken = True
                return out
            out += ", " if count else ""
            self._counts[depth - 1] += 1
            if closing == "}":
                out += f"{json.dumps(str(path[-1]), ensure_ascii=False)}: "
        return out

    def _close(self, depth: int) -> str:
        out = '"' if self._text is not None else ""
        self._text = None
        while len(self._open) > depth:
            out += self._open.pop()[1]
            self._counts.pop()
        return out


def _inside(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]
