"""What ``tap/observer.py`` relies on."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
# pyright: reportIncompatibleMethodOverride=false, reportReturnType=false, reportUnnecessaryComparison=false

import dspy
import pytest
from dspy.utils.callback import BaseCallback

from fieldstream.simulator import simulate
from tests.contracts.contract import Noting, engines


def test_of_a_subclass_of_an_adapter_the_arguments_come_as_args_and_kwargs() -> None:
    class Mine(dspy.ChatAdapter):
        pass

    noting = Noting()
    with dspy.context(callbacks=[noting]):
        Mine().format(dspy.Signature("question -> answer"), [], {"question": "?"})
    for note in noting.notes:
        assert "signature" in note[3] or "args" in note[3], (
            "other arguments: look at argument in tap/signatures/values.py"
        )


def test_predict_hides_the_stream_from_its_lm_where_listeners_are_for_others() -> None:
    class Listener:
        predict = object()

    noting = Noting()
    with simulate(["[[ ## answer ## ]]\nb"]) as provider:
        lm = dspy.LM(provider.model, **provider.lm_kwargs, cache=False)
        with dspy.context(lm=lm, callbacks=[noting], send_stream=object(), stream_listeners=[Listener()]):
            dspy.Predict("question -> answer")(question="?")
    assert noting.notes[-1][3] is None, "Predict hands the stream to its LM: look at Execution._settings in _run.py"


@pytest.mark.parametrize("name", ["evaluate", "compile", "interpreter_execute", "interpreter_tool_call"])
def test_callers_that_are_no_calls_of_their_own(name: str) -> None:
    for moment in ("start", "end"):
        assert hasattr(BaseCallback, f"on_{name}_{moment}"), f"on_{name}_{moment} is gone: look at tap/observer.py"


@engines
def test_an_lm_knows_whether_its_engine_is_its_users() -> None:
    from dspy.clients.engines.dummy_engine import DummyEngine

    at = "look at is_custom in tap/observer.py"
    assert dspy.LM("openai/sim")._engine_spec == "auto", at
    assert dspy.LM("openai/sim", engine="litellm")._engine_spec == "litellm", at
    assert not isinstance(dspy.LM("openai/sim", engine=DummyEngine(["a"]))._engine_spec, str), at
