"""What DSPy's callbacks say of a run."""

from typing import Any

import dspy

import fieldstream
from fieldstream import StatusMessageProvider
from fieldstream.events import Status


class Named(StatusMessageProvider):
    """Says whose each moment is."""

    def module_end_status_message(self, outputs: Any, instance: Any = None) -> str:
        return f"end of {type(instance).__name__}"

    def lm_start_status_message(self, instance: Any, inputs: dict[str, Any]) -> str:
        return f"start of {type(instance).__name__}"

    def lm_end_status_message(self, outputs: Any, instance: Any = None) -> str:
        return f"end of {type(instance).__name__}"


def test_each_moment_is_of_its_own_instance() -> None:
    with fieldstream.simulate() as provider:
        lm = dspy.LM(provider.model, **provider.lm_kwargs, cache=False)
        watch = fieldstream.Streamer(dspy.Predict("question -> answer"), status_message_provider=Named())
        with dspy.context(lm=lm), watch(question="Why?") as run:
            said = [event.message for event in run if isinstance(event, Status)]
    assert said == ["start of LM", "end of LM", "end of Predict"]
