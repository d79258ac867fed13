"""What one run knows of itself while it works: its calls, their fields, its cancel."""

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

from dspy.utils.usage_tracker import UsageTracker

from fieldstream.tap.calls import Call, Recorder
from fieldstream.tap.cancel import Cancellation
from fieldstream.tap.names import Names
from fieldstream.tap.outlet import Outlet
from fieldstream.tap.sink import Sink
from fieldstream.tap.writer import Candidate, Writer


class LmCall:
    """An LM's call: what it writes goes to the fields of the predictor that asked, or is text of its own.

    ``outer`` is the call of an LM that asks this one to have its own answer: what this one writes, that one has
    written.
    """

    __slots__ = (
        "_handles",
        "attempted",
        "attempting",
        "cached",
        "call",
        "candidates",
        "fed",
        "outer",
        "predictor",
        "tap",
        "usage",
        "writer",
    )

    def __init__(
        self, tap: "Tap", call: Call, writer: Writer | None, predictor: object | None, outer: "LmCall | None" = None
    ) -> None:
        self.tap = tap
        self.outer = outer
        self.call = call
        self.writer = writer
        self.predictor = predictor
        self.attempted = False
        self.attempting = False
        self.cached = False
        self.usage: dict[str, Any] | None = None
        self.candidates: dict[int, Candidate] = {}
        self.fed: set[int] = set()
        self._handles: dict[tuple[str, int], int] = {}

    def begin(self, index: int) -> None:
        """A completion of this call begins, perhaps anew."""
        self.attempted = True
        self.tap.recorder.announce(self.call)
        if self.writer is not None:
            self.candidates[index] = self.writer.begin(index)

    def text(self, index: int, piece: str) -> None:
        """More text of a completion."""
        if self.tap.cancellation.requested:
            self.tap.cancellation.check()
        if index not in self.fed:
            self._feeding(index)
        candidate = self.candidates.get(index)
        if candidate is not None and candidate.parser is not None and self.writer is not None:
            self.writer.feed(candidate, piece)
            if self.tap.lm_text:
                self.other(index, "text", piece)
        else:
            self.other(index, "text", piece)

    def _feeding(self, index: int) -> None:
        lm: LmCall | None = self
        while lm is not None:
            lm.fed.add(index)
            lm = lm.outer

    def other(self, index: int, channel: str, piece: str) -> None:
        """More of what no field shows."""
        recorder = self.tap.recorder
        key = (channel, index)
        handle = self._handles.get(key)
        if handle is None:
            handle = recorder.open_lm_text(self.call, channel, index)
            if handle is None:
                return
            self._handles[key] = handle
        recorder.append(self.call, handle, piece)

    def finish(self, index: int) -> None:
        """A completion is over."""
        if self.writer is not None and (candidate := self.candidates.get(index)) is not None:
            self.writer.finish(candidate)

    def spent(self, usage: Mapping[str, Any]) -> None:
        """What the provider reports of one attempt."""
        if usage:
            tracker = UsageTracker()
            if self.usage:
                tracker.add_usage("", self.usage)
            tracker.add_usage("", dict(usage))
            self.usage = tracker.get_total_tokens()[""]


class Tap:
    """One run's place in the seam to DSPy. Made for each run, and gone with it."""

    def __init__(self, sink: Sink, names: Names, status: object, *, lm_text: bool = False) -> None:
        self.recorder = Recorder(sink)
        self.cancellation = Cancellation()
        self.names = names
        self.lm_text = lm_text
        self.root_task: asyncio.Task[Any] | None = None
        self.usage = UsageTracker()
        self.outlet = Outlet(self)
        self._usage_lock = threading.Lock()
        # Imported late: the observer is made of DSPy's callback class and knows the tap.
        from fieldstream.tap.observer import Observer

        self.observer = Observer(self, status)

    def add_usage(self, model: str, usage: Mapping[str, Any]) -> None:
        with self._usage_lock:
            self.usage.add_usage(model, dict(usage))

    def total_usage(self) -> dict[str, dict[str, Any]]:
        """Tokens by model, as DSPy's own usage tracker sums them."""
        with self._usage_lock:
            return self.usage.get_total_tokens()

    # A run is one thing of one process: settings that hold it may be copied and saved, but it is not.
    def __deepcopy__(self, memo: dict[int, Any]) -> "Tap":
        return self

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        return (type(None), ())
