"""A request as the provider received it, and what became of it.

The format is that of the OpenAI API reference, "Create chat completion", "Create completion", "Create a model
response" and "Create embeddings".
"""

import json
import threading
import time
from collections.abc import Mapping
from typing import Any, cast

from fieldstream.simulator.options import OptionError, Options

HEADER = "x-simulator"
"""The request header, and without `x-` the key of the body, that carries options as JSON."""


class BadRequest(Exception):
    """The client's mistake: an HTTP status, and a message that says what to send instead."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ChatRequest:
    """One request. Its fields are set by the server's thread and may be read from any."""

    def __init__(self, number: int, method: str, path: str, headers: Mapping[str, str], content: bytes) -> None:
        self.number = number
        """Requests are counted from 0, in the order in which they were complete."""
        self.method = method
        self.path = path
        self.headers = dict(headers)
        """Names in lower case."""
        self.content = content
        self.body: dict[str, Any] = {}
        """The parsed body; empty where there was none or it was no JSON object."""
        self.options = Options()
        """What applied to this request, once its answer was chosen."""
        self.started = time.monotonic()
        self.ended: float | None = None
        """When it was over, whatever the way (`time.monotonic()`)."""
        self.status: int | None = None
        """The HTTP status of the answer, once it was begun."""
        self.chunks_sent = 0
        """Chunks handed to the socket so far."""
        self.finished = threading.Event()
        """Set when the answer, or what a fault left of it, was sent."""
        self.disconnected = threading.Event()
        """Set as soon as the client closed its connection before the end."""

    @property
    def chat(self) -> bool:
        """Whether messages were asked about, not a plain prompt."""
        return self.path.endswith("/chat/completions")

    @property
    def responses(self) -> bool:
        """Whether it was asked in the way of the Responses API."""
        return self.path.endswith("/responses")

    @property
    def embeddings(self) -> bool:
        """Whether texts were given to be made vectors of."""
        return self.path.endswith("/embeddings")

    @property
    def model(self) -> str:
        """The model's name, as the client gave it."""
        return str(self.body.get("model") or "sim")

    @property
    def stream(self) -> bool:
        """Whether the answer is to be streamed."""
        return bool(self.body.get("stream"))

    @property
    def include_usage(self) -> bool:
        """Whether a stream is to end with its usage (`stream_options.include_usage`)."""
        options = self.body.get("stream_options")
        return isinstance(options, dict) and bool(cast("dict[str, Any]", options).get("include_usage"))

    @property
    def choices(self) -> int:
        """How many candidates were asked for (`n`)."""
        return int(self.body.get("n") or 1)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages; for a plain prompt, one of the user; none for texts that are to be vectors."""
        if self.chat:
            return self.body["messages"]
        if self.responses:
            return _input_messages(self.body)
        if self.embeddings:
            return []
        prompt = self.body.get("prompt", "")
        return [{"role": "user", "content": prompt if isinstance(prompt, str) else "\n".join(map(str, prompt))}]

    def text(self, role: str) -> str:
        """The text of the last message with this role; `""` where there is none."""
        for message in reversed(self.messages):
            if message.get("role") == role:
                return message_text(message)
        return ""

    def parse(self) -> None:
        """Read the body. Raises `BadRequest` where it is not what the API asks for."""
        try:
            body: Any = json.loads(self.content)
        except ValueError as error:
            raise BadRequest(400, f"We could not parse the JSON body of your request: {error}") from None
        if not isinstance(body, dict):
            raise BadRequest(400, "The body of the request must be a JSON object")
        self.body = cast("dict[str, Any]", body)
        if self.chat:
            _check_messages(self.body.get("messages"))
        elif self.responses:
            _check_input(self.body.get("input"))
        elif not self.embeddings and not isinstance(self.body.get("prompt"), str | list):
            raise BadRequest(400, "Missing required parameter: 'prompt', a string")
        number = self.body.get("n")
        if number is not None and not (type(number) is int and 1 <= number <= 128):
            raise BadRequest(400, f"Invalid 'n': expected an integer from 1 to 128, got {number!r}")

    def option_changes(self) -> dict[str, Any]:
        """The options that came with the request, the body's over the header's. Raises `BadRequest`."""
        changes: dict[str, Any] = {}
        header = self.headers.get(HEADER)
        if header:
            try:
                _merge(changes, json.loads(header))
            except ValueError as error:
                raise BadRequest(400, f"The header {HEADER} must be a JSON object: {error}") from None
        _merge(changes, self.body.get(HEADER.removeprefix("x-"), {}))
        try:
            Options().updated(changes)
        except OptionError as error:
            raise BadRequest(400, str(error)) from None
        return changes


def message_text(message: Mapping[str, Any]) -> str:
    """A message's text: its content, or the text parts of it."""
    content: Any = message.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = [cast("dict[str, Any]", part) for part in cast("list[Any]", content) if isinstance(part, dict)]
    return "\n".join(str(part["text"]) for part in parts if "text" in part)


def _check_messages(messages: object) -> None:
    if not isinstance(messages, list) or not messages:
        raise BadRequest(400, "Missing required parameter: 'messages', a list of at least one message")
    for message in cast("list[Any]", messages):
        if not isinstance(message, dict) or "role" not in message:
            raise BadRequest(400, "Invalid 'messages': each must be an object with a role")


def _check_input(given: object) -> None:
    if isinstance(given, str):
        return
    if not isinstance(given, list) or not given:
        raise BadRequest(400, "Missing required parameter: 'input', a string or a list of at least one item")
    for item in cast("list[Any]", given):
        if not isinstance(item, dict) or not {"role", "type"} & cast("dict[str, Any]", item).keys():
            raise BadRequest(400, "Invalid 'input': each must be an object with a type, or a message with a role")


def _input_messages(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a request of the Responses API says, as the messages of a chat."""
    messages: list[dict[str, Any]] = []
    if isinstance(body.get("instructions"), str):
        messages.append({"role": "system", "content": body["instructions"]})
    given: Any = body.get("input")
    if isinstance(given, str):
        return [*messages, {"role": "user", "content": given}]
    for item in cast("list[dict[str, Any]]", given):
        if item.get("type") == "function_call_output":
            messages.append({"role": "tool", "content": item.get("output"), "tool_call_id": item.get("call_id")})
        elif "role" in item:
            messages.append({"role": item["role"], "content": item.get("content")})
    return messages


def _merge(changes: dict[str, Any], more: object) -> None:
    if not isinstance(more, dict):
        raise BadRequest(400, f"The options of the simulator must be a JSON object, not {more!r}")
    changes.update(cast("dict[str, Any]", more))
