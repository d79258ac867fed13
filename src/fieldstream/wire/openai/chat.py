"""Chat completions (https://platform.openai.com/docs/api-reference/chat)."""

import json
from typing import Any

from fieldstream.wire.openai.turn import SEPARATOR, ClientCall, OpenAITurn, Problem
from fieldstream.wire.parts import TextPart, ToolPart
from fieldstream.wire.sse import data
from fieldstream.wire.usage import Tokens
from fieldstream.wire.view import ChatView

DONE = b"data: [DONE]\n\n"


class ChatCompletions(OpenAITurn):
    """A run as a chat completion.

    Reasoning is ``reasoning_content``, as DeepSeek, vLLM and others call it and as many clients show it. A tool that
    the program ran itself is told as a tool call where its arguments may be seen; its result has no place here. The
    ``finish_reason`` is then ``stop`` all the same, for there is nothing left to run. Where the program asks the client
    for calls, it is ``tool_calls``, and those are the only calls that are told.

    ``usage`` says it in a chunk of its own at the stream's end. A completion that is whole always says it.
    """

    def __init__(
        self,
        view: ChatView,
        *,
        model: str,
        created: int,
        hold: bool = False,
        calls: frozenset[str] = frozenset(),
        usage: bool = False,
    ) -> None:
        super().__init__(view, model=model, created=created, hold=hold, calls=calls)
        self._usage = usage
        self._reasoned = False
        self._tool_calls: list[ClientCall] = []

    def started(self) -> None:
        """The first chunk says whose the text is."""
        self._send({"role": "assistant", "content": ""})

    def content(self, text: str) -> None:
        """A chunk of text."""
        self._send({"content": text})

    def reasoning_started(self, part: TextPart) -> None:
        """Another reasoning follows."""
        if self._reasoned:
            self._send({"reasoning_content": SEPARATOR})
        self._reasoned = True

    def reasoning(self, part: TextPart, text: str) -> None:
        """A chunk of reasoning."""
        self._send({"reasoning_content": text})

    def tool_started(self, part: ToolPart) -> None:
        """A tool that the program runs itself."""
        if part.arguments is not None and not self._calls:
            self._tell_call(ClientCall(part.call, part.name, json.dumps(part.arguments, ensure_ascii=False)))

    def completed(self, usage: Tokens) -> None:
        """The reason for the end, once; perhaps what was used; the mark of the end."""
        asked = self.client_calls()
        for call in asked:
            self._tell_call(call)
        reason = "tool_calls" if asked else "stop"
        self._send({}, reason)
        if self._usage:
            self.write(data(self._chunk([]) | {"usage": usage.completion()}))
        self.write(DONE)
        self.answer = self._completion(reason, usage)

    def broken(self, problem: Problem) -> None:
        """An error in the place of a chunk, which clients raise."""
        self.write(data({"error": problem.members()}))
        self.write(DONE)

    def _tell_call(self, call: ClientCall) -> None:
        index = len(self._tool_calls)
        self._tool_calls.append(call)
        self._send({"tool_calls": [{"index": index, **_tool_call(call)}]})

    def _send(self, delta: dict[str, Any], reason: str | None = None) -> None:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        self.write(data(self._chunk([choice])))

    def _chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return self._head("chat.completion.chunk") | {"choices": choices}

    def _completion(self, reason: str, usage: Tokens) -> dict[str, Any]:
        text, reasoning = self.final_text, self.final_reasoning
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        if reasoning:
            message["reasoning_content"] = reasoning
        if self._tool_calls:
            message["tool_calls"] = [_tool_call(call) for call in self._tool_calls]
            message["content"] = text or None
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
        return self._head("chat.completion") | {"choices": [choice], "usage": usage.completion()}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": f"chatcmpl-{self.view.run}", "object": kind, "created": self.created, "model": self.model}


def _tool_call(call: ClientCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
