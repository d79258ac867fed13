"""A value while it is written, as readers see it: plain data, or objects of its type in which something is missing."""

from typing import Any, Generic, Literal, TypeVar, cast

from fieldstream.events import UNSET, Path
from fieldstream.fields import Choice, Items, Members, Plain, Scalar, Shape, Slot

T = TypeVar("T")

State = Literal["pending", "incomplete", "complete"]

_ANY = Slot(Plain())


class Stateful(Generic[T]):
    """A value that was marked ``WithState``, and how far it is. In plain data it is a dictionary with these keys."""

    __slots__ = ("state", "value")

    def __init__(self, value: T, state: State) -> None:
        self.value = value
        self.state: State = state

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Stateful)
            and self.state == other.state
            and self.value == cast("Stateful[Any]", other).value
        )

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # It changes while it is looked at.

    def __repr__(self) -> str:
        return f"Stateful({self.value!r}, {self.state!r})"


class PartialValue:
    """Takes a field's deltas. What it gives is live: it grows in its reader's hands, at a cost of no more than that.

    ``typed``: models, dataclasses and typed dictionaries are objects of their types, whose missing members are
    ``None``; scalars are what they will be. An object that may be of several types is a dictionary.
    """

    def __init__(self, slot: Slot | None, *, typed: bool) -> None:
        self.has_states = False
        """Whether a part of it is marked ``WithState``."""
        self._slot = slot or _ANY
        self._typed = typed
        self._root: list[Any] = [UNSET]  # a holder like any other
        self._stateful: list[Any] = []
        # Those that were called complete because the whole was.
        self._assumed: list[tuple[Any, State]] = []
        # The text that grows.
        self._path: Path | None = None
        self._holder: Any = None
        self._key: Any = 0
        self._home: Any = None
        # What was found last: the container at this path, and its shape.
        self._at: Path | None = None
        self._container: Any = None
        self._shape: Shape = self._slot.shape

    @property
    def value(self) -> Any:
        """The value so far; ``UNSET`` before there is any."""
        return self._root[0]

    def append(self, path: Path, text: str) -> None:
        if path != self._path:
            holder, key, slot = self._find(path)
            known = _get(holder, key)
            if slot.stateful:
                if known in (UNSET, None) or _state_of(known) == "pending":
                    known = self._wrapped(slot, "", "incomplete")
                    _put(holder, key, known)
                holder, key = known, "value"
            elif not isinstance(known, str):
                _put(holder, key, "")
            self._path, self._holder, self._key = path, holder, key
            self._home = _home(holder, key)
        home, key = self._home, self._key
        # The only reference to a text that grows is this one, so that Python need not copy it.
        if home is not None:
            known = home[key]
            home[key] = None
            known += text
            home[key] = known
        else:
            known = _get(self._holder, key)
            _put(self._holder, key, None)
            known += text
            _put(self._holder, key, known)

    def assign(self, path: Path, value: Any) -> None:
        self._path = None
        holder, key, slot = self._find(path)
        _put(holder, key, self._built(slot, value))

    def withdraw(self, path: Path) -> None:
        self._path = self._at = None
        if not path:
            self._root[0] = UNSET
            return
        holder, key, slot = self._find(path)
        if isinstance(holder, list):
            del cast("list[Any]", holder)[cast("int", key) :]
        elif slot.stateful:
            _put(holder, key, self._wrapped(slot, None, "pending"))
        else:
            _remove(holder, key, stays=self._is_made(path[:-1]))

    def complete(self, path: Path) -> None:
        """What is at this path is whole."""
        holder, key, slot = self._find(path)
        if slot.stateful and (wrapped := _get(holder, key)) is not UNSET:
            _set_state(wrapped, "complete")

    def complete_all(self) -> None:
        """The value is whole."""
        self._assumed = [(wrapped, state) for wrapped in self._stateful if (state := _state_of(wrapped)) != "complete"]
        for wrapped, _ in self._assumed:
            _set_state(wrapped, "complete")

    def break_off(self) -> None:
        """It is not: nothing more comes, but it was not written to its end."""
        for wrapped, state in self._assumed:
            _set_state(wrapped, state)

    def _is_made(self, path: Path) -> bool:
        """Whether what is at this path is an object of its type."""
        if not self._typed:
            return False
        shape = self._find(path)[2].shape
        members = shape.members if isinstance(shape, Choice) else shape
        return isinstance(members, Members) and members.make is not None

    def _find(self, path: Path) -> tuple[Any, str | int, Slot]:
        """What holds the value at this path, under which key, and the value's slot."""
        if not path:
            self._at = None  # The whole value may be about to be replaced.
            return self._root, 0, self._slot
        if path[:-1] != self._at:
            container: Any = self._root[0]
            slot = self._slot
            if slot.stateful:
                container = _get(container, "value")
            for step in path[:-1]:
                container = _get(container, step)
                slot = _slot_of(slot.shape, step)
                if slot.stateful:
                    container = _get(container, "value")
            self._at, self._container, self._shape = path[:-1], container, slot.shape
        return self._container, path[-1], _slot_of(self._shape, path[-1])

    def _built(self, slot: Slot, value: Any) -> Any:
        shape = slot.shape
        built: Any
        if isinstance(value, dict):
            built = self._object(shape)
            for name, member in cast("dict[str, Any]", value).items():
                _put(built, name, self._built(_slot_of(shape, name), member))
        elif isinstance(value, list):
            items = cast("list[Any]", value)
            built = [self._built(_slot_of(shape, index), item) for index, item in enumerate(items)]
        else:
            built = _revived(shape, value) if self._typed else value
        if not slot.stateful:
            return built
        return self._wrapped(slot, built, "incomplete" if isinstance(value, dict | list) else "complete")

    def _object(self, shape: Shape) -> Any:
        members = shape.members if isinstance(shape, Choice) else shape
        if not isinstance(members, Members):
            return {}
        built: Any = members.make() if self._typed and members.make is not None else {}
        for name, slot in members.slots.items():
            if slot.stateful:
                _put(built, name, self._wrapped(slot, None, "pending"))
        return built

    def _wrapped(self, slot: Slot, value: Any, state: State) -> Any:
        self.has_states = True
        wrapped = Stateful(value, state) if self._typed else {"value": value, "state": state}
        self._stateful.append(wrapped)
        return wrapped


def _slot_of(shape: Shape, step: str | int) -> Slot:
    match shape:
        case Members():
            return shape.slot(str(step)) or _ANY
        case Items() if isinstance(step, int):
            return shape.slot(step) or _ANY
        case Choice() if isinstance(step, str):
            return (shape.members.slot(step) if shape.members is not None else None) or _ANY
        case Choice():
            return next((_slot_of(each, step) for each in shape.every if isinstance(each, Items)), _ANY)
        case _:
            return _ANY


def _revived(shape: Shape, value: Any) -> Any:
    if isinstance(shape, Scalar | Choice):
        try:
            return shape.revive(value)
        except Exception:  # The type's author sees it otherwise; the value's JSON is what there is.
            return value
    return value


def _get(holder: Any, key: str | int) -> Any:
    if isinstance(holder, dict):
        return cast("dict[Any, Any]", holder).get(key, UNSET)
    if isinstance(holder, list):
        items = cast("list[Any]", holder)
        return items[key] if isinstance(key, int) and key < len(items) else UNSET
    extra: dict[str, Any] | None = getattr(holder, "__pydantic_extra__", None)
    return extra[str(key)] if extra is not None and key in extra else getattr(holder, str(key), UNSET)


def _home(holder: Any, key: str | int) -> Any:
    """The dictionary or list that has this value of the holder's; none where that is known only to its type."""
    if isinstance(holder, dict | list):
        return cast("Any", holder)
    for known in (getattr(holder, "__pydantic_extra__", None), getattr(holder, "__dict__", None)):
        if known is not None and key in known:
            return known
    return None


def _put(holder: Any, key: str | int, value: Any) -> None:
    if isinstance(holder, dict):
        holder[key] = value
        return
    if isinstance(holder, list):
        items = cast("list[Any]", holder)
        if key == len(items):
            items.append(value)
        else:
            items[cast("int", key)] = value
        return
    if (known := getattr(holder, "__pydantic_fields_set__", None)) is not None:
        if key not in cast("dict[str, Any]", type(holder).model_fields):
            holder.__pydantic_extra__[key] = value
            return
        known.add(key)  # so that `model_dump(exclude_unset=True)` has what is there
    object.__setattr__(holder, str(key), value)  # past what a type says of being frozen, and of assignments


def _remove(holder: Any, key: str | int, *, stays: bool) -> None:
    """There is nothing any more; a member that ``stays`` is ``None``."""
    extra: dict[str, Any] | None = getattr(holder, "__pydantic_extra__", None)
    if isinstance(holder, dict) and stays:
        holder[key] = None
    elif isinstance(holder, dict):
        cast("dict[Any, Any]", holder).pop(key, None)
    elif extra is not None and key in extra:
        del extra[str(key)]
    else:
        object.__setattr__(holder, str(key), None)
        getattr(holder, "__pydantic_fields_set__", set[str]()).discard(str(key))


def _state_of(wrapped: Any) -> Any:
    return _get(wrapped, "state")


def _set_state(wrapped: Any, state: State) -> None:
    _put(wrapped, "state", state)
