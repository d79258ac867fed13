"""AG-UI, the Agent-User Interaction Protocol, version 1.0: an agent's run as server-sent events.

Format: https://docs.ag-ui.com, by its own models (``ag-ui-protocol``). The verifier of its client (``@ag-ui/client``)
asks for more: what was opened is closed before ``RUN_FINISHED``, and lines end in a line feed alone.

The output field's text and the reasoning are messages; tools are calls that were answered (one without an answer would
be the app's to answer); other fields are shared state, in JSON Patches; a predictor's call is a step; status messages
and what the program itself says are custom events. Text is withdrawn by telling the whole conversation without it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ag_ui.core import (
    PROTOCOL_VERSION,
    AssistantMessage,
    BaseEvent,
    CustomEvent,
    FunctionCall,
    Message,
    MessagesSnapshotEvent,
    ReasoningEndEvent,
    ReasoningMessage,
    ReasoningMessageEndEvent,
    ReasoningMessageStartEvent,
    ReasoningStartEvent,
    RunAgentInput,
    RunErrorEvent,
    RunFinishedCancelledOutcome,
    RunFinishedEvent,
    RunFinishedSuccessOutcome,
    RunStartedEvent,
    StepFinishedEvent,
    StepStartedEvent,
    TextMessageEndEvent,
    TextMessageStartEvent,
    TokenUsage,
    ToolCall,
    ToolCallArgsEvent,
    ToolCallEndEvent,
    ToolCallResultEvent,
    ToolCallStartEvent,
    ToolMessage,
)

from fieldstream.events import UNSET, CallEnded, CallStarted, Event, Failure, FieldDelta, FieldReset, ResetReason
from fieldstream.wire.parts import DataPart, Part, TextPart, ToolPart
from fieldstream.wire.shared_state import SharedState
from fieldstream.wire.sse import data
from fieldstream.wire.turn import ChatTurn
from fieldstream.wire.usage import tokens
from fieldstream.wire.values import as_text
from fieldstream.wire.view import ChatView


class AgUiTurn(ChatTurn):
    """A run as the answer to an AG-UI client's request.

    A client that comes ``again`` may have some of it already, and would add to that: what stands after the events that
    are fed first is told to it as one conversation and one state, and goes on from there.
    """

    def __init__(self, view: ChatView, request: RunAgentInput, *, again: bool = False) -> None:
        super().__init__(view)
        self._request = request
        self._again = again
        self._last: BaseEvent | None = None
        self._state = SharedState(request.state)
        # The texts that are shown: their messages' ids, the pieces in which they were told, and those that go on.
        self._messages: dict[TextPart, str] = {}
        self._told: dict[TextPart, list[str]] = {}
        self._streaming: dict[TextPart, None] = {}
        # A message of reasoning that was withdrawn and that the client keeps, empty.
        self._spare: str | None = None
        self._steps: dict[str, str] = {}

    def feed(self, events: Sequence[Event]) -> bytes:
        """The bytes for these events. Nothing follows the run's end."""
        told = super().feed(events) + self._state.take()
        if not self._again:
            return told
        self._again = False
        return self._standing()

    def _standing(self) -> bytes:
        """The run as it stands, for a client that was told of it before."""
        standing: list[BaseEvent] = [self._opening(), MessagesSnapshotEvent(messages=self._conversation(()))]
        standing += self._state.standing()
        if self._last is not None:
            standing.append(self._last)
        else:
            standing += [StepStartedEvent(step_name=name) for name in self._steps.values()]
            for part in self._streaming:
                standing += _starts(part, self._messages[part])
        return b"".join([data(event.model_dump(by_alias=True)) for event in standing])

    # The run, and its steps.

    def started(self) -> None:
        self._say(self._opening())

    def _opening(self) -> BaseEvent:
        request = self._request
        return RunStartedEvent(thread_id=request.thread_id, run_id=request.run_id, protocol_version=PROTOCOL_VERSION)

    def predictor_started(self, event: CallStarted) -> None:
        # Of the steps that go on no two may have the same name.
        name, times = event.name, 1
        while name in self._steps.values():
            times += 1
            name = f"{event.name} ({times})"
        self._steps[event.call] = name
        self._say(StepStartedEvent(step_name=name))

    def predictor_ended(self, event: CallEnded) -> None:
        if (name := self._steps.pop(event.call, None)) is not None:
            self._say(StepFinishedEvent(step_name=name))

    def finished(self, usage: Mapping[str, Any]) -> None:
        self._state.conclude(self.result)
        self._finish(
            RunFinishedEvent(
                thread_id=self._request.thread_id,
                run_id=self._request.run_id,
                result=None if self.result is UNSET else self.result,
                outcome=RunFinishedSuccessOutcome(),
                usage=[_usage(model, each) for model, each in usage.items()] or None,
            )
        )

    def failed(self, error: Failure) -> None:
        self._finish(RunErrorEvent(message=error.message, code=error.kind))

    def cancelled(self, error: Failure | None) -> None:
        if error is not None and error.kind != "cancelled":  # By the server, for a reason that is none of the client's.
            self.failed(error)
            return
        request = self._request
        outcome = RunFinishedCancelledOutcome()
        self._finish(RunFinishedEvent(thread_id=request.thread_id, run_id=request.run_id, outcome=outcome))

    def _finish(self, event: BaseEvent) -> None:
        for name in self._steps.values():
            self._say(StepFinishedEvent(step_name=name))
        self._last = event
        self._say(event)

    # Texts.

    def text_started(self, part: TextPart) -> None:
        self._begin(part, self._id(part.id))

    def text(self, part: TextPart, text: str) -> None:
        self._more("TEXT_MESSAGE_CONTENT", part, text)

    def text_ended(self, part: TextPart) -> None:
        del self._streaming[part]
        self._say(TextMessageEndEvent(message_id=self._messages[part]))

    def reasoning_started(self, part: TextPart) -> None:
        id, self._spare = self._spare or self._id(part.id), None
        self._begin(part, id)

    def reasoning(self, part: TextPart, text: str) -> None:
        self._more("REASONING_MESSAGE_CONTENT", part, text)

    def reasoning_ended(self, part: TextPart) -> None:
        del self._streaming[part]
        self._say(ReasoningMessageEndEvent(message_id=self._messages[part]))
        self._say(ReasoningEndEvent(message_id=self._messages[part]))

    def _begin(self, part: TextPart, id: str) -> None:
        self._messages[part], self._told[part] = id, []
        self._streaming[part] = None
        for event in _starts(part, id):
            self._say(event)

    def _more(self, type: str, part: TextPart, text: str) -> None:
        self._told[part].append(text)
        # Most of what is said is this: a model for each piece would cost ten times as much.
        self._write({"type": type, "messageId": self._messages[part], "delta": text})

    def withdrawn(self, parts: Sequence[Part], reason: ResetReason) -> None:
        for part in parts:
            if isinstance(part, DataPart):
                self._state.withdraw(part)
            elif isinstance(part, TextPart):
                if part in self._streaming:
                    (self.text_ended if part.kind == "text" else self.reasoning_ended)(part)
                del self._told[part]
        if any(isinstance(part, TextPart) for part in parts):
            self._say(MessagesSnapshotEvent(messages=self._conversation(parts)))

    def _conversation(self, withdrawn: Sequence[Part]) -> list[Message]:
        """The whole conversation, as it stands."""
        messages = [*self._request.messages]
        for part in self.shown:
            if isinstance(part, ToolPart):
                messages += self._call(part)
            elif isinstance(part, TextPart):
                text = "".join(self._told[part])
                kind = AssistantMessage if part.kind == "text" else ReasoningMessage
                messages.append(kind(id=self._messages[part], content=text))
        if any(isinstance(message, ReasoningMessage) for message in messages):
            self._spare = None
            return messages
        # A client takes reasoning away only where a snapshot has some: it is emptied, and what comes next goes there.
        thoughts = [part for part in withdrawn if isinstance(part, TextPart) and part.kind == "reasoning"]
        if thoughts:
            self._spare = self._messages[thoughts[0]]
        if self._spare is not None:
            messages.append(ReasoningMessage(id=self._spare, content=""))
        return messages

    # Tools.

    def tool_started(self, part: ToolPart) -> None:
        id = self._id(part.call)
        self._say(ToolCallStartEvent(tool_call_id=id, tool_call_name=part.name))
        self._say(ToolCallArgsEvent(tool_call_id=id, delta=_arguments(part)))
        self._say(ToolCallEndEvent(tool_call_id=id))

    def tool_ended(self, part: ToolPart) -> None:
        id = self._id(part.call)
        self._say(
            ToolCallResultEvent(
                message_id=f"{id}.result",
                tool_call_id=id,
                content=_content(part),
                role="tool",
                metadata=None if part.error is None else {"error": part.error.message},
            )
        )

    def _call(self, part: ToolPart) -> list[Message]:
        """The messages that clients make of a tool's call."""
        id = self._id(part.call)
        call = ToolCall(id=id, function=FunctionCall(name=part.name, arguments=_arguments(part)))
        messages: list[Message] = [AssistantMessage(id=id, tool_calls=[call])]
        if part.ended:
            error = None if part.error is None else part.error.message
            messages.append(
                ToolMessage(
                    id=f"{id}.result",
                    tool_call_id=id,
                    content=_content(part),
                    error=error,
                    metadata=None if error is None else {"error": error},
                )
            )
        return messages

    # Everything else.

    def data_changed(self, part: DataPart, event: FieldDelta | FieldReset) -> None:
        self._state.change(part, event)

    def data(self, part: DataPart) -> None:
        if part.final:
            self._state.settle(part)

    def status(self, message: str) -> None:
        self._say(CustomEvent(name="status", value=message))

    def custom(self, name: str | None, value: Any) -> None:
        self._say(CustomEvent(name=name or "custom", value=value))

    def _id(self, name: str) -> str:
        """A name that no other run has: a client adds to what it has under an id."""
        return f"{self.view.run}.{name}"

    def _say(self, event: BaseEvent) -> None:
        self._write(event.model_dump(by_alias=True))

    def _write(self, event: Mapping[str, Any]) -> None:
        if state := self._state.take():
            self.write(state)
        self.write(data(event))


def _starts(part: TextPart, id: str) -> list[BaseEvent]:
    if part.kind == "text":
        return [TextMessageStartEvent(message_id=id, role="assistant")]
    return [ReasoningStartEvent(message_id=id), ReasoningMessageStartEvent(message_id=id, role="reasoning")]


def _arguments(part: ToolPart) -> str:
    # Apps parse it; those of a call that may not be seen are an object, too.
    return as_text(part.arguments or {})


def _content(part: ToolPart) -> str:
    return as_text(part.result) if part.error is None else part.error.message


def _usage(model: str, usage: Any) -> TokenUsage:
    """What was used of a model, which DSPy names by its provider first."""
    counted = tokens({model: usage})
    provider, slash, name = model.partition("/")
    return TokenUsage(
        provider=provider if slash else None,
        model=name if slash else model,
        input_tokens=_count(counted.input),
        output_tokens=_count(counted.output),
        total_tokens=_count(counted.total),
        reasoning_tokens=_count(counted.reasoning),
        cached_input_tokens=_count(counted.cached),
        cache_write_input_tokens=_count(counted.cache_written),
    )


def _count(count: int) -> int | None:
    """A count that JavaScript can count to; none, where it is not known or makes no sense."""
    return count if 0 < count < 1 << 53 else None
