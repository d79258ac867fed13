"""What ``tap/names.py`` relies on."""

import copy

import dspy


def test_a_predictors_stage_is_its_own_and_its_copies() -> None:
    one, other = dspy.Predict("question -> answer"), dspy.Predict("question -> answer")
    assert one.stage != other.stage, "two predictors have one `stage`: look at tap/names.py"
    for again in (one.deepcopy(), one.reset_copy(), copy.deepcopy(one)):
        assert again.stage == one.stage, "a copy has another `stage`: look at tap/names.py"
