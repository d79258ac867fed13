"""The AI SDK's UI message stream, version 1: a run as the assistant's message of a chat.

Format: https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol, and as the clients 7 and 6 of the npm package ``ai`` read it.

The output field's text and the reasoning are its text and reasoning; tools are dynamic tools that were executed here;
any other field is a part ``data-<field>``, whose ``data`` is its value so far. Status messages are ``data-status``
(transient: a client's ``onData`` gets them), what the program itself says is ``data-custom``. The message's id is the
run's; its metadata names the run, and in the end what it used.

All of a run is one step, for ``reset-step`` empties a step, which is how text is withdrawn; what stands is said again.
Client 6 does not know it, and fails on what it does not know. For it texts carry their ids, and what is withdrawn is
listed by ids in a part ``data-withdrawn``, for the app to hide.

A block that ends what one write tells carries the ``seq`` of our event as its id, which the clients pass over.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from fieldstream.events import UNSET, Event, Failure, ResetReason
from fieldstream.wire.parts import DataPart, Part, TextPart, ToolPart
from fieldstream.wire.sse import data
from fieldstream.wire.turn import ChatTurn
from fieldstream.wire.usage import tokens
from fieldstream.wire.view import ChatView

Version = Literal[6, 7]
"""The major version of the client's package ``ai``. Nothing in its requests tells it."""

NAME = "fieldstream"
"""Under which the metadata of parts holds ours."""

WITHDRAWN = "data-withdrawn"
"""The type of the part that lists what is withdrawn, for client 6."""


class AiSdkTurn(ChatTurn):
    """A run as a UI message stream."""

    headers: Mapping[str, str] = {"x-vercel-ai-ui-message-stream": "v1"}

    def __init__(self, view: ChatView, *, version: Version = 7) -> None:
        super().__init__(view)
        self._resets = version >= 7
        self._customs: list[dict[str, Any]] = []
        self._streaming: dict[TextPart, None] = {}
        self._withdrawn_ids: list[str] = []

    def feed(self, events: Sequence[Event]) -> bytes:
        """The bytes for these events. Nothing follows the run's end."""
        written = super().feed(events)
        return b"%bid: %d\n\n" % (written[:-1], self.seq) if written else b""

    def _say(self, type: str, **members: Any) -> None:
        self.write(data({"type": type, **members}))

    # The run.

    def started(self) -> None:
        self._say(
            "start", messageId=self.view.run, messageMetadata={"run": self.view.run, "program": self.view.program}
        )
        self._say("start-step")

    def finished(self, usage: Mapping[str, Any]) -> None:
        used = tokens(usage)
        counts = {"inputTokens": used.input, "outputTokens": used.output, "totalTokens": used.total}
        self._say("finish-step")
        self._say("finish", finishReason="stop", messageMetadata={"usage": counts} if usage else {})
        self._done()

    def failed(self, error: Failure) -> None:
        self._say("error", errorText=error.message)
        self._say("finish-step")
        self._say("finish", finishReason="error")
        self._done()

    def cancelled(self, error: Failure | None) -> None:
        if error is not None and error.kind != "cancelled":  # By the server. Clients take what is aborted for whole.
            self.failed(error)
            return
        self._say("abort", **({"reason": error.message} if error is not None else {}))
        self._done()

    def _done(self) -> None:
        self.write(b"data: [DONE]\n\n")

    # Texts.

    def text_started(self, part: TextPart) -> None:
        named = {} if self._resets else {"providerMetadata": {NAME: {"id": part.id}}}
        self._streaming[part] = None
        self._say(f"{part.kind}-start", id=part.id, **named)

    def text(self, part: TextPart, text: str) -> None:
        self._say(f"{part.kind}-delta", id=part.id, delta=text)

    def text_ended(self, part: TextPart) -> None:
        del self._streaming[part]
        self._say(f"{part.kind}-end", id=part.id)

    reasoning_started, reasoning, reasoning_ended = text_started, text, text_ended

    # Tools, and what else there is.

    def tool_started(self, part: ToolPart) -> None:
        self._say(
            "tool-input-available",
            toolCallId=self._tool_id(part),
            toolName=part.name,
            # Apps look into it, so that there is one where it may not be seen.
            input={} if part.arguments is None else part.arguments,
            providerExecuted=True,
            dynamic=True,
        )

    def tool_ended(self, part: ToolPart) -> None:
        marks = {"toolCallId": self._tool_id(part), "providerExecuted": True, "dynamic": True}
        if part.error is not None:
            self._say("tool-output-error", errorText=part.error.message, **marks)
        else:
            self._say("tool-output-available", output=None if part.result is UNSET else part.result, **marks)

    def _tool_id(self, part: ToolPart) -> str:
        # Unlike those of texts, apps look it up in a whole chat.
        return f"{self.view.run}.{part.call}"

    def data(self, part: DataPart) -> None:
        if part.id in self._withdrawn_ids:  # Something takes its place.
            self._withdrawn_ids.remove(part.id)
            self._say_withdrawn()
        self._say(f"data-{part.field}", id=part.id, data=part.value)

    def status(self, message: str) -> None:
        self._say("data-status", data={"message": message}, transient=True)

    def custom(self, name: str | None, value: Any) -> None:
        said = {"id": f"custom.{len(self._customs) + 1}", "data": {"name": name, "value": value}}
        self._customs.append(said)
        self._say("data-custom", **said)

    # What is withdrawn.

    def withdrawn(self, parts: Sequence[Part], reason: ResetReason) -> None:
        if reason != "rerun" and all(isinstance(part, DataPart) for part in parts):
            for part in parts:
                if isinstance(part, DataPart):
                    self._say(f"data-{part.field}", id=part.id, data=None)
        elif self._resets:
            self._say("reset-step")
            self._streaming.clear()
            for part in self.shown:
                self._say_again(part)
            for said in self._customs:
                self._say("data-custom", **said)
        else:
            for part in parts:
                if isinstance(part, TextPart) and part in self._streaming:
                    self.text_ended(part)
            self._withdrawn_ids += [part.id for part in parts if not isinstance(part, ToolPart)]
            self._say_withdrawn()

    def _say_withdrawn(self) -> None:
        self._say(WITHDRAWN, id="withdrawn", data={"ids": self._withdrawn_ids})

    def _say_again(self, part: Part) -> None:
        match part:
            case TextPart():
                self.text_started(part)
                self.text(part, part.text)
                if part.closed:
                    self.text_ended(part)
            case ToolPart():
                self.tool_started(part)
                if part.ended:
                    self.tool_ended(part)
            case DataPart():
                self.data(part)
