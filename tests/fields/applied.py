"""A value as changes make it."""

from collections.abc import Iterable
from typing import Any

from fieldstream._draft import Draft
from fieldstream.events import UNSET
from fieldstream.fields import Appended, Assigned, Change, Withdrawn


def applied(changes: Iterable[Change], field: str) -> Any:
    """What a reader of this field has after the changes; none before there is anything."""
    draft = Draft()
    for change in changes:
        if change.field != field:
            continue
        match change:
            case Appended(_, text, path):
                draft.append(path, text)
            case Assigned(_, value, path):
                draft.assign(path, value)
            case Withdrawn(_, _, path):
                draft.withdraw(path)
            case _:
                pass
    return None if draft.value is UNSET else draft.value
