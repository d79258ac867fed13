"""What one call of an LM writes, from whatever the chunks hold."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.support.values import apply

from fieldstream.fields import NativeFields
from fieldstream.log import MemoryLog
from fieldstream.tap.lms.lm_call import LmCall
from fieldstream.tap.record.writer import Writer
from fieldstream.tap.state import State


def lm_call(log: MemoryLog) -> LmCall:
    state = State(log, cast("Any", None), lm_text=False)
    state.recorder.start("run", "Program")
    predictor = state.recorder.open(None, "predictor", "self")
    writer = Writer(state.recorder, predictor)
    writer.plan(None, {}, NativeFields(("thoughts",), "calls"))
    lm = LmCall(state, state.recorder.open(predictor, "lm", "model"), writer, None)
    lm.begin(0)
    return lm


def function(**members: Any) -> dict[str, Any]:
    return {"index": 0, "function": members}


ODD: list[Any] = [
    5,
    "calls",
    [None],
    [function(name=7)],
    [function(arguments={"a": 1})],
    [{"index": "x", "function": 3}],
]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_odd_members_of_a_chunk_break_nothing(odd: Any) -> None:
    log = MemoryLog()
    lm = lm_call(log)
    lm.delta(0, SimpleNamespace(content=3, reasoning_content=["Hm"], tool_calls=odd))
    lm.delta(0, SimpleNamespace(reasoning_content="Hm"))
    lm.answered(0, {"text": None, "tool_calls": odd})
    lm.state.recorder.end("completed")
    assert apply(log.read())["c1", 0]["thoughts"] == "Hm"


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_odd_members_of_an_answer_break_nothing(odd: Any) -> None:
    log = MemoryLog()
    lm = lm_call(log)
    lm.answered(0, {"text": None, "reasoning_content": "Hm", "tool_calls": odd})
    lm.state.recorder.end("completed")
    assert apply(log.read())["c1", 0]["thoughts"] == "Hm"
