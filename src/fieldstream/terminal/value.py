"""A field's value while it grows: deltas go in, and what they make can be looked at any time."""

import copy
import json
from typing import Any, cast

from fieldstream.events import UNSET, Path


class Draft:
    """A value in the making. The text that is growing is kept in pieces, so that it costs no more than its length."""

    __slots__ = ("_at", "_pieces", "_root")

    def __init__(self) -> None:
        self._root: Any = UNSET
        self._at: Path | None = None
        self._pieces: list[str] = []

    @property
    def value(self) -> Any:
        """The value so far; ``UNSET`` before there is any. It is live: later deltas may change it."""
        self._settle()
        return self._root

    def append(self, path: Path, text: str) -> None:
        """More of the text at this path."""
        if path != self._at:
            self._settle()
            known = _at(self._root, path)
            self._at, self._pieces = path, [known] if isinstance(known, str) else []
        self._pieces.append(text)

    def set(self, path: Path, value: Any) -> None:
        """The value at this path is this one."""
        self._settle()
        # Events are shared: what they hold must not grow.
        self._put(path, copy.deepcopy(value))

    def withdraw(self, path: Path) -> Any:
        """Forget what is at this path; gives what it was."""
        self._settle()
        known = _at(self._root, path)
        if not path:
            self._root = UNSET
            return known
        holder, key = _at(self._root, path[:-1]), path[-1]
        if isinstance(holder, dict):
            cast("dict[Any, Any]", holder).pop(key, None)
        elif isinstance(holder, list) and isinstance(key, int):
            del cast("list[Any]", holder)[key:]
        return known

    def _settle(self) -> None:
        if self._at is not None:
            self._put(self._at, "".join(self._pieces))
            self._at, self._pieces = None, []

    def _put(self, path: Path, value: Any) -> None:
        if not path:
            self._root = value
            return
        holder, key = _at(self._root, path[:-1]), path[-1]
        if isinstance(holder, dict):
            holder[key] = value
        elif isinstance(holder, list) and isinstance(key, int):
            items = cast("list[Any]", holder)
            items += [None] * (key + 1 - len(items))
            items[key] = value


def _at(value: Any, path: Path) -> Any:
    for key in path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return UNSET
    return value


def as_json(value: Any, width: int | None = None) -> str:
    """A JSON value as text; on several lines where it would be longer than ``width``."""
    line = json.dumps(value, ensure_ascii=False, default=str)
    if width is None or len(line) <= width or not isinstance(value, list | dict) or not value:
        return line
    return json.dumps(value, ensure_ascii=False, default=str, indent=2)


def as_text(value: Any, width: int | None = None) -> str:
    """A value for a person: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else as_json(value, width)


def dotted(path: Path) -> str:
    """A path as one writes it: ``[0].name``."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
