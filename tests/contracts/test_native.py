"""What ``tap/native.py`` relies on."""

# pyright: reportPrivateUsage=false

from typing import Any

import dspy

from tests.contracts.contract import check_parameters

AT = "tap/native.py"


class Heard(dspy.Type):
    """A type that is read from what an LM says beside its text."""

    word: str

    def format(self) -> str:
        return self.word

    @classmethod
    def parse_lm_response(cls, response: Any) -> "Heard":
        return cls(word=response["word"])


def test_an_adapter_fills_fields_from_what_an_lm_says_beside_its_text() -> None:
    outputs = ("processed_signature", "original_signature", "outputs", "lm", "lm_kwargs")
    check_parameters(dspy.Adapter._call_postprocess, "self", *outputs, at=AT)
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
    assert adapter._get_tool_call_output_field_name(signature) == "calls", f"look at {AT}"
    read: Any = made("question -> answer")
    lm: Any = None
    (values,) = adapter._call_postprocess(read, signature, [answer], lm, {})
    assert values["answer"] == "Blue."
    assert str(values["thought"]) == "Light scatters.", f"look at {AT}"
    assert values["heard"] == Heard(word="sky"), f"look at {AT}"
    assert values["calls"].format() == {"tool_calls": [{"name": "look", "args": {"at": "it"}}]}, f"look at {AT}"


def test_types_say_whether_they_are_streamed() -> None:
    assert dspy.Reasoning.is_streamable(), f"look at {AT}"
    assert not Heard.is_streamable(), f"look at {AT}"
    chunk: Any = None
    assert Heard.parse_stream_chunk(chunk) is None, f"look at {AT}"
    assert dspy.Reasoning in dspy.ChatAdapter().native_response_types, f"look at {AT}"
