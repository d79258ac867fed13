"""What OpenAI's two protocols share: text that cannot be withdrawn, calls that are the client's to run, one end."""

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fieldstream.events import Event, Failure, ResetReason, RunEnded
from fieldstream.wire.openai.sent import Diverged, Sent
from fieldstream.wire.parts import Part, TextPart
from fieldstream.wire.turn import ChatTurn
from fieldstream.wire.usage import Tokens, mapping, tokens
from fieldstream.wire.view import ChatView

SEPARATOR = "\n\n"
"""Between one reasoning and the next."""


class ClientCall(NamedTuple):
    """A tool's call that the program asks the client for."""

    id: str
    name: str
    arguments: str
    """A JSON text."""


class Problem(NamedTuple):
    """Why there is no answer, or no whole one."""

    code: str
    message: str

    def members(self) -> dict[str, Any]:
        """As an error of OpenAI's."""
        return {"message": self.message, "type": "server_error", "param": None, "code": self.code}


_WITHDRAWN = Problem(
    "text_withdrawn",
    "the program withdrew text that was sent, and said something else: ask for the text when it is final, with "
    '"hold": true in the body or ?hold=1',
)


class OpenAITurn(ChatTurn):
    """A run as an answer of OpenAI's, written as a stream and whole in ``answer``.

    ``model`` is what the client asked for, ``created`` the Unix time in seconds. ``hold`` sends the text when it is
    final. Without it, text that the program withdraws, and then does not say again, ends the stream with an error; only
    the text of attempts (``dspy.BestOfN``, ``dspy.Refine``) waits until one is chosen.
    ``calls`` are the members of the program's result whose tool calls (``dspy.ToolCalls``) the client is to run.

    Reasoning is for people who watch: what was sent of it stays, and what is said anew follows it. Other fields than
    the chat's text, status messages and what the program itself says have no place in these protocols.
    """

    can_withdraw = False

    def __init__(
        self,
        view: ChatView,
        *,
        model: str,
        created: int,
        hold: bool = False,
        calls: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(view)
        self.model = model
        self.created = created
        self.problem: Problem | None = None
        """Why the answer is none, or not whole."""
        self.answer: dict[str, Any] | None = None
        """The whole answer, when the run has ended."""
        self._hold = hold
        self._calls = calls
        self._result: Any = None
        self._sent = Sent()
        self._owes = False
        """Whether there is text that waits for attempts to be decided."""

    # What the two protocols say.

    @abstractmethod
    def content(self, text: str) -> None:
        """More of the text, which stays."""

    @abstractmethod
    def completed(self, usage: Tokens) -> None:
        """The end, of an answer that is whole."""

    @abstractmethod
    def broken(self, problem: Problem) -> None:
        """The end, of an answer that is none, or not whole."""

    @property
    def final_text(self) -> str:
        """The text as it stands."""
        return "" if self._speaks_calls else self.said

    @property
    def final_reasoning(self) -> str:
        """The reasoning as it stands."""
        return SEPARATOR.join(
            part.text for part in self.shown if isinstance(part, TextPart) and part.kind == "reasoning"
        )

    def client_calls(self) -> list[ClientCall]:
        """The calls that the client is to run, when the run is completed."""
        members = mapping(self._result)
        found: list[ClientCall] = []
        for name in sorted(self._calls):
            for each in mapping(members.get(name)).get("tool_calls") or ():
                id = each.get("id") or f"call_{self.view.run}_{len(found)}"
                found.append(ClientCall(id, each["name"], json.dumps(each.get("args") or {}, ensure_ascii=False)))
        return found

    # Steps of a turn.

    def feed(self, events: Sequence[Event]) -> bytes:
        """The bytes for these events. Nothing follows the run's end, or the first error."""
        if events and isinstance(events[-1], RunEnded):
            self._result = events[-1].result
        return super().feed(events)

    def write(self, data: bytes) -> None:
        """These bytes are next, if the stream has not ended with an error."""
        if self.problem is None:
            super().write(data)

    def text(self, part: TextPart, text: str) -> None:
        """More of what the program says."""
        if self._hold or self._speaks_calls:
            return
        self._owes = self._owes or self._attempts.undecided
        if not self._attempts.undecided:
            self._grow(text)

    def withdrawn(self, parts: Sequence[Part], reason: ResetReason) -> None:
        """These do not stand any more."""
        if self._hold or self._owes or not any(isinstance(part, TextPart) and part.kind == "text" for part in parts):
            return
        try:
            self._sent.withdraw(self.final_text)
        except Diverged:
            self.fail(_WITHDRAWN)

    def finished(self, usage: Mapping[str, Any]) -> None:
        """The run is completed."""
        if self._hold or self._owes:
            self._owes = True
            self._grow("")
        try:
            self._sent.finish()
        except Diverged:
            self.fail(_WITHDRAWN)
        if self.problem is None:
            self.completed(tokens(usage))

    def failed(self, error: Failure) -> None:
        """The run failed."""
        self.fail(Problem("program_failed", error.message))

    def cancelled(self, error: Failure | None) -> None:
        """The run was cancelled."""
        self.fail(Problem("cancelled", error.message if error is not None else "the run was cancelled"))

    def fail(self, problem: Problem) -> None:
        """End the stream, once."""
        if self.problem is None:
            self.broken(problem)
            self.problem = problem

    def _grow(self, text: str) -> None:
        """Send more text; where some waits, all that is not sent yet."""
        try:
            if self._owes:
                self._owes = False
                self._sent.withdraw("")
                text = self.final_text
            if new := self._sent.say(text):
                self.content(new)
        except Diverged:
            self.fail(_WITHDRAWN)

    @property
    def _speaks_calls(self) -> bool:
        """Whether the chat's text is a field of calls, which is no text."""
        return self.view.output is not None and self.view.output.field in self._calls
