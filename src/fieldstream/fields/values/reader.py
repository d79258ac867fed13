"""A structured value while it is written: from what its text says, by its shape, to what changes in it.

Rules of this file: what is shown is what the value will hold there, under the names that it will have. What the shape
does not allow, and what only its author's code can tell (``Later``), is left out; so are a list's items after such a
one, whose places depend on it. A value of which something was left out, or to which something comes that is not known
before (a default that is computed), is never called complete: whoever sees what was made of it adds the rest.

Marks: of a slot that is ``done`` nothing is shown before it is whole; an object waits, with all that is in it, for the
members that are ``needed``.
"""

from typing import Any, Final, Literal

from fieldstream._draft import Draft
from fieldstream.events import UNSET, Path
from fieldstream.fields.changes import Appended, Assigned, Change, Completed, Withdrawn
from fieldstream.fields.values.shapes import (
    Choice,
    Items,
    Later,
    Members,
    Opening,
    Plain,
    Scalar,
    Slot,
    Text,
    has,
    shape_that_begins,
)

_DEPTH: Final = 100
"""What is deeper than this is left out: each change has its whole path, and an LM may write brackets without end."""

# `A | B` is a new object each time that it is evaluated, which takes longer than the question whether something is one.
_HOLDING: Final = (Members, Items)
_GROWING: Final = (Text, Plain)
_CONVERTING: Final = (Scalar, Choice)


class _Container:
    """An object or a list that is being read."""

    __slots__ = ("certain", "held", "missing", "name", "path", "quiet", "shape", "shown", "size", "slot", "whole")

    def __init__(self, shape: Members | Items, slot: Slot, path: Path) -> None:
        self.shape = shape
        self.slot = slot
        self.path = path
        self.name: str | None = None
        """The member that comes next, if it is one that stays."""
        self.size = 0
        self.shown: dict[str, bool] = {}
        """The members that came: whether they are shown."""
        self.quiet = False
        """Whether nothing more is shown of it."""
        self.whole = True
        """Whether all that its text says is shown, but for what does not stay."""
        self.certain = True
        """Whether it is shown as it will be."""
        self.missing: set[str] = set()
        """The members that must be there before it is shown."""
        self.held = False
        """Whether it waits for them."""


class ValueReader:
    """Listens to what a text says of one field's value, and says what changes.

    It is told ``begin``, ``key``, ``text``, ``end`` and ``scalar`` in the text's order; ``take`` gives what came of it.
    ``at`` is the value's place in the field's.
    """

    def __init__(self, field: str, slot: Slot, at: Path = ()) -> None:
        self.complete = False
        """Whether the value is over, and is shown as it will be."""
        self._field = field
        self._root = slot
        self._at = at
        self._containers: list[_Container] = []
        self._skipped = 0  # how deep it is in what is not shown
        self._changes: list[list[Change]] = [[]]
        """Where changes go: the last; and where those go when what they wait for is there: the one before."""
        # The string that is being read, and its parts in this feed.
        self._string: Slot | None = None
        self._path: Path = ()
        self._grows = False
        self._begun = False
        self._parts: list[str] = []
        # What is shown only when it is whole.
        self._draft: Draft | None = None
        self._draft_at: Path = ()

    def take(self) -> list[Change]:
        """What changed since."""
        if self._parts and self._grows:
            if self._begun and self._draft is None:  # nearly always
                self._changes[-1].append(Appended(self._field, "".join(self._parts), self._path))
                self._parts = []
            else:
                self._show_text()
        changes, self._changes[0] = self._changes[0], []
        return changes

    @property
    def slot(self) -> Slot | None:
        """The slot of the value that comes next; none where it is not shown."""
        return None if self._skipped else self._slot()

    # What the text says.

    def key(self, name: str) -> None:
        if self._skipped:
            return
        container = self._containers[-1]
        if not isinstance(container.shape, Members):
            container.quiet = True
            return
        try:
            container.name = container.shape.name(name)
        except Exception:  # It is no key of this type: the adapter will say so.
            container.quiet = True
            return
        if container.name is not None and container.shown.get(container.name):  # the last one counts
            container.shown[container.name] = False
            self._say(Withdrawn(self._field, path=(*container.path, container.name)))

    def begin(self, kind: Opening) -> None:
        slot = self.slot if len(self._containers) < _DEPTH else None
        shape = shape_that_begins(slot.shape, kind) if slot is not None else None
        if slot is None or shape is None:
            self._skipped += 1
        elif isinstance(shape, _HOLDING):
            self._begin_container(shape, slot, "{" if kind == "{" else "[")
        else:
            self._string = slot
            self._path = self._place()
            self._grows = isinstance(shape, _GROWING) and not slot.done
            self._begun = False

    def text(self, part: str) -> None:
        if not self._skipped:
            self._parts.append(part)

    def scalar(self, value: Any) -> None:
        if not self._skipped:
            slot = self._slot()
            self._end_value(self._give(slot, value) if slot is not None else False)

    def end(self, kind: Opening) -> None:
        if self._skipped:
            self._skipped -= 1
            if not self._skipped:
                self._end_value(shown=False)
        elif kind == '"':
            self._end_string()
        else:
            self._end_container()

    def skip(self) -> None:
        """A value came of which nothing is known."""
        if not self._skipped:
            self._end_value(shown=False)

    def retract(self) -> None:
        """What is being read is no string: its value is still to come."""
        if self._skipped:
            self._skipped -= 1
            return
        self._string = None
        self._parts = []
        if self._begun:
            self._say(Withdrawn(self._field, path=self._path))

    # Where it is.

    def _place(self) -> Path:
        """The place of the value that comes next."""
        if not self._containers:
            return self._at
        container = self._containers[-1]
        return (*container.path, container.size if isinstance(container.shape, Items) else container.name or "")

    def _slot(self) -> Slot | None:
        """Its slot; none where it is not shown."""
        if not self._containers:
            return self._root
        container = self._containers[-1]
        if container.quiet:
            return None
        if isinstance(container.shape, Items):
            return container.shape.slot(container.size)
        return container.shape.slot(container.name) if container.name is not None else None

    def _end_value(self, shown: bool, *, whole: bool = True, certain: bool = True) -> None:
        """A value ended: go on behind it."""
        if not self._containers:
            self.complete = shown and whole and certain
            return
        container = self._containers[-1]
        if isinstance(container.shape, Items):
            container.size += 1
            container.quiet = container.quiet or not shown
        elif container.name is None:
            return  # It does not stay.
        else:
            container.shown[container.name] = shown
        container.whole = container.whole and shown and whole
        container.certain = container.certain and shown and certain

    # Containers.

    def _begin_container(self, shape: Members | Items, slot: Slot, kind: Literal["{", "["]) -> None:
        container = _Container(shape, slot, self._place())
        self._containers.append(container)
        if self._draft is None and slot.done:
            self._draft, self._draft_at = Draft(), container.path
        if self._draft is None and isinstance(shape, Members) and shape.needed:
            container.missing = set(shape.needed)
            container.held = True
            self._changes.append([])
        self._say(Assigned(self._field, {} if kind == "{" else [], container.path))
        if not container.held:
            self._is_there(container.path)

    def _end_container(self) -> None:
        container = self._containers[-1]
        if isinstance(container.shape, Members):
            self._add_defaults(container, container.shape)
        elif container.size < len(container.shape.first):  # a named tuple's defaults, say
            container.certain = False
        if container.held:
            self._release(container)
        shown = True
        self._containers.pop()
        if self._draft is not None and self._draft_at == container.path:
            value, self._draft = self._draft.value, None
            if shown := container.whole:
                self._say(Assigned(self._field, value, container.path))
                self._is_there(container.path)
        if container.whole:
            self._mark(container.slot, container.path)
        self._end_value(shown, whole=container.whole, certain=container.certain)

    def _add_defaults(self, container: _Container, shape: Members) -> None:
        for name, slot in shape.slots.items():
            if name not in container.shown and slot.default is not UNSET:
                self._say(Assigned(self._field, slot.default, (*container.path, name)))
        if not shape.certain or not shape.expected <= container.shown.keys():
            container.certain = False

    # Scalars and strings.

    def _give(self, slot: Slot, value: Any) -> bool:
        """Show a value that is whole; say whether it could be."""
        shape = slot.shape
        if isinstance(shape, Choice) and has(shape.every, Later):
            return False
        if isinstance(shape, _CONVERTING):
            try:
                value = shape.as_json(value)
            except Exception:  # It is not what was expected: the adapter will say so, and how it goes on.
                return False
        elif not isinstance(shape, Plain) and not (isinstance(shape, Text) and isinstance(value, str)):
            return False
        place = self._place()
        self._say(Assigned(self._field, value, place))
        if value is not None:
            self._is_there(place)
        self._mark(slot, place)
        return True

    def _end_string(self) -> None:
        slot, self._string = self._string, None
        if slot is None:
            return
        if self._grows:
            self._show_text()
            self._mark(slot, self._path)
            self._end_value(shown=True)
        else:
            text = "".join(self._parts)
            self._parts = []
            self._end_value(self._give(slot, text))

    def _show_text(self) -> None:
        text = "".join(self._parts)
        self._parts = []
        if text or not self._begun:
            self._say(Appended(self._field, text, self._path))
        if not self._begun:
            self._begun = True
            self._is_there(self._path)

    # What is shown, and when.

    def _say(self, change: Assigned | Appended | Withdrawn) -> None:
        if self._draft is not None:
            path = change.path[len(self._draft_at) :]
            match change:
                case Assigned():
                    self._draft.assign(path, change.value)
                case Appended():
                    self._draft.append(path, change.text)
                case Withdrawn():
                    self._draft.withdraw(path)
            return
        self._changes[-1].append(change)

    def _is_there(self, path: Path) -> None:
        """Something is shown here, for which the object that holds it may have waited."""
        if len(self._changes) == 1:  # nothing waits
            return
        depth = len(path) - len(self._at) - 1
        if self._draft is not None or depth < 0:
            return
        container = self._containers[depth]
        container.missing.discard(str(path[-1]))
        if container.held and not container.missing:
            self._release(container)

    def _release(self, container: _Container) -> None:
        container.held = False  # What is in it waits no more: it is the last one that does.
        held = self._changes.pop()
        self._changes[-1] += held
        self._is_there(container.path)

    def _mark(self, slot: Slot, path: Path) -> None:
        """Say that what is here is whole, where a reader asks for that."""
        item = len(path) == 1 and not self._at and isinstance(path[0], int)
        if (item or slot.stateful) and self._draft is None:
            self._changes[-1].append(Completed(self._field, path))
