"""The page's modules that draw nothing, in Node: next to what Python makes of the same, for runs of any kind."""

import ast
import datetime
import json
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Optional

import dspy
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.events import UNSET, Event, FieldDelta, FieldReset, Status
from fieldstream.server import Mount
from fieldstream.wire.json import encode
from tests.clients.node import NODE
from tests.support.values import apply
from tests.transforms.runs import runs
from tests.transforms.splits import split


class Node:
    """The script at work: it is given tasks, and tells what came of them."""

    def __init__(self) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([NODE, Path(__file__).with_name("modules.mjs")], stdin=pipe, stdout=pipe)

    def __call__(self, task: str, **request: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"task": task, **request}).encode() + b"\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert not isinstance(answer, dict) or "uncaught" not in answer, answer["uncaught"]
        return answer

    def stop(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    node = Node()
    yield node
    node.stop()


def on_wire(events: list[Event]) -> list[Any]:
    return [json.loads(encode(event)) for event in events]


# The state of a run


@given(events=runs())
def test_a_state_has_the_values_that_every_reader_has(node: Node, events: list[Event]) -> None:
    seen = node("state", events=on_wire(events))

    shown = apply(events)
    fields = {
        (call["call"], candidate, name): value
        for call in seen["calls"]
        for name, candidate, channel, _, value in call["fields"]
        if not channel
    }
    # A text without a delta has no value yet there.
    expected = {
        (call, candidate, name): None if value is UNSET or value == "" else value
        for (call, candidate), values in shown.items()
        for name, value in values.items()
    }
    assert {place: None if value == "" else value for place, value in fields.items()} == expected
    assert all(call["ended"] for call in seen["calls"])
    assert all(ended for call in seen["calls"] for *_, ended, _ in call["fields"])
    assert seen["outcome"] == events[-1].outcome  # pyright: ignore[reportAttributeAccessIssue]
    assert seen["deltas"] == sum(isinstance(event, FieldDelta) for event in events)
    assert seen["same"]


@given(events=runs())
def test_what_is_told_a_listener(node: Node, events: list[Event]) -> None:
    news = node("state", events=on_wire(events))["news"]

    told = [
        event.message if isinstance(event, Status) else event.reason
        for event in events
        if isinstance(event, Status | FieldReset)
    ]
    assert [each for each in news if each not in ("field", "ended")] == told
    assert news[-1] == "ended"
    assert news.count("field") <= sum(event.type == "field.ended" for event in events)


def call(call: str, parent: str | None = None, **members: Any) -> dict[str, Any]:
    return {
        "type": "call.started",
        "at": 0.0,
        "call": call,
        "parent": parent,
        "kind": "predictor",
        "name": "p",
    } | members


def writes(call: str, field: str = "answer") -> dict[str, Any]:
    return {"type": "field.started", "at": 0.0, "call": call, "field": field}


def ended(call: str, **members: Any) -> dict[str, Any]:
    return {"type": "call.ended", "at": 0.0, "call": call, "seconds": 0.0, **members}


def test_the_answer_is_what_wrote_it_last(node: Node) -> None:
    events = [call("m", kind="module"), call("a", "m"), writes("a"), ended("a"), call("b", "m"), writes("b", "other")]
    assert node("state", events=events, outputs=["answer"])["answering"] == "a"
    assert node("state", events=[*events, call("c", "m"), writes("c")], outputs=["answer"])["answering"] == "c"


def test_the_answer_is_the_chosen_attempts(node: Node) -> None:
    events = [call("m", kind="module")]
    for attempt in (1, 2, 3):
        events += [call(f"t{attempt}", "m", kind="module", attempt=attempt), call(f"p{attempt}", f"t{attempt}")]
        events += [writes(f"p{attempt}"), ended(f"p{attempt}"), ended(f"t{attempt}")]
    assert node("state", events=events, outputs=["answer"])["answering"] == "p3"

    seen = node("state", events=[*events, ended("m", chosen="t2")], outputs=["answer"])
    assert seen["answering"] == "p2"
    assert [each["call"] for each in seen["calls"] if each["discarded"]] == ["t1", "t3"]


def test_a_run_that_is_joined_in_the_middle(node: Node) -> None:
    snapshot = {
        "type": "run.snapshot",
        "at": 3.0,
        "seq": 9,
        "run": "r",
        "program": "p",
        "calls": [call("m", kind="module"), call("a", "m")],
        "fields": [
            {"call": "a", "field": "answer", "kind": "text", "value": "So fa"},
            {"call": "a", "field": "sources", "kind": "data", "value": [1], "ended": True},
        ],
    }
    more = {"type": "field.delta", "at": 3.5, "call": "a", "field": "answer", "text": "r"}
    seen = node("state", events=[snapshot, more], outputs=["answer"])
    assert seen["answering"] == "a"
    assert seen["calls"][1]["fields"] == [["answer", 0, False, False, "So far"], ["sources", 0, False, True, [1]]]


def test_an_event_that_is_not_known_is_an_error(node: Node) -> None:
    with pytest.raises(AssertionError, match=r"not known here: field\.other"):
        node("state", events=[{"type": "field.other", "at": 0.0, "seq": 0}])


# Markdown

MARKDOWN = [
    *"\n\n\n \t|-#>*_`~a1.:=()!&<\\\r",
    *("- ", "1. ", "```", "~~~", "    ", "--|--", "===", "---", "a|b\n", "\r\n"),
    *("[a]", "[a]: /b", "https://e.example/x", "<b>", "![p](q)", "ü🎉"),
]
TEXTS = st.lists(st.sampled_from(MARKDOWN), max_size=40).map("".join)


@given(data=st.data(), text=TEXTS)
def test_markdown_that_grows_is_in_the_end_as_if_it_came_whole(node: Node, data: st.DataObject, text: str) -> None:
    pieces: list[str] = data.draw(split(text))
    draws = data.draw(st.lists(st.booleans(), min_size=len(pieces), max_size=len(pieces)))

    seen = node("blocks", pieces=pieces, draws=draws)

    assert seen["html"] == seen["whole"]
    assert seen["text"] == text


@pytest.mark.parametrize(
    "text",
    [
        "words\n| a | b |\n--|--\n| c | d |\n",
        "#b c\n|-  \n --|--\nb",
        "1. one\n\n2. two\n\n   more\n\n3. three\n\nwords",
        "words\n\nwords\n===\n\n- a\n- b\n\n- c\n",
        "see [a], and\n\n```py\n\n[a]: /no\n\n```\n\n[a]: /yes\n\n[a]",
        "> quoted\nstill quoted\n\n> again\n\n    code\n\n    code\n\nwords\r\n\r\n---\r",
    ],
)
def test_markdown_that_is_drawn_with_each_character(node: Node, text: str) -> None:
    seen = node("blocks", pieces=list(text), draws=None)
    assert seen["html"] == seen["whole"]


@pytest.mark.parametrize(
    "unit", ["Some words of a text. ", "A paragraph.\n\n", "- an item\n", "```\ncode\n", "| a | b |\n"]
)
def test_what_is_read_of_growing_markdown_is_about_linear(node: Node, unit: str) -> None:
    start = "| a | b |\n|---|---|\n" if unit.startswith("|") else ""
    read = []
    for count in (2_000, 8_000):
        pieces = [start, *[unit] * count]
        read.append(node("blocks", pieces=pieces, draws=None)["read"] / len("".join(pieces)))
    assert read[1] < max(1.5 * read[0], 15)


@pytest.mark.parametrize(
    ("text", "never"),
    [
        ("<script>alert(1)</script>", "<script"),
        ("<img src=x onerror=alert(1)>", "<img"),
        ("![a picture](https://elsewhere.example/p.png)", "<img"),
        ("[a link](javascript:alert(1))", "href"),
        ("[a link](data:text/html,hello)", "href"),
        ("| a |\n|:-:|\n| b |", "style="),
    ],
)
def test_markdown_loads_and_runs_nothing(node: Node, text: str, never: str) -> None:
    assert never not in node("blocks", pieces=[text], draws=None)["html"]


def test_links_lead_away_without_a_trace(node: Node) -> None:
    html = node("blocks", pieces=["See https://e.example/x and [this](https://e.example/y)."], draws=None)["html"]
    assert html.count('target="_blank" rel="noopener noreferrer"') == 2 == html.count("<a ")


# Replaying


def test_a_piece_that_was_joined_is_spread_over_its_time(node: Node) -> None:
    text = "Zwölf 🎉 Boxkämpfer jagen Viktor quer über den Sylter Deich. " * 3
    events = [
        {"type": "field.started", "seq": 0, "at": 1.0},
        {"type": "field.delta", "seq": 9, "at": 3.0, "text": text},
        {"type": "field.ended", "seq": 10, "at": 3.1},
    ]
    first, *pieces, last = node("spread", events=events)
    assert (first, last) == (events[0], events[2])
    assert len(pieces) > 5
    assert "".join(piece["text"] for piece in pieces) == text
    assert all(piece["text"].encode() for piece in pieces), "no character is broken"
    times = [1.0, *(piece["at"] for piece in pieces)]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(3.0)


@given(events=runs())
def test_a_replay_says_what_the_run_said(node: Node, events: list[Event]) -> None:
    told = node("spread", events=on_wire(events))
    one, other = (node("state", events=each) for each in (on_wire(events), told))
    assert {**one, "deltas": 0} == {**other, "deltas": 0}


# Snippets

JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text(), st.sampled_from(["'", '"', "\\", "$HOME"])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=8,
)
INPUTS = st.dictionaries(st.one_of(st.text(min_size=1), st.sampled_from(["question", "class", "self", "a b"])), JSON)


@given(inputs=INPUTS)
def test_a_snippet_for_a_shell_gives_the_inputs(node: Node, inputs: dict[str, Any]) -> None:
    run = {"base": "http://127.0.0.1:1/x/", "program": "qa", "inputs": inputs, "token": ""}
    words = shlex.split(node("snippet", language="curl", run=run))
    assert json.loads(words[words.index("--data-raw") + 1]) == inputs
    assert "http://127.0.0.1:1/x/programs/qa/runs" in words


@given(inputs=INPUTS)
def test_a_snippet_in_python_gives_the_inputs(node: Node, inputs: dict[str, Any]) -> None:
    run = {"base": "http://127.0.0.1:1/", "program": "qa", "inputs": inputs, "output": "answer", "text": True}
    tree = ast.parse(node("snippet", language="Python", run=run))
    block = next(each for each in tree.body if isinstance(each, ast.With))
    called = block.items[0].context_expr
    assert isinstance(called, ast.Call)
    given: dict[str, Any] = {}
    for keyword in called.keywords:
        value = ast.literal_eval(keyword.value)
        given |= {keyword.arg: value} if keyword.arg is not None else value
    assert given == inputs
    assert [ast.literal_eval(each) for each in called.args] == ["qa"]


def test_no_snippet_has_the_token(node: Node) -> None:
    run = {"base": "http://h/", "program": "qa", "inputs": {}, "output": "answer", "text": True, "token": "hush"}
    for language in ("curl", "Python", "JavaScript"):
        text = node("snippet", language=language, run=run)
        assert "hush" not in text
        assert "FIELDSTREAM_TOKEN" in text


# Forms


class Place(pydantic.BaseModel):
    name: str
    height: float


class Everything(dspy.Signature):
    """All kinds of inputs."""

    text: str = dspy.InputField()
    number: float = dspy.InputField()
    count: int = dspy.InputField()
    flag: bool = dspy.InputField()
    choice: Literal["a", "b"] = dspy.InputField()
    day: datetime.date = dspy.InputField()
    moment: datetime.datetime = dspy.InputField()
    names: list[str] = dspy.InputField()
    place: Place = dspy.InputField()
    maybe: Optional[int] = dspy.InputField()  # noqa: UP045 (as people write it)
    places: list[Place] = dspy.InputField()
    mapping: dict[str, int] = dspy.InputField()
    either: int | str = dspy.InputField()
    history: dspy.History = dspy.InputField()
    answer: str = dspy.OutputField()


def test_each_type_of_input_has_its_control(node: Node) -> None:
    schema = Mount(dspy.Predict(Everything)).named("all").described()["inputs"]
    assert node("kinds", schema=schema) == {
        "text": "text",
        "number": "number",
        "count": "integer",
        "flag": "boolean",
        "choice": "choice",
        "day": "date",
        "moment": "datetime",
        "names": "list",
        "place": "object",
        "maybe": "integer",
        "places": "list",
        "mapping": "json",
        "either": "json",
        "history": "history",
    }
