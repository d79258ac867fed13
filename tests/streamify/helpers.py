"""What the tests of ``streamify`` share: a provider that says what it is told, answers in each format, and readers."""

import json
from collections.abc import AsyncIterable, Generator, Iterable
from contextlib import contextmanager
from typing import Any
from xml.sax.saxutils import escape

import dspy
from dspy.adapters.xml_adapter import XMLAdapter

from fieldstream import StreamResponse
from fieldstream.simulator import Answer, Provider, simulate

ADAPTERS: dict[str, dspy.Adapter] = {
    "chat": dspy.ChatAdapter(),
    "json": dspy.JSONAdapter(),
    "xml": XMLAdapter(),
}


@contextmanager
def provided(*answers: Answer | str, adapter: Any = None, cache: bool = False, **options: Any) -> Generator[Provider]:
    """A provider with these answers, and DSPy's settings for it. It writes its own where they run out."""
    with simulate(**options) as provider:
        provider.script(*answers)
        lm = dspy.LM(provider.model, **provider.lm_kwargs, cache=cache, num_retries=2)
        with dspy.context(lm=lm, adapter=adapter):
            yield provider


def chat(**fields: str) -> str:
    """An answer in the chat format."""
    sections = [f"[[ ## {name} ## ]]\n{text}" for name, text in fields.items()]
    return "\n\n".join([*sections, "[[ ## completed ## ]]"])


def written(form: str, **fields: str) -> str:
    """An answer with these texts in one of the formats."""
    if form == "json":
        return json.dumps(fields)
    if form == "xml":
        return "\n\n".join(f"<{name}>\n{escape(text)}\n</{name}>" for name, text in fields.items())
    return chat(**fields)


async def gather(stream: AsyncIterable[Any]) -> list[Any]:
    """Everything that a stream yields."""
    return [value async for value in stream]


async def read(stream: AsyncIterable[Any], into: list[Any]) -> None:
    """Add what a stream yields to a list, which keeps it when the stream fails."""
    async for value in stream:
        into.append(value)  # noqa: PERF401 (a comprehension would lose it)


def responses(values: Iterable[Any], field: str | None = None) -> list[StreamResponse]:
    return [v for v in values if isinstance(v, StreamResponse) and field in (None, v.signature_field_name)]


def chunks(values: Iterable[Any], field: str | None = None) -> list[str]:
    return [response.chunk for response in responses(values, field)]


def text(values: Iterable[Any], field: str | None = None) -> str:
    """A field's text, as a consumer has it in the end: what was withdrawn is gone."""
    whole = ""
    for response in responses(values, field):
        whole = ("" if response.reset else whole) + response.chunk
    return whole


def check_ends(values: Iterable[Any]) -> None:
    """Assert that each field of each call ends once, and last; anew after a reset."""
    ended: dict[tuple[str, str], bool] = {}
    for response in responses(values):
        key = (response.call_id, response.signature_field_name)
        assert response.reset or not ended.get(key), f"after its last chunk: {response}"
        ended[key] = response.is_last_chunk
    assert all(ended.values()), f"without a last chunk: {[key for key, end in ended.items() if not end]}"
