"""A program's inputs: which there are, and their values from ``name=value``."""

import inspect
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import dspy
import pydantic

from fieldstream.cli.errors import CliError, did_you_mean, listed


@dataclass(frozen=True, slots=True)
class Input:
    """An input: its type, and whether the program can do without."""

    type: Any = str
    required: bool = True

    @property
    def type_name(self) -> str:
        """The type as one writes it."""
        return inspect.formatannotation(self.type)


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs of a program, by name; others are taken too where it is ``open``."""

    known: Mapping[str, Input]
    open: bool = False


def parse_inputs(program: Callable[..., Any], given: Iterable[str]) -> dict[str, Any]:
    """The program's inputs from ``name=value`` texts; raises ``CliError`` where they do not fit it."""
    inputs = inputs_of(program)
    values: dict[str, Any] = {}
    for each in given:
        name, equals, text = each.partition("=")
        if not equals or not name.isidentifier():
            example = next(iter(inputs.known), "question")
            raise CliError(f"{each!r} is not name=value; write inputs as {example}='...'")
        if name in values:
            raise CliError(f"the input {name!r} is given twice; give it once")
        if name not in inputs.known and not inputs.open:
            raise CliError(f"there is no input {name!r}; {did_you_mean(name, inputs.known)}{_described(inputs)}")
        values[name] = _value(name, text, inputs.known.get(name, Input()).type)
    missing = [name for name, each in inputs.known.items() if each.required and name not in values]
    if missing:
        need = " and ".join(f"{name!r}" for name in missing)
        raise CliError(f"the input {need} is missing; add {missing[0]}=...; {_described(inputs)}")
    return values


def _described(inputs: Inputs) -> str:
    if not inputs.known:
        return "the program takes no inputs"
    return f"the inputs are: {listed(f'{name} ({each.type_name})' for name, each in inputs.known.items())}"


# What there is


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
        raise CliError(f"{kind.__name__} has neither a forward nor an aforward; give it one")
    return types.MethodType(function, program)


def _parameters(function: Callable[..., Any], program: Any) -> Inputs:
    below = _outermost_signature(program)
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
            annotation = hints.get(parameter.name, fields.get(parameter.name, Input()).type)
            known[parameter.name] = Input(annotation, required=parameter.default is parameter.empty)
    if takes_any:
        known = {**fields, **known}
    return Inputs(known, open=takes_any and below is None)


def _outermost_signature(program: Any) -> Any:
    """The signature that a module with ``forward(**inputs)`` answers for: its own, or that of its only predictor."""
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
    return {name: Input(info.annotation, required=info.is_required()) for name, info in fields.items()}


# What is given


def _value(name: str, text: str, annotation: Any) -> Any:
    """A value of the type: for a text itself, else JSON, or what the type makes of a text (a date, a choice)."""
    if _takes_text(annotation):
        return text
    try:
        adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(annotation)
    except pydantic.errors.PydanticUserError:
        return text  # A type that Pydantic does not know; the program may.
    try:
        return adapter.validate_json(text)
    except pydantic.ValidationError as error:
        problem = error.errors()[0]
    try:
        return adapter.validate_python(text)
    except pydantic.ValidationError as error:
        if problem["type"] == "json_invalid" and not _is_nested(annotation):
            problem = error.errors()[0]
    where = "".join(f"[{part!r}]" for part in problem["loc"])
    kind = inspect.formatannotation(annotation)
    raise CliError(f"the input {name}{where} does not fit {kind}: {problem['msg']}; give it as JSON: {name}='...'")


def _takes_text(annotation: Any) -> bool:
    if annotation in (str, Any, object, inspect.Parameter.empty, None):
        return True
    if get_origin(annotation) is Annotated:
        return _takes_text(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return set(get_args(annotation)) == {str, type(None)}
    return False


def _is_nested(annotation: Any) -> bool:
    origin = get_origin(annotation) or annotation
    return inspect.isclass(origin) and issubclass(origin, list | dict | tuple | set | frozenset | pydantic.BaseModel)
