"""A small client of the provider: what a test sends, and how it reads a stream."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import httpx

from fieldstream.simulator import Provider


def body(text: str = "Why is the sky blue?", **more: Any) -> dict[str, Any]:
    """A chat request."""
    return {"model": "sim", "messages": [{"role": "user", "content": text}], **more}


def post(provider: Provider, path: str = "/chat/completions", **options: Any) -> httpx.Response:
    """Send a request, read the whole answer."""
    options.setdefault("json", body())
    return httpx.post(provider.api_base + path, timeout=20, **options)


def data(response: httpx.Response) -> list[str]:
    """The data of a stream's events."""
    lines = response.read().decode().split("\n\n")
    assert lines.pop() == ""
    assert all(line.startswith("data: ") for line in lines)
    return [line.removeprefix("data: ") for line in lines]


def chunks(response: httpx.Response) -> list[dict[str, Any]]:
    """A stream's chunks; it must have ended as it should."""
    *events, end = data(response)
    assert end == "[DONE]"
    return [json.loads(event) for event in events]


def deltas(response: httpx.Response, key: str = "content", index: int = 0) -> list[Any]:
    """What a stream's chunks say of one choice, without the role and the end."""
    said = [choice for chunk in chunks(response) for choice in chunk["choices"] if choice["index"] == index]
    return [choice["delta"][key] for choice in said if key in choice["delta"] and "role" not in choice["delta"]]


def contents(response: httpx.Response, count: int) -> Iterator[str]:
    """The next texts of a stream that is still being read."""
    lines = (line for line in response.iter_lines() if '"content":' in line and '"role"' not in line)
    for line in islice(lines, count):
        yield json.loads(line.removeprefix("data: "))["choices"][0]["delta"]["content"]
