"""A field's value while it grows, for protocols that say it whole each time: what it is, and when it is worth it."""

import json
from typing import Any

from fieldstream._draft import Draft
from fieldstream.events import UNSET, Path

_STEP = 16
"""The least growth, in characters, for which a value is said again."""


class GrowingValue:
    """Takes a field's deltas, and tells when the value has grown so much that it should be said again.

    That is when it was never said, and then whenever it has grown by a quarter: what is said in all is a small multiple
    of the deltas, however long the value becomes. Sizes are estimates of the value's JSON, in characters.
    """

    __slots__ = ("_draft", "_said", "_size")

    def __init__(self) -> None:
        self._draft = Draft()
        self._size = 0
        self._said = -1

    @property
    def value(self) -> Any:
        """The value so far; ``UNSET`` before there is any. It is live: later deltas may change it."""
        return self._draft.value

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
        self._draft.append(path, text)
        self._size += len(text)

    def assign(self, path: Path, value: Any) -> None:
        """The value at this path is this one."""
        self._draft.assign(path, value)
        size = len(json.dumps(value))
        self._size += size + len(str(path[-1])) + 4 if path else size

    def withdraw(self, path: Path) -> None:
        """Forget what is at this path, and in a list what follows it."""
        self._draft.withdraw(path)
        self._size += 1  # It is another, though it has not grown.
        if not path:
            self._size, self._said = 0, -1


def as_text(value: Any) -> str:
    """A value as a chat says it: a text as it is, anything else as JSON, and nothing for what there is not."""
    if value is UNSET or value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
