"""What DSPy's callbacks say of a run, as calls and fields.

The callbacks run in the thread or task of the call itself. They are also the steps at which a cancelled run ends: a
start handler raises there, in any thread of the program.

Touches of DSPy: ``dspy.utils.callback`` (public ``BaseCallback``; ``ACTIVE_CALL_ID``, which still names the parent
during a start handler), and that ``Predict`` keeps ``send_stream`` from its LM where ``stream_listeners`` names others.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Callable, Mapping
from contextvars import Token
from typing import Any

import dspy
from dspy.utils.callback import ACTIVE_CALL_ID, BaseCallback

from fieldstream.events import WholeReason
from fieldstream.tap.adapters import asks_again, output_fields, parser_of
from fieldstream.tap.calls import Call
from fieldstream.tap.cancel import task_interrupt
from fieldstream.tap.current import override, restore
from fieldstream.tap.statuses import Statuses
from fieldstream.tap.tap import LmCall, Tap
from fieldstream.tap.values import argument, failure, field_values, output_texts, to_json, tool_arguments
from fieldstream.tap.writer import Writer


class _Open:
    """What is known of a DSPy call id until its end."""

    __slots__ = ("adapter", "call", "context", "instance", "lm", "release", "signature", "silent", "writer")

    def __init__(self, call: Call | None, instance: object) -> None:
        self.call = call
        self.instance = instance
        self.writer: Writer | None = None
        self.lm: LmCall | None = None
        self.signature: Any = None
        self.adapter: tuple[object, str] | None = None
        self.context: Token[Any] | None = None
        self.release: Callable[[], None] | None = None
        self.silent = False


class Observer(BaseCallback):
    """One run's callback."""

    def __init__(self, tap: Tap, status: Any) -> None:
        self._tap = tap
        self._statuses = Statuses(tap.recorder, status)
        self._open: dict[str, _Open] = {}
        self.pending = self._statuses.pending

    # Modules and predictors

    def on_module_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self._tap.cancellation.check()
        parent = self._parent()
        predictor = isinstance(instance, dspy.Predict)
        call = self._tap.recorder.open(
            parent.call if parent else None,
            "predictor" if predictor else "module",
            self._tap.names.of(instance),
            hold=predictor,
        )
        opened = self._open[call_id] = _Open(call, instance)
        if predictor:
            opened.writer = Writer(self._tap.recorder, call)
            opened.signature = instance.signature
        self._statuses.say("module_start", call, call_id=call_id, instance=instance, inputs=inputs)

    def on_module_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        opened = self._open.pop(call_id, None)
        if opened is None or opened.call is None:
            return
        fields: dict[str, Any] | None = None
        if opened.writer is not None and isinstance(outputs, dspy.Prediction):
            fields = self._settle(opened.writer, opened.signature, outputs)
        self._say_end("module_end", opened, call_id, outputs, exception)
        self._tap.recorder.close(opened.call, error=failure(exception) if exception else None, fields=fields)

    def _settle(self, writer: Writer, signature: Any, prediction: dspy.Prediction) -> dict[str, Any]:
        values = field_values(signature, dict(prediction.items()))
        writer.settle(0, values)
        completions = prediction.completions
        if completions is not None:
            for index in range(1, len(completions)):
                writer.settle(index, field_values(signature, dict(completions[index].items())))
        return {name: value for name, (_, value) in values.items()}

    # Adapters

    def on_adapter_format_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self._tap.cancellation.check()
        parent = self._parent()
        opened = self._open_within(call_id, parent, (instance, "format"))
        if parent is None or parent.writer is None or opened.adapter == parent.adapter:
            return
        signature = argument(inputs, "signature")
        if signature is not None:
            parser = parser_of(instance)
            if parser is None and not asks_again(instance):
                self._tap.recorder.announce(parent.writer.call, "adapter")
            parent.writer.plan(parser, output_fields(signature))

    def on_adapter_parse_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self._tap.cancellation.check()
        parent = self._parent()
        opened = self._open_within(call_id, parent, (instance, "parse"))
        if parent is not None and parent.writer is not None and opened.adapter != parent.adapter:
            opened.signature = argument(inputs, "signature")

    def on_adapter_parse_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        opened = self._open.pop(call_id, None)
        if opened is None or opened.writer is None or opened.signature is None:
            return
        opened.writer.parsed(field_values(opened.signature, outputs) if isinstance(outputs, Mapping) else {})

    # LMs

    def on_lm_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self._tap.cancellation.check()
        parent = self._parent()
        call = self._tap.recorder.open(
            parent.call if parent else None, "lm", str(getattr(instance, "model", type(instance).__name__)), hold=True
        )
        writer = parent.writer if parent else None
        opened = self._open[call_id] = _Open(call, parent.instance if parent and writer else instance)
        opened.writer = writer
        asker = parent.instance if parent and writer else None
        opened.lm = LmCall(self._tap, call, writer, asker, parent.lm if parent else None)
        if interrupt := task_interrupt(self._tap.root_task):
            opened.release = self._tap.cancellation.add(interrupt)
        # A built-in LM must not see the run's stream, or it gives up its retries; one of the user's may write to it.
        if is_custom(instance):
            opened.context = override(
                send_stream=self._tap.outlet, caller_predict=opened.lm.predictor, stream_listeners=[]
            )
        else:
            opened.context = override(send_stream=None)
        self._statuses.say("lm_start", call, call_id=call_id, instance=instance, inputs=inputs)

    def on_lm_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        opened = self._open.pop(call_id, None)
        if opened is None or opened.lm is None or opened.call is None:
            return
        if opened.context is not None:
            restore(opened.context)
        if opened.release is not None:
            opened.release()
        lm = opened.lm
        if exception is None:
            lm.cached = not lm.attempted
            self._whole(lm, outputs, "cached" if lm.cached else "lm")
        if lm.usage:
            self._tap.add_usage(lm.call.name, lm.usage)
        self._say_end("lm_end", opened, call_id, outputs, exception)
        self._tap.recorder.close(
            lm.call,
            error=failure(exception) if exception else None,
            usage=to_json(lm.usage) if lm.usage else None,
            cached=lm.cached,
        )

    def _whole(self, lm: LmCall, outputs: Any, reason: WholeReason) -> None:
        """Show what did not stream: a cached answer, or that of an LM that gives no stream."""
        if not lm.fed and lm.call.parent is not None and lm.call.parent.kind == "predictor":
            self._tap.recorder.announce(lm.call.parent, reason)
        for index, text in enumerate(output_texts(outputs)):
            if index not in lm.fed:
                lm.begin(index)
                if text:
                    lm.text(index, text)
            lm.finish(index)

    # Tools

    def on_tool_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self._tap.cancellation.check()
        parent = self._parent()
        call = self._tap.recorder.open(
            parent.call if parent else None, "tool", str(instance.name), arguments=tool_arguments(inputs)
        )
        opened = self._open[call_id] = _Open(call, instance)
        opened.silent = _is_own_finish(instance)
        if not opened.silent:
            self._statuses.say("tool_start", call, call_id=call_id, instance=instance, inputs=inputs)

    def on_tool_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        opened = self._open.pop(call_id, None)
        if opened is None or opened.call is None:
            return
        if not opened.silent:
            self._say_end("tool_end", opened, call_id, outputs, exception)
        if exception is None:
            self._tap.recorder.close(opened.call, result=to_json(outputs))
        else:
            self._tap.recorder.close(opened.call, error=failure(exception))

    # What is no call of its own

    def on_evaluate_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self._pass(call_id)

    def on_compile_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self._pass(call_id)

    def on_interpreter_execute_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self._pass(call_id)

    def on_interpreter_tool_call_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self._pass(call_id)

    def _pass(self, call_id: str) -> None:
        self._tap.cancellation.check()
        self._open_within(call_id, self._parent())

    def _open_within(self, call_id: str, parent: _Open | None, adapter: tuple[object, str] | None = None) -> _Open:
        """What happens in it belongs to what it is called from."""
        opened = self._open[call_id] = _Open(parent.call if parent else None, parent.instance if parent else None)
        opened.writer = parent.writer if parent else None
        opened.adapter = adapter
        return opened

    def _leave(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        self._open.pop(call_id, None)

    on_adapter_format_end = _leave
    on_evaluate_end = _leave
    on_compile_end = _leave
    on_interpreter_execute_end = _leave
    on_interpreter_tool_call_end = _leave

    # What they share

    def _parent(self) -> _Open | None:
        active = ACTIVE_CALL_ID.get()
        return self._open.get(active) if active is not None else None

    def active_lm(self) -> LmCall | None:
        """The LM call that the calling code is in."""
        opened = self._parent()
        return opened.lm if opened is not None else None

    def active_call(self) -> Call | None:
        """The call that the calling code is in."""
        opened = self._parent()
        return opened.call if opened is not None else None

    def _say_end(self, moment: str, opened: _Open, call_id: str, outputs: Any, exception: BaseException | None) -> None:
        if opened.call is not None:
            arguments = {"outputs": outputs, "exception": exception, "instance": opened.instance}
            self._statuses.say(moment, opened.call, call_id=call_id, **arguments)


def _is_own_finish(tool: Any) -> bool:
    """Whether the tool is the one with which ReAct ends, and not a user's of that name."""
    return tool.name == "finish" and getattr(tool.func, "__module__", "").startswith("dspy.predict.")


def is_custom(lm: object) -> bool:
    """Whether an LM answers with code of its user's, which may write to ``settings.send_stream`` itself."""
    if type(lm) is dspy.LM:
        return (
            not isinstance(getattr(lm, "_engine_spec", "auto"), str) or "forward" in vars(lm) or "aforward" in vars(lm)
        )
    return not (
        isinstance(lm, dspy.LM) and type(lm).forward is dspy.LM.forward and type(lm).aforward is dspy.LM.aforward
    )
