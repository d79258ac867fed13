"""Requests that are not served: each is told why, in one form."""

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import dspy
import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.testclient import TestClient

from fieldstream.server import Limits
from fieldstream.server.errors import ApiError, invalid, routes
from tests.server.serving import ASKED, Served, served

JSON = {"Content-Type": "application/json"}
URL = "/programs/qa/runs"


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    def qa(question: str) -> str:
        return question

    with served({"qa": qa, "predict": dspy.Predict("question -> answer")}, limits=Limits(max_body=2_000)) as server:
        yield server


def refused(server: Served, answer: httpx.Response, status: int, code: str) -> str:
    """It is told in our form, and counted; gives the message."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"] == code
    assert answer.headers["content-type"] == "application/json"
    assert server.figure("requests_refused_total", code=code) > 0
    return error["message"]


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/json", ""]
)
def test_what_any_page_can_send_unasked_is_refused(server: Served, kind: str) -> None:
    before = server.figure("runs_started_total", program="qa")
    request = server.http.build_request("POST", URL, content=json.dumps(ASKED))
    if kind:
        request.headers["Content-Type"] = kind
    message = refused(server, server.http.send(request), 415, "not_json")
    assert "Content-Type: application/json" in message
    assert server.figure("runs_started_total", program="qa") == before


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "application/vnd.api+json"])
def test_json_is_json_by_any_name(server: Served, kind: str) -> None:
    answer = server.http.post(URL, content=json.dumps(ASKED), headers={"Content-Type": kind})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("body", "where"), [(b"{", "at character 1"), (b'{"question": x}', "at character 13"), (b"{}{}", "at character 2")]
)
def test_what_is_no_json_is_told_where(server: Served, body: bytes, where: str) -> None:
    assert where in refused(server, server.http.post(URL, content=body, headers=JSON), 400, "invalid_json")


@pytest.mark.parametrize("body", [b"\xff\xfe{}", b'{"question": "\xff"}', b"[" * 1_900])
def test_what_is_no_text_or_cannot_be_read_is_told(server: Served, body: bytes) -> None:
    answer = server.http.post(URL, content=body, headers=JSON)
    assert answer.status_code == 400
    assert "send" in answer.json()["error"]["message"]


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"3", b'"question"'])
def test_what_is_no_object_is_told(server: Served, body: bytes) -> None:
    refused(server, server.http.post(URL, content=body, headers=JSON), 422, "invalid_inputs")


def test_half_a_surrogate_pair_comes_back_as_it_was(server: Served) -> None:
    headers = {**JSON, "Accept": "application/json"}
    state = server.http.post(URL, content=b'{"question": "\\ud800"}', headers=headers).json()
    assert (state["inputs"], state["result"]) == ({"question": "\ud800"}, "\ud800")


def test_a_body_that_says_that_it_is_too_large_is_not_read(server: Served) -> None:
    message = refused(server, server.http.post(URL, json={"question": "x" * 3_000}), 413, "body_too_large")
    assert "2,000 bytes" in message


def test_a_body_that_does_not_say_so_is_read_so_far(server: Served) -> None:
    def pieces() -> Iterator[bytes]:
        yield b'{"question": "'
        for _ in range(100):
            yield b"x" * 1_000

    refused(server, server.http.post(URL, content=pieces(), headers=JSON), 413, "body_too_large")


@pytest.mark.parametrize("size", [2_000, 2_001])
def test_the_limit_is_exact(server: Served, size: int) -> None:
    body = json.dumps({"question": "x" * (size - len(json.dumps({"question": ""})))}).encode()
    assert len(body) == size
    assert server.http.post(URL, content=body, headers=JSON).status_code == (200 if size == 2_000 else 413)
    assert server.http.post(URL, content=iter([body]), headers=JSON).status_code == (200 if size == 2_000 else 413)


def test_who_leaves_in_the_middle_of_a_body_leaves_nothing(server: Served) -> None:
    where = urlsplit(server.url)
    before = server.figure("runs_started_total", program="qa")
    with socket.create_connection((where.hostname or "", where.port or 0)) as connection:
        head = [f"POST {URL} HTTP/1.1", "Host: x", "Content-Type: application/json", "Content-Length: 100"]
        connection.sendall("\r\n".join([*head, "", "{"]).encode())
    server.until(lambda: not server.server.server_state.connections or len(server.server.server_state.tasks) == 0)
    assert server.figure("runs_started_total", program="qa") == before


def test_a_program_that_there_is_not_is_told_whatever_the_body(server: Served) -> None:
    refused(server, server.http.post("/programs/nope/runs", json=[1]), 404, "unknown_program")


def test_a_query_that_does_not_fit_is_told(server: Served) -> None:
    run = server.start()
    message = refused(server, server.http.get(f"/runs/{run}/events?after=x"), 422, "invalid_request")
    assert "after" in message
    answer = server.http.post(f"{URL}?cancel_on_disconnect=perhaps", json=ASKED)
    assert "cancel_on_disconnect" in refused(server, answer, 422, "invalid_request")


def test_what_nobody_accepts_is_told(server: Served) -> None:
    answer = server.http.post(URL, json=ASKED, headers={"Accept": "image/png"})
    assert "text/event-stream" in refused(server, answer, 406, "not_acceptable")


class _Gate:
    max_body = 100

    def __init__(self) -> None:
        self.said: list[str] = []

    def client(self, connection: Any) -> None:
        if "x-who" not in connection.headers:
            raise ApiError(401, "who", "who?")

    def refused(self, error: ApiError) -> None:
        self.said.append(error.code)


def test_a_gate_is_passed_before_anything_is_read() -> None:
    gate = _Gate()
    router = APIRouter(route_class=routes(gate))

    async def take(request: Request) -> dict[str, int]:
        return {"size": len(await request.body())}

    router.add_api_route("/", take, methods=["POST"])
    app = FastAPI()
    app.include_router(router)
    with TestClient(app) as client:
        assert client.post("/", content=b"x" * 1_000, headers={"content-type": "text/plain"}).status_code == 401
        assert client.post("/", content=b"{}", headers={"x-who": "me", **JSON}).json() == {"size": 2}
        assert client.post("/", content=b"x" * 101, headers={"x-who": "me", **JSON}).status_code == 413
    assert gate.said == ["who", "body_too_large"]


def test_an_error_has_a_form_of_its_own() -> None:
    error = ApiError(418, "teapot", "no coffee", headers={"X-A": "b"}, details=[1])
    response = error.response()
    assert (response.status_code, response.headers["x-a"]) == (418, "b")
    assert json.loads(bytes(response.body)) == {"error": {"code": "teapot", "message": "no coffee", "details": [1]}}


def test_what_does_not_fit_is_told_as_pydantic_tells_it() -> None:
    error = invalid([{"loc": ("body", 0), "msg": "m", "type": "t"}, {"loc": (), "msg": "n", "type": "u"}])
    assert error.message == "the inputs do not fit the program: body.0: m; the body: n"
    assert error.details == [{"loc": ["body", 0], "msg": "m", "type": "t"}, {"loc": [], "msg": "n", "type": "u"}]
