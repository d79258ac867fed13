"""The tree of a run's calls, recorded as events. It knows nothing of DSPy.

Two rules live here: what was opened is closed before what encloses it, and nothing is said after that. A call that is
still open when its parent ends is closed as ``abandoned``, and what it says later is dropped.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from fieldstream.events import (
    CallEnded,
    CallKind,
    CallStarted,
    Custom,
    Event,
    Failure,
    LmDelta,
    Outcome,
    RunEnded,
    RunStarted,
    Status,
    WholeReason,
)
from fieldstream.tap.record.sink import Sink

ABANDONED = Failure(kind="abandoned", message="the call that this one belongs to ended before it did")


class Call:
    """One call of a module, a predictor, an LM or a tool."""

    __slots__ = (
        "announced",
        "arguments",
        "attempt",
        "began",
        "children",
        "ended",
        "id",
        "kind",
        "name",
        "on_close",
        "parent",
    )

    def __init__(self, id: str, parent: "Call | None", kind: CallKind, name: str) -> None:
        self.id = id
        self.parent = parent
        self.kind: CallKind = kind
        self.name = name
        self.arguments: dict[str, Any] | None = None
        self.attempt: int | None = None
        self.began = time.monotonic()
        self.announced = False
        # Born ended where its parent is: an abandoned call's children are not heard either.
        self.ended = parent is not None and parent.ended
        self.children: dict[str, Call] = {}
        self.on_close: Callable[[], None] | None = None


class Recorder:
    """Writes one run's events, in an order that every reader can rely on. All methods may be called from any thread."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.lock = threading.RLock()
        self.ended = False
        self.on_field_end: Callable[[Call, dict[str, Any]], None] | None = None
        """Told of a predictor's call, and its fields' values so far, each time that some of them are whole."""
        self._roots: dict[str, Call] = {}
        self._count = 0

    def start(self, run: str, program: str) -> None:
        with self.lock:
            self._record(RunStarted, run=run, program=program)
            self.sink.flush()

    def open(
        self,
        parent: Call | None,
        kind: CallKind,
        name: str,
        *,
        arguments: dict[str, Any] | None = None,
        attempt: int | None = None,
        hold: bool = False,
    ) -> Call:
        """A call begins. With ``hold`` its event waits until ``announce``, or until something in it must be said."""
        with self.lock:
            self._count += 1
            call = Call(f"c{self._count}", parent, kind, name)
            call.arguments = arguments
            call.attempt = attempt
            if not call.ended:
                (self._roots if parent is None else parent.children)[call.id] = call
                if not hold:
                    self.announce(call)
                    self.sink.flush()
            return call

    def announce(self, call: Call, whole: WholeReason | None = None) -> None:
        """Say that the call began, and before it those that enclose it."""
        with self.lock:
            if call.announced or call.ended or self.ended:
                return
            if call.parent is not None:
                self.announce(call.parent)
            call.announced = True
            self._record(
                CallStarted,
                call=call.id,
                parent=call.parent.id if call.parent is not None else None,
                kind=call.kind,
                name=call.name,
                arguments=call.arguments,
                whole=whole,
                attempt=call.attempt,
            )

    def close(
        self, call: Call, *, error: Failure | None = None, unfinished: Failure = ABANDONED, **members: Any
    ) -> None:
        """The call ended; so did, ``unfinished``, what is still open in it."""
        with self.lock:
            self._close(call, error, members, unfinished)
            self.sink.flush()

    def _close(self, call: Call, error: Failure | None, members: dict[str, Any], children: Failure) -> None:
        if call.ended or self.ended:
            return
        self.announce(call)
        for child in tuple(call.children.values()):
            self._close(child, children, {}, children)
        if call.on_close is not None:
            call.on_close()
            call.on_close = None
        call.ended = True
        (self._roots if call.parent is None else call.parent.children).pop(call.id, None)
        self._record(CallEnded, call=call.id, seconds=time.monotonic() - call.began, error=error, **members)

    def open_lm_text(self, call: Call, channel: str, candidate: int) -> int | None:
        """A handle for ``append`` of an LM's text; none once nothing of this call is heard."""
        with self.lock:
            if call.ended or self.ended:
                return None
            self.announce(call)
            return self.sink.open_text(LmDelta, call=call.id, channel=channel, candidate=candidate)

    def append(self, call: Call, text: int, piece: str) -> None:
        """More of a text that was opened for this call."""
        with self.lock:
            if not call.ended and not self.ended:
                self.sink.append(text, piece)
                self.sink.flush()

    def status(self, call: Call | None, message: str) -> None:
        with self.lock:
            if not self.ended:
                self._record(Status, message=message, call=self._heard(call))
                self.sink.flush()

    def custom(self, call: Call | None, live: object, value: Any, name: str | None) -> None:
        with self.lock:
            if not self.ended and (call is None or not call.ended):
                self._record(Custom, value=value, name=name, call=self._heard(call))
                self.sink.sent(live)
                self.sink.flush()

    def chunk(self, call: Call, chunk: object) -> None:
        with self.lock:
            if not call.ended and not self.ended:
                self.sink.chunk(chunk)
                self.sink.flush()

    def end(
        self, outcome: Outcome, *, error: Failure | None = None, unfinished: Failure | None = None, **members: Any
    ) -> bool:
        """The closing event, after everything still open was closed. ``False``: it was said before.

        Calls that are open are told as ``unfinished``; else by a cancel as its ``error``, and otherwise as abandoned.
        """
        with self.lock:
            if self.ended:
                return False
            reason = unfinished or (error if outcome == "cancelled" else None) or ABANDONED
            for call in tuple(self._roots.values()):
                self._close(call, reason, {}, reason)
            self._record(RunEnded, outcome=outcome, error=error, **members)
            self.ended = True
            self.sink.flush()
            return True

    def _heard(self, call: Call | None) -> str | None:
        """The id under which the call is known to readers, or that of what encloses it and goes on."""
        while call is not None and call.ended:
            call = call.parent
        if call is None:
            return None
        self.announce(call)
        return call.id

    def _record(self, kind: Callable[..., Event], /, **members: Any) -> None:
        self.sink.record(kind, **members)
