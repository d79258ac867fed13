"""The strings in a field's value, as they were written so far."""

from typing import Any

from fieldstream.events import Path


class _Node:
    __slots__ = ("children", "parts")

    def __init__(self) -> None:
        self.children: dict[str | int, _Node] = {}
        self.parts: list[str] = []


class Mirror:
    """Follows a field's deltas, in time that is linear in what they say."""

    def __init__(self) -> None:
        self._root = _Node()

    def append(self, path: Path, text: str) -> None:
        node = self._root
        for step in path:
            if (child := node.children.get(step)) is None:
                child = node.children[step] = _Node()
            node = child
        node.parts.append(text)

    def assign(self, path: Path, value: Any) -> None:
        """This value is at the path now; whatever was there or below it is gone."""
        if not path:
            self._root = _node(value)
            return
        node = self._root
        for step in path[:-1]:
            if (child := node.children.get(step)) is None:
                child = node.children[step] = _Node()
            node = child
        node.children[path[-1]] = _node(value)

    def text(self, path: Path) -> str:
        """The string at the path; empty where there is none."""
        node = self._root
        for step in path:
            if (child := node.children.get(step)) is None:
                return ""
            node = child
        return "".join(node.parts)

    def last(self) -> tuple[Path, str] | None:
        """What stands last in the value, if that is a string, with its path."""
        path: list[str | int] = []
        node = self._root
        while node.children:
            step = next(reversed(node.children))
            path.append(step)
            node = node.children[step]
        return (tuple(path), "".join(node.parts)) if node.parts else None


def _node(value: Any) -> _Node:
    node = _Node()
    match value:
        case str():
            node.parts = [value]
        case dict():
            node.children = {key: _node(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case list() | tuple():
            node.children = {index: _node(item) for index, item in enumerate(value)}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case _:
            pass
    return node
