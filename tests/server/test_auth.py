"""Who may use a server."""

import hmac
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import HTTPConnection

from fieldstream.server.auth import Client, Tokens, tokens_of_environment, tokens_of_file
from fieldstream.server.errors import ApiError
from tests.server.serving import ASKED, Served, served


def qa(question: str) -> str:
    return question


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served({"qa": qa}, tokens=["one-token", "two-token"]) as server:
        yield server


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


ROUTES = [
    ("GET", "/programs"),
    ("GET", "/programs/qa"),
    ("POST", "/programs/qa/runs"),
    ("POST", "/programs/nope/runs"),
    ("GET", "/runs"),
    ("GET", "/runs/x"),
    ("DELETE", "/runs/x"),
    ("GET", "/runs/x/events"),
    ("GET", "/metrics"),
    ("GET", "/v1/models"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/responses"),
    ("POST", "/programs/qa/ai-sdk"),
    ("POST", "/programs/qa/ag-ui"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer("wrong"),
        {"Authorization": "Bearer"},
        {"Authorization": "Basic one-token"},
        {"Authorization": "one-token"},
    ],
    ids=str,
)
def test_nothing_is_told_without_a_token(server: Served, method: str, path: str, headers: dict[str, str]) -> None:
    # Whatever the body is: who may not come is told nothing of it.
    answer = server.http.request(method, path, headers=headers, content=b"{" if method == "POST" else None)
    if answer.status_code == 404 and answer.json() == {"detail": "Not Found"}:
        pytest.fail(f"{path} is no route")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "Authorization: Bearer TOKEN" in answer.json()["error"]["message"]


@pytest.mark.parametrize("headers", [bearer("one-token"), {"Authorization": "bearer  two-token"}])
def test_each_token_is_taken(server: Served, headers: dict[str, str]) -> None:
    assert server.http.get("/programs", headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_whether_it_lives_is_told_to_anyone(server: Served, path: str) -> None:
    assert server.http.get(path).json() == {"status": "ok"}


def test_a_list_is_of_a_tokens_own_runs(server: Served) -> None:
    mine = [
        server.http.post("/programs/qa/runs", json=ASKED, headers=bearer("one-token")).headers["x-fieldstream-run"]
        for _ in range(2)
    ]
    runs = server.http.get("/runs", headers=bearer("one-token")).json()["runs"]
    assert [each["run"] for each in runs][:2] == mine[::-1]
    assert runs[0].keys() == {"run", "program", "outcome", "started_at", "seconds"}
    assert server.http.get("/runs", headers=bearer("two-token")).json() == {"runs": []}
    # Who knows a run's id may read it: it cannot be guessed.
    assert server.http.get(f"/runs/{mine[0]}", headers=bearer("two-token")).status_code == 200


def test_without_tokens_there_is_no_list_except_where_it_is_wanted() -> None:
    with served({"qa": qa}) as server:
        answer = server.http.get("/runs")
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "no_list")
    with served({"qa": qa}, list_runs=True) as server:
        run = server.http.post("/programs/qa/runs", json=ASKED).headers["x-fieldstream-run"]
        assert [each["run"] for each in server.http.get("/runs").json()["runs"]] == [run]


def test_tokens_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIELDSTREAM_TOKENS", " a,b\tc\n")
    assert tokens_of_environment() == ["a", "b", "c"]
    from fieldstream.server.application import host_of

    assert host_of({"qa": qa}).tokens
    assert not host_of({"qa": qa}, tokens=()).tokens
    monkeypatch.delenv("FIELDSTREAM_TOKENS")
    assert not host_of({"qa": qa}).tokens


def test_tokens_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text("# ours\none \n\n two\n#three\n")
    assert tokens_of_file(path) == ["one", "two"]
    with pytest.raises(FileNotFoundError):
        tokens_of_file(tmp_path / "none")


@pytest.mark.parametrize("token", ["", " ", "a b", "ä", "a\n"])
def test_a_token_that_no_header_can_hold_is_an_error(token: str) -> None:
    with pytest.raises(ValueError, match="32 random"):
        Tokens(["fine", token])


def connection(token: str | None, host: str | None = "10.0.0.1") -> HTTPConnection:
    headers = [] if token is None else [(b"authorization", f"Bearer {token}".encode())]
    client: Any = None if host is None else (host, 1234)
    return HTTPConnection({"type": "http", "headers": headers, "client": client})


def test_each_token_is_compared_in_a_time_that_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []
    compare = hmac.compare_digest

    def watched(one: Any, other: Any) -> bool:
        compared.append((len(one), len(other)))
        return compare(one, other)

    tokens = Tokens(["first", "second-and-longer", "x"])
    monkeypatch.setattr(hmac, "compare_digest", watched)
    tokens.client(connection("first"))
    with pytest.raises(ApiError):
        tokens.client(connection("z"))
    # All of them, right or wrong, and all of one length.
    assert compared == [(32, 32)] * 6


def test_a_client_is_its_token_or_its_address() -> None:
    tokens = Tokens(["first", "second"])
    one, two = tokens.client(connection("first")), tokens.client(connection("second"))
    assert one.id != two.id
    assert "first" not in one.id
    assert tokens.client(connection("first", "10.0.0.2")) == one
    assert Tokens().client(connection(None)) == Client("address:10.0.0.1", has_token=False)
    assert Tokens().client(connection(None, None)) == Client("address:", has_token=False)
