"""What all parts of one run's tap share: its calls, its cancel, its names, what it used."""

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

from fieldstream.tap.lms.usage import Usage
from fieldstream.tap.names import Names
from fieldstream.tap.record.calls import Recorder
from fieldstream.tap.record.sink import Sink
from fieldstream.tap.signatures.answers import Answer
from fieldstream.tap.waits.cancel import Cancellation


class State:
    """One run's."""

    def __init__(self, sink: Sink, names: Names, *, lm_text: bool) -> None:
        self.recorder = Recorder(sink)
        self.cancellation = Cancellation()
        self.names = names
        self.lm_text = lm_text
        """Whether an LM's text is told of, too, where a field shows it."""
        self.answers: dict[str, Answer] = {}
        """The live objects of predictors' calls, by our call ids."""
        self.root_task: asyncio.Task[Any] | None = None
        """The task that the run itself cancels."""
        self._usage = Usage()
        self._usage_lock = threading.Lock()

    def add_usage(self, model: str, usage: Mapping[str, Any]) -> None:
        """An LM's call has used so much."""
        with self._usage_lock:
            self._usage.add(model, usage)

    def total_usage(self) -> dict[str, dict[str, Any]]:
        """Tokens by model, as DSPy's own usage tracker sums them."""
        with self._usage_lock:
            return self._usage.total()
