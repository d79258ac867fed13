"""Which programs there are, and starting a run of one: of any kind, with any inputs, read in any form."""

# pyright: reportArgumentType=false

import asyncio
import enum
from collections.abc import Iterator
from datetime import date
from typing import Any, Literal

import dspy
import pydantic
import pytest

from fieldstream import Streamer
from fieldstream.events import RunEnded
from fieldstream.server import Limits, Mount
from fieldstream.simulator import Provider, simulate
from tests.server.serving import ASKED, Served, events_of, on, served, text_of
from tests.support.reading import chat

JSON = {"Accept": "application/json"}


class Person(pydantic.BaseModel):
    name: str
    born: date


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"


class Greet(dspy.Signature):
    """Greet somebody."""

    person: Person = dspy.InputField()
    others: list[Person] = dspy.InputField(default=[])
    day: date = dspy.InputField()
    mood: Mood = dspy.InputField()
    how: Literal["short", "long"] = dspy.InputField()
    history: dspy.History | None = dspy.InputField(default=None)
    picture: dspy.Image | None = dspy.InputField(default=None)
    greeting: str = dspy.OutputField()


class Asynchronous(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qa = dspy.Predict("question -> answer")

    async def aforward(self, question: str) -> Any:
        await asyncio.sleep(0)
        return await self.qa.acall(question=question)


class Synchronous(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qa = dspy.Predict("question -> answer")

    def forward(self, question: str) -> Any:
        return self.qa(question=question)


class Open(dspy.Module):
    """Takes what it is given."""

    def forward(self, **inputs: Any) -> Any:
        return dspy.Prediction(given=inputs)


def plain(question: str, times: int = 2) -> str:
    return question * times


async def coroutine(question: str) -> dict[str, str]:
    await asyncio.sleep(0)
    return {"said": question}


def odd_names(json: str, schema: str, copy: str, model_config: str, model_fields: str, given: str, inputs: str) -> str:
    return f"{json}{schema}{copy}{model_config}{model_fields}{given}{inputs}"


def fails(question: str) -> str:
    raise ValueError(question)


def nothing(question: str) -> None:
    return None


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with simulate() as provider:
        yield provider


@pytest.fixture(autouse=True)
def _says_nothing_old(provider: Provider) -> None:
    provider._script.clear()  # What a run was not asked for any more.


@pytest.fixture(scope="module")
def server(provider: Provider) -> Iterator[Served]:
    programs: dict[str, Any] = {
        "qa": on(provider, dspy.Predict("question -> answer")),
        "greet": on(provider, dspy.Predict(Greet)),
        "asynchronous": on(provider, Asynchronous()),
        "synchronous": on(provider, Synchronous()),
        "threaded": Streamer(on(provider, dspy.Predict("question -> answer")), mode="thread"),
        "open": Open(),
        "plain": plain,
        "coroutine": coroutine,
        "odd": odd_names,
        "unicode": on(provider, dspy.Predict("größe -> çà")),
        "fails": fails,
        "nothing": nothing,
    }
    with served(programs) as server:
        yield server


def result(server: Served, program: str, inputs: Any) -> Any:
    answer = server.http.post(f"/programs/{program}/runs", json=inputs, headers=JSON)
    assert answer.status_code == 200, answer.text
    assert answer.json()["outcome"] == "completed", answer.text
    return answer.json()["result"]


def test_they_are_listed_and_shown(server: Served) -> None:
    programs = server.http.get("/programs").json()["programs"]
    assert [each["name"] for each in programs] == list(server.host.mounts)
    for each in programs:
        assert server.http.get(f"/programs/{each['name']}").json() == each
    answer = server.http.get("/programs/nope")
    assert answer.status_code == 404
    assert "there are: qa, greet" in answer.json()["error"]["message"]


def test_a_run_streams_from_its_start_to_its_end(server: Served) -> None:
    answer = server.http.post("/programs/qa/runs", json=ASKED)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-cache, no-transform"
    assert answer.headers["x-accel-buffering"] == "no"
    events = events_of(answer)
    end = events[-1]
    assert isinstance(end, RunEnded)
    assert text_of(events) == end.result["answer"]
    assert events[0].seq == 0
    assert events[0].program == "qa"  # type: ignore[union-attr]


def test_the_other_forms_say_the_same(server: Served, provider: Provider) -> None:
    provider.script(*[chat(answer="Because.")] * 3)
    lines = server.http.post("/programs/qa/runs", json=ASKED, headers={"Accept": "application/x-ndjson"})
    assert lines.headers["content-type"].startswith("application/x-ndjson")
    assert events_of(lines)[-1].result == {"answer": "Because."}  # type: ignore[union-attr]
    whole = server.http.post("/programs/qa/runs", json=ASKED, headers=JSON)
    assert whole.headers["content-type"] == "application/json"
    assert whole.json()["result"] == {"answer": "Because."}
    begun = server.http.post("/programs/qa/runs", json=ASKED, headers={"Prefer": "foo=1; bar, respond-async; wait=10"})
    assert begun.status_code == 202
    assert begun.json()["run"] == begun.headers["x-fieldstream-run"]
    assert server.ended(begun.json()["run"])["result"] == {"answer": "Because."}


@pytest.mark.parametrize("program", ["asynchronous", "synchronous", "threaded"])
def test_programs_of_each_kind_stream(server: Served, program: str) -> None:
    events = events_of(server.http.post(f"/programs/{program}/runs", json=ASKED))
    assert text_of(events) == events[-1].result["answer"] != ""  # type: ignore[union-attr]


def test_a_function_gives_what_it_returns(server: Served) -> None:
    assert result(server, "plain", {"question": "a"}) == "aa"
    assert result(server, "plain", {"question": "a", "times": 3}) == "aaa"
    assert result(server, "coroutine", {"question": "a"}) == {"said": "a"}
    assert result(server, "nothing", {"question": "a"}) is None


def test_inputs_may_be_wrapped(server: Served) -> None:
    assert result(server, "plain", {"inputs": {"question": "a"}}) == "aa"
    assert result(server, "open", {"inputs": {"a": 1}}) == {"given": {"a": 1}}
    # But not where an input is called so.
    names = ["json", "schema", "copy", "model_config", "model_fields", "given", "inputs"]
    assert result(server, "odd", {name: name for name in names}) == "".join(names)


def test_a_program_that_takes_anything_gets_it(server: Served) -> None:
    inputs = {"a": [1, {"b": None}], "self_": "x", "größe": 1}
    assert result(server, "open", inputs) == {"given": inputs}


def test_inputs_are_validated_into_their_types(server: Served, provider: Provider) -> None:
    person = {"name": "Ada", "born": "1815-12-10"}
    picture = "data:image/png;base64,iVBORw0KGgo="
    inputs = {
        "person": person,
        "others": [person, {"name": "Bob", "born": "1900-01-01"}],
        "day": "2026-01-02",
        "mood": "good",
        "how": "short",
        "history": {"messages": [{"person": "Eve", "greeting": "Hi."}]},
        "picture": {"url": picture},
    }
    provider.script(chat(greeting="Hello."))
    assert result(server, "greet", inputs) == {"greeting": "Hello."}
    asked = provider.requests[-1]
    assert picture in str(asked.body)
    assert "1815-12-10" in str(asked.body)
    provider.script(chat(greeting="Hello."))
    del inputs["others"], inputs["history"], inputs["picture"]
    assert result(server, "greet", inputs) == {"greeting": "Hello."}


def test_names_of_any_script_are_names(server: Served, provider: Provider) -> None:
    provider.script(chat(çà="oui"))
    assert result(server, "unicode", {"größe": "3"}) == {"çà": "oui"}


GREETING: dict[str, Any] = {
    "person": {"name": "Ada", "born": "1815-12-10"},
    "day": "2026-01-02",
    "mood": "good",
    "how": "short",
}


@pytest.mark.parametrize(
    ("change", "loc"),
    [
        ({"person": None}, ["person"]),
        ({"person": {"name": "Ada", "born": "yesterday"}}, ["person", "born"]),
        ({"others": [{"name": "Bob"}]}, ["others", 0, "born"]),
        ({"day": "2026-13-01"}, ["day"]),
        ({"mood": "so-so"}, ["mood"]),
        ({"how": "medium"}, ["how"]),
        ({"unknown": 1}, ["unknown"]),
        ({"picture": "/etc/passwd"}, ["picture"]),
    ],
)
def test_what_does_not_fit_is_named(server: Served, change: dict[str, Any], loc: list[Any]) -> None:
    answer = server.http.post("/programs/greet/runs", json={**GREETING, **change})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "invalid_inputs"
    assert loc in [each["loc"][: len(loc)] for each in error["details"]]
    assert ".".join(map(str, loc)) in error["message"]


def test_all_that_is_missing_is_named(server: Served) -> None:
    error = server.http.post("/programs/greet/runs", json={}).json()["error"]
    assert {each["loc"][0] for each in error["details"]} == {"person", "day", "mood", "how"}


def test_a_program_that_fails_says_so_in_its_stream(server: Served) -> None:
    events = events_of(server.http.post("/programs/fails/runs", json=ASKED))
    end = events[-1]
    assert isinstance(end, RunEnded)
    assert end.outcome == "failed"
    assert end.error is not None
    assert end.error.kind == "error"
    state = server.http.post("/programs/fails/runs", json=ASKED, headers=JSON)
    assert (state.status_code, state.json()["outcome"]) == (200, "failed")
    assert "result" not in state.json()


def test_an_input_may_have_any_name_that_errors_use(provider: Provider) -> None:
    def program(body: int, query: int) -> int:
        return body + query

    with served({"program": program}) as server:
        error = server.http.post("/programs/program/runs", json={"body": "x", "query": "y"}).json()["error"]
        assert [each["loc"] for each in error["details"]] == [["body"], ["query"]]
        assert error["code"] == "invalid_inputs"


def test_two_hundred_runs_at_once_are_each_exact(provider: Provider) -> None:
    mount = Mount(on(provider, dspy.Predict("question -> answer")))
    count = 200
    limits = Limits(max_runs=count, write_interval=0.0)

    async def ask(url: str) -> list[tuple[str, str]]:
        import httpx

        pool = httpx.Limits(max_connections=count)
        async with httpx.AsyncClient(base_url=url, timeout=60, limits=pool) as client:
            asked = [client.post("/programs/qa/runs", json={"question": f"Why {n}?"}) for n in range(count)]
            answers = await asyncio.gather(*asked)
        events = [events_of(answer) for answer in answers]
        return [(text_of(each), each[-1].result["answer"]) for each in events]  # type: ignore[union-attr]

    with served({"qa": mount}, limits=limits) as server:
        texts = asyncio.run(ask(server.url))
        assert all(shown == said != "" for shown, said in texts)
        assert server.figure("runs_ended_total", program="qa", outcome="completed") == count
        server.until(lambda: server.figure("readers") == 0)
