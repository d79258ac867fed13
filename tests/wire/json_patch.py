"""JSON Patch (RFC 6902) as a client applies it, strictly: what does not fit raises."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any


def patched(document: Any, operations: Iterable[Mapping[str, Any]]) -> Any:
    """The document after these operations."""
    document = deepcopy(document)
    for operation in operations:
        *way, last = [_key(token) for token in operation["path"].split("/")[1:]]
        holder = document
        for key in way:
            holder = holder[int(key) if isinstance(holder, list) else key]
        assert isinstance(holder, list | dict), f"nothing to hold it: {operation}"
        key: Any = int(last) if isinstance(holder, list) else last
        there = 0 <= key < len(holder) if isinstance(holder, list) else key in holder
        match operation["op"]:
            case "add" if isinstance(holder, list):
                assert 0 <= key <= len(holder), f"beyond the end: {operation}"
                holder.insert(key, deepcopy(operation["value"]))
            case "add":
                holder[key] = deepcopy(operation["value"])
            case "replace":
                assert there, f"nothing to replace: {operation}"
                holder[key] = deepcopy(operation["value"])
            case "remove":
                assert there, f"nothing to remove: {operation}"
                del holder[key]
            case _:
                raise AssertionError(operation)
    return document


def _key(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")
