"""The benchmarks' provider: what its models answer, and whether it kept up."""

import json
from typing import Any

import dspy
import pytest

from benchmarks.provider import Achieved, NotKeptUpError, answer, field_value, model, provider


def signature_of(annotation: str) -> Any:
    signature: Any = dspy.Signature
    return signature(f"question -> answer: {annotation}")


@pytest.mark.parametrize("kind", ["text", "escapes", "models"])
@pytest.mark.parametrize("form", ["chat", "json"])
def test_an_answer_has_the_field_as_its_adapter_reads_it(form: str, kind: str) -> None:
    written = answer(model(form, kind, 300)).text
    value = field_value(kind, 300)
    adapter = {"chat": dspy.ChatAdapter(), "json": dspy.JSONAdapter()}[form]
    signature = signature_of("list" if kind == "models" else "str")
    assert adapter.parse(signature, written) == {"answer": value}


def test_the_other_forms() -> None:
    read = dspy.XMLAdapter().parse(signature_of("str"), answer(model("xml", "text", 50)).text)
    assert read == {"answer": field_value("text", 50)}
    (call,) = answer(model("tool", "text", 200)).tool_calls
    assert json.loads(call.arguments_text) == {"query": field_value("text", 50)}
    with pytest.raises(ValueError, match="form 'yaml'"):
        answer(model("yaml", "text", 50))
    with pytest.raises(ValueError, match="kind 'numbers'"):
        answer(model("chat", "numbers", 50))


def test_how_the_chunks_arrive() -> None:
    assert answer(model("chat", "text", 50)).options == {}
    assert answer(model("chat", "text", 50, "20")).options == {"rate": 20.0}
    assert answer(model("chat", "text", 50, "stall")).options == {"stall": 25}


def test_it_tells_what_it_sent_since_it_was_last_asked() -> None:
    with provider() as one, dspy.context(adapter=dspy.ChatAdapter()):
        lm = dspy.LM(f"openai/{model('chat', 'text', 50, '500')}", cache=False, **one.lm_kwargs)
        with dspy.context(lm=lm):
            assert dspy.Predict("question -> answer")(question="?").answer == field_value("text", 50)
        first, then = one.achieved(), one.achieved()
    assert first.requests == 1
    assert first.late == [], "the answer came whole, at no pace"
    assert (then.requests, then.chunks) == (0, 0)


def achieved(chunks: int = 100, cpu: float = 0.001, late: tuple[float, ...] = ()) -> Achieved:
    return Achieved(requests=1, chunks=chunks, cpu=cpu, seconds=1.0, late=list(late))


def test_a_provider_that_could_not_keep_up_is_an_error() -> None:
    achieved().check_bursts(11e-6)
    with pytest.raises(NotKeptUpError, match="the reader was faster"):
        achieved().check_bursts(9e-6)
    with pytest.raises(NotKeptUpError):
        achieved(chunks=0).check_bursts(1.0)
    achieved(late=(0.01, 0.09)).check_pace(0.1)
    with pytest.raises(NotKeptUpError, match="110 ms late"):
        achieved(late=(0.11, 0.0)).check_pace(0.1)
    with pytest.raises(NotKeptUpError, match="never"):
        achieved().check_pace(0.1)
