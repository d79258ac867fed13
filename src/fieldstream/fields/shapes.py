"""What is known of a value before it comes: its shape, by which its text is read.

Pure data. What a type's shape is, and how a scalar becomes JSON, is told by who knows types (``tap/shapes.py``).
"""

from collections.abc import Callable
from typing import Any, TypeAlias


class Slot:
    """A place in a value: what shape it has, and how its author marked it."""

    __slots__ = ("done", "needed", "shape", "stateful")

    def __init__(self, shape: "Shape", *, done: bool = False, needed: bool = False, stateful: bool = False) -> None:
        self.shape = shape
        self.done = done
        """It appears only when it is whole."""
        self.needed = needed
        """What holds it appears only once this is there."""
        self.stateful = stateful
        """Its readers are told whether it is pending, incomplete or complete."""


class Text:
    """A string that is shown as it grows."""


class Scalar:
    """A number, a literal, a date: it appears when it is whole."""

    def __init__(self, validate: Callable[[Any], Any]) -> None:
        self.validate = validate
        """Makes the object that the value holds of a JSON value, or raises ``ValueError``."""


class Items:
    """A list. ``first`` are the slots of a tuple's items; ``rest`` is that of all others, where there may be any."""

    def __init__(self, rest: Slot | None, first: tuple[Slot, ...] = ()) -> None:
        self.first = first
        self.rest = rest

    def slot(self, index: int) -> Slot | None:
        return self.first[index] if index < len(self.first) else self.rest


class Members:
    """An object. ``keys`` are the names that a text may use, with the member that each is; ``rest`` is that of others.

    Others are dropped where there is no ``rest``. ``make`` makes the object that a reader of typed values sees.
    """

    def __init__(self, rest: Slot | None = None, make: Callable[[], Any] = dict) -> None:
        self.keys: dict[str, tuple[str, Slot]] = {}
        self.rest = rest
        self.make = make

    def member(self, key: str) -> tuple[str, Slot] | None:
        """The member that a key in a text means."""
        if key in self.keys:
            return self.keys[key]
        return (key, self.rest) if self.rest is not None else None


class Choice:
    """One of several shapes. ``validate`` is as a scalar's, for what is no container."""

    def __init__(self, shapes: "tuple[Shape, ...]", validate: Callable[[Any], Any]) -> None:
        self.shapes = shapes
        self.validate = validate


class Plain:
    """Any JSON value, shown as it is."""


class Later:
    """It is known only when the adapter has parsed it: code of its author's makes it of what is written."""


Shape: TypeAlias = Text | Scalar | Items | Members | Choice | Plain | Later
