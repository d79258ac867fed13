"""One call of an LM, and what it writes."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from fieldstream.fields import Change, NativeReader
from fieldstream.tap.lms.usage import Usage
from fieldstream.tap.record.calls import Call
from fieldstream.tap.record.writer import Candidate, Writer
from fieldstream.tap.signatures.values import to_json
from fieldstream.tap.state import State


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
        "wrote",
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
        """The completions of which something came."""
        self.wrote: set[int] = set()
        """Those of which text came."""
        self._handles: dict[tuple[str, int], int] = {}

    def begin(self, index: int) -> None:
        """A completion of this call begins, perhaps anew."""
        self.attempted = True
        self.state.recorder.announce(self.call)
        if self.writer is not None:
            self.candidates[index] = self.writer.begin(index)

    def text(self, index: int, *pieces: str) -> None:
        """More text of a completion: the pieces that came at once."""
        if self.state.cancellation.requested:
            self.state.cancellation.check()
        if index not in self.wrote:
            self._feeding(index, text=True)
        candidate = self.candidates.get(index)
        writer = self.writer if candidate is not None and candidate.parser is not None else None
        if writer is not None and candidate is not None and not self.state.lm_text:
            writer.feed(candidate, *pieces)
            return
        for piece in pieces:
            if writer is not None and candidate is not None:
                writer.feed(candidate, piece)
            self.other(index, "text", piece)

    def reasoning(self, index: int, piece: str) -> None:
        """More of what a completion says of its reasoning."""
        shown = self._beside(index, lambda native: native.reasoning(piece), piece)
        if not shown or self.state.lm_text:
            self.other(index, "reasoning", piece)

    def tool_call(self, index: int, number: int, name: str | None, arguments: str) -> None:
        """More of the tool call with this number: its name, or more of the text of its arguments."""
        shown = self._beside(index, lambda native: native.tool_call(number, name, arguments))
        if arguments and (not shown or self.state.lm_text):
            self.other(index, "tool_call", arguments)

    def wants_chunks(self, index: int) -> bool:
        """Whether a field may show something of the provider's chunks themselves."""
        candidate = self.candidates.get(index)
        return candidate is not None and candidate.native is not None and candidate.native.wants_chunks

    def chunk(self, index: int, chunk: object) -> None:
        """A chunk of a completion, in the shape that DSPy and LiteLLM share."""
        candidate = self.candidates.get(index)
        if self.writer is not None and candidate is not None:
            self.writer.beside(candidate, lambda native: native.chunk(chunk))

    def delta(self, index: int, delta: Any) -> None:
        """What is new in a chunk of that shape."""
        if (content := getattr(delta, "content", None)) and isinstance(content, str):
            self.text(index, content)
        if (reasoning := getattr(delta, "reasoning_content", None)) and isinstance(reasoning, str):
            self.reasoning(index, reasoning)
        for call in _items(getattr(delta, "tool_calls", None)):
            if (function := _member(call, "function")) is not None:
                number, arguments = _member(call, "index"), _member(function, "arguments")
                self.tool_call(
                    index,
                    number if isinstance(number, int) else 0,
                    _name(function),
                    arguments if isinstance(arguments, str) else "",
                )

    def answered(self, index: int, output: Any) -> None:
        """A completion, as the LM's call returned it: a text, or a mapping. What did not come before is told now."""
        said = cast("Mapping[str, Any]", output) if isinstance(output, Mapping) else {"text": output}
        text, reasoning, calls = said.get("text"), said.get("reasoning_content"), _items(said.get("tool_calls"))
        if index not in self.fed:
            self.begin(index)
            if isinstance(reasoning, str) and reasoning:
                self.reasoning(index, reasoning)
            if text:
                self.text(index, str(text))
            for number, call in enumerate(calls):
                # The Responses API has a call's parts at its top.
                function = _member(call, "function") or call
                arguments = _member(function, "arguments")
                text_of_arguments = arguments if isinstance(arguments, str) else json.dumps(to_json(arguments or {}))
                self.tool_call(index, number, _name(function), text_of_arguments)
        elif text and index not in self.wrote:
            self.text(index, str(text))
        if self.writer is not None and (not text or (calls and self.writer.native.calls and not self.writer.written)):
            self.writer.leave_unparsed(index)
        self.finish(index)

    def _beside(self, index: int, say: Callable[[NativeReader], list[Change] | None], piece: str = "") -> bool:
        """What comes beside the text; whether a field shows it."""
        if self.state.cancellation.requested:
            self.state.cancellation.check()
        if index not in self.fed:
            self._feeding(index, text=False)
        candidate = self.candidates.get(index)
        return self.writer is not None and candidate is not None and self.writer.beside(candidate, say, piece)

    def _feeding(self, index: int, *, text: bool) -> None:
        lm: LmCall | None = self
        while lm is not None:
            lm.fed.add(index)
            if text:
                lm.wrote.add(index)
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


def _member(value: Any, name: str) -> Any:
    """A member of what may be a mapping or an object."""
    return cast("Mapping[str, Any]", value).get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _name(function: Any) -> str | None:
    name = _member(function, "name")
    return name if isinstance(name, str) else None


def _items(value: Any) -> list[Any]:
    """The items of what should be a list."""
    return list(cast("Iterable[Any]", value)) if isinstance(value, list | tuple) else []
