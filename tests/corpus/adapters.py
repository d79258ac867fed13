"""The adapters that cases are read by: DSPy's own, one derived from each kind, and one that only itself can read."""

# DSPy's adapters have few types.
# pyright: reportIncompatibleMethodOverride=false, reportArgumentType=false

import json
from collections.abc import Callable
from typing import Any, Literal

import dspy
from dspy.adapters.baml_adapter import BAMLAdapter
from dspy.adapters.utils import parse_value, serialize_for_json
from dspy.utils.exceptions import AdapterParseError

Format = Literal["chat", "json", "xml", "lines"]


class Terse(dspy.ChatAdapter):
    """It asks in other words; it reads as its parent."""

    def format_task_description(self, signature: Any) -> str:
        return "Be brief."


class Pretty(dspy.JSONAdapter):
    """It writes its examples in another way."""

    def format_assistant_message_content(
        self, signature: Any, outputs: dict[str, Any], missing_field_message: Any = None
    ) -> str:
        written = super().format_assistant_message_content(signature, outputs, missing_field_message)
        return "```json\n" + json.dumps(json.loads(written), indent=4) + "\n```"


class Lines(dspy.ChatAdapter):
    """A format of its own: a line for each field."""

    def format_assistant_message_content(
        self, signature: Any, outputs: dict[str, Any], missing_field_message: Any = None
    ) -> str:
        return "\n".join(f"{name} = {json.dumps(serialize_for_json(value))}" for name, value in outputs.items())

    def parse(self, signature: Any, completion: str) -> dict[str, Any]:
        lines = dict(line.split(" = ", 1) for line in completion.split("\n") if " = " in line)
        try:
            return {
                name: parse_value(json.loads(lines[name]), field.annotation)
                for name, field in signature.output_fields.items()
            }
        except (KeyError, ValueError) as error:
            raise AdapterParseError("Lines", signature, completion, message=str(error)) from error


ADAPTERS: dict[str, tuple[Format, Callable[[dspy.BaseLM], dspy.Adapter]]] = {
    "chat": ("chat", lambda _: dspy.ChatAdapter()),
    "json": ("json", lambda _: dspy.JSONAdapter()),
    "xml": ("xml", lambda _: dspy.XMLAdapter()),
    "baml": ("json", lambda _: BAMLAdapter()),
    "two steps": ("chat", dspy.TwoStepAdapter),
    "derived from chat": ("chat", lambda _: Terse(use_json_adapter_fallback=False)),
    "derived from json": ("json", lambda _: Pretty()),
    "unknown": ("lines", lambda _: Lines()),
}
"""By name: the format that the LM is to write the fields in, and how to make it, given an LM for a second step."""
