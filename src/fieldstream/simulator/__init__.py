"""A provider on this machine that speaks the OpenAI API over real HTTP: for demos, tests and benchmarks.

It reads a request as a language model would, writes an answer that fits, at the pace it is told to, and fails as it is
told to. It knows nothing of DSPy and nothing of fieldstream: the whole path is that of a real provider.
"""

import threading
from collections.abc import Callable
from typing import Unpack

from fieldstream.simulator.answer import Answer, ToolCall
from fieldstream.simulator.options import Chunking, OptionArgs, OptionError, Options
from fieldstream.simulator.provider import Answers, Provider
from fieldstream.simulator.request import ChatRequest

__all__ = [
    "Answer",
    "Answers",
    "ChatRequest",
    "Chunking",
    "OptionArgs",
    "OptionError",
    "Options",
    "Provider",
    "ToolCall",
    "serve_forever",
    "simulate",
]


def simulate(
    answers: Answers | None = None, *, host: str = "127.0.0.1", port: int = 0, **options: Unpack[OptionArgs]
) -> Provider:
    """Start a provider; leaving its `with` or `async with` block stops it.

        with simulate(rate=50) as provider:
            lm = dspy.LM(provider.model, **provider.lm_kwargs)

    `answers` are used in the order of the requests, or computed for each; without them, the provider writes its own.
    The options are the fields of `Options`; a request may bring others, as JSON in the header `x-simulator` or under
    the key `simulator` of its body. Port 0 takes a free one.
    Raises `OptionError` for an option that makes no sense and `OSError` where it cannot listen.
    """
    return Provider(answers, Options(**options), host=host, port=port)


def serve_forever(
    port: int = 0,
    options: Options | None = None,
    *,
    host: str = "127.0.0.1",
    answers: Answers | None = None,
    ready: Callable[[Provider], None] | None = None,
) -> None:
    """Run a provider until the process is interrupted. `ready` is called once it listens, to print its `url`, say.

    Raises `OSError` where it cannot listen.
    """
    with Provider(answers, options, host=host, port=port) as provider:
        try:
            if ready is not None:
                ready(provider)
            threading.Event().wait()
        except KeyboardInterrupt:
            pass
