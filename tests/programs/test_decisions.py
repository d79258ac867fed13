"""Decision outputs (DSPy 3.4 and later): an LM writes evidence, and the field is what DSPy makes of it."""

# DSPy's signatures are made at run time, and its keyword arguments are many.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false, reportIndexIssue=false

import json
from collections.abc import Callable
from typing import Annotated, Any

import dspy
import pytest

from fieldstream.events import FieldDelta
from tests.support.sameness import LITELLM_WARNS, WAYS, Way, chat, same

pytestmark = [
    pytest.mark.parametrize("way", WAYS),
    *LITELLM_WARNS,
]

EVIDENCE: dict[str, Any] = {
    "safe": {"noul": 0.9},
    "colour": {"probabilities": {"red": 0.2, "blue": 0.8}, "confidence": 0.9},
    "grade": {"probabilities": {"0": 0.25, "1": 0.75}, "confidence": 0.5},
    "short": {"noul": 0.2},
}
WHY = "It is blue, as I see."


def deciding() -> dspy.Module:
    from dspy.adapters.types.decision import Choice, Noul, Score

    colour: Any = Choice[("red", "a warm one"), ("blue", "a cold one")]
    grade: Any = Score["bad", "good"]
    short: Any = Annotated[bool, Noul[(True, "one word")]]
    signature = dspy.Signature(
        {
            "question": (str, dspy.InputField()),
            "safe": (Noul, dspy.OutputField(desc="whether it is safe to answer")),
            "colour": (colour, dspy.OutputField(desc="the colour of the sky")),
            "grade": (grade, dspy.OutputField(desc="how good the question is")),
            "short": (short, dspy.OutputField(desc="whether it is short")),
            "why": (str, dspy.OutputField()),
        }
    )
    return dspy.Predict(signature)


def in_chat() -> str:
    return chat(**{name: json.dumps(value) for name, value in EVIDENCE.items()}, why=WHY)


def in_json() -> str:
    return json.dumps(EVIDENCE | {"why": WHY})


@pytest.mark.parametrize(("adapter", "said"), [(dspy.ChatAdapter, in_chat), (dspy.JSONAdapter, in_json)])
def test_a_decision_is_shown_as_what_it_is(
    way: Way, adapter: Callable[[], dspy.Adapter], said: Callable[[], str]
) -> None:
    run = same(way, deciding, [said()], around=lambda: dspy.context(adapter=adapter()))
    assert run.resets() == []
    assert run.result.colour.value == "blue"
    assert [(event.field, event.path) for event in run.of(FieldDelta) if event.field != "why"] == [
        ("safe", ()),
        ("colour", ()),
        ("grade", ()),
        ("short", ()),
    ]
    assert run.ended(run.calls("predictor")[0].call).fields == {
        "safe": {"confidence": pytest.approx(0.8), "value": True, "probability": 0.9},
        "colour": {"confidence": 0.9, "value": "blue", "probabilities": {"red": 0.2, "blue": 0.8}},
        "grade": {"confidence": 0.5, "value": 0.75, "probabilities": {"0": 0.25, "1": 0.75}, "level": 1},
        "short": False,
        "why": WHY,
    }
    assert len([event for event in run.of(FieldDelta) if event.field == "why"]) > 2


def test_evidence_that_does_not_fit(way: Way) -> None:
    wrong = json.dumps(EVIDENCE | {"colour": {"probabilities": {"green": 1}, "confidence": 1}, "why": WHY})
    run = same(way, deciding, [wrong], around=lambda: dspy.context(adapter=dspy.JSONAdapter()))
    assert run.error is not None


def test_a_backend_that_decides_itself(way: Way) -> None:
    """What answers questions of decisions need be no LM; DSPy tells of its calls as of one's."""
    from dspy.utils.callback import with_callbacks

    class Backend:
        supports_decision_requests = True
        model = "judge"

        def __init__(self) -> None:
            self.kwargs: dict[str, Any] = {}

        @with_callbacks
        def __call__(self, state: Any, questions: Any) -> Any:
            return dict.fromkeys(questions, EVIDENCE["safe"])

        @with_callbacks
        async def acall(self, state: Any, questions: Any) -> Any:
            return dict.fromkeys(questions, EVIDENCE["safe"])

    def judging() -> dspy.Module:
        from dspy.adapters.types.decision import Noul

        field = {"question": (str, dspy.InputField()), "safe": (Noul, dspy.OutputField(desc="whether it is safe"))}
        return dspy.Predict(dspy.Signature(field))

    run = same(way, judging, [], around=lambda: dspy.context(lm=Backend()), tracked=False)
    assert run.error is None
    assert [call.name for call in run.calls("lm")] == ["judge"]
    assert run.result.safe.value is True
