"""The provider that the benchmarks stream from: the simulator, in a process of its own whose CPU is not counted.

It runs on another core than what is measured, where there is one. A model's name says what it answers and how
(`model`), and what the provider achieved is told (`Achieved`): a figure that was taken with one that could not keep up
says nothing of who was measured.
"""

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fieldstream.simulator import Answer, ChatRequest, ToolCall, simulate

if TYPE_CHECKING:
    from multiprocessing.connection import Connection, PipeConnection

CHUNK = 4
"""Characters in a chunk, as in the tokens of common models."""

_WORDS = "the light that we see was on its way for longer than there is anyone to see it, and "
_ESCAPES = 'he said "so",\n\tand wrote C:\\light\\é – "ja"\n'


class NotKeptUpError(Exception):
    """The provider was slower than it was meant to be, so that what was measured is not what it says it is."""


@dataclass(frozen=True, kw_only=True)
class Achieved:
    """What the provider did since it was last asked."""

    requests: int
    chunks: int
    cpu: float
    """CPU seconds."""
    seconds: float
    """Seconds by the clock."""
    late: list[float]
    """By how many seconds each paced stream that came to its end ended later than its pace says."""

    def check_bursts(self, cost: float) -> None:
        """Raises `NotKeptUpError` where a reader that spends `cost` CPU seconds on a chunk had to wait for chunks."""
        if self.chunks == 0 or self.cpu / self.chunks >= cost:
            raise NotKeptUpError(
                f"the provider spent {self.cpu:.2f} s CPU on {self.chunks} chunks, the fastest reader "
                f"{cost * 1e6:.1f} µs on each: the reader was faster"
            )

    def check_pace(self, limit: float) -> None:
        """Raises `NotKeptUpError` where a paced stream ended more than `limit` seconds late, or none ended at all."""
        if not self.late or max(self.late) > limit:
            late = f"{max(self.late) * 1e3:.0f} ms late" if self.late else "never"
            raise NotKeptUpError(f"a paced stream ended {late} ({self.cpu:.1f} s CPU in {self.seconds:.1f} s)")


@dataclass(frozen=True)
class Provider:
    """The other process, as it is seen from here."""

    lm_kwargs: dict[str, Any]
    core: int | None
    """The core that it stays on, with whatever else makes load; `None` where that is left open."""
    _connection: "Connection | PipeConnection"

    def achieved(self) -> Achieved:
        """What it did since this was last asked."""
        self._connection.send(None)
        return self._connection.recv()


def model(form: str, kind: str, chunks: int, arrival: str = "bursts") -> str:
    """The name of the model that answers so.

    `form` is "chat", "json", "xml", or "tool" for a call of the tool `search(query)`; `kind` is that of the field:
    "text", "escapes" (a text with many of JSON's), "models" (a list of objects). `arrival` is "bursts", a number of
    chunks per second, or "stall" for a stream that goes silent after half of its chunks, until its reader leaves.
    The field's value takes about so many chunks, the answer some more. Of "tool" each chunk is one character.
    """
    return f"{form}-{kind}-{chunks}-{arrival}"


def field_text(chunks: int, words: str = _WORDS) -> str:
    """A field's text that takes about so many chunks."""
    return (words * (chunks * CHUNK // len(words) + 1))[: chunks * CHUNK].strip()


def field_models(chunks: int) -> list[dict[str, str]]:
    """A list of models, the JSON of which takes about so many chunks."""
    model = {"title": _WORDS[:24].strip(), "body": _WORDS}
    return [model] * max(1, chunks * CHUNK // (len(json.dumps(model)) + len(", ")))


def field_value(kind: str, chunks: int) -> Any:
    """What the field of such an answer is."""
    match kind:
        case "text":
            return field_text(chunks)
        case "escapes":
            return field_text(chunks, _ESCAPES)
        case "models":
            return field_models(chunks)
        case _:
            raise ValueError(f"there is no kind {kind!r} of field")


def cores() -> tuple[int, int] | None:
    """The core that is measured on, and the one for the provider; `None` where there is only one, or no way to tell."""
    if sys.platform != "linux":
        return None
    available = sorted(os.sched_getaffinity(0))
    return (available[0], available[-1]) if len(available) > 1 else None


def stay_on(core: int) -> None:
    """Have this process, and what it starts from now on, run on this core alone."""
    if sys.platform == "linux":
        os.sched_setaffinity(0, {core})


@contextmanager
def provider() -> Generator[Provider]:
    """A provider. While it runs, this process stays on a core of its own, where there is one."""
    both, all_cores = cores(), os.sched_getaffinity(0) if sys.platform == "linux" else None
    here, there = multiprocessing.Pipe()
    other = None if both is None else both[1]
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(there, other), daemon=True)
    process.start()
    there.close()
    try:
        lm_kwargs = here.recv()
        if both is not None:
            stay_on(both[0])
        yield Provider(lm_kwargs, other, here)
    finally:
        here.close()
        process.join()
        if all_cores is not None and sys.platform == "linux":
            os.sched_setaffinity(0, all_cores)


def answer(name: str) -> Answer:
    """What the model of this name answers; its `chunks` are those that are sent, other than of "tool"."""
    form, kind, chunks, arrival = name.split("-")
    value = field_value(kind, int(chunks) // CHUNK if form == "tool" else int(chunks))
    options: dict[str, Any] = {}
    if arrival == "stall":
        options["stall"] = int(chunks) // 2
    elif arrival != "bursts":
        options["rate"] = float(arrival)
    if form == "tool":
        return Answer(tool_calls=[ToolCall("search", {"query": value})], options=options | {"chunking": "chars"})
    whole = _written(form, value)
    return Answer(chunks=[whole[start : start + CHUNK] for start in range(0, len(whole), CHUNK)], options=options)


def _answer(request: ChatRequest) -> Answer:
    return answer(request.model.rpartition("/")[2])


def _written(form: str, value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    match form:
        case "chat":
            return f"[[ ## answer ## ]]\n{text}\n\n[[ ## completed ## ]]"
        case "json":
            return f'{{"answer": {json.dumps(value)}}}'
        case "xml" if isinstance(value, str) and not {"<", "&"} & set(value):
            return f"<answer>\n{value}\n</answer>"
        case _:
            raise ValueError(f"there is no answer of the form {form!r} with such a field")


def _serve(connection: "Connection | PipeConnection", core: int | None) -> None:
    if core is not None:
        stay_on(core)
    with simulate(_answer) as server:
        connection.send(server.lm_kwargs)
        seen, began, spent = 0, time.monotonic(), time.process_time()
        while True:
            try:
                connection.recv()
            except EOFError:
                return
            requests = server.requests[seen:]
            now, cpu = time.monotonic(), time.process_time()
            connection.send(
                Achieved(
                    requests=len(requests),
                    chunks=sum(request.chunks_sent for request in requests),
                    cpu=cpu - spent,
                    seconds=now - began,
                    late=[
                        _lateness(request)
                        for request in requests
                        if request.options.rate and request.chunks_sent and request.finished.is_set()
                    ],
                )
            )
            seen, began, spent = seen + len(requests), now, cpu


def _lateness(request: ChatRequest) -> float:
    assert request.ended is not None
    assert request.options.rate is not None
    return request.ended - request.started - (request.chunks_sent - 1) / request.options.rate
