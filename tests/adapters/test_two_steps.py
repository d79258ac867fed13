"""TwoStep: a free text of its own, and the fields from its extraction. Streamed against called."""

# DSPy's keyword arguments are many.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false

import json
import threading
from contextlib import AbstractContextManager
from typing import Any

import dspy
import pytest

import fieldstream
from fieldstream.events import FieldDelta, FieldEnded, LmDelta
from fieldstream.simulator import Answer, simulate
from tests.support.sameness import HAS_ENGINES, LITELLM_WARNS, WAYS, Way, chat, same
from tests.support.values import apply

pytestmark = [pytest.mark.parametrize("way", WAYS), *LITELLM_WARNS]

DRAFT = "The sky is blue, since air scatters light.\n\n[[ ## answer ## ]] is no marker here."


def program(**config: Any) -> dspy.Module:
    return dspy.Predict("question -> answer, sources: list[str]", **config)


def two_steps() -> AbstractContextManager[Any]:
    return dspy.context(adapter=dspy.TwoStepAdapter(dspy.settings.lm))


def extracted(answer: str, *sources: str) -> str:
    return chat(answer=answer, sources=json.dumps(sources))


def test_the_draft_is_a_text_and_the_fields_are_the_extractions(way: Way) -> None:
    run = same(way, program, [DRAFT, extracted("Blue is scattered.", "air", "light")], around=two_steps)
    draft, extraction = run.calls("lm")
    (predictor,) = run.calls("predictor")
    assert draft.parent == extraction.parent == predictor.call
    assert predictor.whole is None
    said = run.of(LmDelta)
    assert "".join(event.text for event in said) == DRAFT
    assert {(event.call, event.channel) for event in said} == {(draft.call, "text")}
    assert len(said) > 5
    assert len(run.texts("answer")) > 1
    fields = run.of(FieldDelta)
    assert all(run.ended(draft.call).seq < event.seq < run.ended(extraction.call).seq for event in fields)
    assert len(run.of(FieldEnded)) == 2
    assert run.resets() == []


def test_the_extraction_falls_back_to_json(way: Way) -> None:
    answers = [DRAFT, "[[ ## answer ## ]]\nBlu", json.dumps({"answer": "Blue", "sources": ["air"]})]
    run = same(way, program, answers, around=two_steps)
    assert run.result.sources == ["air"]
    assert {reason for _, reason in run.resets()} <= {"fallback"}


def test_the_extraction_fails(way: Way) -> None:
    run = same(way, program, [DRAFT, "nothing", "nothing"], around=two_steps)
    assert run.error is not None


def test_several_drafts(way: Way) -> None:
    drafts = ["First.", "Second."] if HAS_ENGINES else [Answer(choices=["First.", "Second."])]
    run = same(way, lambda: program(n=2), [*drafts, extracted("One", "a"), extracted("Two", "b")], around=two_steps)
    assert run.resets() == []
    (predictor,) = run.calls("predictor")
    assert [completion["answer"] for completion in map(dict, run.result.completions)] == ["One", "Two"]
    shown = apply(run.events)
    assert shown[predictor.call, 0] == {"answer": "One", "sources": ["a"]}
    assert shown[predictor.call, 1] == {"answer": "Two", "sources": ["b"]}


def test_reasoning_is_the_lms(way: Way) -> None:
    thinking: Any = dspy.Signature
    run = same(
        way,
        lambda: dspy.Predict(thinking("question -> thought: dspy.Reasoning, answer")),
        [Answer(DRAFT, reasoning="Hm."), Answer(chat(thought="So it is.", answer="Blue."), reasoning="Extracting.")],
        around=two_steps,
    )
    reasoning = [event.text for event in run.of(LmDelta) if event.channel == "reasoning"]
    assert "".join(reasoning).startswith("Hm.")


def test_the_draft_is_shown_before_it_is_over(way: Way) -> None:
    gate, second = threading.Event(), threading.Event()
    answers = [Answer(DRAFT, gates={5: gate}), Answer(extracted("Blue is it.", "air"), gates={8: second})]
    with simulate(answers) as provider:
        lm = dspy.LM(provider.model, **provider.lm_kwargs, cache=False)
        with dspy.context(lm=lm), two_steps(), fieldstream.stream(program(), question="?") as run:
            for event in run:
                if isinstance(event, LmDelta):
                    gate.set()
                elif isinstance(event, FieldDelta):
                    second.set()
        assert run.result.sources == ["air"]
