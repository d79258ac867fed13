"""What ``tap/opened.py`` relies on."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
# pyright: reportIncompatibleMethodOverride=false, reportReturnType=false, reportUnnecessaryComparison=false

import dspy

from fieldstream.simulator import simulate
from tests.contracts.contract import Noting


def test_during_a_start_handler_the_active_call_is_the_parent() -> None:
    noting = Noting()
    program = dspy.ChainOfThought("question -> answer")
    with simulate(["[[ ## reasoning ## ]]\na\n[[ ## answer ## ]]\nb"]) as provider:
        lm = dspy.LM(provider.model, **provider.lm_kwargs, cache=False)
        with dspy.context(lm=lm, callbacks=[noting]):
            program(question="?")
    (outer, inner), message = noting.notes[:2], "calls have no parents any more: look at tap/opened.py"
    assert outer[2] is None, message
    assert inner[2] == outer[1], message
    lm_note = next(note for note in noting.notes if note[0] == "lm")
    assert lm_note[2] == inner[1], message
    formatted = next(note for note in noting.notes if note[0] == "format")
    assert formatted[2] == inner[1], message
    assert "signature" in formatted[3], "an adapter's format is told other arguments: look at tap/observer.py"
