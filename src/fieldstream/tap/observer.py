"""What DSPy's callbacks say of a run, as calls and fields.

The callbacks run in the thread or task of the call itself. They are also the steps at which a cancelled run ends: a
start handler raises there, in any thread of the program.

Touches of DSPy: that ``Predict`` keeps ``send_stream`` from its LM where ``stream_listeners`` names others; and an LM's
``_engine_spec``, which is a string unless its user has made the engine.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Mapping
from typing import Any

import dspy
from dspy.signatures.signature import ensure_signature
from dspy.utils.callback import BaseCallback

from fieldstream.events import WholeReason
from fieldstream.tap.choosing import attempt_number, chosen
from fieldstream.tap.internals import lacking
from fieldstream.tap.lms.lm_call import LmCall
from fieldstream.tap.opened import Attempt, OpenCalls, Opened
from fieldstream.tap.outlet import Outlet
from fieldstream.tap.record.writer import Writer
from fieldstream.tap.settings import override, restore
from fieldstream.tap.signatures.adapters import asks_again, output_fields, parser_of
from fieldstream.tap.signatures.answers import Answer
from fieldstream.tap.signatures.native import native_fields
from fieldstream.tap.signatures.values import argument, completions, failure, field_values, to_json, tool_arguments
from fieldstream.tap.state import State
from fieldstream.tap.statuses import Statuses
from fieldstream.tap.tools import Tools, call_arguments
from fieldstream.tap.waits.cancel import task_interrupt


class Observer(BaseCallback):
    """One run's callback."""

    def __init__(self, state: State, opened: OpenCalls, outlet: Outlet, status: object) -> None:
        self._state = state
        self._opened = opened
        self._outlet = outlet
        self._statuses = Statuses(state.recorder, status)
        self._tools = Tools(state, opened)
        self.pending = self._statuses.pending

    # Modules and predictors

    def on_module_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self._state.cancellation.check()
        parent = self._opened.active()
        if isinstance(instance, dspy.Module):
            opened = self._open_module(call_id, parent, instance, inputs)
        else:  # `dspy.Retrieve`, or what its author gave DSPy's callbacks.
            call = self._tools.open(type(instance).__name__, call_arguments(instance, inputs))
            opened = self._opened.add(call_id, call, instance)
        if opened.call is not None:
            self._statuses.say("module_start", opened.call, call_id=call_id, instance=instance, inputs=inputs)

    def _open_module(
        self, call_id: str, parent: Opened | None, module: dspy.Module, inputs: Mapping[str, Any]
    ) -> Opened:
        predictor = isinstance(module, dspy.Predict)
        call = self._state.recorder.open(
            parent.call if parent else None,
            "predictor" if predictor else "module",
            self._state.names.of(module),
            attempt=attempt_number(parent, module, self._state.names),
            hold=predictor,
        )
        opened = self._opened.add(call_id, call, module)
        if parent is not None and call.attempt is not None:
            opened.attempt = Attempt(call)
            parent.attempts.append(opened.attempt)
        if predictor:
            opened.writer = Writer(self._state.recorder, call)
            # A call may bring a signature of its own, also as a string; DSPy reads it first.
            opened.signature = (inputs.get("kwargs") or {}).get("signature", module.signature)
            self._state.answers[call.id] = Answer(opened.signature)
        return opened

    def on_module_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        opened = self._opened.remove(call_id)
        if opened is None or opened.call is None:
            return
        fields: dict[str, Any] | None = None
        if opened.writer is not None and isinstance(outputs, dspy.Prediction):
            fields = self._settle(opened.writer, ensure_signature(opened.signature), outputs)
        self._say_end("module_end", opened, call_id, outputs, exception)
        if opened.call.kind == "tool":
            self._tools.close(opened.call, outputs, exception)
            return
        if opened.attempt is not None:
            opened.attempt.result = outputs
        self._state.recorder.close(
            opened.call,
            error=failure(exception) if exception else None,
            fields=fields,
            chosen=chosen(opened, outputs),
        )

    def _settle(self, writer: Writer, signature: Any, prediction: dspy.Prediction) -> dict[str, Any]:
        self._state.answers[writer.call.id].prediction = prediction
        values = field_values(signature, dict(prediction.items()))
        writer.settle(0, values)
        completions = prediction.completions
        if completions is not None:
            for index in range(1, len(completions)):
                writer.settle(index, field_values(signature, dict(completions[index].items())))
        return {name: value for name, (_, value) in values.items()}

    # Adapters

    def on_adapter_format_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self._state.cancellation.check()
        parent = self._opened.active()
        opened = self._open_within(call_id, parent, (instance, "format"))
        if parent is None or parent.writer is None or opened.adapter == parent.adapter:
            return
        signature = argument(inputs, "signature")
        if signature is not None:
            parser = parser_of(instance, signature, undecided_fields(signature, parent.signature))
            if parser is None and not asks_again(instance):
                self._state.recorder.announce(parent.writer.call, "adapter")
            parent.writer.drafted = parent.writer.drafted or asks_again(instance)
            native = None if parent.writer.drafted else native_fields(instance, parent.signature)
            parent.writer.plan(parser, output_fields(signature), native)

    def on_adapter_parse_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self._state.cancellation.check()
        parent = self._opened.active()
        opened = self._open_within(call_id, parent, (instance, "parse"))
        if parent is not None and parent.writer is not None and opened.adapter != parent.adapter:
            opened.signature = argument(inputs, "signature")
            opened.undecided = undecided_fields(opened.signature, parent.signature)

    def on_adapter_parse_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        opened = self._opened.remove(call_id)
        if opened is None or opened.writer is None or opened.signature is None:
            return
        if opened.adapter is not None and asks_again(opened.adapter[0]):
            return  # Another adapter's `parse`, within, has said it all.
        parsed = field_values(opened.signature, outputs) if isinstance(outputs, Mapping) else {}
        opened.writer.parsed({name: value for name, value in parsed.items() if name not in opened.undecided})

    # LMs

    def on_lm_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self._state.cancellation.check()
        parent = self._opened.active()
        call = self._state.recorder.open(
            parent.call if parent else None, "lm", str(getattr(instance, "model", type(instance).__name__)), hold=True
        )
        opened = self._opened.add(call_id, call, instance)
        opened.writer = parent.writer if parent else None
        outer = parent.lm if parent else None
        asker = outer.predictor if outer else parent.instance if parent and parent.writer else None
        opened.lm = LmCall(self._state, call, opened.writer, asker, outer)
        if interrupt := task_interrupt(self._state.root_task):
            opened.release = self._state.cancellation.add(interrupt)
        # A built-in LM must not see the run's stream, or it gives up its retries; one of the user's may write to it.
        if is_custom(instance):
            opened.context = override(send_stream=self._outlet, caller_predict=opened.lm.predictor, stream_listeners=[])
        else:
            opened.context = override(send_stream=None)
        self._statuses.say("lm_start", call, call_id=call_id, instance=instance, inputs=inputs)

    def on_lm_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        opened = self._opened.remove(call_id)
        if opened is None or opened.lm is None or opened.call is None:
            return
        if opened.context is not None:
            restore(opened.context)
        if opened.release is not None:
            opened.release()
        lm = opened.lm
        if exception is None:
            # Where it cannot be known, an answer counts as asked for.
            lm.cached = not lm.attempted and lacking.isdisjoint(("parents", "engines", "usage"))
            self._whole(lm, outputs, "cached" if lm.cached else "lm")
        if lm.usage:
            self._state.add_usage(lm.call.name, lm.usage)
        self._say_end("lm_end", opened, call_id, outputs, exception)
        self._state.recorder.close(
            lm.call,
            error=failure(exception) if exception else None,
            usage=to_json(lm.usage) if lm.usage else None,
            cached=lm.cached,
        )

    def _whole(self, lm: LmCall, outputs: Any, reason: WholeReason) -> None:
        """Show what did not stream: a cached answer, or that of an LM that gives no stream."""
        if not lm.fed and lm.call.parent is not None and lm.call.parent.kind == "predictor":
            self._state.recorder.announce(lm.call.parent, reason)
        for index, output in enumerate(completions(outputs)):
            lm.answered(index, output)

    # Tools

    def on_tool_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self._state.cancellation.check()
        call = self._tools.open(str(instance.name), tool_arguments(inputs))
        opened = self._opened.add(call_id, call, instance)
        opened.silent = _is_own_finish(instance)
        if not opened.silent:
            self._statuses.say("tool_start", call, call_id=call_id, instance=instance, inputs=inputs)

    def on_tool_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        opened = self._opened.remove(call_id)
        if opened is None or opened.call is None:
            return
        if not opened.silent:
            self._say_end("tool_end", opened, call_id, outputs, exception)
        self._tools.close(opened.call, outputs, exception)

    # Interpreters (3.4 and later)

    def on_interpreter_execute_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self._state.cancellation.check()
        arguments = {"code": to_json(inputs.get("code"))}  # Its variables may be as long as all that there is to read.
        self._opened.add(call_id, self._tools.open(type(instance).__name__, arguments), instance)

    def on_interpreter_execute_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        opened = self._opened.remove(call_id)
        if opened is not None and opened.call is not None:
            self._tools.close(opened.call, getattr(outputs, "output", outputs), exception)

    # What is no call of its own

    def on_evaluate_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self._pass(call_id)

    def on_compile_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self._pass(call_id)

    def on_interpreter_startup_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self._pass(call_id)

    def on_interpreter_shutdown_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self._pass(call_id)

    def on_interpreter_tool_call_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self._pass(call_id)

    def _pass(self, call_id: str) -> None:
        self._state.cancellation.check()
        self._open_within(call_id, self._opened.active())

    def _open_within(self, call_id: str, parent: Opened | None, adapter: tuple[object, str] | None = None) -> Opened:
        """What happens in it belongs to what it is called from."""
        opened = self._opened.add(call_id, parent.call if parent else None, parent.instance if parent else None)
        opened.writer = parent.writer if parent else None
        opened.adapter = adapter
        return opened

    def _leave(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        self._opened.remove(call_id)

    on_adapter_format_end = _leave
    on_evaluate_end = _leave
    on_compile_end = _leave
    on_interpreter_startup_end = _leave
    on_interpreter_shutdown_end = _leave
    on_interpreter_tool_call_end = _leave

    # What they share

    def _say_end(
        self, moment: str, opened: Opened, call_id: str, outputs: Any, exception: BaseException | None
    ) -> None:
        if opened.call is not None:
            arguments = {"outputs": outputs, "exception": exception, "instance": opened.instance}
            self._statuses.say(moment, opened.call, call_id=call_id, **arguments)


def undecided_fields(written: Any, declared: Any) -> set[str]:
    """The fields of a signature that are written as something else than what they are in the end.

    So it is with decisions: an LM gives its evidence, of which DSPy makes the value.
    """
    signature: Any = ensure_signature(declared)
    outputs = signature.output_fields
    return {
        name
        for name, info in written.output_fields.items()
        if name in outputs and outputs[name].annotation != info.annotation
    }


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
