"""Answers as the bytes of the OpenAI API: "The chat completion object", "The chat completion chunk object", errors.

Text that UTF-8 cannot carry (a lone surrogate) is escaped.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import msgspec

from fieldstream.simulator.answer import Answer
from fieldstream.simulator.options import Options
from fieldstream.simulator.request import ChatRequest, message_text
from fieldstream.simulator.tokens import count, cut

DONE = b"data: [DONE]\n\n"
MALFORMED = b'data: {"id": "chatcmpl-sim", "choices": [{"index": 0, "delta": {"content": "\n\n'
"""An event that breaks off in the middle of its JSON."""

_ERROR_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
_ERROR_CODES = {404: "not_found", 405: "method_not_allowed", 429: "rate_limit_exceeded"}


@dataclass(frozen=True, slots=True)
class Stream:
    """A streamed answer, encoded: what comes before its chunks, the chunks, and what comes after them."""

    opening: bytes
    chunks: list[bytes]
    closing: bytes


def encode(value: Any) -> bytes:
    """A value as JSON."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def error_body(status: int, message: str) -> bytes:
    """An error as the API shapes it."""
    kind = _ERROR_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return encode({"error": {"message": message, "type": kind, "param": None, "code": _ERROR_CODES.get(status)}})


def models_body(model: str, created: int) -> bytes:
    """The list of models, of which there is one."""
    entry = {"id": model, "object": "model", "created": created, "owned_by": "fieldstream"}
    return encode({"object": "list", "data": [entry]})


def completion_body(request: ChatRequest, answer: Answer, *, created: int, ended: bool = True) -> bytes:
    """A whole answer. One that has not `ended` has no finish reason."""
    choices: list[dict[str, Any]] = []
    for index, choice in enumerate(answer.candidates):
        reason = _finish_reason(choice) if ended else None
        if request.chat:
            message: dict[str, Any] = {"role": "assistant", "content": choice.text or None}
            if choice.tool_calls:
                message["tool_calls"] = [
                    {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
                    for call_id, name, arguments in _calls(request, index, choice)
                ]
            else:
                message["content"] = choice.text
            if choice.reasoning:
                message["reasoning_content"] = choice.reasoning
            choices.append({"index": index, "message": message, "finish_reason": reason, "logprobs": None})
        else:
            choices.append({"index": index, "text": choice.text, "finish_reason": reason, "logprobs": None})
    kind = "chat.completion" if request.chat else "text_completion"
    return encode(_envelope(request, kind, created) | {"choices": choices, "usage": usage(request, answer)})


def completion_stream(request: ChatRequest, answer: Answer, options: Options, *, created: int) -> Stream:
    """An answer, cut and encoded as server-sent events."""
    kind = "chat.completion.chunk" if request.chat else "text_completion"
    envelope = _envelope(request, kind, created)
    head = b"data: " + encode(envelope)[:-1] + b',"choices":[{"index":'
    candidates = answer.candidates
    opening = b""
    closing: list[bytes] = []
    columns: list[list[bytes]] = []
    for index, choice in enumerate(candidates):
        start = head + str(index).encode() + (b',"delta":' if request.chat else b",")
        if request.chat:
            opening += start + b'{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
            columns.append(_chat_chunks(request, index, choice, options, start))
        else:
            columns.append(
                [
                    start + b'"text":' + encode(text) + b',"finish_reason":null}]}\n\n'
                    for text in _texts(choice, options)
                ]
            )
        end = b'{},"finish_reason":' if request.chat else b'"text":"","finish_reason":'
        closing.append(start + end + encode(_finish_reason(choice)) + b"}]}\n\n")
    if request.include_usage:
        closing.append(b"data: " + encode(envelope | {"choices": [], "usage": usage(request, answer)}) + b"\n\n")
    closing.append(DONE)
    chunks = columns[0] if len(columns) == 1 else [chunk for row in zip_longest(*columns) for chunk in row if chunk]
    return Stream(opening, chunks, b"".join(closing))


def usage(request: ChatRequest, answer: Answer) -> dict[str, Any]:
    """The tokens of a request and its answer, counted by our own tokenizer; a chunk that was given counts as one."""
    if answer.usage is not None:
        return dict(answer.usage)
    prompt = sum(count(message_text(message)) + 4 for message in request.messages)
    reasoning = sum(count(choice.reasoning) for choice in answer.candidates)
    written = sum(
        (count(choice.text) if choice.chunks is None else len(choice.chunks))
        + sum(count(call.name) + count(call.arguments_text) for call in choice.tool_calls)
        for choice in answer.candidates
    )
    counted: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": reasoning + written,
        "total_tokens": prompt + reasoning + written,
    }
    if reasoning:
        counted["completion_tokens_details"] = {"reasoning_tokens": reasoning}
    return counted


def _chat_chunks(request: ChatRequest, index: int, choice: Answer, options: Options, start: bytes) -> list[bytes]:
    end = b'},"finish_reason":null}]}\n\n'
    thinking = start + b'{"reasoning_content":'
    writing = start + b'{"content":'
    chunks = [thinking + encode(text) + end for text in cut(choice.reasoning, options.chunking, options.seed)]
    chunks += [writing + encode(text) + end for text in _texts(choice, options)]
    for position, (call_id, name, arguments) in enumerate(_calls(request, index, choice)):
        named = {"index": position, "id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
        calling = start + b'{"tool_calls":['
        chunks.append(calling + encode(named) + b"]" + end)
        for text in cut(arguments, options.chunking, options.seed):
            fragment = {"index": position, "function": {"arguments": text}}
            chunks.append(calling + encode(fragment) + b"]" + end)
    return chunks


def _texts(choice: Answer, options: Options) -> Sequence[str]:
    return cut(choice.text, options.chunking, options.seed) if choice.chunks is None else choice.chunks


def _calls(request: ChatRequest, index: int, choice: Answer) -> list[tuple[str, str, str]]:
    return [
        (call.id or f"call_sim_{request.number}_{index}_{position}", call.name, call.arguments_text)
        for position, call in enumerate(choice.tool_calls)
    ]


def _envelope(request: ChatRequest, kind: str, created: int) -> dict[str, Any]:
    prefix = "chatcmpl" if request.chat else "cmpl"
    return {"id": f"{prefix}-sim-{request.number}", "object": kind, "created": created, "model": request.model}


def _finish_reason(choice: Answer) -> str:
    return choice.finish_reason or ("tool_calls" if choice.tool_calls else "stop")
