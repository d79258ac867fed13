"""A document that a client holds, and the JSON Patches (RFC 6902) that lead from what it has to what it shall have.

A container is added empty and filled, so that bytes stay linear in a value. A patch cannot append to a text: one that
grows is replaced when it has grown by a quarter, when something else is said of its value, and when it is settled.
"""

from typing import Any, TypeAlias, cast

from fieldstream._draft import copied, value_at
from fieldstream.events import Path
from fieldstream.wire.json import encode

Operation: TypeAlias = dict[str, Any]
"""An operation of a patch: ``op``, ``path`` (a JSON Pointer, RFC 6901), and perhaps a ``value``."""

_STEP = 16
"""The least growth, in characters, for which a text is replaced."""

_UNSAFE = {"__proto__", "prototype"}
"""What JavaScript's libraries refuse to go through, as it may lead out of the document."""


class _Text:
    """A text that grows: its pieces, and how much of it the client has."""

    __slots__ = ("length", "path", "pieces", "said")

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.pieces = [text]
        self.said = self.length = len(text)


class Patches:
    """The client's document, whose members are values that grow, at any number of places at once.

    What patches cannot say in pieces (through a name that clients refuse, or into what is not there) comes by ``set``.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        """As the client has it once it has applied all operations."""
        self._texts: dict[str, _Text] = {}
        self._operations: list[Operation] = []

    def take(self) -> list[Operation]:
        """The operations since they were last taken."""
        operations, self._operations = self._operations, []
        return operations

    def append(self, name: str, path: Path, text: str) -> None:
        """More of the text at this path in the member's value."""
        growing = self._texts.get(name)
        if growing is None or growing.path != path:
            self.settle(name)
            known = value_at(self.document, (name, *path))
            growing = self._texts[name] = _Text(path, known if isinstance(known, str) else "")
            if not isinstance(known, str):
                growing.said = -1
        growing.pieces.append(text)
        growing.length += len(text)
        if growing.said < 0 or growing.length - growing.said >= max(_STEP, growing.said // 4):
            self._say(name, growing)

    def assign(self, name: str, path: Path, value: Any) -> None:
        """The value at this path in the member's value is this one."""
        self.settle(name)
        self._put((name, *path), value)

    def withdraw(self, name: str, path: Path) -> None:
        """Remove what is at this path in the member's value, and in a list what follows it."""
        self.settle(name)
        whole = (name, *path)
        holder, key = value_at(self.document, whole[:-1]), whole[-1]
        if isinstance(holder, dict) and key in holder and _safe(whole):
            del holder[key]
            self._operations.append({"op": "remove", "path": _pointer(whole)})
        elif isinstance(holder, list) and isinstance(key, int) and _safe(whole):
            items = cast("list[Any]", holder)
            while len(items) > key:
                items.pop()
                self._operations.append({"op": "remove", "path": _pointer((*whole[:-1], len(items)))})

    def settle(self, name: str) -> None:
        """Say what has not been said of the member's growing text."""
        growing = self._texts.pop(name, None)
        if growing is not None and growing.length > growing.said:
            self._say(name, growing)

    def set(self, name: str, value: Any) -> None:
        """The member's value is this one; nothing is said where the client has it already."""
        self.settle(name)
        if name not in self.document or encode(self.document[name]) != encode(value):
            self._put((name,), value)

    def _say(self, name: str, growing: _Text) -> None:
        text = "".join(growing.pieces)
        growing.pieces = [text]
        growing.said = growing.length
        self._put((name, *growing.path), text)

    def _put(self, path: Path, value: Any) -> None:
        holder, key = value_at(self.document, path[:-1]), path[-1]
        if not _safe(path):
            return
        if isinstance(holder, dict):
            operation = "replace" if key in holder else "add"
            holder[key] = copied(value)
        elif isinstance(holder, list) and isinstance(key, int) and key <= len(cast("list[Any]", holder)):
            items = cast("list[Any]", holder)
            operation = "replace" if key < len(items) else "add"
            items[key:] = [copied(value), *items[key + 1 :]]
        else:
            return
        self._operations.append({"op": operation, "path": _pointer(path), "value": value})


def _safe(path: Path) -> bool:
    return _UNSAFE.isdisjoint(path)


def _pointer(path: Path) -> str:
    return "".join(["/" + str(key).replace("~", "~0").replace("/", "~1") for key in path])
