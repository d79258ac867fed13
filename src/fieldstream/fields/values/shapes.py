"""What is known of a value before it comes: its shape, by which its text is read.

Pure data. What a type's shape is, and how a scalar becomes JSON, is told by who knows types
(``tap/signatures/schemas.py``).
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias

from fieldstream.events import UNSET

Opening: TypeAlias = Literal["{", "[", '"']
"""How a value begins that has parts: an object, a list, a string."""

Convert: TypeAlias = Callable[[Any], Any]
"""Makes one value of another, or raises ``ValueError``."""


class Slot:
    """A place in a value: what shape it has, and how its author marked it."""

    __slots__ = ("default", "done", "needed", "shape", "stateful")

    def __init__(
        self, shape: "Shape", *, default: Any = UNSET, done: bool = False, needed: bool = False, stateful: bool = False
    ) -> None:
        self.shape = shape
        self.default = default
        """The JSON value that is there if the text has none; ``UNSET``: not known."""
        self.done = done
        """It appears only when it is whole."""
        self.needed = needed
        """What holds it appears only once this is there."""
        self.stateful = stateful
        """Its readers are told whether it is pending, incomplete or complete."""

    def without_default(self) -> "Slot":
        """The same place, of which it is not known what is there if the text has nothing."""
        return Slot(self.shape, done=self.done, needed=self.needed, stateful=self.stateful)

    def with_shape(self, shape: "Shape") -> "Slot":
        """The same place, for a value of another shape."""
        return Slot(shape, default=self.default, done=self.done, needed=self.needed, stateful=self.stateful)

    def marked(self, marks: Iterable[str]) -> "Slot":
        """The same place, with these marks, too."""
        slot = self.with_shape(self.shape)
        for mark in marks:
            setattr(slot, mark, True)
        return slot


class Text:
    """A string that is shown as it grows."""


class Scalar:
    """A number, a literal, a date: it appears when it is whole."""

    def __init__(self, as_json: Convert, revive: Convert) -> None:
        self.as_json = as_json
        """From what the text says to the JSON value."""
        self.revive = revive
        """From the JSON value to the object."""


class Items:
    """A list. ``first`` are the slots of a tuple's first items; ``rest`` is that of all others, if there may be any."""

    def __init__(self, rest: Slot | None = None, first: tuple[Slot, ...] = ()) -> None:
        self.first = first
        self.rest = rest

    def slot(self, index: int) -> Slot | None:
        """The slot of the item with this index."""
        return self.first[index] if index < len(self.first) else self.rest


class Members:
    """An object: its members, by the names that they have in the end.

    ``keys`` says which member a key in the text means; a key that is not there is a member of the slot ``rest``, by the
    name that ``rename`` gives it, or, without that slot, nothing that stays. ``make`` makes the object that a reader of
    typed values sees.
    """

    def __init__(self, rest: Slot | None = None, make: Callable[[], Any] | None = None) -> None:
        self.slots: dict[str, Slot] = {}
        self.keys: dict[str, str] = {}
        self.rest = rest
        self.make = make
        self.rename: Convert | None = None
        self.expected: set[str] = set()
        """Without these, the object has something that nobody knows before it is made, if it can be made."""
        self.certain = True
        """Whether nothing else comes to the object when it is made."""

    @cached_property
    def needed(self) -> frozenset[str]:
        """The members for which the object waits. No more may be added when this was asked for."""
        return frozenset(name for name, slot in self.slots.items() if slot.needed)

    def name(self, key: str) -> str | None:
        """The name of the member that a key in the text means; none of what does not stay. Raises ``ValueError``."""
        if key in self.keys:
            return self.keys[key]
        if self.rest is None:
            return None
        return self.rename(key) if self.rename is not None else key

    def slot(self, name: str) -> Slot | None:
        """The slot of the member with this name."""
        return self.slots.get(name, self.rest)


class Choice:
    """One of several shapes. ``as_json`` and ``revive`` are as a scalar's, for what is no container and no text."""

    def __init__(self, as_json: Convert, revive: Convert) -> None:
        self.shapes: list[Shape] = []
        """They may be added as long as nobody has asked for ``every``."""
        self.as_json = as_json
        self.revive = revive

    @cached_property
    def every(self) -> "list[Shape]":
        """The shapes, and in the place of choices among them theirs."""
        every: list[Shape] = []
        known: set[int] = set()
        waiting: list[Shape] = [self]
        while waiting:
            shape = waiting.pop()
            if id(shape) in known:
                continue
            known.add(id(shape))
            if isinstance(shape, Choice):
                waiting += reversed(shape.shapes)
            else:
                every.append(shape)
        return every

    @cached_property
    def members(self) -> Members | None:
        """The shape of an object: of several, one that has the members of all."""
        every = [shape for shape in self.every if isinstance(shape, Members)]
        if len(every) < 2:
            return every[0] if every else None
        merged = Members(next((shape.rest for shape in every if shape.rest is not None), None))
        merged.certain = False
        for shape in every:
            for key, name in shape.keys.items():
                merged.keys.setdefault(key, name)
            for name, slot in shape.slots.items():
                merged.slots[name] = self._merged(merged.slots[name], slot) if name in merged.slots else slot
        # Whose defaults will be there is known when it is known which object it is, and so is for what it waits.
        merged.slots = {
            name: Slot(
                slot.shape,
                done=slot.done,
                stateful=slot.stateful,
                needed=all(name in shape.slots and shape.slots[name].needed for shape in every),
            )
            for name, slot in merged.slots.items()
        }
        return merged

    def _merged(self, one: Slot, other: Slot) -> Slot:
        done, stateful = one.done or other.done, one.stateful or other.stateful
        if type(one.shape) is type(other.shape) and isinstance(one.shape, Text | Plain | Later):
            return Slot(one.shape, done=done, stateful=stateful)
        as_json = [shape.as_json for shape in (one.shape, other.shape) if isinstance(shape, Scalar | Choice)]
        revive = [shape.revive for shape in (one.shape, other.shape) if isinstance(shape, Scalar | Choice)]
        both = Choice(_first_of(as_json), _first_of(revive))
        both.shapes = [one.shape, other.shape]
        return Slot(both, done=done, stateful=stateful)


def _first_of(conversions: list[Convert]) -> Convert:
    def convert(value: Any) -> Any:
        for each in conversions:
            with suppress(ValueError):
                return each(value)
        raise ValueError(f"nothing fits {value!r}")

    return convert


class Plain:
    """Any JSON value, as it is."""


class Later:
    """It is known only when the adapter has parsed it: code of its author's makes it of what is written."""


Shape: TypeAlias = Text | Scalar | Items | Members | Choice | Plain | Later


_OPENED: Final[dict[Opening, type[Shape]]] = {"{": Members, "[": Items, '"': Text}
_ANY = Slot(Plain())
_ANY_OBJECT = Members(_ANY)
_ANY_LIST = Items(_ANY)


def shape_that_begins(shape: Shape, opening: Opening) -> Shape | None:
    """The shape of a value that begins like this; none where it has no place, or may be of several."""
    if type(shape) is _OPENED[opening]:  # nearly always
        return shape
    shapes: list[Shape] = shape.every if isinstance(shape, Choice) else [shape]
    if has(shapes, Later):
        return None
    if opening == "{":
        members = shape.members if isinstance(shape, Choice) else shape if isinstance(shape, Members) else None
        return members or (_ANY_OBJECT if has(shapes, Plain) else None)
    if opening == "[":
        lists = [each for each in shapes if isinstance(each, Items)]
        if lists:
            return lists[0] if len(lists) == 1 else None
        return _ANY_LIST if has(shapes, Plain) else None
    for fitting in (Text, Plain):
        if has(shapes, fitting):
            return fitting()
    return shape if has(shapes, Scalar) else None


def has(shapes: list[Shape], kind: type[Shape]) -> bool:
    """Whether one of them is of this kind."""
    for shape in shapes:  # noqa: SIM110  # `any` takes three times as long, and this is asked for each value.
        if isinstance(shape, kind):
            return True
    return False
