"""Values as a person reads them."""

import json
from typing import Any

from fieldstream.events import Path


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
