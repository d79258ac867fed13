"""Answers as the OpenAI Responses API gives them: "The response object" and "Streaming events".

An answer's reasoning is an item with a summary, its text one of a message, each tool call one of its own. A stream's
events are numbered, each piece of one of these is a chunk, and it ends with `response.completed` and no other mark.
Several candidates are nothing that this API knows: of an answer's choices, the first is given.
"""

from collections.abc import Iterator
from typing import Any

from fieldstream.simulator.answer import Answer
from fieldstream.simulator.options import Options
from fieldstream.simulator.request import ChatRequest
from fieldstream.simulator.tokens import cut
from fieldstream.simulator.wire import Stream, encode, usage

Item = dict[str, Any]


def response_body(request: ChatRequest, answer: Answer, *, created: int, ended: bool = True) -> bytes:
    """A whole answer. One that has not `ended` is incomplete."""
    status = "completed" if ended else "incomplete"
    return encode(_response(request, answer, created, status, [_whole(item) for item in _items(request, answer)]))


def response_stream(request: ChatRequest, answer: Answer, options: Options, *, created: int) -> Stream:
    """An answer, cut and encoded as server-sent events."""
    events = _Events()
    begun = _response(request, answer, created, "in_progress", [])
    opening = events.encode("response.created", response=begun)
    opening += events.encode("response.in_progress", response=begun)
    chunks: list[bytes] = []
    between = b""  # What comes between two chunks goes with the one after it.
    for index, item in enumerate(_items(request, answer)):
        between += events.encode("response.output_item.added", output_index=index, item=_begun(item))
        place = {"item_id": item["id"], "output_index": index}
        kind, part, text = _written(item)
        if part is not None:
            place |= part
            between += events.encode(f"{_PARTS[kind]}.added", **place, part=_part(kind, ""))
        for piece in _pieces(answer, kind, text, options):
            chunks.append(between + events.encode(f"{_TEXTS[kind]}.delta", **place, delta=piece, **_MORE[kind]))
            between = b""
        between += events.encode(f"{_TEXTS[kind]}.done", **place, **_done(kind, item, text), **_MORE[kind])
        if part is not None:
            between += events.encode(f"{_PARTS[kind]}.done", **place, part=_part(kind, text))
        between += events.encode("response.output_item.done", output_index=index, item=_whole(item))
    output = [_whole(item) for item in _items(request, answer)]
    ending = _response(request, answer, created, "completed", output)
    return Stream(opening, chunks, between + events.encode("response.completed", response=ending))


_TEXTS = {
    "reasoning": "response.reasoning_summary_text",
    "message": "response.output_text",
    "function_call": "response.function_call_arguments",
}
_PARTS = {"reasoning": "response.reasoning_summary_part", "message": "response.content_part"}
_MORE: dict[str, dict[str, Any]] = {"reasoning": {}, "message": {"logprobs": []}, "function_call": {}}


class _Events:
    """Numbers the events of a stream."""

    def __init__(self) -> None:
        self._number = 0

    def encode(self, type: str, **members: Any) -> bytes:
        event = {"type": type, "sequence_number": self._number, **members}
        self._number += 1
        return b"event: " + type.encode() + b"\ndata: " + encode(event) + b"\n\n"


def _items(request: ChatRequest, answer: Answer) -> Iterator[Item]:
    """The items of the output, each with its whole text."""
    first = answer.candidates[0]
    if first.reasoning:
        yield {"type": "reasoning", "id": f"rs_sim_{request.number}", "text": first.reasoning}
    if first.text or not first.tool_calls:
        yield {"type": "message", "id": f"msg_sim_{request.number}", "role": "assistant", "text": first.text}
    for position, call in enumerate(first.tool_calls):
        yield {
            "type": "function_call",
            "id": f"fc_sim_{request.number}_{position}",
            "call_id": call.id or f"call_sim_{request.number}_0_{position}",
            "name": call.name,
            "text": call.arguments_text,
        }


def _written(item: Item) -> tuple[str, dict[str, int] | None, str]:
    """An item's type, the index of the part of it that its text is in, if it has parts, and that text."""
    index = {"reasoning": {"summary_index": 0}, "message": {"content_index": 0}}.get(item["type"])
    return item["type"], index, item["text"]


def _pieces(answer: Answer, kind: str, text: str, options: Options) -> list[str]:
    first = answer.candidates[0]
    if kind == "message" and first.chunks is not None:
        return list(first.chunks)
    return cut(text, options.chunking, options.seed)


def _part(kind: str, text: str) -> dict[str, Any]:
    if kind == "reasoning":
        return {"type": "summary_text", "text": text}
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _done(kind: str, item: Item, text: str) -> dict[str, Any]:
    return {"name": item["name"], "arguments": text} if kind == "function_call" else {"text": text}


def _begun(item: Item) -> Item:
    """The item as it is before its text."""
    kind, parts, _ = _written(item)
    shape = {name: value for name, value in item.items() if name != "text"}
    if parts is None:
        return shape | {"arguments": "", "status": "in_progress"}
    return shape | ({"summary": []} if kind == "reasoning" else {"content": [], "status": "in_progress"})


def _whole(item: Item) -> Item:
    """The item with all of its text."""
    kind, parts, text = _written(item)
    shape = _begun(item)
    if kind != "reasoning":
        shape["status"] = "completed"
    if parts is None:
        return shape | {"arguments": text}
    return shape | {("summary" if kind == "reasoning" else "content"): [_part(kind, text)]}


def _response(request: ChatRequest, answer: Answer, created: int, status: str, output: list[Item]) -> dict[str, Any]:
    return {
        "id": f"resp_sim_{request.number}",
        "object": "response",
        "created_at": created,
        "status": status,
        "error": None,
        "incomplete_details": None if status != "incomplete" else {"reason": "max_output_tokens"},
        "instructions": request.body.get("instructions"),
        "model": request.model,
        "output": output,
        "parallel_tool_calls": True,
        "temperature": request.body.get("temperature"),
        "tool_choice": request.body.get("tool_choice", "auto"),
        "tools": request.body.get("tools", []),
        "top_p": request.body.get("top_p"),
        "metadata": {},
        "usage": None if status == "in_progress" else _usage(request, answer),
    }


def _usage(request: ChatRequest, answer: Answer) -> dict[str, Any]:
    """As the API names it; what an answer gives goes as it is."""
    counted = usage(request, answer)
    if answer.usage is not None:
        return counted
    details = counted.get("completion_tokens_details", {})
    return {
        "input_tokens": counted["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": counted["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": details.get("reasoning_tokens", 0)},
        "total_tokens": counted["total_tokens"],
    }
