"""The steps of a chat's turn that a protocol may have nothing for. It overrides those that it can say."""

from typing import Any

from fieldstream.events import CallEnded, CallStarted, FieldDelta, FieldReset
from fieldstream.wire.parts import DataPart, TextPart, ToolPart


class Steps:
    """None of these says anything."""

    def predictor_started(self, event: CallStarted) -> None:
        """A predictor is called."""

    def predictor_ended(self, event: CallEnded) -> None:
        """Its call has ended."""

    def text_started(self, part: TextPart) -> None:
        """The program begins to say something; its text follows."""

    def text_ended(self, part: TextPart) -> None:
        """It has said that."""

    def reasoning_started(self, part: TextPart) -> None:
        """The program begins to reason; its text follows."""

    def reasoning(self, part: TextPart, text: str) -> None:
        """More of its reasoning."""

    def reasoning_ended(self, part: TextPart) -> None:
        """It has reasoned."""

    def tool_started(self, part: ToolPart) -> None:
        """The program runs a tool. It is not the client's to run."""

    def tool_ended(self, part: ToolPart) -> None:
        """The tool has given its result, or failed."""

    def data(self, part: DataPart) -> None:
        """A field that is no text of the chat's has this value so far. It is told as often as is worth it."""

    def data_changed(self, part: DataPart, event: FieldDelta | FieldReset) -> None:
        """Such a field's value changes so. It is told each time, for those who need not tell a value whole."""

    def status(self, message: str) -> None:
        """A message for a person."""

    def custom(self, name: str | None, value: Any) -> None:
        """What the program itself said."""
