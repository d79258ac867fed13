"""LMs that say what a case says: by an engine in this process, or by the simulator."""

# DSPy's LMs have few types.
# pyright: reportCallIssue=false, reportArgumentType=false

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import dspy

import fieldstream
from fieldstream.simulator import Answer, Provider
from tests.support.sameness import HAS_ENGINES

LAST = "last chunk"
"""The name of what an engine says in the run before an answer's last chunk, where there are others before it: which
answer that is, counted from 1.
"""


class Script:
    """The answers of a case, one for each time that an LM is asked; the last one is said again."""

    def __init__(self) -> None:
        self.asked = 0
        self._answers: Sequence[Sequence[str]] = ()

    def start(self, answers: Sequence[Sequence[str]]) -> None:
        self._answers = answers
        self.asked = 0

    def next(self) -> Sequence[str]:
        self.asked += 1
        return self._answers[min(self.asked, len(self._answers)) - 1]


class _Engine:
    """As DSPy's own engines, without a provider."""

    def __init__(self, script: Script) -> None:
        self._script = script

    def complete(self, request: Any) -> Any:
        from dspy import lm15

        message = lm15.Message.assistant([lm15.TextPart("".join(self._script.next()))])
        return lm15.Response(id=None, model="m", message=message, finish_reason="stop", usage=_usage())

    def stream(self, request: Any) -> Iterator[Any]:
        from dspy import lm15

        yield lm15.StreamStartEvent(id=None, model="m")
        chunks = self._script.next()
        for index, chunk in enumerate(chunks):
            if 0 < index == len(chunks) - 1:
                fieldstream.emit(self._script.asked, name=LAST)
            yield lm15.StreamDeltaEvent(delta=lm15.TextDelta(text=chunk, part_index=0))
        yield lm15.StreamEndEvent(finish_reason="stop", usage=_usage())


class _AsyncEngine:
    def __init__(self, engine: _Engine) -> None:
        self._engine = engine

    async def complete(self, request: Any) -> Any:
        return self._engine.complete(request)

    async def stream(self, request: Any) -> AsyncIterator[Any]:
        for event in self._engine.stream(request):
            yield event


def _usage() -> Any:
    from dspy import lm15

    return lm15.Usage(input_tokens=1, output_tokens=1, total_tokens=2)


class Lms:
    """The LMs of all cases, in a block: connections are kept."""

    def __init__(self) -> None:
        self.script = Script()
        self._stack = ExitStack()
        self._http: dspy.LM | None = None
        self._engine: dspy.LM | None = None

    def __enter__(self) -> Self:
        provider = self._stack.enter_context(Provider(lambda _: Answer(chunks=self.script.next())))
        self._http = dspy.LM(provider.model, **provider.lm_kwargs, cache=False, num_retries=0)
        if HAS_ENGINES:
            engine = _Engine(self.script)
            self._engine = dspy.LM(
                "openai/sim", engine=engine, async_engine=_AsyncEngine(engine), cache=False, num_retries=0
            )
            self._stack.callback(self._http.close)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    async def aclose(self) -> None:
        """Close what the loop has of connections."""
        if self._http is not None and HAS_ENGINES:
            await self._http.aclose()

    def of(self, *, http: bool) -> dspy.LM:
        """An LM, by either transport; before DSPy 3.4 there is only one."""
        lm = self._http if http or self._engine is None else self._engine
        assert lm is not None
        lm.history.clear()
        return lm
