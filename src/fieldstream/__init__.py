"""fieldstream streams what a DSPy program is writing, field by field, to whoever waits for it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fieldstream import events as events
    from fieldstream import server as server
    from fieldstream import terminal as terminal
    from fieldstream._client.client import Client
    from fieldstream._emit import emit
    from fieldstream._errors import (
        ConnectionLostError,
        FieldstreamError,
        HttpError,
        MissingExtraError,
        RemoteError,
        RunCancelledError,
        RunNotEndedError,
        UnknownFieldError,
    )
    from fieldstream._limits import set_thread_limit
    from fieldstream._messages import StatusMessage, StatusMessageProvider, StreamResponse
    from fieldstream._stream import Run, Stream, Streamer, SyncRun, stream
    from fieldstream._streamify.install import install, uninstall
    from fieldstream._streamify.listener import StreamListener
    from fieldstream._streamify.responses import apply_sync_streaming, streaming_response
    from fieldstream._streamify.wrapper import streamify
    from fieldstream.fields.values.markers import Done, NotNull, WithState
    from fieldstream.readers.partial import Stateful
    from fieldstream.readers.text import Text
    from fieldstream.simulator import simulate
    from fieldstream.tap.signatures.adapters import register_parser
    from fieldstream.transforms import Guard, Redact, Smooth, Transform

# Where each public name lives. They are imported when they are first used: importing DSPy takes a second, and not
# everything here needs it.
_HOMES = {
    "Client": "_client.client",
    "ConnectionLostError": "_errors",
    "Done": "fields.values.markers",
    "FieldstreamError": "_errors",
    "Guard": "transforms",
    "HttpError": "_errors",
    "MissingExtraError": "_errors",
    "NotNull": "fields.values.markers",
    "Redact": "transforms",
    "RemoteError": "_errors",
    "Run": "_stream",
    "RunCancelledError": "_errors",
    "RunNotEndedError": "_errors",
    "Smooth": "transforms",
    "Stateful": "readers.partial",
    "StatusMessage": "_messages",
    "StatusMessageProvider": "_messages",
    "Stream": "_stream",
    "StreamListener": "_streamify.listener",
    "StreamResponse": "_messages",
    "Streamer": "_stream",
    "SyncRun": "_stream",
    "Text": "readers.text",
    "Transform": "transforms",
    "UnknownFieldError": "_errors",
    "WithState": "fields.values.markers",
    "apply_sync_streaming": "_streamify.responses",
    "emit": "_emit",
    "install": "_streamify.install",
    "register_parser": "tap.signatures.adapters",
    "set_thread_limit": "_limits",
    "simulate": "simulator",
    "stream": "_stream",
    "streamify": "_streamify.wrapper",
    "streaming_response": "_streamify.responses",
    "uninstall": "_streamify.install",
}

__all__ = [
    "Client",
    "ConnectionLostError",
    "Done",
    "FieldstreamError",
    "Guard",
    "HttpError",
    "MissingExtraError",
    "NotNull",
    "Redact",
    "RemoteError",
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


_PACKAGES = {"events", "server", "terminal"}
"""What may be used as ``fieldstream.server`` where only ``fieldstream`` was imported."""


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return import_module(f"fieldstream.{name}")
    if name in _HOMES:
        value = getattr(import_module(f"fieldstream.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'fieldstream' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
