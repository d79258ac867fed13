"""What the tests of structured values share: a value that grows by changes, as anyone would write it."""

from collections.abc import Iterable
from copy import deepcopy
from typing import Any, cast

from fieldstream.events import UNSET, Path
from fieldstream.fields.changes import Appended, Assigned, Change, Closed, Completed, Opened, Withdrawn, Written


class Growth:
    """One field's value, as changes make it. Asserts that each change has a place."""

    def __init__(self) -> None:
        self.value: Any = UNSET
        self.completed: dict[Path, Any] = {}
        """What was called whole, and what it was then."""
        self.withdrawn: list[Path] = []

    def apply(self, changes: Iterable[Change]) -> None:
        for change in changes:
            match change:
                case Assigned(_, value, path):
                    self._put(path, deepcopy(value))
                case Appended(_, text, path):
                    known = self.at(path)
                    assert known is UNSET or isinstance(known, str), f"no text to append to: {change}"
                    self._put(path, ("" if known is UNSET else known) + text)
                case Withdrawn(_, _, path):
                    self.withdrawn.append(path)
                    if path:
                        del self.at(path[:-1])[path[-1]]
                    else:
                        self.value = UNSET
                case Completed(_, path):
                    assert self.at(path) is not UNSET, f"nothing is there: {change}"
                    self.completed[path] = deepcopy(self.at(path))
                case Opened() | Written() | Closed():
                    pass

    def at(self, path: Path) -> Any:
        value = self.value
        for key in path:
            try:
                value = value[key]
            except (KeyError, IndexError):
                return UNSET
        return value

    def _put(self, path: Path, value: Any) -> None:
        if not path:
            self.value = value
            return
        holder, key = self.at(path[:-1]), cast("Any", path[-1])
        assert type(holder) in (dict, list), f"{path} is nowhere"
        if type(holder) is list and key == len(holder):
            holder.append(value)
        else:
            holder[key] = value


def identical(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON. For Python, 1 equals true, and 1.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(identical, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(identical(value, other[key]) for key, value in one.items())
    return one is UNSET or repr(one) == repr(other)


def deep(kind: str, inside: Any) -> Any:
    """Lists or objects in each other, deeper than Python can recurse."""
    for _ in range(100_000):
        inside = [inside] if kind == "list" else {"a": inside}
    return inside


def grows_to(shown: Any, final: Any) -> bool:
    """Whether what is shown may still become the value, by adding alone."""
    if shown is UNSET:
        return True
    if type(shown) is not type(final):
        return False
    if isinstance(shown, dict):
        return all(key in final and grows_to(value, final[key]) for key, value in shown.items())
    if isinstance(shown, list):
        return len(shown) <= len(final) and all(map(grows_to, shown, final))
    if isinstance(shown, str):
        return final.startswith(shown)
    return identical(shown, final)
