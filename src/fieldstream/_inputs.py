"""A program's inputs and outputs: which there are, of which types. By its signature, or by what it is called with."""

import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

import dspy
import pydantic

from fieldstream._errors import FieldstreamError


@dataclass(frozen=True, slots=True)
class Input:
    """An input: its type, whether the program can do without, and what its signature says of it."""

    type: Any = str
    required: bool = True
    description: str = ""
    default: Any = None
    guessed: bool = False
    """Whether nothing says of which type it is, so that it is taken for a text."""

    @property
    def type_name(self) -> str:
        """The type as one writes it."""
        return inspect.formatannotation(self.type)


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs of a program, by name; others are taken too where it is ``open``."""

    known: Mapping[str, Input]
    open: bool = False


def inputs_of(program: Callable[..., Any]) -> Inputs:
    """A program's inputs: by its signature, or by the parameters of its ``forward`` or of the function that it is."""
    if isinstance(program, dspy.Predict):
        return Inputs(_fields(program.signature))
    return _parameters(_function(program), program)


def _function(program: Any) -> Callable[..., Any]:
    if not isinstance(program, dspy.Module):
        return program
    # DSPy warns of whoever takes a module's `forward` from the module itself.
    kind: Any = type(program)
    function = getattr(kind, "forward", None) or getattr(kind, "aforward", None)
    if function is None:
        raise FieldstreamError(f"{kind.__name__} has neither a forward nor an aforward; give it one")
    return types.MethodType(function, program)


def _parameters(function: Callable[..., Any], program: Any) -> Inputs:
    below = signature_of(program)
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # What is written in C may not tell.
        return Inputs({}, open=True)
    try:
        hints = get_type_hints(function, include_extras=True)
    except Exception:  # An annotation may name what is not there; then it says nothing.
        hints = {}
    fields = _fields(below) if below is not None else {}
    known: dict[str, Input] = {}
    takes_any = False
    for parameter in parameters:
        if parameter.kind is parameter.VAR_KEYWORD:
            takes_any = True
        elif parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            field = fields.get(parameter.name, Input(guessed=True))
            required = parameter.default is parameter.empty
            known[parameter.name] = Input(
                hints.get(parameter.name, field.type),
                required=required,
                description=field.description,
                default=None if required else parameter.default,
                guessed=field.guessed and parameter.name not in hints,
            )
    if takes_any:
        known = {**fields, **known}
    return Inputs(known, open=takes_any and below is None)


def signature_of(program: Any) -> Any:
    """The signature that a program answers for: its own, or that of its only predictor; none where there is none."""
    if not isinstance(program, dspy.Module):
        return None
    own = getattr(program, "signature", None)
    if _is_signature(own):
        return own
    predict = getattr(program, "predict", None)
    if isinstance(predict, dspy.Module) and _is_signature(getattr(predict, "signature", None)):
        return getattr(predict, "signature", None)
    predictors: list[Any] = program.predictors()
    return predictors[0].signature if len(predictors) == 1 else None


def _is_signature(value: object) -> bool:
    return inspect.isclass(value) and issubclass(value, dspy.Signature)


def _fields(signature: Any) -> dict[str, Input]:
    fields: Mapping[str, pydantic.fields.FieldInfo] = signature.input_fields
    return {
        name: Input(
            info.annotation,
            required=info.is_required(),
            description=description_of(name, info),
            default=None if info.is_required() else info.get_default(call_default_factory=True),
        )
        for name, info in fields.items()
    }


def description_of(name: str, info: pydantic.fields.FieldInfo) -> str:
    """What a signature says of a field; nothing where DSPy has only made something of its name."""
    extra: Any = info.json_schema_extra
    description = extra.get("desc") if isinstance(extra, dict) else None  # pyright: ignore[reportUnknownVariableType,reportUnknownMemberType]
    return description if isinstance(description, str) and description != f"${{{name}}}" else ""
