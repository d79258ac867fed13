"""The public face: starting, using and stopping a provider."""

import dspy

from fieldstream.simulator import simulate


def test_a_dspy_program_gets_a_scripted_answer() -> None:
    with simulate(answers=["[[ ## answer ## ]]\nblue\n\n[[ ## completed ## ]]"]) as provider:
        lm = dspy.LM(provider.model, **provider.lm_kwargs, cache=False)
        with dspy.context(lm=lm):
            assert dspy.Predict("question -> answer")(question="Which colour?").answer == "blue"
