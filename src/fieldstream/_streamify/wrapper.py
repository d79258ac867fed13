"""``streamify``: a program wrapped so that it yields its output as it comes."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Literal, overload

import dspy

from fieldstream._fields import predictors
from fieldstream._messages import StatusMessageProvider
from fieldstream._run import Launch, Mode
from fieldstream._streamify.listener import StreamListener, resolve
from fieldstream._streamify.output import AsyncOutput, SyncOutput

_FLAG = "include_final_prediction_in_output_stream"


@overload
def streamify(
    program: Callable[..., Any],
    status_message_provider: StatusMessageProvider | None = None,
    stream_listeners: Sequence[StreamListener] | None = None,
    include_final_prediction_in_output_stream: bool = True,
    is_async_program: bool = False,
    async_streaming: Literal[True] = True,
) -> Callable[..., AsyncOutput]: ...
@overload
def streamify(
    program: Callable[..., Any],
    status_message_provider: StatusMessageProvider | None = None,
    stream_listeners: Sequence[StreamListener] | None = None,
    include_final_prediction_in_output_stream: bool = True,
    is_async_program: bool = False,
    *,
    async_streaming: Literal[False],
) -> Callable[..., SyncOutput]: ...
@overload
def streamify(
    program: Callable[..., Any],
    status_message_provider: StatusMessageProvider | None = None,
    stream_listeners: Sequence[StreamListener] | None = None,
    include_final_prediction_in_output_stream: bool = True,
    is_async_program: bool = False,
    async_streaming: bool = True,
) -> Callable[..., AsyncOutput] | Callable[..., SyncOutput]: ...
def streamify(
    program: Callable[..., Any],
    status_message_provider: StatusMessageProvider | None = None,
    stream_listeners: Sequence[StreamListener] | None = None,
    include_final_prediction_in_output_stream: bool = True,
    is_async_program: bool = False,
    async_streaming: bool = True,
) -> Callable[..., AsyncOutput] | Callable[..., SyncOutput]:
    """Wrap a DSPy program: a call of it gives a stream to ``async for``, or with ``async_streaming=False`` to ``for``.

    Without listeners, the stream yields the provider's chunks, as DSPy hands them over; with some, a ``StreamResponse``
    for each text of a field that one of them listens to. Also ``StatusMessage``, whatever the program sends to
    ``dspy.settings.send_stream``, and at the end what the program returned; with
    ``include_final_prediction_in_output_stream=False`` that comes only if an answer came from a cache, or no listener
    caught anything. ``is_async_program`` awaits the program's ``acall``; else it is called in a thread.

    Each call is a run of its own, in the DSPy settings of the call. An exception of the program reaches the consumer as
    itself. Raises ``ValueError`` for a listener that fits no field of the program, or several.
    """
    listening = resolve(program, stream_listeners or ())
    provider = status_message_provider if status_message_provider is not None else StatusMessageProvider()
    mode: Mode = "async" if is_async_program or inspect.iscoroutinefunction(program) else "thread"
    takes_flag = _takes(program, _FLAG)
    output = AsyncOutput if async_streaming else SyncOutput

    def wrapped(*args: Any, **inputs: Any) -> Any:
        include_final = include_final_prediction_in_output_stream
        if not takes_flag:
            include_final = inputs.pop(_FLAG, include_final)
        return output(Launch(program, args, inputs, mode), provider, listening, include_final=include_final)

    return wrapped


def _takes(program: object, name: str) -> bool:
    """Whether the program has an argument of this name."""
    functions: list[Any] = [program]
    if isinstance(program, dspy.Module):
        functions = [method for each in ("forward", "aforward") if (method := getattr(type(program), each, None))]
    anything = False
    for function in functions:
        try:
            parameters = inspect.signature(function).parameters
        except (TypeError, ValueError):
            continue
        if name in parameters:
            return True
        anything = anything or any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    # What takes any keyword, as `Predict` does, hands it on to its predictors.
    return anything and any(name in predictor.signature.input_fields for predictor in predictors(program).values())
