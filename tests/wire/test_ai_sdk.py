"""A run as the AI SDK's UI message stream: its parts, what is said again, and the ends. What its clients make of it
is in ``tests/server/test_ai_sdk.py``."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.events import CallEnded, Custom, Event, Failure, Status
from fieldstream.wire.ai_sdk import AiSdkTurn, Version
from tests.wire.chat import START, call, chose, end, ended, event, field, over, reset, text, value, view


def chunks(data: bytes) -> list[Any]:
    """The parts of a stream, with what ends it."""
    read: list[Any] = []
    for block in data.decode("utf-8", "surrogatepass").split("\n\n")[:-1]:
        for line in block.split("\n"):
            name, _, said = line.partition(": ")
            assert name in ("data", "id")
            if name == "data":
                read.append(said if said == "[DONE]" else json.loads(said))
    return read


def stream(*events: Event, reasoning: tuple[str, ...] = ("reasoning",), version: Version = 7) -> list[Any]:
    return chunks(AiSdkTurn(view("answer", *reasoning), version=version).feed(events))


OPENING = [
    {"type": "start", "messageId": "r", "messageMetadata": {"run": "r", "program": "qa"}},
    {"type": "start-step"},
]


def test_a_whole_message() -> None:
    usage = {"m": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}
    assert stream(
        START,
        *(call("c"), field("c", "reasoning"), text("c", "Hm", "reasoning"), ended("c", "reasoning")),
        *(field("c"), text("c", "So"), ended("c"), end("c", reasoning="Hm", answer="So")),
        over({"answer": "So"}, usage=usage),
    ) == [
        *OPENING,
        {"type": "reasoning-start", "id": "c.reasoning"},
        {"type": "reasoning-delta", "id": "c.reasoning", "delta": "Hm"},
        {"type": "reasoning-end", "id": "c.reasoning"},
        {"type": "text-start", "id": "c.answer"},
        {"type": "text-delta", "id": "c.answer", "delta": "So"},
        {"type": "text-end", "id": "c.answer"},
        {"type": "finish-step"},
        {
            "type": "finish",
            "finishReason": "stop",
            "messageMetadata": {"usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}},
        },
        "[DONE]",
    ]


def test_tools_were_run_here() -> None:
    said = stream(
        call("t", "search", kind="tool", arguments={"q": "x"}),
        event(CallEnded, call="t", seconds=0.0, result=["hit"]),
        *(
            call("u", "fetch", kind="tool"),
            event(CallEnded, call="u", seconds=0.0, error=Failure(kind="E", message="no")),
        ),
        *(call("v", "hidden", kind="tool"), event(CallEnded, call="v", seconds=0.0)),
    )
    marks = {"providerExecuted": True, "dynamic": True}
    assert said[2:] == [
        {"type": "tool-input-available", "toolCallId": "r.t", "toolName": "search", "input": {"q": "x"}, **marks},
        {"type": "tool-output-available", "output": ["hit"], "toolCallId": "r.t", **marks},
        {"type": "tool-input-available", "toolCallId": "r.u", "toolName": "fetch", "input": {}, **marks},
        {"type": "tool-output-error", "errorText": "no", "toolCallId": "r.u", **marks},
        {"type": "tool-input-available", "toolCallId": "r.v", "toolName": "hidden", "input": {}, **marks},
        {"type": "tool-output-available", "output": None, "toolCallId": "r.v", **marks},
    ]


def test_data_and_messages() -> None:
    said = stream(
        *(call("c"), field("c", "n", kind="data"), value("c", [1], "n"), event(Status, message="Working")),
        *(event(Custom, name="step", value=1), event(Custom, value={"a": 2})),
    )
    assert said[2:] == [
        {"type": "data-status", "data": {"message": "Working"}, "transient": True},
        {"type": "data-custom", "id": "custom.1", "data": {"name": "step", "value": 1}},
        {"type": "data-custom", "id": "custom.2", "data": {"name": None, "value": {"a": 2}}},
        {"type": "data-n", "id": "c.n", "data": [1]},
    ]


WITHDRAWING = [
    *(call("t", "search", kind="tool"), event(Custom, name="step", value=1)),
    *(call("c"), field("c", "reasoning"), text("c", "Hm", "reasoning"), ended("c", "reasoning")),
    *(field("c", "n", kind="data"), value("c", 1, "n"), ended("c", "n"), field("c"), text("c", "wrong"), reset("c")),
]


def test_withdrawing_says_again_what_stands() -> None:
    said = stream(*WITHDRAWING)
    marks = {"providerExecuted": True, "dynamic": True}
    assert said[said.index({"type": "reset-step"}) + 1 :] == [
        {"type": "tool-input-available", "toolCallId": "r.t", "toolName": "search", "input": {}, **marks},
        {"type": "reasoning-start", "id": "c.reasoning"},
        {"type": "reasoning-delta", "id": "c.reasoning", "delta": "Hm"},
        {"type": "reasoning-end", "id": "c.reasoning"},
        {"type": "data-n", "id": "c.n", "data": 1},
        {"type": "data-custom", "id": "custom.1", "data": {"name": "step", "value": 1}},
    ]


def test_client_6_is_told_what_to_hide() -> None:
    said = stream(*WITHDRAWING, text("c", "right"), reset("c"), over({}), version=6)
    assert "reset-step" not in [part["type"] for part in said[:-1]]
    starts = [part for part in said[:-1] if part["type"] == "text-start"]
    assert [part["providerMetadata"]["fieldstream"]["id"] for part in starts] == ["c.answer", "c.answer.2"]
    at = said.index({"type": "data-withdrawn", "id": "withdrawn", "data": {"ids": ["c.answer"]}})
    assert said[at - 1] == {"type": "text-end", "id": "c.answer"}
    assert {"type": "data-withdrawn", "id": "withdrawn", "data": {"ids": ["c.answer", "c.answer.2"]}} in said[at:]


@pytest.mark.parametrize("version", [6, 7])
def test_withdrawn_data_is_null(version: Version) -> None:
    said = stream(call("c"), field("c", "n", kind="data"), value("c", 1, "n"), ended("c", "n"), version=version)
    more = stream(
        *(call("c"), field("c", "n", kind="data"), value("c", 1, "n"), ended("c", "n")),
        *(reset("c", "repair", "n"), value("c", 2, "n")),
        version=version,
    )
    assert more[len(said) :] == [
        {"type": "data-n", "id": "c.n", "data": None},
        {"type": "data-n", "id": "c.n", "data": 2},
    ]


@pytest.mark.parametrize(
    ("outcome", "error", "last"),
    [
        (
            "failed",
            Failure(kind="E", message="no"),
            [
                {"type": "error", "errorText": "no"},
                {"type": "finish-step"},
                {"type": "finish", "finishReason": "error"},
                "[DONE]",
            ],
        ),
        ("cancelled", None, [{"type": "abort"}, "[DONE]"]),
        ("cancelled", Failure(kind="cancelled", message="so"), [{"type": "abort", "reason": "so"}, "[DONE]"]),
        (
            "cancelled",
            Failure(kind="timeout", message="late"),
            [
                {"type": "error", "errorText": "late"},
                {"type": "finish-step"},
                {"type": "finish", "finishReason": "error"},
                "[DONE]",
            ],
        ),
    ],
)
def test_other_ends(outcome: str, error: Failure | None, last: list[Any]) -> None:
    said = stream(call("c"), field("c"), text("c", "So"), over(outcome=outcome, error=error))
    assert said[-len(last) - 1 :] == [{"type": "text-end", "id": "c.answer"}, *last]


def test_a_write_ends_with_the_id_of_its_event() -> None:
    turn = AiSdkTurn(view())
    turn.feed([START, call("c"), field("c")])
    told = text("c", "So")
    block = turn.feed([type(told)(seq=7, at=0.0, call="c", field="answer", text="So")])  # pyright: ignore[reportCallIssue]
    assert block.endswith(b'"delta":"So"}\nid: 7\n\n')
    assert turn.feed([event(Custom, value=1)]).count(b"\nid: ") == 1
    assert turn.feed([ended("c")]) == b""


def received(parts: list[Any]) -> list[Any]:
    """The message's parts as client 7 keeps them: the step begins, and may be emptied."""
    kept: list[Any] = []
    streaming: dict[str, Any] = {}
    for part in parts[:-1]:
        kind, _, step = part["type"].rpartition("-")
        if part["type"] == "reset-step":
            kept.clear()
            streaming.clear()
        elif kind in ("text", "reasoning"):
            if step == "start":
                streaming[part["id"]] = [kind, ""]
                kept.append(streaming[part["id"]])
            elif step == "delta":
                streaming[part["id"]][1] += part["delta"]
            else:
                del streaming[part["id"]]
        elif part["type"].startswith("data-"):
            same = next((each for each in kept if each[:2] == [part["type"], part["id"]]), None)
            if same is None:
                kept.append([part["type"], part["id"], part["data"]])
            else:
                same[2] = part["data"]
    assert not streaming
    return kept


@st.composite
def _attempts(draw: st.DrawFn) -> tuple[list[Event], str, Any]:
    """A program that is tried several times, whose calls may be withdrawn and told anew in between."""
    said = draw(st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=4))
    events = [START, call("best", "BestOfN", kind="module")]
    for number, each in enumerate(said):
        id = f"p{number}"
        events += [call(f"a{number}", "m", kind="module", parent="best", attempt=number + 1)]
        events += [call(id, parent=f"a{number}"), field(id, "reasoning"), text(id, "Hm", "reasoning")]
        events += [ended(id, "reasoning"), field(id, "n", kind="data"), value(id, number, "n"), field(id)]
        if draw(st.booleans()):
            events += [text(id, "wrong"), reset(id, "fallback", "reasoning"), reset(id, "fallback", "n")]
            events += [reset(id, "fallback"), text(id, "Oh", "reasoning"), value(id, number, "n")]
        events += [text(id, each), ended(id, "n"), ended(id), end(id, answer=each, n=number), end(f"a{number}")]
    chosen = draw(st.integers(0, len(said) - 1))
    events += [chose("best", f"a{chosen}"), over({"answer": said[chosen], "n": chosen})]
    return events, said[chosen], chosen


@given(run=_attempts(), chunk=st.integers(1, 9))
def test_what_is_received_in_the_end_is_what_was_returned(run: tuple[list[Event], str, Any], chunk: int) -> None:
    events, answer, n = run
    turn = AiSdkTurn(view("answer", "reasoning"))
    parts = chunks(b"".join([turn.feed(events[at : at + chunk]) for at in range(0, len(events), chunk)]))
    kept = received(parts)
    assert "".join(each[1] for each in kept if each[0] == "text") == answer
    assert [each[1] for each in kept if each[0] == "reasoning"] in (["Hm"], ["Oh"])
    assert [each[2] for each in kept if each[0] == "data-n"] == [n]
    assert kept[0][0] == "reasoning", "as it was told before"
