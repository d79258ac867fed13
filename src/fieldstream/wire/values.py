"""A field's value while it grows, for protocols that say it whole each time: what it is, and when it is worth it."""

import json
from collections.abc import Iterable
from typing import Any, cast

from fieldstream.events import UNSET, Path

_STEP = 16
"""The least growth, in characters, for which a value is said again."""


class GrowingValue:
    """Takes a field's deltas, and tells when the value has grown so much that it should be said again.

    That is when it was never said, and then whenever it has grown by a quarter: what is said in all is a small multiple
    of the deltas, however long the value becomes. Sizes are estimates of the value's JSON, in characters.
    """

    __slots__ = ("_at", "_pieces", "_root", "_said", "_size")

    def __init__(self) -> None:
        self._root: Any = UNSET
        # The text that grows is kept in pieces, so that it costs no more than its length.
        self._at: Path | None = None
        self._pieces: list[str] = []
        self._size = 0
        self._said = -1

    @property
    def value(self) -> Any:
        """The value so far; ``UNSET`` before there is any. It is live: later deltas may change it."""
        self._settle()
        return self._root

    @property
    def changed(self) -> bool:
        """Whether it is another than what was said."""
        return self._size != self._said

    @property
    def due(self) -> bool:
        """Whether it is time to say it."""
        return self._said < 0 or self._size - self._said >= max(_STEP, self._said // 4)

    def said(self) -> None:
        """It was said as it is."""
        self._said = self._size

    def append(self, path: Path, text: str) -> None:
        """More of the text at this path."""
        if path != self._at:
            self._settle()
            known = _at(self._root, path)
            self._at, self._pieces = path, [known] if isinstance(known, str) else []
        self._pieces.append(text)
        self._size += len(text)

    def assign(self, path: Path, value: Any) -> None:
        """The value at this path is this one."""
        self._settle()
        text = json.dumps(value)
        # Events are shared: what they hold must not grow.
        self._put(path, json.loads(text) if isinstance(value, dict | list) else value)
        self._size += len(text) + len(str(path[-1])) + 4 if path else len(text)

    def withdraw(self, path: Path) -> None:
        """Forget what is at this path, and in a list what follows it."""
        self._settle()
        self._size += 1  # It is another, though it has not grown.
        if not path:
            self._root, self._size, self._said = UNSET, 0, -1
            return
        holder, key = _at(self._root, path[:-1]), path[-1]
        if isinstance(holder, dict):
            cast("dict[Any, Any]", holder).pop(key, None)
        elif isinstance(holder, list) and isinstance(key, int):
            del cast("list[Any]", holder)[key:]

    def _settle(self) -> None:
        if self._at is not None:
            at, self._at = self._at, None
            self._put(at, "".join(self._pieces))
            self._pieces = []

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


def _at(value: Any, path: Iterable[str | int]) -> Any:
    for key in path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return UNSET
    return value


def as_text(value: Any) -> str:
    """A value as a chat says it: a text as it is, anything else as JSON, and nothing for what there is not."""
    if value is UNSET or value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
