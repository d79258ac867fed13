"""What ``tap/choosing.py`` relies on."""

from typing import Any

import dspy
import pytest
from dspy.utils.dummies import DummyLM


@pytest.mark.filterwarnings("ignore:Implementing custom LMs:DeprecationWarning")
@pytest.mark.parametrize("kind", [dspy.BestOfN, dspy.Refine])
def test_the_result_is_an_attempts_own(kind: Any) -> None:
    class Tried(dspy.Predict):
        def forward(self, **inputs: Any) -> dspy.Prediction:
            assert self is not tried, f"{kind.__name__} calls no copy of its module: look at tap/choosing.py"
            made.append(super().forward(**inputs))
            return made[-1]

    made: list[dspy.Prediction] = []
    signature: Any = "question -> answer"
    tried = Tried(signature)
    choosing = kind(tried, N=2, reward_fn=lambda *arguments: 1.0, threshold=1.0)
    with dspy.context(lm=DummyLM([{"answer": "blue"}] * 2)):
        result = choosing(question="Which colour?")
    assert choosing.module is tried, f"{kind.__name__} has another `module`: look at tap/choosing.py"
    assert result is made[-1], f"{kind.__name__} gives another object than an attempt's: look at tap/choosing.py"
