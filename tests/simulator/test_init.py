"""The public face: starting, using and stopping a provider."""

import dspy

from fieldstream import simulator
from fieldstream.simulator import simulate


def test_a_dspy_program_gets_a_scripted_answer() -> None:
    with simulate(answers=["[[ ## answer ## ]]\nblue\n\n[[ ## completed ## ]]"]) as provider:
        lm = dspy.LM(provider.model, **provider.lm_kwargs, cache=False)
        with dspy.context(lm=lm):
            assert dspy.Predict("question -> answer")(question="Which colour?").answer == "blue"


def test_dspy_tries_again_after_faults() -> None:
    with simulate(answers=["[[ ## answer ## ]]\nblue"], error=503, retry_after=0.0, fault_times=1) as provider:
        lm = dspy.LM(provider.model, **provider.lm_kwargs, cache=False, num_retries=2)
        with dspy.context(lm=lm):
            assert dspy.Predict("question -> answer")(question="Which colour?").answer == "blue"
        assert [request.status for request in provider.requests] == [503, 200]


def test_what_is_public() -> None:
    assert all(hasattr(simulator, name) for name in simulator.__all__)
    assert simulator.__all__ == sorted(simulator.__all__)
