"""The provider that the benchmarks stream from: the simulator, in a process of its own whose CPU is not counted."""

import json
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


def field_models(chunks: int) -> list[dict[str, str]]:
    """A list of models, the JSON of which takes about so many chunks."""
    model = {"title": _WORDS[:24].strip(), "body": _WORDS}
    return [model] * max(1, chunks * CHUNK // (len(json.dumps(model)) + len(", ")))


def _answer(request: ChatRequest) -> Answer:
    model = str(request.body["model"])  # "chat-text-2000": the format, the kind of the field, and its chunks
    form, kind, chunks = model.rpartition("/")[2].split("-")
    text = field_text(int(chunks))
    literal = json.dumps(text if kind == "text" else field_models(int(chunks)))
    written = text if kind == "text" else literal
    whole = {
        "chat": f"[[ ## answer ## ]]\n{written}\n\n[[ ## completed ## ]]",
        "json": f'{{"answer": {literal}}}',
    }[form]
    return Answer(chunks=[whole[start : start + CHUNK] for start in range(0, len(whole), CHUNK)])


def _serve(ready: Connection) -> None:
    serve_forever(answers=_answer, ready=lambda provider: ready.send(provider.lm_kwargs))


@contextmanager
def provider() -> Generator[dict[str, Any]]:
    """The arguments for ``dspy.LM`` that lead to it. Its models are ``openai/chat-text-2000`` and the like."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(there,), daemon=True)
    process.start()
    try:
        yield here.recv()
    finally:
        process.terminate()
        process.join()
