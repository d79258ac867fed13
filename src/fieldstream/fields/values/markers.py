"""Marks on a type, in ``Annotated[...]``: when a part of a value appears, and what its readers are told of it.

    class Ticket(BaseModel):
        id: Annotated[str, NotNull]  # a ticket appears once it has an id
        price: Annotated[list[int], Done]  # all at once
        body: Annotated[str, WithState]

They are to streaming what BAML's attributes ``@stream.done``, ``@stream.not_null`` and ``@stream.with_state`` are. They
change nothing of how a value is validated, and may also stand on a signature's own field. Class or instance, ``Done``
and ``Done()`` mean the same. A mark on one of several types (``Annotated[X, Done] | None``) is one on all.

A prompt is the same with marks and without them, but for one place: within the type of a signature's own field, as in
``list[Annotated[str, Done]]``, DSPy writes ``Annotated`` into the prompt. Mark such a field as a whole, or a model's.

What is ``Done`` appears at once, with what is marked in it. What is ``NotNull`` and never comes, or is ``null``, is
waited for no longer than to the end of the object.
"""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar


class _Marker:
    mark: ClassVar[str]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Callable[[Any], Any]) -> Any:
        schema = dict(handler(source))
        metadata = dict(schema.get("metadata") or {})
        metadata["fieldstream"] = [*metadata.get("fieldstream", ()), cls.mark]
        return schema | {"metadata": metadata}

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return type(self).__name__


class Done(_Marker):
    """What is marked appears only when it is whole."""

    mark = "done"


class NotNull(_Marker):
    """What holds the marked member appears only once this is there, and is not ``null``."""

    mark = "needed"


class WithState(_Marker):
    """``run.values`` gives a ``Stateful`` in the place of the marked value: the value, and how far it is."""

    mark = "stateful"


def marks_among(metadata: Iterable[Any]) -> set[str]:
    """The marks, by the names of the attributes that they set on a ``Slot``."""
    kinds = {each if isinstance(each, type) else type(each) for each in metadata}
    return {marker.mark for marker in (Done, NotNull, WithState) if marker in kinds}
