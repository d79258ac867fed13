"""The routes in an app: under a prefix, in a sub-app, several at once; and what OpenAPI tells of them."""

# pyright: reportArgumentType=false

import asyncio
import enum
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Any, Literal

import dspy
import httpx
import pydantic
import pytest
from fastapi import FastAPI

from fieldstream.server import Mount, app, router
from fieldstream.server.application import host_of, router_of
from fieldstream.simulator import Provider, simulate
from tests.server.serving import ASKED, Served, events_of, on, served, serving

ASYNC = {"Prefer": "respond-async"}


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with simulate() as provider:
        yield provider


def qa(provider: Provider) -> Any:
    return on(provider, dspy.Predict("question -> answer"))


def check_place(server: Served, answer: httpx.Response, prefix: str, key: str = "location") -> None:
    place = answer.headers[key]
    assert place == f"{prefix}/runs/{answer.headers['x-fieldstream-run']}"
    place = place.removeprefix("/proxied")  # As a proxy hands it on.
    assert server.http.get(place).status_code == 200
    assert events_of(server.http.get(f"{place}/events"))[0].seq == 0


@pytest.mark.parametrize("name", ["programs", "a.b-c_d"])
@pytest.mark.parametrize("how", ["root", "prefix", "sub-app", "sub-app with a prefix", "behind a proxy"])
def test_a_run_is_where_its_location_says(provider: Provider, how: str, name: str) -> None:
    host = host_of({name: qa(provider)}, tokens=())
    application = FastAPI()
    prefix, inner = "", ""
    match how:
        case "prefix":
            prefix = inner = "/api/programs"
            application.include_router(router_of(host), prefix=prefix)
        case "sub-app" | "sub-app with a prefix":
            inner = "/v1" if how.endswith("prefix") else ""
            sub = FastAPI()
            sub.include_router(router_of(host), prefix=inner)
            application.mount("/sub", sub)
            prefix = f"/sub{inner}"
        case _:
            application.include_router(router_of(host))
            prefix = "/proxied" if how == "behind a proxy" else ""
    with serving(application, host, root_path="/proxied" if how == "behind a proxy" else "") as server:
        url = f"{'' if how == 'behind a proxy' else prefix}/programs/{name}/runs"
        answer = server.http.post(url, json=ASKED, headers=ASYNC)
        assert answer.status_code == 202
        assert answer.headers["preference-applied"] == "respond-async"
        check_place(server, answer, prefix)
        check_place(server, server.http.post(url, json=ASKED), prefix, "content-location")
        check_place(
            server,
            server.http.post(url, json=ASKED, headers={"Accept": "application/json"}),
            prefix,
            "content-location",
        )


def test_two_routers_are_apart(provider: Provider) -> None:
    application = FastAPI()
    hosts = [host_of({"qa": qa(provider)}, tokens=()) for _ in range(2)]
    for number, host in enumerate(hosts):
        application.include_router(router_of(host), prefix=f"/{number}")
    with serving(application, hosts[0]) as server:
        id = server.http.post("/0/programs/qa/runs", json=ASKED).headers["x-fieldstream-run"]
        assert server.http.get(f"/0/runs/{id}").status_code == 200
        assert server.http.get(f"/1/runs/{id}").status_code == 404
        assert 'runs_ended_total{outcome="completed",program="qa"} 1.0' in server.http.get("/0/metrics").text
        assert "runs_ended_total{" not in server.http.get("/1/metrics").text
        check_document(server.http.get("/openapi.json").json())


def test_an_apps_own_lifespan_and_the_servers_both_run(provider: Provider) -> None:
    said: list[str] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        said.append("up")
        yield
        said.append("down")

    host = host_of({"qa": qa(provider)}, tokens=())
    application = FastAPI(lifespan=lifespan)
    application.include_router(router_of(host), prefix="/api")
    with serving(application, host) as server:
        assert said == ["up"]
        assert server.http.get("/api/readyz").status_code == 200
    assert said == ["up", "down"]
    assert host.runs.draining


def test_other_origins_are_let_in_by_name(provider: Provider) -> None:
    with served({"qa": qa(provider)}, origins=["https://good.example"]) as server:
        asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
        url = "/programs/qa/runs"
        good = server.http.options(url, headers={"Origin": "https://good.example", **asks})
        assert good.headers["access-control-allow-origin"] == "https://good.example"
        bad = server.http.options(url, headers={"Origin": "https://bad.example", **asks})
        assert "access-control-allow-origin" not in bad.headers
        got = server.http.get("/programs", headers={"Origin": "https://good.example"})
        assert "x-fieldstream-run" in got.headers["access-control-expose-headers"].lower()
    with served({"qa": qa(provider)}) as server:
        got = server.http.get("/programs", headers={"Origin": "https://good.example"})
        assert not [name for name in got.headers if name.startswith("access-control")]


def test_names_that_are_none_are_refused(provider: Provider) -> None:
    for name in ("", "a/b", "../x", "a b", ".hidden", "ä"):
        with pytest.raises(ValueError, match="no name for a program"):
            router({name: qa(provider)})


# OpenAPI


class Tree(pydantic.BaseModel):
    """A model in itself."""

    name: str = pydantic.Field(description="What it is called.")
    children: list["Tree"] = []


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Sort(dspy.Signature):
    """Sort things.

    More about it, which is not told.
    """

    things: list[str] = dspy.InputField(desc="What is to be sorted.")
    tree: Tree = dspy.InputField()
    colour: Colour = dspy.InputField()
    day: date = dspy.InputField()
    how: Literal["up", "down"] = dspy.InputField()
    limit: int | None = dspy.InputField(default=3)
    sorted: list[Tree] = dspy.OutputField(desc="The things, sorted.")
    score: float = dspy.OutputField()


def check_document(document: Any) -> None:
    """Assert what makes an OpenAPI document one: references that lead somewhere, ids that are one operation's."""
    assert document["openapi"].startswith("3.")
    ids: list[str] = []

    def walk(node: Any) -> None:
        match node:
            case {"$ref": str(ref)}:
                where: Any = document
                for part in ref.removeprefix("#/").split("/"):
                    where = where[part.replace("~1", "/").replace("~0", "~")]
            case _:
                pass
        if isinstance(node, dict):
            ids.extend([node["operationId"]] if isinstance(node.get("operationId"), str) else [])
            for each in node.values():
                walk(each)
        elif isinstance(node, list):
            for each in node:
                walk(each)

    walk(document)
    assert len(ids) == len(set(ids))
    for path, operations in document["paths"].items():
        for operation in operations.values():
            named = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
            assert named == {part.strip("{}") for part in path.split("/") if part.startswith("{")}, path


def resolved(document: Any, schema: Any) -> Any:
    """A schema, behind its reference."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def test_each_program_is_told_with_its_own_inputs_and_outputs(provider: Provider) -> None:
    sort = dspy.Predict(Sort)
    with served({"qa": qa(provider), "sort": sort, "a-b": qa(provider), "a_b": qa(provider)}) as server:
        document = server.http.get("/openapi.json").json()
        programs = {each["name"]: each for each in server.http.get("/programs").json()["programs"]}
    check_document(document)
    start = document["paths"]["/programs/sort/runs"]["post"]
    assert start["description"] == "Sort things."
    inputs = resolved(document, start["requestBody"]["content"]["application/json"]["schema"])
    members = inputs["properties"]
    assert list(members) == list(Sort.input_fields)
    assert inputs["required"] == [name for name in Sort.input_fields if name != "limit"]
    assert inputs["additionalProperties"] is False
    assert members["things"] == {
        "type": "array",
        "items": {"type": "string"},
        "title": "things",
        "description": "What is to be sorted.",
    }
    assert members["limit"]["default"] == 3
    assert members["day"]["format"] == "date"
    assert members["how"]["enum"] == ["up", "down"]
    tree = resolved(document, members["tree"])
    assert tree["properties"]["name"]["description"] == "What it is called."
    answers = start["responses"]
    assert {"text/event-stream", "application/x-ndjson", "application/json"} <= answers["200"]["content"].keys()
    outputs = resolved(document, answers["200"]["content"]["application/json"]["schema"])
    assert list(outputs["properties"]) == ["sorted", "score"]
    # The list of programs says the same, each schema on its own.
    alone = programs["sort"]["inputs"]
    assert list(alone["properties"]) == list(members)
    assert alone["$defs"]["Tree"]["properties"]["children"]["items"] == {"$ref": "#/$defs/Tree"}
    assert list(programs["sort"]["outputs"]["properties"]) == ["sorted", "score"]
    assert programs["qa"]["input"] == "question"
    assert programs["qa"]["output"] == "answer"
    assert programs["sort"]["input"] is None


def test_tokens_are_told(provider: Provider) -> None:
    with served({"qa": qa(provider)}, tokens=["t"]) as server:
        document = server.http.get("/openapi.json").json()
        check_document(document)
        assert document["paths"]["/programs/qa/runs"]["post"]["security"] == [{"HTTPBearer": []}]


def test_what_has_no_schema_is_anything(provider: Provider) -> None:
    class Odd:
        pass

    def odd(thing: Odd, more, other=None) -> str:
        return str((thing, more, other))

    with served({"odd": Mount(odd, description="Odd.")}) as server:
        check_document(server.http.get("/openapi.json").json())
        [program] = server.http.get("/programs").json()["programs"]
        assert program["description"] == "Odd."
        assert program["inputs"]["required"] == ["thing", "more"]
        inputs = {"thing": [1], "more": {"a": 2}}
        answer = server.http.post("/programs/odd/runs", json=inputs, headers={"Accept": "application/json"})
        assert answer.json()["result"] == "([1], {'a': 2}, None)"


def test_an_app_is_a_server_of_its_own(provider: Provider) -> None:
    application = app({"qa": qa(provider)})

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post("/programs/qa/runs", json=ASKED, headers={"Accept": "application/json"})

    assert asyncio.run(ask()).json()["outcome"] == "completed"
