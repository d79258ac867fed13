"""Chunks of OpenAI's chat completions that bring nothing but text, which nearly all do.

What DSPy makes of such a chunk is known beforehand: a delta of text. It need not make its objects for each. A chunk
that brings anything else, or that may not be what it seems, is DSPy's to read; so are streams of other kinds.

Touches of DSPy: ``OpenAIChatLM.parse_stream_events`` of its native engines, whose reading of a chunk this follows, and
the ``_inner`` of an asynchronous provider.
"""

# pyright: reportPrivateUsage=false, reportPrivateImportUsage=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from functools import cache
from typing import Any

import msgspec


class TextDelta(msgspec.Struct, gc=False):
    """What a chunk brings: more text or reasoning, or neither. Providers call the latter by one of two names."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: Any = None


class _Choice(msgspec.Struct, gc=False):
    delta: TextDelta | None = None
    logprobs: Any = None
    finish_reason: Any = None


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: Any = None
    error: Any = None


_decode = msgspec.json.Decoder(_Chunk).decode


def text_of(data: bytes) -> TextDelta | None:
    """What a chunk brings; ``None`` if it is to be read by DSPy."""
    try:
        chunk = _decode(data)
    except (ValueError, RecursionError):
        # It is no JSON, or of another form; or JSON that `json` reads and msgspec does not: a lone surrogate, a NaN.
        return None
    if not chunk.choices or chunk.usage is not None or chunk.error is not None:
        return None
    choice = chunk.choices[0]
    delta = choice.delta
    if delta is None or choice.finish_reason is not None or choice.logprobs is not None or delta.tool_calls:
        return None
    return delta


def is_read_alike(provider: Any, request: Any) -> bool:
    """Whether DSPy's provider reads its streams in the way that this does."""
    reader = getattr(provider, "_inner", provider)
    # Where DSPy itself ends an answer at a stop sequence, it must see the text.
    return not request.config.stop and _reads_alike(type(reader))


@cache
def _reads_alike(reader: type) -> bool:
    try:
        from dspy._vendor.lm15.providers.openai_chat import OpenAIChatLM
    except ImportError:
        return False
    own = getattr(reader, "parse_stream_events", None)
    return own is not None and own is vars(OpenAIChatLM).get("parse_stream_events")
