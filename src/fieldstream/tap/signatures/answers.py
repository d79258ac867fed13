"""The live objects of predictors' calls: what their fields' types are, and what came of them.

Touches of DSPy: ``ensure_signature``, by which ``Predict`` reads the signature that a call brings.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import dspy
from dspy.signatures.signature import ensure_signature
from pydantic import TypeAdapter

from fieldstream.events import UNSET
from fieldstream.fields import Choice, Items, Later, Members, Shape, Slot
from fieldstream.tap.signatures.shapes import Annotation, slots_of


class Answer:
    """What is known of one call of a predictor: its signature, and in the end its prediction."""

    __slots__ = ("_slots", "prediction", "signature")

    def __init__(self, declared: Any) -> None:
        self.signature = _signature(declared)
        self.prediction: Any = None
        self._slots: dict[str, Slot] | None = None

    def slot(self, field: str) -> Slot | None:
        """The slot of a field's value."""
        if self._slots is None:
            self._slots = slots_of(self.signature) if self.signature is not None else {}
        return self._slots.get(field)

    def value(self, field: str) -> Any:
        """The very object that the prediction holds; ``UNSET`` where it has none."""
        prediction: Any = self.prediction
        return prediction[field] if prediction is not None and field in prediction else UNSET

    def so_far(self, values: Mapping[str, Any]) -> Any:
        """A prediction with what there is: these fields, by name, as JSON values."""
        return dspy.Prediction(**{name: self._object(name, value) for name, value in values.items()})

    def _object(self, field: str, value: Any) -> Any:
        annotation = self.signature.output_fields[field].annotation
        try:
            return TypeAdapter(annotation).validate_python(value, by_alias=True, by_name=True)
        except ValueError:  # DSPy reads it otherwise than it is written; so it stays as it is written.
            return value

    def element(self, field: str, value: Any, index: int) -> Any:
        """An element of a list field, validated into its type. Raises ``ValueError`` where it cannot be."""
        kind = element_type(self.signature.output_fields[field].annotation, index)
        return _validator(Annotation(Any if kind is None else kind)).validate_python(value, by_alias=True, by_name=True)

    def elements_come_early(self, field: str) -> bool:
        """Whether an element can be made of what is shown of it, before the prediction is there."""
        slot = self.slot(field)
        return slot is not None and not _is_later(slot.shape, set())


def _signature(declared: Any) -> Any:
    """The signature, which the program may have given as a string; then its names are found from where it is called."""
    try:
        return ensure_signature(declared)
    except Exception:  # DSPy reads it next, and says what is wrong.
        return None


@lru_cache(maxsize=256)
def _validator(kind: Annotation) -> TypeAdapter[Any]:
    return TypeAdapter(kind.kind)


def element_type(annotation: Any, index: int = 0) -> Any:
    """The type of a list's elements; none where it is no list."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return element_type(arguments[0], index)
    if origin in (Union, UnionType):
        return next((kind for each in arguments if (kind := element_type(each, index)) is not None), None)
    if annotation in (list, tuple, set, frozenset):
        return Any
    if origin is tuple:
        return arguments[0] if arguments[1:] == (...,) else arguments[min(index, len(arguments) - 1)]
    if isinstance(origin, type) and issubclass(origin, set | frozenset | Sequence):
        return arguments[0]
    return None


def _is_later(shape: Shape, known: set[int]) -> bool:
    if id(shape) in known:
        return False
    known.add(id(shape))
    match shape:
        case Later():
            return True
        case Items(first=first, rest=rest):
            slots = [*first, rest]
        case Members(slots=members, rest=rest):
            slots = [*members.values(), rest]
        case Choice():
            return any(_is_later(each, known) for each in shape.every)
        case _:
            return False
    return any(slot is not None and _is_later(slot.shape, known) for slot in slots)
