"""A value while it grows: the deltas of a field go in, and what they make can be looked at any time.

A value may be deeper than Python can recurse: nothing here does.
"""

from collections.abc import Iterable
from typing import Any, cast

from fieldstream.events import UNSET, Path


class Draft:
    """Deltas go in, and what they make can be looked at any time.

    The text that is growing is kept in pieces, so that it costs no more than its length.
    """

    __slots__ = ("_at", "_pieces", "_root")

    def __init__(self, value: Any = UNSET) -> None:
        self._root: Any = value
        self._at: Path | None = None
        self._pieces: list[str] = []

    @property
    def value(self) -> Any:
        """The value so far; ``UNSET`` before there is any. It is live: later deltas may change it."""
        self._settle()
        return self._root

    @property
    def blank(self) -> bool:
        """Whether there is nothing yet."""
        return self._root is UNSET and self._at is None

    def append(self, path: Path, *texts: str) -> None:
        """More of the text at this path."""
        if path != self._at:
            self._settle()
            known = value_at(self._root, path)
            self._at, self._pieces = path, [known] if isinstance(known, str) else []
        self._pieces += texts

    def assign(self, path: Path, value: Any) -> None:
        """The value at this path is this one."""
        self._settle()
        self._put(path, copied(value))

    def withdraw(self, path: Path) -> Any:
        """Forget what is at this path, and in a list what follows it; gives what it was."""
        self._settle()
        known = value_at(self._root, path)
        if not path:
            self._root = UNSET
            return known
        holder, key = value_at(self._root, path[:-1]), path[-1]
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
        holder, key = value_at(self._root, path[:-1]), path[-1]
        if isinstance(holder, dict):
            holder[key] = value
        elif isinstance(holder, list) and isinstance(key, int):
            items = cast("list[Any]", holder)
            items += [None] * (key + 1 - len(items))
            items[key] = value


def value_at(value: Any, path: Path) -> Any:
    """What is at this path; ``UNSET`` where there is nothing."""
    for key in path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return UNSET
    return value


def copied(value: Any) -> Any:
    """The same JSON in containers of its own: what an event holds is shared, and must not grow."""
    root: list[Any] = [value]
    holders: list[Any] = [root]
    while holders:
        holder = holders.pop()
        keys: Iterable[Any] = range(len(holder)) if _kind(holder) is list else holder
        for key in keys:
            if _kind(holder[key]) in (dict, list):
                holder[key] = holder[key].copy()
                holders.append(holder[key])
    return root[0]


def _kind(value: object) -> type:
    return type(value)
