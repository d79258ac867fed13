"""What leaves the process: what is not to be seen is in no byte that a client gets, by whichever way it asks."""

# pyright: reportArgumentType=false

import json
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import dspy
import pytest
from websockets.sync.client import connect

import fieldstream
from fieldstream.events import Failure
from fieldstream.server import Expose, Mount
from fieldstream.server.exposure import Mask
from fieldstream.simulator import Answer, ChatRequest, Provider, simulate
from fieldstream.transforms import Redact
from tests.server.serving import Served, served
from tests.support.reading import chat
from tests.support.sameness import HAS_ENGINES

# One for each thing that a run says, and that some may not see.
ASKED = "asked-1f0"
PLAN = "plan-2e1"
DRAFT = "draft-5a9"
REASONING = "reasoning-3d2"
ANSWER = "answer-4c3"
THOUGHT = "thought-6b5"
ARGUMENT = "argument-7a6"
RESULT = "result-8f7"
NATIVE = "native-9e8"
OUTSIDE = "outside-0d9"
STATUS = "status-bca"
EXTRA = "extra-cba"
PROBLEM = "problem-dba"

SECRETS = {PLAN, DRAFT, REASONING, THOUGHT, ARGUMENT, RESULT, NATIVE, OUTSIDE, PROBLEM}


class Provides:
    """What the LM says, by which fields it is asked for."""

    def __call__(self, request: ChatRequest) -> Answer:
        system = request.text("system")
        reasoning = NATIVE if HAS_ENGINES else ""
        if "next_tool_name" in system:
            step = "finish" if "observation_0" in request.text("user") else "look"
            said = {"next_thought": THOUGHT, "next_tool_name": step, "next_tool_args": json.dumps({"word": ARGUMENT})}
            return Answer(chunks=[chat(**(said if step == "look" else {**said, "next_tool_args": "{}"}))])
        if "plan" in system:
            return Answer(chunks=[chat(plan=PLAN, answer=DRAFT)], reasoning=reasoning)
        if "reasoning" in system:
            return Answer(chunks=[chat(reasoning=REASONING, answer=ANSWER)], reasoning=reasoning)
        return Answer(chunks=[OUTSIDE])


def look(word: str) -> str:
    """Look a word up."""
    return f"{RESULT} of {word}"


class Agent(dspy.Module):
    """All that there is to hide, in one program."""

    def __init__(self, lm: dspy.LM) -> None:
        super().__init__()
        self.plan = dspy.Predict("question -> plan, answer")
        self.react = dspy.ReAct("question -> answer", tools=[look])
        self.cot = dspy.ChainOfThought("question -> answer")
        self.lm = lm
        self.set_lm(lm)

    def forward(self, question: str) -> Any:
        plan = self.plan(question=question)
        trace = self.react(question=question)
        self.lm(OUTSIDE)
        fieldstream.emit({"status": STATUS})
        answer = self.cot(question=question)
        steps = [plan, {"inner": trace}]
        return dspy.Prediction(**answer.toDict(), plan=plan.plan, steps=steps, trajectory=trace.trajectory, extra=EXTRA)


class Failing(Agent):
    def forward(self, question: str) -> Any:
        super().forward(question)
        raise ValueError(f"{PROBLEM} with {question}")


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with simulate(Provides()) as provider:
        yield provider


def lm_of(provider: Provider) -> dspy.LM:
    return dspy.LM(provider.model, **provider.lm_kwargs, cache=False, num_retries=0)


def every_byte(server: Served, program: str, path: str = "") -> str:
    """All that the server ever says of a run of this program, on any way."""
    said: list[str] = []
    http = server.http

    def keep(answer: Any) -> Any:
        said.extend([answer.text, str(answer.headers)])
        return answer

    inputs = {"question": ASKED}
    url = f"/programs/{program}/runs"
    id = keep(http.post(url, json=inputs)).headers["x-fieldstream-run"]
    keep(http.post(url, json=inputs, headers={"Accept": "application/x-ndjson"}))
    keep(http.post(url, json=inputs, headers={"Accept": "application/json"}))
    begun = keep(http.post(url, json=inputs, headers={"Prefer": "respond-async"})).headers["x-fieldstream-run"]
    server.ended(begun)
    for run in (id, begun):
        keep(http.get(f"/runs/{run}"))
        keep(http.get(f"/runs/{run}/events", params={"snapshot": "1"}))
        keep(http.get(f"/runs/{run}/events", headers={"Last-Event-ID": "7"}))
        keep(http.get(f"/runs/{run}/events", headers={"Last-Event-ID": "999999"}))
        keep(http.delete(f"/runs/{run}"))
    for each in ("/runs", "/programs", f"/programs/{program}", "/metrics", "/openapi.json", "/healthz", "/readyz"):
        keep(http.get(each))
    keep(http.post(url, json={"question": 1}))
    with connect(f"ws{server.url.removeprefix('http')}/ws") as socket:
        socket.send(json.dumps({"type": "start", "id": "a", "program": program, "inputs": inputs}))
        socket.send(json.dumps({"type": "follow", "id": "b", "run": id, "snapshot": True}))
        socket.send(json.dumps({"type": "follow", "id": "c", "run": id, "after": 5}))
        open_ones = {"a", "b", "c"}
        while open_ones:
            frame = str(socket.recv(10))
            said.append(frame)
            message = json.loads(frame)
            assert message["type"] != "error", frame
            if message["type"] == "end":
                open_ones.discard(message["id"])
    return "\n".join(said)


def seen(server: Served, program: str = "agent") -> set[str]:
    said = every_byte(server, program)
    assert STATUS in said, "what the program itself says is for everyone"
    return {secret for secret in SECRETS if secret in said}


def native() -> set[str]:
    return {NATIVE} if HAS_ENGINES else set()


WIDENED: dict[str, tuple[Expose | None, set[str]]] = {
    "default": (None, set()),
    "an own field": (Expose(fields=["cot.predict/answer"]), set()),
    "another's field": (Expose(fields=["plan/plan"]), {PLAN}),
    "all of a name": (Expose(fields=["plan", "answer"]), {PLAN, DRAFT}),
    "reasoning": (Expose(reasoning=True), {REASONING, *native()}),
    "reasoning by name": (Expose(fields=["cot.predict/reasoning"]), {REASONING}),
    "tool arguments": (Expose(tool_arguments=True), {ARGUMENT}),
    "tool results": (Expose(tool_results=True), {RESULT, ARGUMENT}),  # This tool says its argument in its result.
    "every field": (Expose(every_field=True), {PLAN, DRAFT, REASONING, THOUGHT, ARGUMENT, RESULT}),
    "LM text": (Expose(lm_text=True), {OUTSIDE}),
    "everything": (Expose.everything(), SECRETS - {PROBLEM} - ({NATIVE} - native())),
}


@pytest.mark.parametrize("widened", WIDENED)
def test_what_is_hidden_is_in_no_byte(provider: Provider, widened: str) -> None:
    expose, visible = WIDENED[widened]
    with served({"agent": Agent(lm_of(provider))}, expose=expose, list_runs=True) as server:
        assert seen(server) == visible


def test_what_the_program_returns_beside_its_fields_is_its_own_to_say(provider: Provider) -> None:
    with served({"agent": Agent(lm_of(provider))}) as server:
        state = server.ended(server.start("agent", question=ASKED))
        assert state["result"].keys() == {"answer", "extra", "steps"}
        assert state["result"]["answer"] == ANSWER
        assert state["result"]["extra"] == EXTRA
        # Of predictions within it nobody can tell whose fields they are; but for those that nobody hides.
        assert state["result"]["steps"] == [{}, {"inner": {}}]


def test_through_transforms_it_is_as_hidden(provider: Provider) -> None:
    streamer = fieldstream.Streamer(Agent(lm_of(provider)), transforms=[Redact(re.compile(ANSWER))], lm_text=True)
    with served({"agent": streamer}) as server:
        said = every_byte(server, "agent")
        assert not {secret for secret in SECRETS if secret in said}
        assert ANSWER not in said


def test_errors_tell_an_id_that_leads_to_them_in_the_log(provider: Provider, caplog: pytest.LogCaptureFixture) -> None:
    with served({"agent": Failing(lm_of(provider))}) as server, caplog.at_level(logging.INFO, "fieldstream"):
        said = every_byte(server, "agent")
        assert not {secret for secret in SECRETS if secret in said}
        id = server.start("agent", question=ASKED)
        error = server.ended(id)["error"]
        assert error["kind"] == "error"
        [error_id] = re.findall(r"error id ([0-9a-f]{12})$", error["message"])
        # One error, however many calls it went through.
        calls = server.ended(id)["calls"]
        assert {call["error"]["message"] for call in calls if call.get("error")} == {error["message"]}
        told = [record for record in caplog.records if error_id in record.getMessage()]
        assert len(told) == 1
        assert PROBLEM in told[0].getMessage()
        assert told[0].__dict__["run"] == id
        [end] = [each for each in caplog.records if each.message == "run ended" and each.__dict__["run"] == id]
        assert end.exc_info is not None
        assert end.exc_info[1] is server.run(id).execution.error


def test_with_debug_errors_are_as_they_are(provider: Provider) -> None:
    with served({"agent": Failing(lm_of(provider))}, debug=True) as server:
        error = server.ended(server.start("agent", question=ASKED))["error"]
        assert error == {"kind": "ValueError", "message": f"{PROBLEM} with {ASKED}"}


class timeout(Exception):
    """An exception that is called as one of the server's own reasons is."""


def test_an_exception_cannot_pass_for_the_servers_own_words(provider: Provider) -> None:
    def fails(question: str) -> None:
        raise timeout(PROBLEM)

    with served({"fails": fails}) as server:
        assert PROBLEM not in server.http.post("/programs/fails/runs", json={"question": ASKED}).text


def test_logs_hold_no_inputs_and_no_outputs(provider: Provider, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), served({"agent": Agent(lm_of(provider))}) as server:
        seen(server)
        ours = [record for record in caplog.records if record.name.startswith(("fieldstream", "uvicorn"))]
        assert {"run started", "run ended"} <= {record.getMessage() for record in ours}
        assert any("/programs/agent/runs" in record.getMessage() for record in ours), "the access log is on"
        logged = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in ours)
        for secret in {*SECRETS, ASKED, ANSWER, EXTRA}:
            assert secret not in logged


def one(program: Callable[..., Any], **options: Any) -> Any:
    return Mount(program, **options).named("one").visible


def test_a_predictor_shows_its_fields_and_no_added_reasoning() -> None:
    assert one(dspy.Predict("question -> reasoning, answer")).field("self", "reasoning")
    cot = one(dspy.ChainOfThought("question -> answer"))
    assert not cot.field("predict", "reasoning")
    assert cot.field("predict", "answer")
    assert cot.result({"reasoning": "r", "answer": "a", "more": 1}) == {"answer": "a", "more": 1}


def test_what_is_data_stays_whole() -> None:
    cot = one(dspy.ChainOfThought("question -> answer: dict"))
    assert cot.result({"reasoning": "r", "answer": {"reasoning": "data"}}) == {"answer": {"reasoning": "data"}}
    assert cot.result([{"reasoning": "r", "answer": "a"}]) == [{"answer": "a"}]
    assert cot.result("text") == "text"


def test_an_agents_steps_are_hidden() -> None:
    react = one(dspy.ReAct("question -> answer", tools=[look]))
    assert react.result({"trajectory": {"thought_0": "t"}, "reasoning": "r", "answer": "a"}) == {"answer": "a"}


def test_named_fields_are_all_that_is_seen_of_a_result() -> None:
    visible = one(dspy.ChainOfThought("question -> answer, title"), expose=Expose(fields=["title"]))
    assert visible.result({"reasoning": "r", "answer": "a", "title": "t", "more": 1}) == {"title": "t"}
    assert not isinstance(visible.result("text"), str)


def test_a_field_that_is_not_there_cannot_be_named() -> None:
    with pytest.raises(fieldstream.UnknownFieldError, match="predict/answer"):
        Mount(dspy.ChainOfThought("question -> answer"), expose=Expose(fields=["anwser"]))


def test_the_same_failure_has_one_id_in_a_run_and_another_in_the_next() -> None:
    failure = Failure(kind="ValueError", message="m")
    mask = Mask(debug=False)
    assert mask(failure) == mask(Failure(kind="ValueError", message="m"))
    assert mask(failure) != Mask(debug=False)(failure)
    assert mask(None) is None
    ours = Failure(kind="idle", message="quiet")
    mask.let_pass(ours)
    assert mask(ours) is ours
