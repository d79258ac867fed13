"""Which fields a wrapped program's consumer listens to."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import dspy

from fieldstream._fields import output_fields, predictors


class StreamListener:
    """Names one output field of a program. It holds no state of a run: one serves any number of runs at once.

    Without ``predict`` or ``predict_name`` it is the field of that name in the program. ``predict`` is a predictor, or
    a module that holds just one; ``predict_name`` a path of ``named_predictors()``. With ``allow_reuse``, every call of
    the predictor in a run is heard; without, the first that writes the field.
    """

    def __init__(
        self,
        signature_field_name: str,
        predict: Any = None,
        predict_name: str | None = None,
        allow_reuse: bool = False,
    ) -> None:
        self.signature_field_name = signature_field_name
        self.predict = predict
        self.predict_name = predict_name
        self.allow_reuse = allow_reuse


class Listened(NamedTuple):
    """What a listener listens to in a certain program."""

    predictor: str | None
    """The predictor's path; ``None``: any that has the field, in a program of which nothing is known before it runs."""

    field: str
    allow_reuse: bool


class Listening(NamedTuple):
    """What the listeners of a program listen to, and the names of predictors that it does not name itself."""

    fields: list[Listened]
    names: dict[str, dspy.Module]


def resolve(program: object, listeners: Sequence[Any]) -> Listening:
    """What the listeners mean in this program. Raises ``ValueError``, which lists what there is."""
    names: dict[str, dspy.Module] = {}
    known = output_fields(program)
    return Listening([_resolve(program, known, listener, names) for listener in listeners], names)


def _resolve(program: object, known: dict[str, list[str]], listener: Any, names: dict[str, dspy.Module]) -> Listened:
    field = listener.signature_field_name
    path = listener.predict_name
    if listener.predict is not None:
        predictor = _only_predictor(listener.predict, field)
        found = next((name for name, each in predictors(program).items() if each is predictor), None)
        if found is None and known:
            raise ValueError(
                f"The listener for {field!r} names a predictor that is not part of {type(program).__name__}; "
                f"it has: {', '.join(known)}."
            )
        if found is None:
            # A function's predictors have no names; the listener gives this one some.
            found = next((name for name, each in names.items() if each is predictor), path or f"predict[{len(names)}]")
            names[found] = predictor
        if field not in predictor.signature.output_fields:
            raise ValueError(_no_field(field, found, list(predictor.signature.output_fields)))
        return Listened(found, field, listener.allow_reuse)
    if not known:
        return Listened(path, field, listener.allow_reuse)
    if path is not None:
        if path not in known:
            raise ValueError(f"{type(program).__name__} has no predictor {path!r}; it has: {', '.join(known)}.")
        if field not in known[path]:
            raise ValueError(_no_field(field, path, known[path]))
        return Listened(path, field, listener.allow_reuse)
    owners = [name for name, fields in known.items() if field in fields]
    if len(owners) == 1:
        return Listened(owners[0], field, listener.allow_reuse)
    if owners:
        raise ValueError(
            f"{len(owners)} predictors of {type(program).__name__} have a field {field!r}; say which one with "
            f"predict_name: {' or '.join(map(repr, owners))}."
        )
    candidates = ", ".join(f"{each} ({name})" for name, fields in known.items() for each in fields)
    raise ValueError(
        f"No predictor of {type(program).__name__} has an output field {field!r}; there are: {candidates}."
    )


def _only_predictor(module: Any, field: str) -> Any:
    if isinstance(module, dspy.Predict):
        return module
    held = predictors(module)
    if len(held) != 1:
        names = ", ".join(held) or "none"
        raise ValueError(
            f"The listener for {field!r} needs a predictor, or a module that holds just one; "
            f"{type(module).__name__} holds: {names}."
        )
    return next(iter(held.values()))


def _no_field(field: str, predictor: str, fields: list[str]) -> str:
    return f"The predictor {predictor!r} has no output field {field!r}; it has: {', '.join(fields)}."
