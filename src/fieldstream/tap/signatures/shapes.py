"""The shapes of a signature's output fields: what their types say of the values that will come.

Touches of DSPy: ``dspy.adapters.utils.parse_value``, by which adapters read the values of fields.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Callable
from functools import lru_cache, partial
from types import GenericAlias
from typing import Annotated, Any, Literal, cast, get_args, get_origin

from pydantic import TypeAdapter

from fieldstream.fields import Choice, Items, Later, Members, Plain, Scalar, Shape, Slot, Text
from fieldstream.fields.values.markers import marks_among
from fieldstream.tap.internals import do_without
from fieldstream.tap.signatures.schemas import Builder, Node
from fieldstream.tap.signatures.values import to_json

_parse_value: Any = None
try:
    from dspy.adapters.utils import parse_value

    _parse_value = parse_value
except ImportError as error:
    do_without("values", error)


def slots_of(signature: Any, *, by_name: bool = False) -> dict[str, Slot]:
    """The slots of a signature's output fields. ``by_name``: members have no aliases in the text."""
    return {name: _field_slot(info, by_name) for name, info in signature.output_fields.items()}


def _field_slot(info: Any, by_name: bool) -> Slot:
    known = _slot_of(Annotation(info.annotation), by_name)
    marks = marks_among(info.metadata)
    return known.marked(marks) if marks else known


class Annotation:
    """A type, compared as what it says: for Python ``int | str`` equals ``str | int``, which does not mean the same.

    A type that cannot be hashed has its place here, too.
    """

    __slots__ = ("_key", "kind")

    def __init__(self, kind: Any) -> None:
        self.kind = kind  # also keeps alive what the key has the identities of
        self._key = _identity(kind)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Annotation) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


def _identity(kind: Any) -> Any:
    if get_origin(kind) is Annotated:
        return id(Annotated), _identity(kind.__origin__), *map(id, kind.__metadata__)
    if get_origin(kind) is Literal:
        return id(Literal), *((id(type(each)), each) for each in get_args(kind))
    arguments = getattr(kind, "__args__", None)
    if (isinstance(kind, type) and not isinstance(kind, GenericAlias)) or not isinstance(arguments, tuple):
        return id(kind)
    return id(get_origin(kind)), *map(_identity, arguments)


@lru_cache(maxsize=256)
def _slot_of(annotation: Annotation, by_name: bool) -> Slot:
    builder = Builder(by_name=by_name)
    try:
        slot = builder.slot(cast("Node", TypeAdapter(annotation.kind).core_schema))
    except Exception:  # What has no schema DSPy cannot read either, and says so.
        return Slot(Later())
    return slot.with_shape(_root(slot.shape, annotation.kind, builder.pure))


def _root(shape: Shape, annotation: Any, pure: bool) -> Shape:
    """The shape of a field's value. DSPy reads it by rules of its own, and what is in it by Pydantic's."""
    if _parse_value is None:
        return shape if isinstance(shape, Items | Members) else Later()
    parse: Callable[[Any], Any] = partial(_parse_value, annotation=annotation)
    match shape:
        case Scalar():
            return Scalar(lambda value: to_json(parse(value)), shape.revive)
        case Text():
            return Scalar(lambda value: to_json(parse(value)), lambda value: value)
        case Plain():
            root = Choice(lambda value: to_json(parse(value)), lambda value: value)
            root.shapes = [Members(Slot(shape)), Items(Slot(shape)), Scalar(root.as_json, root.revive)]
            return root
        case Choice():
            root = Choice(lambda value: to_json(parse(value)) if pure else _later(), shape.revive)
            root.shapes = [each for each in shape.every if not isinstance(each, Text | Plain)]
            root.shapes.append(Scalar(root.as_json, root.revive))
            return root
        case _:
            return shape


def _later() -> Any:
    raise ValueError("code of the type's author decides")
