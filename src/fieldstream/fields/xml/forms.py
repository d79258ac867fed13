"""What an XML element may become, told as early as it can be."""

from typing import Any, Literal, TypeAlias

from fieldstream.fields.values.reader import ValueReader
from fieldstream.fields.values.shapes import Choice, Items, Members, Plain, Scalar, Shape, Slot, Text
from fieldstream.fields.xml.plans import Plan

Form: TypeAlias = Literal["[", "{", '"', "item", "null"]
"""A list of the element's children, an object, a string; or a list whose one item the element is; or nothing."""

_SHAPES: dict[Form, tuple[type[Shape], ...]] = {
    "[": (Items, Plain),
    "item": (Items, Plain),
    "{": (Members, Plain),
    '"': (Text, Scalar, Plain),
}


def form_of_parent(plan: Plan, child: str) -> Form:
    """Of an element with a child of this name."""
    match plan.parent.kind:
        case "array":
            return "[" if child == "item" else "item"
        case "string":
            return '"'
        case _:
            return "{"


def form_of_text(plan: Plan, first: str) -> Form:
    """Of one without children, whose text begins with this character."""
    return "item" if plan.childless.kind == "array" and first != "[" else '"'


def form_of_nothing(plan: Plan) -> Form:
    """Of one without children and text."""
    if plan.nullable:
        return "null"
    match plan.childless.kind:
        case "array":
            return "["
        case "object":
            return "{"
        case _:
            return '"'


def fits(shape: Shape, form: Form) -> bool:
    """Whether a value of this form has a place here."""
    return any(isinstance(each, _SHAPES[form]) for each in every(shape))


def fits_nothing(shape: Shape, form: Form) -> bool:
    """Whether an empty value of this form has a place here."""
    if form in ("[", "{") or has(shape, Plain) or (form == '"' and has(shape, Text)):
        return form == "null" or fits(shape, form)
    if not isinstance(shape, Scalar | Choice):
        return False
    try:
        shape.as_json(None if form == "null" else "")
    except Exception:  # Whatever its author's code may raise: the adapter will say so.
        return False
    return True


def every(shape: Shape) -> list[Shape]:
    """The shape, or those among which it is a choice."""
    return shape.every if isinstance(shape, Choice) else [shape]


def has(shape: Shape, kind: type[Shape]) -> bool:
    """Whether the value may be of this kind."""
    return any(isinstance(each, kind) for each in every(shape))


def item_slot(shape: Shape) -> Slot | None:
    """The slot of a list's first item."""
    lists = [each for each in every(shape) if isinstance(each, Items)]
    return lists[0].slot(0) if len(lists) == 1 else None


def is_list_of_texts(shape: Shape) -> bool:
    """Whether a list of one text, whatever it is, has a place here: not so where other items have to follow it."""
    lists = [each for each in every(shape) if isinstance(each, Items)]
    return len(lists) == 1 and not lists[0].first and lists[0].rest is not None and has(lists[0].rest.shape, Text)


def takes(shape: Shape, child: str) -> bool:
    """Whether an object that belongs here has a member of this name."""
    objects = [each for each in every(shape) if isinstance(each, Members)]
    return any(child in each.keys or each.rest is not None for each in objects)


def tell(reader: ValueReader, value: Any) -> None:
    """Tell a reader of a value that is whole."""
    match value:
        case dict():
            reader.begin("{")
            for name, member in value.items():  # pyright: ignore[reportUnknownVariableType]
                reader.key(name)  # pyright: ignore[reportUnknownArgumentType]
                tell(reader, member)
            reader.end("{")
        case list():
            reader.begin("[")
            for item in value:  # pyright: ignore[reportUnknownVariableType]
                tell(reader, item)
            reader.end("[")
        case str():
            reader.begin('"')
            if value:
                reader.text(value)
            reader.end('"')
        case _:
            reader.scalar(value)
