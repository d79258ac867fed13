"""The provider that the benchmarks stream from: the simulator, in a process of its own whose CPU is not counted."""

import multiprocessing
from collections.abc import Generator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from fieldstream.simulator import Answer, ChatRequest, serve_forever

CHUNK = 4
"""Characters in a chunk, as in the tokens of common models."""

_WORDS = "the light that we see was on its way for longer than there is anyone to see it, and "


def field_text(chunks: int) -> str:
    """A field's text that takes about so many chunks."""
    return (_WORDS * (chunks * CHUNK // len(_WORDS) + 1))[: chunks * CHUNK].strip()


def _answer(request: ChatRequest) -> Answer:
    model = str(request.body["model"])  # "chat-2000": the format, and the chunks of the field
    kind, _, chunks = model.rpartition("/")[2].partition("-")
    text = field_text(int(chunks))
    whole = {
        "chat": f"[[ ## answer ## ]]\n{text}\n\n[[ ## completed ## ]]",
        "json": f'{{"answer": "{text}"}}',
        "xml": f"<answer>\n{text}\n</answer>",
    }[kind]
    return Answer(chunks=[whole[start : start + CHUNK] for start in range(0, len(whole), CHUNK)])


def _serve(ready: Connection) -> None:
    serve_forever(answers=_answer, ready=lambda provider: ready.send(provider.lm_kwargs))


@contextmanager
def provider() -> Generator[dict[str, Any]]:
    """The arguments for ``dspy.LM`` that lead to it. Its models are ``openai/chat-2000`` and the like."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(there,), daemon=True)
    process.start()
    try:
        yield here.recv()
    finally:
        process.terminate()
        process.join()
