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
    from fieldstream._install import install, uninstall
    from fieldstream._limits import set_thread_limit
    from fieldstream._listener import StreamListener
    from fieldstream._messages import StatusMessage, StatusMessageProvider, StreamResponse
    from fieldstream._partial import Stateful
    from fieldstream._responses import apply_sync_streaming, streaming_response
    from fieldstream._stream import Run, Stream, Streamer, SyncRun, stream
    from fieldstream._streamify import streamify
    from fieldstream._text import Text
    from fieldstream.fields.markers import Done, NotNull, WithState
    from fieldstream.simulator import simulate
    from fieldstream.tap.adapters import register_parser
    from fieldstream.transforms import Guard, Redact, Smooth, Transform

# Where each public name lives. They are imported when they are first used: importing DSPy takes a second, and not
# everything here needs it.
_HOMES = {
    "Done": "fields.markers",
    "FieldstreamError": "_errors",
    "Guard": "transforms",
    "MissingExtraError": "_errors",
    "NotNull": "fields.markers",
    "Redact": "transforms",
    "Run": "_stream",
    "RunCancelledError": "_errors",
    "RunNotEndedError": "_errors",
    "Smooth": "transforms",
    "Stateful": "_partial",
    "StatusMessage": "_messages",
    "StatusMessageProvider": "_messages",
    "Stream": "_stream",
    "StreamListener": "_listener",
    "StreamResponse": "_messages",
    "Streamer": "_stream",
    "SyncRun": "_stream",
    "Text": "_text",
    "Transform": "transforms",
    "UnknownFieldError": "_errors",
    "WithState": "fields.markers",
    "apply_sync_streaming": "_responses",
    "emit": "_emit",
    "install": "_install",
    "register_parser": "tap.adapters",
    "set_thread_limit": "_limits",
    "simulate": "simulator",
    "stream": "_stream",
    "streamify": "_streamify",
    "streaming_response": "_responses",
    "uninstall": "_install",
}

__all__ = [
    "Done",
    "FieldstreamError",
    "Guard",
    "MissingExtraError",
    "NotNull",
    "Redact",
    "Run",
    "RunCancelledError",
    "RunNotEndedError",
    "Smooth",
    "Stateful",
    "StatusMessage",
    "StatusMessageProvider",
    "Stream",
    "StreamListener",
    "StreamResponse",
    "Streamer",
    "SyncRun",
    "Text",
    "Transform",
    "UnknownFieldError",
    "WithState",
    "apply_sync_streaming",
    "emit",
    "install",
    "register_parser",
    "set_thread_limit",
    "simulate",
    "stream",
    "streamify",
    "streaming_response",
    "uninstall",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(f"fieldstream.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'fieldstream' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
