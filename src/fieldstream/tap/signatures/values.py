"""DSPy's live values as the JSON values that events hold."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import inspect
import types
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Any, Union, cast, get_args, get_origin

import dspy
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from fieldstream.events import Failure, FieldKind


def to_json(value: Any) -> Any:
    """The value as Pydantic's ``mode="json"`` gives it; what Pydantic does not know, as its ``str``."""
    try:
        return to_jsonable_python(_unread(value), by_alias=False, fallback=_words, serialize_unknown=True)
    except UnicodeEncodeError:
        return _by_parts(value)
    except Exception:  # An object may fail in any way when it is looked at; watching must not fail with it.
        return _words(value)


def _by_parts(value: Any) -> Any:
    """A value in which half a surrogate pair is (a part of) a key, which Pydantic cannot tell."""
    try:
        if isinstance(value, BaseModel):
            return {name: to_json(member) for name, member in value}
        if isinstance(value, dspy.Example):
            return {name: to_json(member) for name, member in cast("Any", value).items()}
        if isinstance(value, Mapping):
            return {str(key): to_json(member) for key, member in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [to_json(member) for member in value]
    except Exception:
        pass
    return _words(value)


def _unread(value: Any) -> Any:
    """The value, with words in the place of iterators: Pydantic would read them, and they can be read only once."""
    if isinstance(value, Iterator):
        return _words(cast("object", value))
    if isinstance(value, dspy.Example):  # dspy.Prediction, too: mappings in all but name
        return {name: _unread(member) for name, member in cast("Any", value).items()}
    kind: type[Any] = type(value)
    if issubclass(kind, dspy.Type) and kind.serialize_model is dspy.Type.serialize_model:
        # Its content parts; DSPy would put them in a string between marks of its own.
        parts: Any = value.format()
        return parts if isinstance(parts, list) else value
    if kind is dict:
        return {key: _unread(member) for key, member in value.items()}
    if kind in (list, tuple, set, frozenset):
        return [_unread(member) for member in value]
    return value


def _words(value: object) -> str:
    """The value's ``str``. It is its author's code and may fail in any way; the run must go on all the same."""
    try:
        return str(value)
    except Exception:
        return object.__repr__(value)


def field_kind(annotation: Any) -> FieldKind:
    """Whether a field of this type is a text that grows, or a value."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if annotation is str or annotation is dspy.Reasoning or is_code(annotation):
        return "text"
    if get_origin(annotation) in (Union, types.UnionType):
        # `str | None` is a text that may turn out to be no text at all.
        return "text" if set(get_args(annotation)) == {str, type(None)} else "data"
    return "data"


def is_code(annotation: Any) -> bool:
    """Whether it is ``dspy.Code``, of whatever language, as DSPy reads it: a text in a fence."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return (
        isinstance(annotation, type)
        and issubclass(annotation, dspy.Code)
        and annotation.format is dspy.Code.format
        and getattr(annotation.validate_input, "__func__", None) is getattr(dspy.Code.validate_input, "__func__", None)
    )


def allows_none(annotation: Any) -> bool:
    """Whether ``None`` is a value of this type, as far as its first layer tells."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return get_origin(annotation) in (Union, types.UnionType) and type(None) in get_args(annotation)


def field_values(signature: Any, values: Mapping[str, Any]) -> dict[str, tuple[FieldKind, Any]]:
    """Those of the values that are output fields, with their kinds, as JSON values."""
    return {
        name: (kind := field_kind(info.annotation), _field_value(kind, values[name]))
        for name, info in signature.output_fields.items()
        if name in values
    }


def _field_value(kind: FieldKind, value: Any) -> Any:
    if kind == "text" and isinstance(value, str | dspy.Reasoning):
        return str(value)
    return to_json(value)


def failure(error: BaseException) -> Failure:
    """An exception as data."""
    return Failure(kind=type(error).__name__, message=_words(error))


def tool_arguments(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """A tool's arguments, from what a callback is told of its call."""
    arguments = dict(inputs.get("kwargs") or {})
    return to_json(arguments)


def argument(inputs: Mapping[str, Any], name: str) -> Any:
    """A callback's argument by name. Subclasses of adapters are wrapped: theirs may come as ``args`` and ``kwargs``."""
    if name in inputs:
        return inputs[name]
    if name in (inputs.get("kwargs") or {}):
        return inputs["kwargs"][name]
    arguments = inputs.get("args") or ()
    return arguments[0] if arguments else None


def completions(outputs: Any) -> list[Any]:
    """The completions, as texts or mappings, of what an LM's call returned."""
    if not isinstance(outputs, list):
        text = getattr(outputs, "text", None)
        return [text] if isinstance(text, str) else []
    return outputs


def taken(function: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the keyword arguments that the function names; all of them where it has a ``**``."""
    names = _parameters(getattr(function, "__func__", function))
    return dict(arguments) if names is None else {name: arguments[name] for name in names if name in arguments}


@lru_cache(maxsize=256)
def _parameters(function: Any) -> tuple[str, ...] | None:
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return tuple(parameter.name for parameter in parameters)
