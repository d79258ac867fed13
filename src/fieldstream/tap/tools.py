"""Calls of what a program uses beside modules and LMs: tools, retrievers, embedders, interpreters."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import inspect
from collections.abc import Mapping
from typing import Any

from fieldstream.tap.opened import OpenCalls
from fieldstream.tap.record.calls import Call
from fieldstream.tap.signatures.values import failure, to_json
from fieldstream.tap.state import State


class Tools:
    """One run's."""

    def __init__(self, state: State, opened: OpenCalls) -> None:
        self._recorder = state.recorder
        self._opened = opened

    def open(self, name: str, arguments: dict[str, Any]) -> Call:
        """A call begins, within the one that the calling code is in."""
        return self._recorder.open(self._opened.active_call(), "tool", name, arguments=arguments)

    def close(self, call: Call, result: object, error: BaseException | None) -> None:
        """It ended."""
        if error is None:
            self._recorder.close(call, result=to_json(result))
        else:
            self._recorder.close(call, error=failure(error))


def call_arguments(instance: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """By name, the arguments of a call of something that hands them on to its ``forward``."""
    positional = tuple(inputs.get("args") or ())
    named = dict(inputs.get("kwargs") or {})
    try:
        arguments = dict(inspect.signature(instance.forward).bind_partial(*positional, **named).arguments)
    except (AttributeError, TypeError, ValueError):  # It has none, or they do not fit, as the call will say.
        return to_json(dict(inputs))
    return to_json(arguments)
