"""What ``tap/native.py`` relies on."""

# pyright: reportAttributeAccessIssue=false

import inspect
from typing import Any

import dspy
import pytest

from tests.contracts.contract import check_parameters

AT = "look at native_fields in tap/native.py"


def test_an_adapter_fills_fields_from_what_is_beside_the_text() -> None:
    parameters = ("self", "processed_signature", "original_signature", "outputs", "lm", "lm_kwargs")
    check_parameters(dspy.Adapter._call_postprocess, *parameters, at="tap/native.py")
    for adapter in (dspy.ChatAdapter, dspy.JSONAdapter, dspy.XMLAdapter):
        assert adapter._call_postprocess is dspy.Adapter._call_postprocess, f"{adapter.__name__} has its own: {AT}"
    assert "native_response_types" in inspect.getsource(dspy.Adapter._call_postprocess), f"it fills others: {AT}"


def test_the_field_of_tool_calls() -> None:
    class Calling(dspy.Signature):
        question: str = dspy.InputField()
        answer: str = dspy.OutputField()
        calls: dspy.ToolCalls = dspy.OutputField()

    without: Any = dspy.Signature("question -> answer")
    assert dspy.ChatAdapter()._get_tool_call_output_field_name(Calling) == "calls", AT
    assert dspy.ChatAdapter()._get_tool_call_output_field_name(without) is None, AT


@pytest.mark.parametrize("kind", [dspy.Citations, dspy.Reasoning])
def test_types_that_are_read_as_they_come(kind: Any) -> None:
    assert kind.is_streamable(), AT
    check_parameters(kind.parse_stream_chunk, "chunk", at="_reader_of in tap/native.py")
    assert kind in dspy.ChatAdapter().native_response_types, AT
