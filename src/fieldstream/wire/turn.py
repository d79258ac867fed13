"""A run as one turn of a chat: what all chat protocols share, so that each has only to say it in its own way."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, assert_never, cast

from fieldstream._attempts import Attempts
from fieldstream._snapshots import Known
from fieldstream.events import (
    UNSET,
    CallEnded,
    CallStarted,
    Custom,
    Event,
    Failure,
    FieldDelta,
    FieldEnded,
    FieldReset,
    FieldStarted,
    LmDelta,
    ResetReason,
    RunEnded,
    RunSnapshot,
    RunStarted,
    Status,
)
from fieldstream.wire.json import encode
from fieldstream.wire.parts import RESULT, DataPart, Part, Row, TextPart, ToolPart
from fieldstream.wire.sse import HEARTBEAT
from fieldstream.wire.steps import Steps
from fieldstream.wire.values import as_text
from fieldstream.wire.view import ChatView

_Key = tuple[str, str | None, int]
"""A call, a field (none: what an LM's call thinks) and a candidate."""

_ABANDONED = Failure(kind="abandoned", message="the run ended before the tool did")


class ChatTurn(Steps, ABC):
    """Events in, a chat protocol's bytes out (an ``Encoder``).

    It owns what is the same in all of them: what is text, reasoning, a tool or data; that one text comes after the
    other; what is withdrawn, also when an attempt is discarded or the program returns something else than what was
    shown; that all that was opened is closed; and that there is one end. A protocol overrides the steps below and
    writes what they are in its terms (``write``). They come in this order: ``started``; then any of the others, of one
    text its ``text_started`` before and its ``text_ended`` after all of it; last ``finished``, ``failed`` or
    ``cancelled``. In a step ``shown`` is all that stands, this step's part included.
    """

    media_type = "text/event-stream"
    headers: Mapping[str, str] = {}
    heartbeat = HEARTBEAT

    can_withdraw = True
    """Whether the protocol can take back a text. Where it cannot, a result that extends what was said adds to it."""

    def __init__(self, view: ChatView) -> None:
        self.view = view
        self.seq = -1
        """The ``seq`` of the event that is being told."""
        self.shown: list[Part] = []
        """All that is shown and stands, in the order in which it began."""
        self._bytes: list[bytes] = []
        self._begun = False
        self._over = False
        # The calls that go on, a predictor's with its name; and what encloses each that began.
        self._open: dict[str, str] = {}
        self._parents: dict[str, str | None] = {}
        self._parts: dict[_Key, TextPart | DataPart] = {}
        self._tools: dict[str, ToolPart] = {}
        # What each call writes. It is kept for the whole run: an attempt may be chosen after others were shown.
        self._written: dict[str, list[_Key]] = {}
        # What the LM's calls in each call think.
        self._thoughts: dict[str, list[_Key]] = {}
        self._attempts = Attempts()
        self._rows = {kind: Row(self._tell, self._close) for kind in ("reasoning", "text")}
        # What is told before anything else, and what is told when all events that came at once are read.
        self._withdrawn: list[Part] = []
        self._reason: ResetReason = "repair"
        self._stale: list[DataPart] = []
        self.result: Any = UNSET
        """What the program returned, as far as it may be seen."""

    # What a protocol says.

    @abstractmethod
    def started(self) -> None:
        """The turn begins."""

    @abstractmethod
    def text(self, part: TextPart, text: str) -> None:
        """More of what the program says."""

    @abstractmethod
    def withdrawn(self, parts: Sequence[Part], reason: ResetReason) -> None:
        """These were shown, and do not stand any more. They are not in ``shown`` now; what is, was shown before.

        A text among them need not have ended; if it goes on, it begins anew.
        """

    @abstractmethod
    def finished(self, usage: Mapping[str, Any]) -> None:
        """The run is completed: the last step."""

    @abstractmethod
    def failed(self, error: Failure) -> None:
        """The run failed: the last step."""

    @abstractmethod
    def cancelled(self, error: Failure | None) -> None:
        """The run was cancelled: the last step."""

    # What protocols use.

    def write(self, data: bytes) -> None:
        """These bytes are next."""
        self._bytes.append(data)

    @property
    def said(self) -> str:
        """What the program has said, as it stands."""
        return "".join([part.text for part in self._texts()])

    def feed(self, events: Sequence[Event]) -> bytes:
        """The bytes for these events. Nothing follows the run's end."""
        for event in events:
            if self._over:
                break
            self.seq = event.seq
            if not self._begun:
                self._begun = True
                self.started()
            if type(event) is FieldDelta:  # Nearly always, so that it comes before the match.
                self._delta(event)
            else:
                self._take(event)
        if not self._over:
            self._settle()
            self._tell_stale()
        written, self._bytes = self._bytes, []
        return b"".join(written)

    # What becomes of events.

    def _take(self, event: Event) -> None:
        match event:
            case FieldDelta():
                self._delta(event)
            case LmDelta():
                self._thought(event)
            case FieldStarted():
                self._field_started(event)
            case FieldReset():
                self._reset(event)
            case FieldEnded():
                self._field_ended(event)
            case CallStarted():
                self._call_started(event)
            case CallEnded():
                self._call_ended(event)
            case Status(message=message):
                self._settle()
                self.status(message)
            case Custom(name=name, value=value):
                self._settle()
                self.custom(name, value)
            case RunSnapshot():
                for each in Known().told_by(event):
                    self._take(each)
            case RunStarted():
                pass
            case RunEnded():
                self._end(event)
            case _:
                assert_never(event)

    def _call_started(self, event: CallStarted) -> None:
        self._attempts.started(event)
        self._parents[event.call] = event.parent
        self._open[event.call] = event.name if event.kind == "predictor" else ""
        if event.kind == "predictor":
            self._settle()
            self.predictor_started(event)
        elif event.kind == "tool" and event.call not in self._tools:
            self._settle()
            part = self._tools[event.call] = ToolPart(event.call, event.name, event.arguments)
            self.shown.append(part)
            self.tool_started(part)

    def _call_ended(self, event: CallEnded) -> None:
        predictor = self._open.pop(event.call, "")
        for part in self._parts_of(event.call):
            if isinstance(part, DataPart):
                self._tell_data(part, final=True)
                continue
            if event.fields is not None and part.field in event.fields and not part.closed:
                part = self._completed(part, as_text(event.fields[part.field]))
            part.ended = True
        self._advance()
        if predictor:
            self._settle()
            self.predictor_ended(event)
        if (tool := self._tools.get(event.call)) is not None and not tool.ended:
            self._tool_ended(tool, event.result, event.error)
        if (rerun := self._attempts.ended(event)) is not None:
            self._take_back(rerun.withdrawn, "rerun")
            self._show_again(rerun.restored)

    def _completed(self, part: TextPart, text: str) -> TextPart:
        """A field that is no text is told as it is in the end."""
        if part.text != text:
            key = (part.call, part.field, 0)
            self._restart(key, "repair")
            part = cast("TextPart", self._parts[key])
            part.write(text)
        return part

    def _tool_ended(self, tool: ToolPart, result: Any, error: Failure | None) -> None:
        self._settle()
        tool.result, tool.error, tool.ended = result, error, True
        self.tool_ended(tool)

    # Fields.

    def _field_started(self, event: FieldStarted) -> None:
        key = (event.call, event.field, event.candidate)
        if key in self._parts:
            return
        predictor = self._open.get(event.call, "")
        if not event.candidate and self.view.output is not None and self.view.output.fits(predictor, event.field):
            self._add(key, TextPart("text", event.call, event.field))
        elif not event.candidate and any(path.fits(predictor, event.field) for path in self.view.reasoning):
            self._add(key, TextPart("reasoning", event.call, event.field))
        else:
            self._add(key, DataPart(event.call, predictor, event.field, event.candidate))

    def _add(self, key: _Key, part: TextPart | DataPart) -> None:
        if part.call not in self._written:
            self._written[part.call] = []
            # It takes the place of what an attempt before it showed.
            self._take_back(self._attempts.writes(part.call), "rerun")
        self._written[part.call].append(key)
        self._parts[key] = part
        if isinstance(part, TextPart):
            self._rows[part.kind].add(part)

    def _delta(self, event: FieldDelta) -> None:
        self._settle()  # Before the text is longer: a protocol may say again what stands.
        part = self._parts.get((event.call, event.field, event.candidate))
        if isinstance(part, TextPart):
            if event.path:  # Of a field that is no text; it is told when its call ends.
                return
            if event.text is not None:
                part.write(event.text)
                self._rows[part.kind].advance()
        elif part is not None:
            if event.text is not None:
                part.growing.append(event.path, event.text)
            elif event.value is not UNSET:
                part.growing.assign(event.path, event.value)
            self.data_changed(part, event)
            self._changed(part)

    def _thought(self, event: LmDelta) -> None:
        if event.channel != "reasoning" or event.candidate:
            return
        key = (event.call, None, 0)
        if key not in self._parts:
            self._add(key, TextPart("reasoning", event.call, None))
            self._thoughts.setdefault(self._parents.get(event.call) or "", []).append(key)
        self._settle()
        part = self._parts[key]
        if isinstance(part, TextPart):
            part.write(event.text)
            self._rows[part.kind].advance()

    def _reset(self, event: FieldReset) -> None:
        key = (event.call, event.field, event.candidate)
        part = self._parts.get(key)
        if isinstance(part, DataPart):
            self._settle()
            self.data_changed(part, event)
        if isinstance(part, DataPart) and event.path:
            part.growing.withdraw(event.path)
            self._changed(part)
        elif part is not None and not event.path:
            self._restart(key, event.reason)
        if event.reason in ("retry", "fallback") and not event.candidate:
            # What the LM thought goes with what it said; there is no event of its own for that.
            for key in self._thoughts.get(event.call, ()):
                self._restart(key, event.reason)

    def _restart(self, key: _Key, reason: ResetReason) -> None:
        """What was written there is withdrawn, and what follows takes its place."""
        part = self._parts[key]
        if part.shown:
            self._forget(part, reason)
        if isinstance(part, DataPart):
            part.stale = False
        anew = self._parts[key] = part.anew()
        if isinstance(part, TextPart) and isinstance(anew, TextPart):
            anew.ended = part.call not in self._open
            self._rows[part.kind].replace(part, anew)

    def _field_ended(self, event: FieldEnded) -> None:
        part = self._parts.get((event.call, event.field, event.candidate))
        if isinstance(part, DataPart):
            self._tell_data(part, final=True)
        elif part is not None and part.kind == "reasoning":  # Only a repair may follow, which begins anew.
            part.ended = True
            self._advance()

    # What is told, and what is taken back.

    def _advance(self) -> None:
        for row in self._rows.values():
            row.advance()

    def _tell(self, part: TextPart, text: str) -> None:
        self._settle()
        if not part.shown:
            part.shown = True
            self.shown.append(part)
            (self.text_started if part.kind == "text" else self.reasoning_started)(part)
        (self.text if part.kind == "text" else self.reasoning)(part, text)

    def _close(self, part: TextPart) -> None:
        self._settle()
        (self.text_ended if part.kind == "text" else self.reasoning_ended)(part)

    def _changed(self, part: DataPart) -> None:
        part.final = False
        if not part.stale:
            part.stale = True
            self._stale.append(part)

    def _tell_stale(self) -> None:
        stale, self._stale = self._stale, []
        for part in stale:
            due, part.stale = part.stale and part.growing.due, False
            if due:
                self._tell_data(part)

    def _tell_data(self, part: DataPart, *, final: bool = False) -> None:
        told_as_final, part.final = part.final, part.final or final
        if part.growing.value is UNSET or (told_as_final and not part.growing.changed):
            return
        self._settle()
        part.growing.said()
        if not part.shown:
            part.shown = True
            self.shown.append(part)
        self.data(part)

    def _take_back(self, calls: Sequence[str], reason: ResetReason) -> None:
        for call in calls:
            for part in self._parts_of(call):
                if part.shown:
                    self._forget(part, reason)
                if isinstance(part, TextPart):
                    self._rows[part.kind].drop(part)
                else:
                    part.final, part.stale = True, False

    def _show_again(self, calls: Sequence[str]) -> None:
        for call in calls:
            for key in self._written.get(call, ()):
                part = self._parts[key]
                if isinstance(part, DataPart):
                    self._parts[key] = again = part.anew(part.growing)
                    self._tell_data(again, final=True)
                else:
                    self._parts[key] = again = part.anew(part.text)
                    again.ended = True
                    self._rows[again.kind].add(again)
                    self._rows[again.kind].advance()

    def _forget(self, part: TextPart | DataPart, reason: ResetReason) -> None:
        """It was shown, and is withdrawn; which is told before anything else is."""
        part.shown = False
        self.shown.remove(part)
        self._withdrawn.append(part)
        self._reason = reason

    def _settle(self) -> None:
        if self._withdrawn:
            withdrawn, self._withdrawn = self._withdrawn, []
            self.withdrawn(withdrawn, self._reason)

    def _parts_of(self, call: str) -> list[TextPart | DataPart]:
        return [self._parts[key] for key in self._written.get(call, ())]

    def _texts(self) -> list[TextPart]:
        return [part for part in self.shown if isinstance(part, TextPart) and part.kind == "text"]

    # The end.

    def _end(self, event: RunEnded) -> None:
        for row in self._rows.values():
            row.end()
        for part in self._parts.values():
            if isinstance(part, DataPart) and not part.final:
                self._tell_data(part, final=True)
        for tool in self._tools.values():
            if not tool.ended:
                self._tool_ended(tool, UNSET, _ABANDONED)
        if event.outcome == "completed":
            self.result = event.result
            self._conclude(event.result)
        self._settle()
        self._over = True
        match event.outcome:
            case "completed":
                self.finished(event.usage)
            case "failed":
                self.failed(event.error or Failure(kind="error", message="the program failed"))
            case "cancelled":
                self.cancelled(event.error)
            case _:
                assert_never(event.outcome)

    def _conclude(self, result: Any) -> None:
        """What the program returned has the last word."""
        members = cast("dict[str, Any]", result) if isinstance(result, dict) else {}
        output = self.view.output.field if self.view.output is not None else None
        if output is not None and output in members:
            self._correct(as_text(members[output]))
        elif isinstance(result, dict) and output is not None and self.shown:
            pass  # It says nothing of that field.
        elif result is not UNSET and result != {}:
            self._correct(as_text(result))
            return
        for field, value in members.items():
            if field != output and not any(path.field == field for path in self.view.reasoning):
                self._correct_data(field, value)

    def _correct(self, text: str) -> None:
        said = self.said
        if text == said:
            return
        if said and not self.can_withdraw and text.startswith(said):
            text = text[len(said) :]
        else:
            kept = next((part for part in reversed(self._texts()) if part.text == text), None)
            for part in self._texts():
                if part is not kept:
                    self._forget(part, "repair")
            if kept is not None:
                return
        part = TextPart("text", RESULT, self.view.output.field if self.view.output is not None else None, text)
        part.ended = True
        self._rows["text"].add(part)
        self._rows["text"].advance()

    def _correct_data(self, field: str, value: Any) -> None:
        same = [
            part
            for part in self.shown
            if isinstance(part, DataPart) and part.field == field and not part.candidate and part.shown
        ]
        if any(encode(part.value) == encode(value) for part in same):
            return
        part = same[-1] if same else DataPart(RESULT, "", field)
        part.growing.assign((), value)
        part.final = False
        self._tell_data(part, final=True)
