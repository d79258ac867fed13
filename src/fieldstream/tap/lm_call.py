"""One call of an LM, and what it writes."""

from collections.abc import Mapping
from typing import Any

from fieldstream.tap.calls import Call
from fieldstream.tap.state import State
from fieldstream.tap.usage import Usage
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
        "state",
        "usage",
        "writer",
    )

    def __init__(
        self, state: State, call: Call, writer: Writer | None, predictor: object | None, outer: "LmCall | None" = None
    ) -> None:
        self.state = state
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
        self.state.recorder.announce(self.call)
        if self.writer is not None:
            self.candidates[index] = self.writer.begin(index)

    def text(self, index: int, piece: str) -> None:
        """More text of a completion."""
        if self.state.cancellation.requested:
            self.state.cancellation.check()
        if index not in self.fed:
            self._feeding(index)
        candidate = self.candidates.get(index)
        if candidate is not None and candidate.parser is not None and self.writer is not None:
            self.writer.feed(candidate, piece)
            if self.state.lm_text:
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
        recorder = self.state.recorder
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
            total = Usage()
            if self.usage:
                total.add("", self.usage)
            total.add("", usage)
            self.usage = total.total().get("")
