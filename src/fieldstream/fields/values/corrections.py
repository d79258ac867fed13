"""What leads from what was shown of a value to what it turned out to be.

A value may be deeper than Python can recurse: nothing here does.
"""

from collections.abc import Iterator
from typing import Any, cast

from fieldstream._draft import value_at
from fieldstream.events import UNSET, Path
from fieldstream.fields.changes import Appended, Assigned, Change, Withdrawn


def alike(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON: for Python 1 equals true, and no NaN equals another."""
    pairs: list[tuple[Any, Any]] = [(one, other)]
    while pairs:
        one, other = pairs.pop()
        if type(one) is not type(other):
            return False
        if isinstance(one, list):
            items = cast("list[Any]", one)
            if len(items) != len(other):
                return False
            pairs += zip(items, other, strict=True)
        elif isinstance(one, dict):
            members = cast("dict[Any, Any]", one)
            if members.keys() != other.keys():
                return False
            pairs += ((value, other[key]) for key, value in members.items())
        elif one != other and (one == one or other == other):
            return False
    return True


def corrections(field: str, shown: Any, value: Any, *, ended: bool = False) -> list[Change]:
    """What leads from what was shown of a field to its value: what is missing is added, what is wrong put right.

    A text is appended to, or assigned anew as any scalar; anything larger that is wrong is withdrawn first. A field
    that has ``ended`` is open again only after something was withdrawn, so that comes first.
    """
    if alike(shown, value):
        return []
    changes = list(_corrections(field, shown, value))
    if not ended or not changes or isinstance(changes[0], Withdrawn):
        return changes
    path = _path(changes[0])
    while path and isinstance(path[-1], int):
        path = path[:-1]
    if path and value_at(shown, path) is UNSET:
        path = path[:-1]
        while path and isinstance(path[-1], int):
            path = path[:-1]
    anew: list[Change] = [Withdrawn(field, path=path), Assigned(field, value_at(value, path), path)]
    return anew + [change for change in changes if _path(change)[: len(path)] != path]


def _path(change: Change) -> Path:
    return change.path if isinstance(change, Appended | Assigned | Withdrawn) else ()


def _corrections(field: str, shown: Any, value: Any) -> Iterator[Change]:
    waiting: list[tuple[Any, Any, Path]] = [(shown, value, ())]
    while waiting:
        shown, value, path = waiting.pop()
        if shown is UNSET:
            yield Assigned(field, value, path)
        elif isinstance(shown, dict) and isinstance(value, dict):
            members, final = cast("dict[str, Any]", shown), cast("dict[str, Any]", value)
            yield from (Withdrawn(field, path=(*path, key)) for key in members if key not in final)
            inner = [(members.get(key, UNSET), member, (*path, key)) for key, member in final.items()]
            waiting += reversed(inner)
        elif isinstance(shown, list) and isinstance(value, list):
            items, final_items = cast("list[Any]", shown), cast("list[Any]", value)
            kept = 0
            while kept < min(len(items), len(final_items)) and _fits(items[kept], final_items[kept]):
                kept += 1
            for index in range(len(items) - 1, kept - 1, -1):
                yield Withdrawn(field, path=(*path, index))
            known = [*items[:kept], *[UNSET] * (len(final_items) - kept)]
            waiting += reversed([(known[index], item, (*path, index)) for index, item in enumerate(final_items)])
        elif isinstance(shown, str) and isinstance(value, str) and value.startswith(shown):
            if len(value) > len(shown):
                yield Appended(field, value[len(shown) :], path)
        elif not alike(shown, value):
            if not _fits(shown, value):
                yield Withdrawn(field, path=path)
            yield Assigned(field, value, path)


def _fits(shown: Any, value: Any) -> bool:
    """Whether the one can become the other where it stands."""
    kinds: set[type[Any]] = {type(shown), type(value)}
    return len(kinds) == 1 or not kinds & {dict, list}
