"""What of a run leaves the process: a log's writing side through which only that comes which clients may see."""

import logging
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from fieldstream._run import CANCELLED, ENOUGH
from fieldstream.events import (
    UNSET,
    CallEnded,
    CallStarted,
    Event,
    Failure,
    FieldDelta,
    FieldEnded,
    FieldReset,
    FieldStarted,
    LmDelta,
    RunEnded,
    RunStarted,
)
from fieldstream.server.sink import PassingSink
from fieldstream.tap import ABANDONED, Sink
from fieldstream.wire.view import FieldPath

_logger = logging.getLogger("fieldstream.server")

_OURS = frozenset({ABANDONED, CANCELLED, ENOUGH})
"""Failures that are not the program's: what they say is for everyone."""

_HIDDEN = -1
"""The handle of a text that nobody may see."""


@dataclass(frozen=True, kw_only=True)
class Expose:
    """What of a program's runs clients may see, beside names and times of calls, status messages, and what the program
    itself says with ``fieldstream.emit``.

    ``fields`` names output fields, as ``run.text`` does; a name without a predictor means that field of each predictor
    that has it. ``None`` stands for the program's own output fields: those of the signature that it answers for, or of
    its last predictor, and of what it returns all that is not another field's; without the reasoning that
    ``dspy.ChainOfThought`` adds, and without what DSPy's agents tell of their steps. Tools' arguments and results,
    reasoning, and the texts of LM calls that no field shows are shown only where that is said.
    """

    fields: Iterable[str] | None = None
    reasoning: bool = False
    tool_arguments: bool = False
    tool_results: bool = False
    lm_text: bool = False
    every_field: bool = False
    """All fields of all predictors, and all that the program returns."""

    @classmethod
    def everything(cls) -> "Expose":
        """All that there is."""
        return cls(every_field=True, reasoning=True, tool_arguments=True, tool_results=True, lm_text=True)


@dataclass(frozen=True, kw_only=True)
class Visible:
    """An ``Expose`` as it is for one program."""

    expose: Expose
    fields: frozenset[FieldPath]
    hidden: frozenset[str] = frozenset()
    """The names of fields that some predictor has that may not be seen, and of agents' steps."""
    results: frozenset[str] | None = None
    """The members of the program's result; none: all but the hidden ones, and also a result that has no members."""

    @property
    def own(self) -> frozenset[str]:
        """The names of the fields that may be seen."""
        return frozenset(path.field for path in self.fields)

    def field(self, predictor: str, field: str) -> bool:
        """Whether this field may be seen."""
        if self.expose.every_field:
            return True
        return FieldPath(predictor, field) in self.fields or FieldPath(None, field) in self.fields

    def result(self, result: Any) -> Any:
        """What may be seen of the program's result."""
        if self.expose.every_field or result is UNSET:
            return result
        if self.results is None:
            return self._without(self.hidden - self.own, result)
        if not isinstance(result, Mapping):
            return UNSET
        members = cast("Mapping[str, Any]", result)
        return {name: value for name, value in members.items() if name in self.results}

    def _without(self, hidden: frozenset[str], result: Any) -> Any:
        """A result without these members, and the predictions in it without what may be a hidden field's.

        What is in its own fields is data.
        """
        if isinstance(result, list):
            return [self._without(hidden, each) for each in cast("list[Any]", result)]
        if not isinstance(result, Mapping):
            return result
        return {
            name: value if name in self.own else self._without(self.hidden, value)
            for name, value in cast("Mapping[str, Any]", result).items()
            if name not in hidden
        }


class Mask:
    """Says nothing of an error but an id, with which the log tells all of it. One error of a run has one id."""

    def __init__(self, *, debug: bool) -> None:
        self.run = ""
        """The run's id, for the log."""
        self._debug = debug
        self._ids: dict[Failure, str] = {}
        self._open: set[Failure] = set(_OURS)

    def let_pass(self, failure: Failure) -> None:
        """This is none of the program's, but the server's own."""
        self._open.add(failure)

    def __call__(self, failure: Failure | None) -> Failure | None:
        """The failure as clients may see it."""
        if failure is None or self._debug or failure in self._open:
            return failure
        if failure not in self._ids:
            error_id = self._ids[failure] = secrets.token_hex(6)
            # In the words, too: a logger that shows no more must lead to it all the same.
            _logger.warning(
                "error id %s: %s: %s",
                error_id,
                failure.kind,
                failure.message,
                extra={"run": self.run, "error_id": error_id, "error_kind": failure.kind},
            )
        return Failure(kind="error", message=f"the program failed; the server's log has error id {self._ids[failure]}")


class ExposedSink(PassingSink):
    """Lets pass what may be seen. What may not is not in the log that readers follow, so that no way leads to it."""

    def __init__(self, sink: Sink, program: str, visible: Visible, mask: Mask) -> None:
        super().__init__(sink)
        self._program = program
        self._visible = visible
        self._mask = mask
        # The predictors of calls that go on.
        self._predictors: dict[str, str] = {}
        self._said = False

    def record(self, kind: Callable[..., Event], /, **members: Any) -> None:
        """Record the event, if it may be seen, with what of it may be."""
        expose = self._visible.expose
        if kind in (FieldDelta, FieldStarted, FieldReset, FieldEnded):
            if not self._sees(members["call"], members["field"]):
                return
        elif kind is LmDelta:
            if not self._sees_lm(members):
                return
        elif kind is CallStarted:
            if members["kind"] == "predictor":
                self._predictors[members["call"]] = members["name"]
            if not expose.tool_arguments:
                members["arguments"] = None
        elif kind is CallEnded:
            members["error"] = self._mask(members.get("error"))
            fields: Mapping[str, Any] | None = members.get("fields")
            if fields is not None:
                members["fields"] = {name: value for name, value in fields.items() if self._sees(members["call"], name)}
            if not expose.tool_results:
                members.pop("result", None)
            self._predictors.pop(members["call"], None)
        elif kind is RunStarted:
            members["program"] = self._program
        elif kind is RunEnded:
            members["error"] = self._mask(members.get("error"))
            members["result"] = self._visible.result(members.get("result", UNSET))
        self._said = True
        super().record(kind, **members)

    def open_text(self, kind: Callable[..., Event], /, **members: Any) -> int:
        """A handle; for a text that nobody may see, one under which nothing is appended."""
        seen = self._sees_lm(members) if kind is LmDelta else self._sees(members["call"], members["field"])
        return super().open_text(kind, **members) if seen else _HIDDEN

    def append(self, text: int, *pieces: str) -> None:
        """Append to a text, if it may be seen."""
        if text != _HIDDEN:
            self._said = True
            super().append(text, *pieces)

    def flush(self) -> None:
        """Wake the readers, if there is something for them."""
        if self._said:
            self._said = False
            super().flush()

    def _sees(self, call: str, field: str) -> bool:
        return self._visible.field(self._predictors.get(call, ""), field)

    def _sees_lm(self, members: Mapping[str, Any]) -> bool:
        expose = self._visible.expose
        match members.get("channel"):
            case "reasoning":
                return expose.reasoning
            case "tool_call":
                return expose.lm_text and expose.tool_arguments
            case _:
                return expose.lm_text
