"""Whether the insides of DSPy and of what it stands on are those that the tap knows.

The tap is made of parts, each of which touches some of them. A part whose internals are others than it knows is not put
in place: this is logged, once in a process, and runs go on without it. Their values are right all the same; what they
lack is what the part was for.
"""

import inspect
import logging
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal, TypeAlias

Part: TypeAlias = Literal[
    "settings",
    "parents",
    "callbacks",
    "engines",
    "endings",
    "bodies",
    "litellm",
    "usage",
    "waits",
    "values",
    "native",
    "retrieval",
]

_LACKING: dict[Part, str] = {
    "settings": "a program does not see what is configured while it runs",
    "parents": "calls do not tell what they belong to, and fields come whole",
    "callbacks": "calls below callbacks that the program itself sets are not told of",
    "engines": "answers of DSPy's own engines come whole",
    "endings": "an LM's stream may end early unnoticed, and must have no long lines",
    "bodies": "reading an LM's stream costs more",
    "litellm": "LiteLLM's answers come whole",
    "usage": "what LMs used is not told",
    "waits": "a cancelled program waits on for its LM, unless it is asynchronous",
    "values": "a value that is not a text, a list or an object comes whole",
    "native": "what an LM says beside its text comes whole, or apart from its field",
    "retrieval": "calls of embedders and retrievers are not told of",
}

lacking: set[Part] = set()
"""The parts that are not in place."""

_logger = logging.getLogger("fieldstream")


class UnknownInternalError(Exception):
    """What a part of the tap touches is not what it knows. It says what that is."""


def known(function: Any, *parameters: str) -> Any:
    """The function, if its parameters have these names, in this order; else raises ``UnknownInternalError``."""
    name = getattr(function, "__qualname__", repr(function))
    try:
        found = tuple(inspect.signature(inspect.unwrap(function)).parameters)
    except (TypeError, ValueError) as error:
        raise UnknownInternalError(f"`{name}` is no function") from error
    if found != parameters:
        raise UnknownInternalError(f"`{name}` takes ({', '.join(found)}) and not ({', '.join(parameters)})")
    return function


def put(part: Part, install: Callable[[], None]) -> None:
    """Put a part in place, or do without it. ``install`` looks at everything before it changes anything."""
    try:
        install()
    except (UnknownInternalError, ImportError, AttributeError, KeyError) as error:
        do_without(part, error)


def do_without(part: Part, error: Exception) -> None:
    """A part cannot be put in place."""
    if part not in lacking:
        lacking.add(part)
        _logger.warning("%s: %s. With this DSPy (%s), %s.", type(error).__name__, error, _dspy(), _LACKING[part])


def _dspy() -> str:
    try:
        return version("dspy")
    except PackageNotFoundError:
        return "of an unknown version"
