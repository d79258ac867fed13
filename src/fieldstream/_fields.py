"""The names by which a reader asks for a program's fields."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, get_args

from fieldstream import tap
from fieldstream._errors import UnknownFieldError


class FieldName(NamedTuple):
    """A field by name; of one predictor, or of whichever has it."""

    predictor: str | None
    field: str

    def fits(self, predictor: str) -> bool:
        """Whether a call of the predictor with this path is meant."""
        return self.predictor is None or self.predictor == predictor


def predictors(program: object) -> dict[str, Any]:
    """The program's predictors by path. Nothing is known of a function's."""
    return dict(tap.Names(program, {}).predictors())


def output_fields(program: object) -> dict[str, list[str]]:
    """The program's predictors by path, with their output fields."""
    return {path: list(predictor.signature.output_fields) for path, predictor in predictors(program).items()}


def find_field(program: object, name: str) -> FieldName:
    """The field that ``"answer"`` or ``"react.extract.predict/answer"`` names.

    Raises ``UnknownFieldError``, which lists what there is, where that fits nothing or, without a predictor, several.
    """
    return find_among(output_fields(program), type(program).__name__, name)


def find_among(known_fields: Mapping[str, Sequence[str]], owner: str, name: str) -> FieldName:
    """As ``find_field``, among the fields of an owner's predictors. Where nothing is known, any name is one."""
    predictor, slash, field = name.rpartition("/")
    if not known_fields:
        return FieldName(predictor if slash else None, field)
    owners = [path for path, fields in known_fields.items() if field in fields and (not slash or path == predictor)]
    if len(owners) == 1:
        return FieldName(owners[0], field)
    known = ", ".join(f"{path}/{each}" for path, fields in known_fields.items() for each in fields)
    if owners:
        candidates = " or ".join(repr(f"{path}/{field}") for path in owners)
        raise UnknownFieldError(
            f"{len(owners)} predictors of {owner} have a field {field!r}; say which one: {candidates}"
        )
    raise UnknownFieldError(f"{owner} has no field {name!r}; it has: {known}")


def find_list(program: object, name: str) -> FieldName:
    """As ``find_field``, for a field that is a list; raises ``UnknownFieldError`` where it is known to be none."""
    found = find_field(program, name)
    for path, predictor in predictors(program).items():
        if found.predictor == path:
            annotation = predictor.signature.output_fields[found.field].annotation
            if tap.element_type(annotation) is None:
                raise UnknownFieldError(
                    f"field {name!r} of {type(program).__name__} is of type {_words(annotation)}, "
                    "which has no elements; elements() reads lists, values() reads any field"
                )
    return found


def _words(annotation: Any) -> str:
    return str(annotation) if get_args(annotation) else getattr(annotation, "__name__", str(annotation))
