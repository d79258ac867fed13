"""fieldstream streams what a DSPy program is writing, field by field, to whoever waits for it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fieldstream._emit import emit
    from fieldstream._errors import (
        FieldstreamError,
        MissingExtraError,
        RunCancelledError,
        RunNotEndedError,
        UnknownFieldError,
    )
    from fieldstream._messages import StatusMessage, StatusMessageProvider, StreamResponse
    from fieldstream._stream import Run, Stream, Streamer, SyncRun, stream
    from fieldstream._text import Text
    from fieldstream.simulator import simulate

# Where each public name lives. They are imported when they are first used: importing DSPy takes a second, and not
# everything here needs it.
_HOMES = {
    "FieldstreamError": "_errors",
    "MissingExtraError": "_errors",
    "Run": "_stream",
    "RunCancelledError": "_errors",
    "RunNotEndedError": "_errors",
    "StatusMessage": "_messages",
    "StatusMessageProvider": "_messages",
    "Stream": "_stream",
    "StreamResponse": "_messages",
    "Streamer": "_stream",
    "SyncRun": "_stream",
    "Text": "_text",
    "UnknownFieldError": "_errors",
    "emit": "_emit",
    "simulate": "simulator",
    "stream": "_stream",
}

__all__ = [
    "FieldstreamError",
    "MissingExtraError",
    "Run",
    "RunCancelledError",
    "RunNotEndedError",
    "StatusMessage",
    "StatusMessageProvider",
    "Stream",
    "StreamResponse",
    "Streamer",
    "SyncRun",
    "Text",
    "UnknownFieldError",
    "emit",
    "simulate",
    "stream",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(f"fieldstream.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'fieldstream' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
