"""`fieldstream.js` in Node: with the real server, over connections that break, and next to what Python makes of it."""

import base64
import json
import random
import subprocess
import threading
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Literal

import dspy
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fieldstream
from fieldstream._client.types import Answers, Types
from fieldstream._fields import FieldName
from fieldstream.events import UNSET, CallEnded, Event, FieldDelta, FieldReset, FieldStarted, RunEnded
from fieldstream.readers.state import RunState
from fieldstream.readers.text import TextAssembler
from fieldstream.readers.values import ValueAssembler
from fieldstream.server import Expose, Limits, Mount
from fieldstream.simulator import Answer, ChatRequest, Provider, simulate
from fieldstream.wire.json import decode_event, encode
from fieldstream.wire.sse import SseEncoder
from tests.clients.node import HERE, NODE
from tests.support.reading import chat
from tests.support.serving import Cuts, cut, on, served
from tests.support.values import apply
from tests.transforms.runs import runs

pytestmark = pytest.mark.timeout(120)


class Node:
    """The script at work: it is given tasks, and tells what came of them."""

    def __init__(self) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([NODE, HERE / "stream.mjs"], stdin=pipe, stdout=pipe)

    def __call__(self, task: str, **request: Any) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"task": task, **request}).encode() + b"\n")
        self._process.stdin.flush()
        return self.answer()

    def answer(self) -> Any:
        """What it says next."""
        assert self._process.stdout is not None
        answer = json.loads(self._process.stdout.readline())
        assert not isinstance(answer, dict) or "uncaught" not in answer, answer
        return answer

    def stop(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    node = Node()
    yield node
    node.stop()


# With the real server

ANSWER = "Because ünï 🎉 the blue is scattered.\nMore than red, that is. " * 12
SOURCES = ["https://a.example/1", 'zwei "2"', "", "🎉" * 30]


def say(request: ChatRequest) -> Answer:
    text = chat(answer=ANSWER, sources=json.dumps(SOURCES, ensure_ascii=False))
    return Answer(chunks=[text[at : at + 7] for at in range(0, len(text), 7)])


@pytest.fixture
def provider() -> Iterator[Provider]:
    with simulate(say) as provider:
        yield provider


@pytest.fixture
def url(provider: Provider) -> Iterator[str]:
    qa = on(provider, dspy.Predict("question -> answer, sources: list[str]"))
    with served({"qa": qa}, expose=Expose.everything(), debug=True, limits=Limits(write_interval=0.0)) as url:
        yield url


QUESTION = {"question": "Why is the sky blue?"}
FIELDS = ["answer", "self/answer", "sources", "nothing"]


def check_whole(seen: dict[str, Any]) -> None:
    """Assert that every reader got all, once."""
    events = seen["events"]["value"]
    seqs = [event["seq"] for event in events]
    assert seqs == sorted(set(seqs))
    assert events[-1]["type"] == "run.ended"
    assert seen["again"]["value"] == events == seen["late"]["value"]
    for name in ("answer", "self/answer"):
        assert "".join(piece["text"] for piece in seen["texts"][name]["value"]) == ANSWER.strip()
        assert seen["values"][name]["value"][-1] == ANSWER.strip()
    assert json.loads(seen["texts"]["sources"]["value"][-1]["text"]) == SOURCES
    assert seen["values"]["sources"]["value"][-1] == SOURCES
    assert seen["texts"]["nothing"]["value"] == [] == seen["values"]["nothing"]["value"]
    assert seen["result"]["value"] == {"answer": ANSWER.strip(), "sources": SOURCES}
    assert seen["done"]["value"] == "completed" == seen["outcome"]


@pytest.mark.parametrize("place", ["/programs/qa", "/programs/qa/", "/programs/qa/runs"])
def test_a_run_is_started_and_read(node: Node, url: str, place: str) -> None:
    seen = node("read", url=url + place, inputs=QUESTION, fields=FIELDS)

    check_whole(seen)
    assert seen["events"]["value"][0]["seq"] == 0
    assert seen["started"]["value"] == seen["id"] == seen["events"]["value"][0]["run"]
    assert seen["url"] == f"{url}/runs/{seen['id']}"
    assert next(iter(seen["usage"].values()))["total_tokens"] > 0


def test_a_connection_that_breaks_is_made_anew(node: Node, url: str) -> None:
    whole = node("read", url=f"{url}/programs/qa", inputs=QUESTION, fields=FIELDS)
    size = sum(len(SseEncoder().feed([event])) for event in _decoded(whole["events"]["value"]))
    head = 500
    points = [head + size * step // 40 for step in range(40)]
    cuts = Cuts(started=points)
    with cut(url, cuts) as broken_url:
        for _ in points:
            check_whole(node("read", url=f"{broken_url}/programs/qa", inputs=QUESTION, fields=FIELDS))
    assert cuts.starts == len(points), "each run is started once"
    assert cuts.broken > 20


def test_connections_that_break_again_and_again(node: Node, url: str) -> None:
    dice = random.Random(5)
    cuts = Cuts(started=(700 for _ in range(8)), followed=(dice.randrange(400, 6000) for _ in range(10_000)))
    with cut(url, cuts) as broken_url:
        for _ in range(8):
            seen = node(
                "read", url=f"{broken_url}/programs/qa", inputs=QUESTION, fields=FIELDS, options={"retries": 100}
            )
            check_whole(seen)
    assert cuts.starts == 8
    assert cuts.broken > 16


def test_who_does_not_hear_of_the_run_does_not_start_another(node: Node, url: str) -> None:
    for limit in (1, 40):
        cuts = Cuts(started=[limit])
        with cut(url, cuts) as broken_url:
            seen = node("refused", url=f"{broken_url}/programs/qa", inputs=QUESTION)
        assert cuts.starts == 1
        for what in ("started", "result", "events"):
            error = seen[what]["error"]
            assert (error["name"], error["code"]) == ("ConnectionError", "not_started")
            assert "was not started again" in error["message"]


def test_it_gives_up_in_the_end(node: Node, url: str) -> None:
    cuts = Cuts(started=[2000], followed=[10] * 100)
    with cut(url, cuts) as broken_url:
        seen = node("read", url=f"{broken_url}/programs/qa", inputs=QUESTION, fields=["answer"], options={"retries": 3})
    assert cuts.broken == 1 + 3
    error = seen["result"]["error"]
    assert (error["name"], error["code"], error["run"]) == ("ConnectionError", "connection_lost", seen["id"])
    assert "3 tries in a row failed" in error["message"]
    assert seen["events"]["error"] == seen["texts"]["answer"]["error"] == seen["done"]["error"] == error


def test_a_run_is_followed_from_anywhere(node: Node, url: str) -> None:
    whole = node("read", url=f"{url}/programs/qa", inputs=QUESTION, fields=FIELDS)
    run = whole["url"]
    events = whole["events"]["value"]

    for place in (run, f"{run}/events"):
        seen = node("follow", url=place, fields=FIELDS)
        check_whole(seen)
        assert seen["id"] == whole["id"]
    middle = events[len(events) // 2]["seq"]
    tail = node("follow", url=run, options={"after": middle})
    assert tail["events"]["value"][0]["seq"] > middle
    assert tail["result"] == whole["result"]
    end = node("follow", url=run, options={"after": events[-1]["seq"]})
    assert end["events"]["value"] == []
    assert end["result"] == whole["result"]
    assert end["outcome"] == "completed"


def test_a_snapshot_is_read_as_what_it_stands_for(node: Node, url: str) -> None:
    run = node("read", url=f"{url}/programs/qa", inputs=QUESTION)["url"]
    for options in ({"snapshot": True}, {"after": 100_000}):
        seen = node("follow", url=run, fields=FIELDS, options=options)
        assert [event["type"] for event in seen["events"]["value"]] == ["run.snapshot", "run.ended"]
        assert [piece["text"] for piece in seen["texts"]["answer"]["value"]] == [ANSWER.strip()]
        assert seen["values"]["sources"]["value"] == [SOURCES]
        assert seen["result"]["value"]["sources"] == SOURCES


def test_a_snapshot_from_the_middle_goes_on(node: Node, provider: Provider, url: str) -> None:
    gate = threading.Event()
    text = chat(answer="One two three.", sources='["a", "b"]')
    chunks = [text[at : at + 4] for at in range(0, len(text), 4)]
    provider.script(Answer(chunks=chunks, gates={10: gate}))
    client = fieldstream.Client(url)
    run = client.start("qa", **QUESTION)
    with client.follow(run) as following:
        assert next(following.text("answer"))
    first = node("join", url=f"{url}/runs/{run}", fields=FIELDS, options={"snapshot": True})
    gate.set()
    seen = node.answer()
    events = seen["events"]["value"]
    assert first == events[0]
    assert first["type"] == "run.snapshot"
    assert first["fields"][0]["value"]
    assert len(events) > 2
    assert "".join(piece["text"] for piece in seen["texts"]["answer"]["value"]) == "One two three."
    assert seen["values"]["sources"]["value"][-1] == ["a", "b"]


def test_a_cancel_ends_the_run(node: Node, provider: Provider, url: str) -> None:
    gate = threading.Event()
    text = chat(answer=ANSWER, sources="[]")
    provider.script(Answer(chunks=[text[at : at + 7] for at in range(0, len(text), 7)], gates={20: gate}))

    seen = node("cancel", url=f"{url}/programs/qa", inputs=QUESTION, field="answer")

    provider.wait_for(lambda: provider.requests[0].disconnected, 10.0)
    assert seen["text"]
    assert ANSWER.startswith(seen["text"])
    assert seen["outcome"] == "cancelled"
    assert seen["last"]["type"] == "run.ended"
    assert seen["result"]["error"]["name"] == "CancelledError"


@pytest.mark.parametrize("way", ["close", "abort"])
def test_who_stops_following_cancels_nothing(
    node: Node, provider: Provider, url: str, way: Literal["close", "abort"]
) -> None:
    gate = threading.Event()
    text = chat(answer=ANSWER, sources="[]")
    provider.script(Answer(chunks=[text[at : at + 7] for at in range(0, len(text), 7)], gates={20: gate}))

    seen = node(way, url=f"{url}/programs/qa", inputs=QUESTION, field="answer")

    if way == "close":
        assert seen["pieces"]
        assert seen["outcome"] is None
        assert seen["result"]["error"]["code"] == "closed"
    else:
        assert seen["first"]
        assert seen["error"]["name"] == "AbortError" == seen["after"]["error"]["name"]
        assert len(provider.requests) == 1
    assert fieldstream.Client(url).state(seen["id"])["outcome"] is None
    gate.set()
    with fieldstream.Client(url).follow(seen["id"]) as run:
        assert run.wait()["answer"] == ANSWER.strip()


def test_a_failed_run_says_why(node: Node) -> None:
    def fail(question: str) -> Any:
        raise LookupError(f"no {question}")

    with served({"fail": fail}, debug=True) as url:
        seen = node("read", url=f"{url}/programs/fail", inputs={"question": "sky"}, fields=["answer"])
    error = seen["result"]["error"]
    assert (error["name"], error["kind"], error["run"]) == ("ProgramError", "LookupError", seen["id"])
    assert error["message"] == "no sky"
    assert seen["texts"]["answer"]["error"] == seen["values"]["answer"]["error"] == error
    assert seen["done"]["value"] == "failed"
    assert seen["events"]["value"][-1]["outcome"] == "failed"


def test_what_is_refused_is_told(node: Node, provider: Provider) -> None:
    qa = on(provider, dspy.Predict("question -> answer"))
    with served({"qa": qa}, tokens=["secret"], limits=Limits(max_runs=1, max_queued=0)) as url:
        token = {"token": "secret"}
        cases: list[tuple[str, dict[str, Any], dict[str, Any], int]] = [
            ("/programs/qa", QUESTION, {}, 401),
            ("/programs/qa", QUESTION, {"token": "wrong"}, 401),
            ("/programs/nope", QUESTION, token, 404),
            ("/programs/qa", {"quetsion": "?"}, token, 422),
        ]
        for place, inputs, options, status in cases:
            seen = node("refused", url=url + place, inputs=inputs, options=options)
            error = seen["started"]["error"]
            assert (error["name"], error["status"]) == ("HttpError", status), error
            assert error["code"]
            assert error["message"]
            assert seen["result"]["error"] == error == seen["events"]["error"]
            assert (error["details"] is not None) == (status == 422)
        headers = {"headers": {"Authorization": "Bearer secret"}}
        assert node("read", url=f"{url}/programs/qa", inputs=QUESTION, options=headers)["outcome"] == "completed"


def test_who_comes_too_early_is_told_when_to_come_again(node: Node, provider: Provider, url: str) -> None:
    gate = threading.Event()
    text = chat(answer="One two.")
    provider.script(Answer(chunks=[text[:-5], text[-5:]], gates={1: gate}))
    qa = on(provider, dspy.Predict("question -> answer"))
    with served({"qa": qa}, limits=Limits(max_runs=1, max_queued=0)) as url:
        client = fieldstream.Client(url)
        run = client.start("qa", **QUESTION)
        error = node("refused", url=f"{url}/programs/qa", inputs=QUESTION)["started"]["error"]
        gate.set()
        with client.follow(run) as running:
            running.wait()
    assert (error["name"], error["status"]) == ("HttpError", 429)
    assert error["retryAfter"] > 0


def test_inputs_may_hold_half_of_a_surrogate_pair(node: Node) -> None:
    def echo(question: str) -> Any:
        return {"answer": question}

    with served({"echo": echo}, expose=Expose.everything()) as url:
        seen = node("read", url=f"{url}/programs/echo", inputs={"question": "a \ud83d b"})
    assert seen["result"]["value"] == {"answer": "a \ud83d b"}


def test_half_of_a_surrogate_pair_comes_through(node: Node) -> None:
    def say(request: ChatRequest) -> Answer:
        return Answer(chunks=[json.dumps({"answer": "a \ud83d b", "more": {"\ud83d": "\udc00"}})])

    with simulate(say) as provider:
        qa = on(provider, dspy.Predict("question -> answer, more: dict[str, str]"))

        class Json(dspy.Module):
            def __init__(self) -> None:
                super().__init__()
                self.qa = qa

            def forward(self, question: str) -> Any:
                with dspy.context(adapter=dspy.JSONAdapter()):
                    return self.qa(question=question)

        with served({"qa": Mount(Json())}, expose=Expose.everything(), debug=True) as url:
            seen = node("read", url=f"{url}/programs/qa", inputs=QUESTION, fields=["answer", "more"])
    assert seen["result"]["value"] == {"answer": "a \ud83d b", "more": {"\ud83d": "\udc00"}}
    assert "".join(piece["text"] for piece in seen["texts"]["answer"]["value"]) == "a \ud83d b"
    assert seen["values"]["more"]["value"][-1] == {"\ud83d": "\udc00"}


def test_attempts_are_read_as_in_python(node: Node) -> None:
    """Of several attempts the chosen one is what is read last."""

    def reward(args: Any, prediction: Any) -> float:
        return {"first": 0.5, "second": 0.9, "third": 0.1}[prediction.answer]

    answers = iter(["first", "second", "third"])
    with simulate(lambda request: Answer(chunks=[chat(answer=next(answers))])) as provider:
        best = dspy.BestOfN(
            module=on(provider, dspy.Predict("question -> answer")), N=3, reward_fn=reward, threshold=1.0
        )
        with served({"best": best}, expose=Expose.everything(), debug=True) as url:
            seen = node("read", url=f"{url}/programs/best", inputs=QUESTION, fields=["answer"])
            with fieldstream.Client(url).follow(seen["id"]) as run:
                in_python = [_piece(piece) for piece in run.text("answer")]
    pieces = seen["texts"]["answer"]["value"]
    assert [(piece["text"], piece["reset"]) for piece in pieces] == [
        ("first", None),
        ("second", "rerun"),
        ("third", "rerun"),
        ("second", "rerun"),
    ]
    assert pieces == in_python
    assert seen["values"]["answer"]["value"][-1] == "second"


def _decoded(events: list[Any]) -> list[Event]:
    return [decode_event(json.dumps(event)) for event in events]


# Without a server: against what Python makes of the same events


def _piece(piece: fieldstream.Text) -> dict[str, Any]:
    return {"text": str(piece), "call": piece.call, "reset": piece.reset, "withdrawn": list(piece.withdrawn)}


def _cut(data: bytes, dice: random.Random) -> list[str]:
    """The bytes in pieces, as they go to the script."""
    points = sorted({0, len(data), *(dice.randrange(len(data) + 1) for _ in range(dice.randrange(12)))})
    return [base64.b64encode(data[a:b]).decode() for a, b in pairwise(points)]


@given(events=runs(), dice=st.randoms(use_true_random=False))
def test_fields_are_read_as_in_python(node: Node, events: list[Event], dice: random.Random) -> None:
    fields = ["f0", "f1", "predictor/f0"]
    seen = node("offline", blocks=_cut(SseEncoder().feed(events), dice), fields=fields)

    assert seen["events"]["value"] == [json.loads(encode(event)) for event in events]
    for name in fields:
        predictor, _, field = name.rpartition("/")
        found = FieldName(predictor or None, field)
        pieces = [_piece(piece) for piece in TextAssembler(found).feed(events)]
        assert [_plain(piece) for piece in _of(seen["texts"][name], events)] == [_plain(piece) for piece in pieces]
        assert _of(seen["values"][name], events)[-1:] == _last_value(found, events)


def _plain(piece: dict[str, Any]) -> dict[str, Any]:
    """Without the white space that JSON may have, where it is JSON."""
    try:
        return {**piece, "text": json.loads(piece["text"])}
    except ValueError:
        return piece


def _of(seen: dict[str, Any], events: list[Event]) -> list[Any]:
    """What a reader got; of a run that fails it gets an error in the end."""
    end = events[-1]
    assert isinstance(end, RunEnded)
    assert ("error" in seen) == (end.outcome == "failed")
    return seen["value"]


def _last_value(name: FieldName, events: list[Event]) -> list[Any]:
    answers = Answers(Types("p"))
    for event in events:
        answers.hear(event)
    assembler = ValueAssembler(name, answers)
    assembler.feed(events)
    values: list[Any] = []
    while assembler.news:
        values.append(assembler.take())
    return values[-1:]


@given(events=runs())
def test_a_field_is_what_is_applied(node: Node, events: list[Event]) -> None:
    fields = {
        (event.call, event.field, event.candidate): event.kind for event in events if isinstance(event, FieldStarted)
    }
    shown = apply(events)
    for (call, field, candidate), kind in fields.items():
        own = [
            json.loads(encode(event))
            for event in events
            if isinstance(event, FieldDelta | FieldReset)
            and (event.call, event.field, event.candidate) == (call, field, candidate)
        ]
        value = shown[call, candidate][field]
        expected = {"none": True} if value is UNSET or (kind == "text" and value == "") else {"value": value}
        assert node("applied", events=own) in (expected, {"value": value} if value is not UNSET else expected)


@given(events=runs(), at=st.integers(0, 60))
def test_a_snapshot_takes_the_place_of_what_was_before(node: Node, events: list[Event], at: int) -> None:
    at = min(at, len(events) - 2)
    state = RunState()
    state.feed(events[: at + 1])
    data = SseEncoder().feed([state.snapshot(), *events[at + 1 :]])

    seen = node("offline", blocks=[base64.b64encode(data).decode()], fields=["f0", "f1"])

    finals: dict[str, list[Any]] = {"f0": [], "f1": []}
    for event in events:
        if isinstance(event, CallEnded) and event.fields:
            for name, value in event.fields.items():
                finals[name].append(value)
    for name, values in finals.items():
        shown = _of(seen["values"][name], events)
        assert bool(shown) == bool(values)
        assert not values or shown[-1] in values


LINES = st.sampled_from(
    ["data: one", "data:two", "data", "data:", "data:  three 🎉", ": comment", ":", "id: 7", "id", "", ""]
)
ENDS = st.sampled_from(["\n", "\r", "\r\n"])


@given(
    lines=st.lists(st.tuples(LINES, ENDS), max_size=20),
    dice=st.randoms(use_true_random=False),
    bom=st.booleans(),
)
def test_server_sent_events_may_be_cut_anywhere(
    node: Node, lines: list[tuple[str, str]], dice: random.Random, bom: bool
) -> None:
    text = ("\ufeff" if bom else "") + "".join(line + end for line, end in lines)
    data = text.encode()
    every = [base64.b64encode(bytes([byte])).decode() for byte in data]

    whole = node("blocks", blocks=[base64.b64encode(data).decode()])

    assert whole == _blocks(text.removeprefix("\ufeff"))
    assert node("blocks", blocks=_cut(data, dice)) == whole
    assert node("blocks", blocks=every) == whole


def _blocks(text: str) -> list[dict[str, str]]:
    """The events, read by the standard's words: lines end in CRLF, LF or CR; an empty line dispatches."""
    blocks: list[dict[str, str]] = []
    last_id = ""
    data: list[str] = []
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[:-1]:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                blocks.append({"id": last_id, "event": "", "data": "\n".join(data)})
            data = []
        elif name == "data":
            data.append(value)
        elif name == "id":
            last_id = value
    return blocks


def test_a_name_that_objects_have_is_a_member_as_any_other(node: Node) -> None:
    deltas: list[dict[str, Any]] = [
        {"value": {}},
        {"path": ["__proto__"], "value": {}},
        {"path": ["__proto__", "constructor"], "text": "An"},
        {"path": ["__proto__", "constructor"], "text": "na"},
        {"path": ["toString"], "text": "b"},
    ]
    events = [{"type": "field.delta", "call": "c", "field": "f", **delta} for delta in deltas]
    assert node("applied", events=events) == {"value": {"__proto__": {"constructor": "Anna"}, "toString": "b"}}


def test_its_types_say_what_it_does() -> None:
    tsc = HERE / "node_modules" / "typescript" / "bin" / "tsc"
    options = ["--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--types", ""]
    lib = ["--lib", "es2022,dom,dom.iterable,dom.asynciterable"]
    done = subprocess.run([NODE, tsc, *options, *lib, HERE / "types.ts"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
