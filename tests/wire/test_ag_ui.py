"""AG-UI: what a run says, in the protocol's events. That its client takes them so is tested with the client itself."""

import json
import subprocess
from collections.abc import Callable, Generator, Sequence
from typing import Any

import pytest
from ag_ui.core import AssistantMessage, Message, RunAgentInput, UserMessage
from ag_ui.core import Event as AgUiEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter

from fieldstream.events import UNSET, CallEnded, Custom, Event, Failure, RunEnded, Status
from fieldstream.wire.ag_ui import AgUiTurn
from fieldstream.wire.json import encode
from fieldstream.wire.parts import DataPart, TextPart, ToolPart
from fieldstream.wire.view import ChatView
from tests.clients.node import HERE, NODE
from tests.wire.chat import START, call, chose, end, ended, event, field, over, reset, text, thought, value, view
from tests.wire.json_patch import patched
from tests.wire.runs import proper_runs

_EVENT: TypeAdapter[AgUiEvent] = TypeAdapter(AgUiEvent)


def request(*, state: Any = None) -> RunAgentInput:
    said: list[Message] = [
        UserMessage(id="u1", content="Hello"),
        AssistantMessage(id="a1", content="Hello!"),
        UserMessage(id="u2", content="Why?"),
    ]
    return RunAgentInput(thread_id="t", run_id="mine", messages=said, state=state)


def frames(body: bytes) -> list[dict[str, Any]]:
    """The events that a client reads, each of which is in the protocol's own model of it and nothing beyond."""
    assert b"\r" not in body
    *blocks, rest = body.split(b"\n\n")
    assert not rest
    found: list[dict[str, Any]] = []
    for block in blocks:
        assert block.startswith(b"data: ")
        assert b"\n" not in block
        found.append(json.loads(block.removeprefix(b"data: ")))
        check(_EVENT.validate_python(found[-1]))
    return found


def check(model: BaseModel) -> None:
    """Neither the model nor one in it has members that the protocol does not know, or that are null for no reason."""
    assert not model.model_extra
    for name, inner in model:
        if name in model.model_fields_set and type(model).model_fields[name].default is None:
            assert inner is not None
        for each in inner if isinstance(inner, list) else [inner]:
            if isinstance(each, BaseModel):
                check(each)


def told(
    events: list[Event], shown_as: ChatView | None = None, *, state: Any = None, at_once: bool = False
) -> list[dict[str, Any]]:
    turn = AgUiTurn(shown_as or view(), request(state=state))
    return frames(turn.feed(events) if at_once else b"".join([turn.feed([each]) for each in events]))


def brief(events: list[dict[str, Any]]) -> list[str]:
    """Each event's type, and what it says."""
    members = ("stepName", "messageId", "toolCallId", "toolCallName", "delta", "content", "snapshot", "name", "value")
    return [" ".join([each["type"], *[_word(each[name]) for name in members if name in each]]) for each in events]


def _word(value: Any) -> str:
    return value if isinstance(value, str) else encode(value).decode()


def test_a_text_is_a_message() -> None:
    events = [START, call("c"), field("c"), text("c", "Be"), text("c", "cause"), ended("c"), end("c", answer="Because")]
    usage = {"openai/gpt-x": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}
    said = told([*events, over({"answer": "Because"}, usage=usage)])
    assert brief(said) == [
        "RUN_STARTED",
        "STEP_STARTED p",
        "TEXT_MESSAGE_START r.c.answer",
        "TEXT_MESSAGE_CONTENT r.c.answer Be",
        "TEXT_MESSAGE_CONTENT r.c.answer cause",
        "TEXT_MESSAGE_END r.c.answer",
        "STEP_FINISHED p",
        "RUN_FINISHED",
    ]
    assert said[0] == {"type": "RUN_STARTED", "threadId": "t", "runId": "mine", "protocolVersion": "1.0"}
    assert said[2]["role"] == "assistant"
    assert said[-1] == {
        "type": "RUN_FINISHED",
        "threadId": "t",
        "runId": "mine",
        "result": {"answer": "Because"},
        "outcome": {"type": "success"},
        "usage": [
            {
                "provider": "openai",
                "model": "gpt-x",
                "inputTokens": 3,
                "outputTokens": 2,
                "totalTokens": 5,
            }
        ],
    }


@pytest.mark.parametrize("count", [-1, 1 << 60])
def test_a_count_that_makes_no_sense_is_left_out(count: int) -> None:
    said = told([START, over({}, usage={"m": {"prompt_tokens": count, "completion_tokens": 2, "total_tokens": 5}})])
    assert said[-1]["usage"] == [{"model": "m", "outputTokens": 2, "totalTokens": 5}]


def test_steps_that_go_on_at_once_have_names_of_their_own() -> None:
    events = [START, call("a"), call("b"), end("a"), call("c"), end("b"), end("c"), over({})]
    assert brief(told(events))[1:-1] == [
        "STEP_STARTED p",
        "STEP_STARTED p (2)",
        "STEP_FINISHED p",
        "STEP_STARTED p",
        "STEP_FINISHED p (2)",
        "STEP_FINISHED p",
    ]


def test_reasoning_is_a_message_of_its_own() -> None:
    events = [
        *(START, call("c"), field("c", "reasoning"), text("c", "Hm", "reasoning"), ended("c", "reasoning")),
        *(field("c"), text("c", "So"), ended("c"), end("c", reasoning="Hm", answer="So"), over({"answer": "So"})),
    ]
    said = told(events, view("answer", "reasoning"))
    assert brief(said)[2:7] == [
        "REASONING_START r.c.reasoning",
        "REASONING_MESSAGE_START r.c.reasoning",
        "REASONING_MESSAGE_CONTENT r.c.reasoning Hm",
        "REASONING_MESSAGE_END r.c.reasoning",
        "REASONING_END r.c.reasoning",
    ]


def test_a_tool_has_arguments_and_a_result() -> None:
    events = [
        *(START, call("x", "search", kind="tool", arguments={"query": "sky"})),
        *(event(CallEnded, call="x", seconds=0.0, result=["a", None]), over({})),
    ]
    assert brief(told(events))[1:-1] == [
        "TOOL_CALL_START r.x search",
        'TOOL_CALL_ARGS r.x {"query": "sky"}',
        "TOOL_CALL_END r.x",
        'TOOL_CALL_RESULT r.x.result r.x ["a", null]',
    ]


@pytest.mark.parametrize(
    ("closing", "content", "error"),
    [
        ([end("x", Failure(kind="ValueError", message="no"))], "no", "no"),
        ([], "the run ended before the tool did", "the run ended before the tool did"),
        ([event(CallEnded, call="x", seconds=0.0)], "", None),
    ],
    ids=["failed", "unfinished", "hidden"],
)
def test_each_tool_has_a_result(closing: list[Event], content: str, error: str | None) -> None:
    said = told([START, call("x", "search", kind="tool"), *closing, over({})])
    assert [each["delta"] for each in said if each["type"] == "TOOL_CALL_ARGS"] == ["{}"]
    (result,) = [each for each in said if each["type"] == "TOOL_CALL_RESULT"]
    assert result["content"] == content
    assert result.get("metadata") == (None if error is None else {"error": error})


def test_fields_are_shared_state() -> None:
    events = [
        *(START, call("c"), field("c", "sources", kind="data"), value("c", [], "sources")),
        *(text("c", "https:", "sources", path=(0,)), text("c", "//a", "sources", path=(0,))),
        *(value("c", {"n": 1}, "sources", path=(1,)), ended("c", "sources"), end("c")),
        over({"answer": "", "sources": ["https://a", {"n": 1}]}),
    ]
    said = told(events, state={"theme": "dark"})
    assert brief(said)[2:6] == [
        'STATE_SNAPSHOT {"theme":"dark"}',
        'STATE_DELTA [{"op":"add","path":"/sources","value":[]}]',
        'STATE_DELTA [{"op":"add","path":"/sources/0","value":"https:"}]',
        (
            'STATE_DELTA [{"op":"replace","path":"/sources/0","value":"https://a"},'
            '{"op":"add","path":"/sources/1","value":{"n":1}}]'
        ),
    ]
    assert sum(each["type"] == "STATE_DELTA" for each in said) == 3


def test_what_comes_at_once_changes_the_state_once() -> None:
    events = [
        *(START, call("c"), field("c", "n", kind="data"), value("c", [], "n")),
        *(value("c", 1, "n", path=(0,)), value("c", 2, "n", path=(1,))),
    ]
    assert [each["type"] for each in told(events, at_once=True)][2:] == ["STATE_SNAPSHOT", "STATE_DELTA"]


@pytest.mark.parametrize("given", [None, [1], "text", 3])
def test_a_state_that_is_no_object_makes_way_for_one(given: Any) -> None:
    said = told([START, call("c"), field("c", "n", kind="data"), value("c", 1, "n")], state=given)
    assert brief(said)[2:] == ["STATE_SNAPSHOT {}", 'STATE_DELTA [{"op":"add","path":"/n","value":1}]']


def state_of(said: list[dict[str, Any]]) -> Any:
    state: Any = None
    for each in said:
        if each["type"] == "STATE_SNAPSHOT":
            state = each["snapshot"]
        elif each["type"] == "STATE_DELTA":
            state = patched(state, each["delta"])
    return state


def test_the_field_of_an_earlier_turn_makes_way_for_this_one() -> None:
    events = [START, call("c"), field("c", "title", kind="data"), text("c", "New", "title")]
    assert state_of(told(events, state={"title": "Old", "n": [1]})) == {"title": "New", "n": [1]}


def test_of_several_calls_the_one_that_began_last_writes_the_state() -> None:
    events = [
        *(START, call("a"), field("a", "n", kind="data"), value("a", [1], "n")),
        *(call("b"), field("b", "n", kind="data"), value("b", [], "n")),
        *(value("a", 2, "n", path=(1,)), value("b", 7, "n", path=(0,)), ended("a", "n"), end("a")),
    ]
    assert state_of(told(events)) == {"n": [7]}
    assert state_of(told([*events, end("b"), over({"n": [1, 2]})])) == {"n": [1, 2]}


def test_where_the_last_is_withdrawn_another_call_has_the_state() -> None:
    events = [
        *(START, call("a"), field("a", "n", kind="data"), value("a", [1], "n")),
        *(call("b"), field("b", "n", kind="data"), value("b", [2], "n"), reset("b", name="n")),
    ]
    assert state_of(told(events)) == {"n": [1]}


def test_other_candidates_are_no_state() -> None:
    events = [START, call("c"), field("c", "n", kind="data", candidate=1), value("c", 1, "n", candidate=1), end("c")]
    assert state_of(told(events)) is None


def test_withdrawn_fields_leave_the_state() -> None:
    events = [START, call("c"), field("c", "n", kind="data"), value("c", [1], "n"), reset("c", name="n")]
    assert state_of(told(events, state={"k": 1})) == {"k": 1}
    again = value("c", [2], "n")
    assert state_of(told([*events, again, end("c"), over({"n": [2]})])) == {"n": [2]}
    assert state_of(told([*events, again, end("c")], at_once=True)) == {"n": [2]}


def attempts(chosen: str) -> list[Event]:
    """Two tries, the second of which says nothing of ``n``."""
    return [
        *(START, call("best", kind="module")),
        *(call("m1", kind="module", parent="best", attempt=1), call("c1", parent="m1")),
        *(field("c1"), text("c1", "One"), field("c1", "n", kind="data"), value("c1", 1, "n")),
        *(end("c1", answer="One", n=1), end("m1")),
        *(call("m2", kind="module", parent="best", attempt=2), call("c2", parent="m2")),
        *(field("c2"), text("c2", "Two"), end("c2", answer="Two"), end("m2"), chose("best", chosen)),
    ]


def test_withdrawn_text_leaves_the_conversation() -> None:
    said = told([*attempts("m2"), over({"answer": "Two"})])
    at = [each["type"] for each in said].index("MESSAGES_SNAPSHOT")
    assert said[at]["messages"] == [
        {"id": "u1", "role": "user", "content": "Hello"},
        {"id": "a1", "role": "assistant", "content": "Hello!"},
        {"id": "u2", "role": "user", "content": "Why?"},
    ]
    assert [each["type"] for each in said].count("MESSAGES_SNAPSHOT") == 1
    assert brief(said)[at + 1 :][1] == "TEXT_MESSAGE_CONTENT r.c2.answer Two"
    assert state_of(said) == {}


def test_what_stands_stays_in_the_conversation() -> None:
    events = [
        *(START, call("x", "search", kind="tool", arguments={"q": 1}), call("y", "find", kind="tool")),
        *(event(CallEnded, call="x", seconds=0.0, result="r"), end("y", Failure(kind="E", message="no"))),
        *(call("z", "wait", kind="tool"), call("c"), field("c", "reasoning"), text("c", "Hm", "reasoning")),
        *(field("c"), text("c", "So")),
        *(call("d"), field("d"), text("d", "later"), reset("c"), text("c", "Be")),
    ]
    said = told(events, view("answer", "reasoning"))
    (snapshot,) = [each for each in said if each["type"] == "MESSAGES_SNAPSHOT"]
    assert snapshot["messages"][3:] == [
        {
            "id": "r.x",
            "role": "assistant",
            "toolCalls": [{"id": "r.x", "type": "function", "function": {"name": "search", "arguments": '{"q": 1}'}}],
        },
        {"id": "r.x.result", "role": "tool", "toolCallId": "r.x", "content": "r"},
        {
            "id": "r.y",
            "role": "assistant",
            "toolCalls": [{"id": "r.y", "type": "function", "function": {"name": "find", "arguments": "{}"}}],
        },
        {
            "id": "r.y.result",
            "role": "tool",
            "toolCallId": "r.y",
            "content": "no",
            "error": "no",
            "metadata": {"error": "no"},
        },
        {
            "id": "r.z",
            "role": "assistant",
            "toolCalls": [{"id": "r.z", "type": "function", "function": {"name": "wait", "arguments": "{}"}}],
        },
        {"id": "r.c.reasoning", "role": "reasoning", "content": "Hm"},
    ]
    at = said.index(snapshot)
    assert brief(said)[at - 1] == "TEXT_MESSAGE_END r.c.answer"
    assert brief(said)[at + 1 :] == ["TEXT_MESSAGE_START r.c.answer.2", "TEXT_MESSAGE_CONTENT r.c.answer.2 Be"]


def test_a_snapshot_holds_what_was_told_before_it() -> None:
    """And not what is about to be told, which follows it."""
    turn = AgUiTurn(view("answer", "reasoning"), request())
    turn.feed([START, call("c"), field("c", "reasoning"), text("c", "Hm", "reasoning"), field("c"), text("c", "So")])
    said = frames(turn.feed([reset("c", name="reasoning"), text("c", " be")]))
    (snapshot,) = [each for each in said if each["type"] == "MESSAGES_SNAPSHOT"]
    assert [each["content"] for each in snapshot["messages"][3:]] == ["So", ""]
    assert brief(said)[-1] == "TEXT_MESSAGE_CONTENT r.c.answer  be"


def test_withdrawn_reasoning_is_emptied_and_goes_on_there() -> None:
    """A client removes reasoning only where a snapshot has some."""
    events = [
        *(START, call("c"), call("lm", kind="lm", parent="c"), thought("lm", "Hm"), field("c"), text("c", "So")),
        *(reset("c"), thought("lm", "Well"), text("c", "Then")),
    ]
    said = told(events)
    (snapshot,) = [each for each in said if each["type"] == "MESSAGES_SNAPSHOT"]
    assert snapshot["messages"][3:] == [{"id": "r.lm", "role": "reasoning", "content": ""}]
    assert brief(said)[said.index(snapshot) + 1 :] == [
        "REASONING_START r.lm",
        "REASONING_MESSAGE_START r.lm",
        "REASONING_MESSAGE_CONTENT r.lm Well",
        "TEXT_MESSAGE_START r.c.answer.2",
        "TEXT_MESSAGE_CONTENT r.c.answer.2 Then",
    ]


def test_messages_and_emitted_values() -> None:
    events: list[Event] = [
        event(Status, message="Searching"),
        event(Custom, name="progress", value={"done": None}),
        event(Custom, value=None),
    ]
    assert brief(told([START, *events]))[1:] == [
        "CUSTOM status Searching",
        'CUSTOM progress {"done":null}',
        "CUSTOM custom null",
    ]


@pytest.mark.parametrize(
    ("outcome", "error", "last"),
    [
        ("failed", Failure(kind="E", message="no"), {"type": "RUN_ERROR", "message": "no", "code": "E"}),
        (
            "cancelled",
            None,
            {"type": "RUN_FINISHED", "threadId": "t", "runId": "mine", "outcome": {"type": "cancelled"}},
        ),
        (
            "cancelled",
            Failure(kind="shutdown", message="The server ends"),
            {"type": "RUN_ERROR", "message": "The server ends", "code": "shutdown"},
        ),
    ],
)
def test_how_it_ends(outcome: str, error: Failure | None, last: dict[str, Any]) -> None:
    events = [START, call("c"), call("x", "t", kind="tool", parent="c"), field("c"), text("c", "So")]
    said = told([*events, over(UNSET, outcome, error)])
    assert brief(said)[-4:-1] == [
        "TEXT_MESSAGE_END r.c.answer",
        "TOOL_CALL_RESULT r.x.result r.x the run ended before the tool did",
        "STEP_FINISHED p",
    ]
    assert said[-1] == last


def test_a_client_that_comes_again_is_told_what_stands() -> None:
    turn = AgUiTurn(view("answer", "reasoning"), request(state={"k": 1}), again=True)
    events = [
        *(START, call("c"), field("c", "reasoning"), text("c", "Hm", "reasoning"), ended("c", "reasoning")),
        *(field("c", "n", kind="data"), value("c", [1], "n"), field("c"), text("c", "S"), text("c", "o")),
    ]
    said = frames(turn.feed(events))
    assert brief(said) == [
        "RUN_STARTED",
        "MESSAGES_SNAPSHOT",
        'STATE_SNAPSHOT {"k":1,"n":[1]}',
        "STEP_STARTED p",
        "TEXT_MESSAGE_START r.c.answer",
    ]
    assert [each["content"] for each in said[1]["messages"][3:]] == ["Hm", "So"]
    assert brief(frames(turn.feed([text("c", " be"), value("c", 2, "n", path=(1,))]))) == [
        "TEXT_MESSAGE_CONTENT r.c.answer  be",
        'STATE_DELTA [{"op":"add","path":"/n/1","value":2}]',
    ]
    assert brief(frames(turn.feed([end("c"), over({})]))) == [
        "TEXT_MESSAGE_END r.c.answer",
        "STEP_FINISHED p",
        "RUN_FINISHED",
    ]


def test_text_that_utf8_cannot_carry() -> None:
    bad = "a\ud800"
    events = [
        *(START, call("c"), field("c"), text("c", bad), field("c", "n", kind="data"), value("c", {bad: bad}, "n")),
        *(call("x", bad, kind="tool", arguments={bad: bad}), event(CallEnded, call="x", seconds=0.0, result=bad)),
        *(event(Status, message=bad), reset("c"), end("c"), over({"answer": bad, "n": {bad: bad}})),
    ]
    said = told(events)
    assert said[-1]["result"] == {"answer": bad, "n": {bad: bad}}
    assert state_of(said) == {"n": {bad: bad}}


def turned(run: Sequence[Event], chunk: int, state: Any) -> tuple[AgUiTurn, bytes]:
    turn = AgUiTurn(view("answer", "reasoning"), request(state=state))
    return turn, b"".join([turn.feed(run[at : at + chunk]) for at in range(0, len(run), chunk)])


CHUNKS = st.integers(1, 7)
STATES = st.sampled_from([{}, {"n": [1], "k": "v"}])


@given(run=proper_runs(), chunk=CHUNKS, state=STATES)
def test_every_event_is_one_of_the_protocol(run: list[Event], chunk: int, state: Any) -> None:
    _, body = turned(run, chunk, state)
    said = frames(body)
    assert said[0]["type"] == "RUN_STARTED"
    assert [each["type"] for each in said if each["type"] in ("RUN_FINISHED", "RUN_ERROR")] == [said[-1]["type"]]


@pytest.fixture(scope="module")
def client() -> Generator[Callable[[Any], Any]]:
    """The real client, which is given answers to read, and says what it made of each."""
    command = [str(NODE), str(HERE / "ag_ui_replay.mjs")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=HERE, bufsize=0) as process:
        reader, writer = process.stdout, process.stdin
        assert reader is not None
        assert writer is not None

        def read(answer: Any) -> Any:
            writer.write(json.dumps(answer).encode() + b"\n")
            return json.loads(reader.readline())

        yield read
        writer.close()
    assert process.returncode == 0


@given(
    run=proper_runs(), chunk=CHUNKS, state=STATES, comes_again=st.none() | st.tuples(st.floats(0, 1), st.floats(0, 1))
)
def test_the_client_has_what_stands(
    client: Callable[[Any], Any], run: list[Event], chunk: int, state: Any, comes_again: tuple[float, float] | None
) -> None:
    """And its verifier, which is strict about the order of events, has nothing to say.

    Also where it had read some of the run before, and comes again.
    """
    asked = [each.model_dump(by_alias=True) for each in request().messages]
    has = {"messages": asked, "state": state}
    if comes_again is None:
        turn, body = turned(run, chunk, state)
    else:
        left, joined = sorted(1 + int(share * (len(run) - 1)) for share in comes_again)
        _, before = turned(run[:left], chunk, state)
        has = client({**has, "body": before.decode()})
        turn = AgUiTurn(view("answer", "reasoning"), request(state=state), again=True)
        body = turn.feed(run[:joined])
        body += b"".join([turn.feed(run[at : at + chunk]) for at in range(joined, len(run), chunk)])
        frames(body)
    seen = client({"messages": has["messages"], "state": has["state"], "body": body.decode()})

    assert (seen["thrown"], seen["complaints"]) == (None, [])
    last = run[-1]
    assert isinstance(last, RunEnded)
    ended_well = {
        "completed": "success",
        "failed": "error",
        "cancelled": "cancelled" if last.error is None else "error",
    }
    assert seen["outcome"] == ended_well[last.outcome]

    assert seen["messages"][: len(asked)] == asked
    new = seen["messages"][len(asked) :]
    assert "".join([each.get("content", "") for each in new if each["role"] == "assistant"]) == turn.said
    thoughts = [part.text for part in turn.shown if isinstance(part, TextPart) and part.kind == "reasoning"]
    assert sorted(each["content"] for each in new if each["role"] == "reasoning" and each["content"]) == sorted(
        thoughts
    )
    tools = [part.call for part in turn.shown if isinstance(part, ToolPart)]
    # Results name their calls, and come in any order: as they did, or where the client comes again as the calls did.
    assert sorted(each["toolCallId"] for each in new if each["role"] == "tool") == sorted(f"r.{call}" for call in tools)

    state_now = dict(seen["state"])
    for name in ("n", "title"):
        parts = [part for part in turn.shown if isinstance(part, DataPart) and part.field == name]
        values = [part.value for part in parts if not part.candidate]
        if values:
            returned = turn.result.get(name, UNSET) if last.outcome == "completed" else UNSET
            assert state_now.pop(name) in (values if returned is UNSET else [returned])
        elif name in state_now:  # As the app had it before.
            assert state_now.pop(name) == state[name]
    assert state_now == {name: value for name, value in state.items() if name == "k"}


@pytest.mark.parametrize("count", [500, 4000])
def test_bytes_are_linear_in_a_value(count: int) -> None:
    turn = AgUiTurn(view(), request())
    turn.feed([START, call("c"), field("c", "n", kind="data"), value("c", [], "n")])
    size = 0
    for at in range(count):
        size += len(turn.feed([text("c", "an element", "n", path=(at // 10,))]))
    assert size < 100 * count
