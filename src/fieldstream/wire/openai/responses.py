"""Responses (https://platform.openai.com/docs/api-reference/responses)."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fieldstream.events import ResetReason
from fieldstream.wire.openai.turn import ClientCall, OpenAITurn, Problem
from fieldstream.wire.parts import Part, TextPart, ToolPart
from fieldstream.wire.sse import data
from fieldstream.wire.usage import Tokens
from fieldstream.wire.values import as_text
from fieldstream.wire.view import ChatView


class _Item:
    """An item of the output, and its place in it."""

    __slots__ = ("index", "members")

    def __init__(self, index: int, members: dict[str, Any]) -> None:
        self.index = index
        self.members = members


class Responses(OpenAITurn):
    """A run as a response: its text a message, each reasoning an item with a summary, which is what clients show.

    A tool that the program ran itself is an ``mcp_call``, which no client takes as its own to run; a failed one says
    the error as its output, because versions of the official client do not agree on what ``error`` is. Calls that the
    program asks the client for are ``function_call`` items. Reasoning that was withdrawn is ``incomplete``, and not in
    the answer.

    ``echo`` holds members of the request that the response repeats.
    """

    def __init__(
        self,
        view: ChatView,
        *,
        model: str,
        created: int,
        hold: bool = False,
        calls: frozenset[str] = frozenset(),
        echo: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(view, model=model, created=created, hold=hold, calls=calls)
        self._echo = dict(echo or {})
        self._number = -1
        self._items: list[_Item] = []
        # What is open, and which reasoning stands.
        self._message: _Item | None = None
        self._reasons: TextPart | None = None
        self._running: dict[str, _Item] = {}
        self._reasonings: dict[TextPart, _Item] = {}

    # The steps, in events.

    def started(self) -> None:
        """The response, with nothing in it yet."""
        self._say("response.created", {"response": self._response("in_progress", [])})
        self._say("response.in_progress", {"response": self._response("in_progress", [])})

    def content(self, text: str) -> None:
        """More of the one message's one text."""
        item = self._message or self._open_message()
        self._say("response.output_text.delta", {**_part_of(item), "delta": text, "logprobs": []})

    def reasoning_started(self, part: TextPart) -> None:
        """An item with one summary."""
        id = f"rs_{self.view.run}_{len(self._items)}"
        item = self._put({"id": id, "type": "reasoning", "summary": [], "status": "in_progress"})
        self._say("response.reasoning_summary_part.added", {**_summary_of(item), "part": _summary("")})
        self._reasons = part
        self._reasonings[part] = item

    def reasoning(self, part: TextPart, text: str) -> None:
        """More of the summary."""
        self._say("response.reasoning_summary_text.delta", {**_summary_of(self._reasonings[part]), "delta": text})

    def reasoning_ended(self, part: TextPart) -> None:
        """The summary is whole."""
        self._end_reasoning("completed")

    def withdrawn(self, parts: Sequence[Part], reason: ResetReason) -> None:
        """Reasoning that was withdrawn is not whole; text that was goes on as it can."""
        if self._reasons in parts:
            self._end_reasoning("incomplete")
        for part in parts:
            if isinstance(part, TextPart) and (item := self._reasonings.get(part)) is not None:
                item.members["status"] = "incomplete"
        super().withdrawn(parts, reason)

    def tool_started(self, part: ToolPart) -> None:
        """An item for a tool that the program runs itself."""
        arguments = json.dumps(part.arguments or {}, ensure_ascii=False)
        item = self._put(
            {
                "id": f"mcp_{self.view.run}_{part.call}",
                "type": "mcp_call",
                "name": part.name,
                "server_label": self.view.program,
                "arguments": "",
                "output": None,
                "error": None,
                "status": "in_progress",
            }
        )
        self._say("response.mcp_call.in_progress", _place(item))
        self._say("response.mcp_call_arguments.delta", {**_place(item), "delta": arguments})
        self._say("response.mcp_call_arguments.done", {**_place(item), "arguments": arguments})
        item.members["arguments"] = arguments
        self._running[part.call] = item

    def tool_ended(self, part: ToolPart) -> None:
        """The tool's result, as far as it may be seen."""
        if (item := self._running.pop(part.call, None)) is None:
            return
        status = "completed" if part.error is None else "failed"
        self._say(f"response.mcp_call.{status}", _place(item))
        output = as_text(part.result) if part.error is None else part.error.message
        self._end_item(item, status=status, output=output or None)

    def completed(self, usage: Tokens) -> None:
        """What is left, and the response as a whole."""
        asked = self.client_calls()
        if self._message is None and not asked:
            self._open_message()
        self._end_message("completed")
        for call in asked:
            self._ask(call)
        whole = [item.members for item in self._items if item.members["status"] != "incomplete"]
        self.answer = self._response("completed", whole) | {"usage": usage.response()}
        self._say("response.completed", {"response": self.answer})

    def broken(self, problem: Problem) -> None:
        """What is open ends as it is, and the response says why."""
        self._end_reasoning("incomplete")
        for item in self._running.values():
            self._end_item(item, status="failed")
        self._running.clear()
        self._end_message("incomplete")
        status, kind = ("cancelled", "incomplete") if problem.code == "cancelled" else ("failed", "failed")
        response = self._response(status, [item.members for item in self._items])
        error = {"code": "server_error", "message": problem.message}
        self._say(f"response.{kind}", {"response": response | {"error": error}})

    # Items.

    def _open_message(self) -> _Item:
        id = f"msg_{self.view.run}"
        item = self._put({"id": id, "type": "message", "role": "assistant", "content": [], "status": "in_progress"})
        self._say("response.content_part.added", {**_part_of(item), "part": _text("")})
        self._message = item
        return item

    def _end_message(self, status: str) -> None:
        if self._message is None:
            return
        item, self._message = self._message, None
        text = self.final_text if status == "completed" else self._sent.text
        self._say("response.output_text.done", {**_part_of(item), "text": text, "logprobs": []})
        self._say("response.content_part.done", {**_part_of(item), "part": _text(text)})
        self._end_item(item, status=status, content=[_text(text)])

    def _end_reasoning(self, status: str) -> None:
        if self._reasons is None:
            return
        part, self._reasons = self._reasons, None
        item = self._reasonings[part]
        self._say("response.reasoning_summary_text.done", {**_summary_of(item), "text": part.text})
        self._say("response.reasoning_summary_part.done", {**_summary_of(item), "part": _summary(part.text)})
        self._end_item(item, status=status, summary=[_summary(part.text)])

    def _ask(self, call: ClientCall) -> None:
        item = self._put(
            {
                "id": f"fc_{self.view.run}_{len(self._items)}",
                "type": "function_call",
                "call_id": call.id,
                "name": call.name,
                "arguments": "",
                "status": "in_progress",
            }
        )
        arguments = call.arguments
        self._say("response.function_call_arguments.delta", {**_place(item), "delta": arguments})
        done = {**_place(item), "name": call.name, "arguments": arguments}
        self._say("response.function_call_arguments.done", done)
        self._end_item(item, status="completed", arguments=arguments)

    def _put(self, members: dict[str, Any]) -> _Item:
        item = _Item(len(self._items), members)
        self._items.append(item)
        self._say("response.output_item.added", {"output_index": item.index, "item": members})
        return item

    def _end_item(self, item: _Item, **members: Any) -> None:
        item.members.update(members)
        self._say("response.output_item.done", {"output_index": item.index, "item": item.members})

    # Events.

    def _say(self, kind: str, members: Mapping[str, Any]) -> None:
        self._number += 1
        self.write(b"event: %b\n" % kind.encode() + data({"type": kind, "sequence_number": self._number, **members}))

    def _response(self, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": f"resp_{self.view.run}",
            "object": "response",
            "created_at": self.created,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "metadata": {},
            "model": self.model,
            "output": output,
            "parallel_tool_calls": True,
            "previous_response_id": None,
            "store": False,
            "temperature": None,
            "tool_choice": "auto",
            "tools": [],
            "top_p": None,
            "usage": None,
            **self._echo,
        }


def _place(item: _Item) -> dict[str, Any]:
    return {"item_id": item.members["id"], "output_index": item.index}


def _part_of(item: _Item) -> dict[str, Any]:
    return {**_place(item), "content_index": 0}


def _summary_of(item: _Item) -> dict[str, Any]:
    return {**_place(item), "summary_index": 0}


def _text(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _summary(text: str) -> dict[str, Any]:
    return {"type": "summary_text", "text": text}
