"""The vocabulary: everything that a run can say, and nothing else.

Each event is a frozen struct; its ``type`` ("field.delta") is the tag of the union ``Event``. ``seq`` counts the events
of a run from 0 without a gap and is a reader's cursor; ``at`` is the time in seconds since the run began. Values are
JSON values (what Pydantic's ``mode="json"`` gives); live objects stay on the run.

Rules that every run keeps: ``run.started`` is first and ``run.ended`` is last and only once; what was opened is closed
before what encloses it; an id names one call for the whole run; a field that was reset is open again.
"""

from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

Path: TypeAlias = tuple[str | int, ...]
"""Where in a field's value: keys and indexes from the field's root; ``()`` is the value itself."""

CallKind = Literal["module", "predictor", "lm", "tool"]
FieldKind = Literal["text", "data"]
ResetReason = Literal["retry", "fallback", "repair", "rerun"]
Channel = Literal["text", "reasoning", "tool_call"]
Outcome = Literal["completed", "failed", "cancelled"]
WholeReason = Literal["cached", "adapter", "lm"]
"""Why a predictor's fields come whole: a cached answer, an adapter without a parser, an LM that gives no stream."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """An exception as data: the name of its class and its message.

    The kind ``abandoned`` is of a call that outlived its parent, ``cancelled`` of one that a cancel ended.
    """

    kind: str
    message: str


class _Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    seq: int
    at: float

    @property
    def type(self) -> str:
        """The event's name, as on the wire: ``"field.delta"``."""
        return str(self.__struct_config__.tag)


class RunStarted(_Event, frozen=True, kw_only=True, tag="run.started"):
    """The run's first event: its id, and the program's name."""

    run: str
    program: str


class CallStarted(_Event, frozen=True, kw_only=True, tag="call.started"):
    """A module, a predictor, an LM or a tool was called.

    ``name`` is a predictor's or a module's path in the program (as ``named_predictors()`` gives it), a tool's name or a
    model's. ``arguments`` are a tool's. ``whole`` says why a predictor's fields will come whole, if they will.
    ``attempt`` counts, from 1, the tries of a module that its parent makes to choose one of (``BestOfN``, ``Refine``).

    A tool is whatever a program uses beside modules and LMs: its tools, and its embedders, retrievers and interpreters.
    """

    call: str
    parent: str | None = None
    kind: CallKind
    name: str
    arguments: dict[str, Any] | None = None
    whole: WholeReason | None = None
    attempt: int | None = None


class FieldStarted(_Event, frozen=True, kw_only=True, tag="field.started"):
    """A predictor's call began to write a field. ``candidate`` tells several completions (``n > 1``) apart."""

    call: str
    field: str
    kind: FieldKind = "text"
    candidate: int = 0


class FieldDelta(_Event, frozen=True, kw_only=True, tag="field.delta"):
    """More of a field: ``text`` to append at ``path``, or a ``value`` to set there. One of the two is there."""

    call: str
    field: str
    candidate: int = 0
    path: Path = ()
    text: str | None = None
    value: Any = UNSET


class FieldReset(_Event, frozen=True, kw_only=True, tag="field.reset"):
    """What was shown at ``path`` (``()``: the whole field) is withdrawn; what follows takes its place."""

    call: str
    field: str
    candidate: int = 0
    reason: ResetReason
    path: Path = ()


class FieldEnded(_Event, frozen=True, kw_only=True, tag="field.ended"):
    """The field is whole in the LM's text, or its call ended. Only a ``repair`` may follow."""

    call: str
    field: str
    candidate: int = 0


class LmDelta(_Event, frozen=True, kw_only=True, tag="lm.delta"):
    """Text of an LM call as it comes, where no field shows it, or on request.

    It is an answer's, a reasoning's or a tool call's, as ``channel`` says.
    """

    call: str
    text: str
    channel: Channel = "text"
    candidate: int = 0


class CallEnded(_Event, frozen=True, kw_only=True, tag="call.ended"):
    """A call ended after ``seconds``, with an ``error`` or with what its kind gives.

    ``fields`` are a predictor's final values, by name (of the first candidate); ``usage`` and ``cached`` an LM call's;
    ``result`` a tool's. ``chosen`` is the id of the attempt in it whose result is this call's; others are discarded.
    """

    call: str
    seconds: float
    error: Failure | None = None
    fields: dict[str, Any] | None = None
    usage: dict[str, Any] | None = None
    cached: bool = False
    result: Any = UNSET
    chosen: str | None = None


class Status(_Event, frozen=True, kw_only=True, tag="status"):
    """A message for a person."""

    message: str
    call: str | None = None


class Custom(_Event, frozen=True, kw_only=True, tag="custom"):
    """What the program itself said, with ``fieldstream.emit`` or by DSPy's ``settings.send_stream``."""

    value: Any
    name: str | None = None
    call: str | None = None


class FieldSnapshot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A field as it stood: its value so far, and whether it had ended."""

    call: str
    field: str
    kind: FieldKind
    candidate: int = 0
    value: Any = UNSET
    ended: bool = False


class RunSnapshot(_Event, frozen=True, kw_only=True, tag="run.snapshot"):
    """In place of the events before it, for a reader that joins in the middle: the calls and the fields so far.

    ``calls`` are all in their order, and ``ended`` says of those that have ended what came of them. Its ``seq`` is that
    of the last event that it stands for, so that a reader goes on after it.
    """

    run: str
    program: str
    calls: list[CallStarted]
    fields: list[FieldSnapshot]
    ended: list[CallEnded] = msgspec.field(default_factory=list[CallEnded])


class RunEnded(_Event, frozen=True, kw_only=True, tag="run.ended"):
    """The run's one closing event."""

    outcome: Outcome
    result: Any = UNSET
    error: Failure | None = None
    usage: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])


Event: TypeAlias = (
    RunStarted
    | CallStarted
    | FieldStarted
    | FieldDelta
    | FieldReset
    | FieldEnded
    | LmDelta
    | CallEnded
    | Status
    | Custom
    | RunSnapshot
    | RunEnded
)

__all__ = [
    "UNSET",
    "CallEnded",
    "CallKind",
    "CallStarted",
    "Channel",
    "Custom",
    "Event",
    "Failure",
    "FieldDelta",
    "FieldEnded",
    "FieldKind",
    "FieldReset",
    "FieldSnapshot",
    "FieldStarted",
    "LmDelta",
    "Outcome",
    "Path",
    "ResetReason",
    "RunEnded",
    "RunSnapshot",
    "RunStarted",
    "Status",
    "UnsetType",
    "WholeReason",
]
