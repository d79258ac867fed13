"""What ``tap/signatures/native.py`` relies on."""

# pyright: reportCallIssue=false, reportAttributeAccessIssue=false, reportPrivateUsage=false

import inspect
from typing import Any

import dspy
import pytest
from dspy.adapters.types.citation import Citations

from tests.contracts.contract import check_parameters

AT = "look at native_fields in tap/signatures/native.py"


def test_an_adapter_fills_fields_from_what_is_beside_the_text() -> None:
    parameters = ("self", "processed_signature", "original_signature", "outputs", "lm", "lm_kwargs")
    check_parameters(dspy.Adapter._call_postprocess, *parameters, at="tap/signatures/native.py")
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


@pytest.mark.parametrize("kind", [Citations, dspy.Reasoning])
def test_types_that_are_read_as_they_come(kind: Any) -> None:
    assert kind.is_streamable(), AT
    check_parameters(kind.parse_stream_chunk, "chunk", at="_reader_of in tap/signatures/native.py")
    assert kind in dspy.ChatAdapter().native_response_types, AT


class Heard(dspy.Type):
    """A type that is read from what an LM says beside its text."""

    word: str

    def format(self) -> str:
        return self.word

    @classmethod
    def parse_lm_response(cls, response: Any) -> "Heard":
        return cls(word=response["word"])


def test_what_an_lm_says_beside_its_text_comes_before_what_it_writes() -> None:
    made: Any = dspy.Signature
    signature = made("tools: list[dspy.Tool] -> answer, thought: dspy.Reasoning, calls: dspy.ToolCalls")
    signature = signature.append("heard", dspy.OutputField(), type_=Heard)
    answer = {
        "text": "[[ ## answer ## ]]\nBlue.",
        "reasoning_content": "Light scatters.",
        "word": "sky",
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "look", "arguments": '{"at": "it"}'}}],
    }
    types: Any = [dspy.Reasoning, Heard]
    adapter = dspy.ChatAdapter(native_response_types=types)
    assert adapter._get_tool_call_output_field_name(signature) == "calls", AT
    read: Any = made("question -> answer")
    lm: Any = None
    (values,) = adapter._call_postprocess(read, signature, [answer], lm, {})
    assert values["answer"] == "Blue."
    assert str(values["thought"]) == "Light scatters.", AT
    assert values["heard"] == Heard(word="sky"), AT
    assert values["calls"].format() == {"tool_calls": [{"name": "look", "args": {"at": "it"}}]}, AT
