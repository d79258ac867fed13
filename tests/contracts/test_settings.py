"""What ``tap/settings.py`` relies on."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
# pyright: reportIncompatibleMethodOverride=false, reportReturnType=false, reportUnnecessaryComparison=false

import asyncio
from typing import Any

import dspy
from dspy.dsp.utils.settings import dotdict, thread_local_overrides


def test_overrides_are_a_context_variable_with_a_mapping() -> None:
    with dspy.context(fieldstream_contract=1):
        found = thread_local_overrides.get()
        assert found.get("fieldstream_contract") == 1, (
            "dspy.context keeps its settings elsewhere: look at tap/settings.py"
        )
    token = thread_local_overrides.set(dotdict({"fieldstream_contract": 2}))
    try:
        assert dspy.settings["fieldstream_contract"] == 2, "settings are read elsewhere: look at tap/settings.py"
    finally:
        thread_local_overrides.reset(token)


def test_overrides_reach_the_threads_of_parallel_and_of_asyncify() -> None:
    class Looking(dspy.Module):
        def forward(self, question: str) -> Any:
            return dspy.settings.get("fieldstream_contract")

    examples = [dspy.Example(question="?").with_inputs("question")] * 3
    with dspy.context(fieldstream_contract=3):
        found = dspy.Parallel(num_threads=2, disable_progress_bar=True)([(Looking(), each) for each in examples])
        found.append(asyncio.run(dspy.asyncify(Looking())(question="?")))
    assert found == [3] * 4, "keys of our own no longer travel with DSPy's settings: look at tap/current.py"
