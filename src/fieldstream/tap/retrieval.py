"""Embedders and retrievers of DSPy that have no callbacks: in a run, a call of theirs is one of a tool.

(``dspy.Retrieve`` has callbacks: ``observer.py``.)

Touches of DSPy: ``Embedder.__call__`` and ``acall``, and ``Embeddings.__call__`` (wrapped).
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import dspy
from dspy.retrievers import Embeddings

from fieldstream.tap.current import current_tap
from fieldstream.tap.internals import known
from fieldstream.tap.signatures.values import to_json
from fieldstream.tap.tools import Tools


class _Outcome:
    """What a call gave, as its event says it."""

    value: object = None


@contextmanager
def _called(name: str, arguments: dict[str, Any]) -> Generator[_Outcome]:
    """A call in this block, in the run that the calling code belongs to."""
    outcome = _Outcome()
    tap = current_tap()
    if tap is None:
        yield outcome
        return
    tap.cancellation.check()
    tools = Tools(tap.state, tap.opened)
    call = tools.open(name, to_json(arguments))
    try:
        yield outcome
    except BaseException as error:
        tools.close(call, None, error)
        raise
    tools.close(call, outcome.value, None)


def _model(embedder: dspy.Embedder) -> str:
    model: Any = embedder.model
    return model if isinstance(model, str) else getattr(model, "__name__", type(model).__name__)


def _shape(vectors: Any) -> dict[str, Any]:
    """What an embedder gave. The numbers say nothing to a reader, and are many."""
    return {"shape": getattr(vectors, "shape", None)}


def _wrap_embedder(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def call(self: dspy.Embedder, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        with _called(_model(self), {"inputs": inputs}) as outcome:
            vectors = original(self, inputs, *args, **kwargs)
            outcome.value = _shape(vectors)
            return vectors

    return call


def _wrap_async_embedder(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    async def acall(self: dspy.Embedder, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        with _called(_model(self), {"inputs": inputs}) as outcome:
            vectors = await original(self, inputs, *args, **kwargs)
            outcome.value = _shape(vectors)
            return vectors

    return acall


def _wrap_retriever(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def call(self: Embeddings, query: str) -> Any:
        with _called(type(self).__name__, {"query": query}) as outcome:
            outcome.value = found = original(self, query)
            return found

    return call


def install() -> None:
    """Put the tap in place, once in a process. Outside of a run everything is as before."""
    embed = known(dspy.Embedder.__call__, "self", "inputs", "batch_size", "caching", "kwargs")
    aembed = known(dspy.Embedder.acall, "self", "inputs", "batch_size", "caching", "kwargs")
    retrieve = known(Embeddings.__call__, "self", "query")
    dspy.Embedder.__call__ = _wrap_embedder(embed)
    dspy.Embedder.acall = _wrap_async_embedder(aembed)
    Embeddings.__call__ = _wrap_retriever(retrieve)
