"""Running a case: called plainly, and streamed."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import ExitStack
from contextvars import copy_context
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import dspy

import fieldstream
from fieldstream.events import Event
from tests.corpus.adapters import ADAPTERS
from tests.corpus.case import Case
from tests.corpus.lms import Lms


@dataclass
class Outcome:
    """What came of a call: its fields, or what it raised; and how often an LM was asked."""

    result: dict[str, Any] = field(default_factory=dict[str, Any])
    error: Exception | None = None
    asked: int = 0
    warnings: list[str] = field(default_factory=list[str])
    """What DSPy's loggers say of callbacks, whose exceptions it swallows."""
    events: list[Event] = field(default_factory=list[Event])


class _Warned(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


class Runs:
    """Runs cases one after the other, in a block, with one loop and one set of LMs."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._loop = asyncio.Runner()
        self._lms = Lms()
        self._warned = _Warned()

    def __enter__(self) -> Self:
        logger = logging.getLogger("dspy.utils.callback")
        logger.addHandler(self._warned)
        self._stack.callback(logger.removeHandler, self._warned)
        self._stack.enter_context(self._lms)
        self._stack.enter_context(self._loop)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._loop.run(self._lms.aclose())
        self._stack.close()

    def plain(self, case: Case, *, http: bool = False) -> Outcome:
        """The program of the case, called."""

        def call(program: Any, outcome: Outcome) -> Any:
            if case.way == "async":
                return self._await(program.acall(question="Why?"))
            return program(question="Why?")

        return self._run(case, call, http=http)

    def streamed(self, case: Case, *, http: bool = False) -> Outcome:
        """The program of the case, streamed."""

        async def read(program: Any, outcome: Outcome) -> Any:
            watch = fieldstream.Streamer(program, mode="async" if case.way == "async" else "thread")
            async with watch(question="Why?") as run:
                outcome.events = [event async for event in run]
                return run.result

        def call(program: Any, outcome: Outcome) -> Any:
            if case.way != "sync":
                return self._await(read(program, outcome))
            with fieldstream.stream(program, question="Why?") as run:
                outcome.events = list(run)
                return run.result

        return self._run(case, call, http=http)

    def _await(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run(coroutine, context=copy_context())  # which has DSPy's settings

    def _run(self, case: Case, call: Any, *, http: bool) -> Outcome:
        lm = self._lms.of(http=http)
        script = self._lms.script
        script.start(case.answers)
        self._warned.messages = []
        outcome = Outcome()
        with dspy.context(lm=lm, adapter=ADAPTERS[case.adapter][1](lm)):
            try:
                outcome.result = dict(call(dspy.Predict(case.signature), outcome).items())
            except Exception as error:
                outcome.error = error
        outcome.asked = script.asked
        outcome.warnings = self._warned.messages
        return outcome
