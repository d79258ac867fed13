"""What ``streamify`` yields besides chunks, and who words its status messages."""

from dataclasses import dataclass
from typing import Any

from fieldstream.events import ResetReason


@dataclass
class StreamResponse:
    """Text of a field that a listener listens to."""

    predict_name: str
    """The predictor's path in the program, as ``named_predictors()`` gives it."""

    signature_field_name: str
    chunk: str
    """More of the field's text; may be empty where only its end or a reset is to be told."""

    is_last_chunk: bool
    call_id: str = ""
    """Which call of the predictor, within the run."""

    reset: ResetReason | None = None
    """Why what this call said of the field so far is withdrawn, where it is; ``chunk`` begins anew."""


@dataclass
class StatusMessage:
    """A message for a person about what the program does."""

    message: str


class StatusMessageProvider:
    """Words the status messages. A subclass overrides what it wants; a string is a message, ``None`` is none.

    The methods may be coroutines, and may take more keyword arguments: each is given those it names of ``instance``,
    ``inputs`` (at a start), ``outputs``, ``exception`` (at an end) and ``call_id``.
    """

    def tool_start_status_message(self, instance: Any, inputs: dict[str, Any]) -> Any:
        """A tool is about to be called."""
        return f"Calling tool {instance.name}..."

    def tool_end_status_message(self, outputs: Any) -> Any:
        """A tool was called."""
        return "Tool calling finished! Querying the LLM with tool calling results..."

    def module_start_status_message(self, instance: Any, inputs: dict[str, Any]) -> Any:
        """A module or predictor is about to be called."""

    def module_end_status_message(self, outputs: Any) -> Any:
        """A module or predictor was called."""

    def lm_start_status_message(self, instance: Any, inputs: dict[str, Any]) -> Any:
        """An LM is about to be called."""

    def lm_end_status_message(self, outputs: Any) -> Any:
        """An LM was called."""
