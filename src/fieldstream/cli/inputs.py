"""A program's inputs from ``name=value``."""

import inspect
import types
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Union, get_args, get_origin

import pydantic

from fieldstream._errors import FieldstreamError
from fieldstream._inputs import Input, Inputs, inputs_of
from fieldstream.cli.errors import CliError, did_you_mean, listed


def parse_inputs(program: Callable[..., Any], given: Iterable[str]) -> dict[str, Any]:
    """The program's inputs from ``name=value`` texts; raises ``CliError`` where they do not fit it."""
    try:
        inputs = inputs_of(program)
    except FieldstreamError as error:
        raise CliError(str(error)) from None
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
