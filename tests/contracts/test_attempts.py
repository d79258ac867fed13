"""What ``tap/lms/attempts.py`` relies on."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
# pyright: reportIncompatibleMethodOverride=false, reportReturnType=false, reportUnnecessaryComparison=false

import inspect
from typing import Any

import dspy
import pytest

from fieldstream.simulator import simulate
from tests.contracts.contract import check_parameters, engines


@engines
def test_attempts() -> None:
    from dspy.clients import execution

    parameters = ("lm", "call", "backend", "request", "provider", "state", "results")
    for attempt in (execution._attempt, execution._aattempt):
        check_parameters(attempt, *parameters, at="tap/lms/attempts.py")
    source = inspect.getsource(execution.execute)
    assert "_attempt(" in source, "LMs are asked in another way: look at tap/lms/attempts.py"
    assert "_aattempt(" in inspect.getsource(execution.aexecute), (
        "LMs are asked in another way: look at tap/lms/attempts.py"
    )


@engines
def test_an_attempt_adds_what_it_used() -> None:
    from dspy.clients import execution

    seen: list[Any] = []
    original = execution._attempt

    def attempt(lm: Any, call: Any, backend: Any, request: Any, provider: Any, state: Any, results: list[Any]) -> None:
        assert results == []
        assert callable(backend.stream)
        assert request is not None
        original(lm, call, backend, request, provider, state, results)
        seen.extend(results)

    with pytest.MonkeyPatch.context() as patch, simulate(["Blue."]) as provider:
        patch.setattr(execution, "_attempt", attempt)
        dspy.LM(provider.model, **provider.lm_kwargs, cache=False)("Why?")
    message = "what an attempt used is kept elsewhere: look at tap/lms/attempts.py"
    assert [result.usage["completion_tokens"] > 0 for result in seen] == [True], message
