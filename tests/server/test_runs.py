"""Following runs: from any place, again, by several, and their ends."""

import json
from collections.abc import Iterator
from typing import Any

import dspy
import httpx
import pytest
from httpx_sse import EventSource, connect_sse

from fieldstream._merged import merged
from fieldstream.events import Event, FieldDelta, RunEnded, RunSnapshot
from fieldstream.server import Limits
from fieldstream.server.auth import Client
from fieldstream.simulator import Answer, Provider, simulate
from tests.server.serving import ASKED, Served, events_of, on, read_events, served, state_of
from tests.support.leftovers import no_requests_left
from tests.support.order import check_order
from tests.support.reading import Gated, chat, cut

NDJSON = {"Accept": "application/x-ndjson"}
JSON = {"Accept": "application/json"}
SAID = chat(answer="Because of the air.", sources='["a.org", {"b": "\\ud800"}]')


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with simulate() as provider:
        yield provider


@pytest.fixture(autouse=True)
def _says_nothing_old(provider: Provider) -> None:
    provider._script.clear()  # What a run was not asked for any more.


@pytest.fixture(scope="module")
def server(provider: Provider) -> Iterator[Served]:
    qa = on(provider, dspy.Predict("question -> answer, sources: list"))
    many = on(provider, dspy.Predict("question -> answer", n=2))
    limits = Limits(heartbeat_seconds=0.02, write_interval=0.0)
    with served({"qa": qa, "many": many}, limits=limits) as server:
        yield server


def finished(server: Served, provider: Provider) -> tuple[str, list[Event]]:
    """A run that has ended; its id, and its events as its log has them."""
    provider.script(Answer(chunks=cut(SAID, 3)))
    id = server.start()
    server.ended(id)
    events = server.run(id).log.read(limit=1 << 20)
    check_order(events)
    return id, events


def follow(server: Served, id: str, **options: Any) -> list[Event]:
    answer = server.http.get(f"/runs/{id}/events", **options)
    assert answer.status_code in (200, 204), answer.text
    assert answer.headers["x-fieldstream-run"] == id
    return events_of(answer) if answer.status_code == 200 else []


@pytest.mark.parametrize("how", ["header", "query", "ndjson"])
def test_after_every_cursor_comes_exactly_what_is_left(server: Served, provider: Provider, how: str) -> None:
    id, events = finished(server, provider)
    for cursor in range(-1, len(events)):
        options: dict[str, Any] = {"params": {"after": cursor}}
        if how == "header" and cursor >= 0:
            options = {"headers": {"Last-Event-ID": str(cursor)}}
        elif how == "ndjson":
            options["headers"] = NDJSON
        assert follow(server, id, **options) == merged(events[cursor + 1 :])


def test_what_was_read_before_it_broke_and_the_rest_are_the_whole(server: Served, provider: Provider) -> None:
    pieces = cut(SAID, 4)
    gated = Gated(*pieces)
    provider.script(gated.answer)
    asked = len(provider.requests)
    id = server.start()
    seen: list[Event] = []
    for number in range(len(pieces) + 2):  # Each reads on behind the other, and leaves while the run goes on.
        last = len(server.run(id).log) - 1
        while not seen or seen[-1].seq < last:
            before = seen[-1].seq if seen else -1
            with server.http.stream("GET", f"/runs/{id}/events", params={"after": before}) as answer:
                seen.append(next(read_events(answer)))
        gated.let()
        provider.wait_for(
            lambda sent=number: (
                len(provider.requests) > asked and provider.requests[asked].chunks_sent > min(sent, len(pieces) - 1)
            )
        )
    seen += follow(server, id, params={"after": seen[-1].seq})
    assert merged(seen) == merged(server.run(id).log.read(limit=1 << 20))
    # Last-Event-ID says more than the URL, which a browser keeps.
    assert follow(server, id, params={"after": 2}, headers={"Last-Event-ID": str(seen[-2].seq)}) == [seen[-1]]


def test_each_delta_comes_as_it_was_where_that_is_asked_for(server: Served, provider: Provider) -> None:
    id, events = finished(server, provider)
    assert follow(server, id, params={"merge": "0"}) == events
    assert follow(server, id, params={"merge": "0", "after": 5}) == events[6:]
    assert len(follow(server, id)) < len(events)


def test_two_readers_get_the_same(server: Served, provider: Provider) -> None:
    gated = Gated(*cut(SAID, 30))
    provider.script(gated.answer)
    with server.http.stream("POST", "/programs/qa/runs", json=ASKED) as first:
        id = first.headers["x-fieldstream-run"]
        one = read_events(first)
        assert next(one).seq == 0
        with server.http.stream("GET", f"/runs/{id}/events", headers=NDJSON) as second:
            gated.finish()
            events = list(read_events(second))
        assert merged([next(iter(events)), *one]) == merged(events)


def test_at_the_end_there_is_no_more(server: Served, provider: Provider) -> None:
    id, events = finished(server, provider)
    answer = server.http.get(f"/runs/{id}/events", params={"after": len(events) - 1})
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("cursor", ["999999", "12x", "-7", "٣", "", "9" * 400, "1e3", "0x1"])
def test_a_cursor_that_is_none_of_the_runs_gives_a_snapshot(server: Served, provider: Provider, cursor: str) -> None:
    id, events = finished(server, provider)
    request = server.http.build_request("GET", f"/runs/{id}/events", headers=[(b"last-event-id", cursor.encode())])
    got = events_of(server.http.send(request))
    assert isinstance(got[0], RunSnapshot)
    assert state_of(got) == state_of(events)


def test_a_snapshot_at_every_place_of_a_run_and_the_tail_are_the_whole(server: Served, provider: Provider) -> None:
    gated = Gated(*cut(SAID, 4))
    provider.script(gated.answer)
    id = server.start()
    answers = []
    for number in range(len(cut(SAID, 4)) + 1):
        gated.let()
        provider.wait_for(lambda at=number: provider.requests[-1].chunks_sent > at or provider.requests[-1].ended)
        context = server.http.stream("GET", f"/runs/{id}/events", params={"snapshot": "1"})
        answer = context.__enter__()
        events = read_events(answer)
        answers.append((context, [next(events)], events))
    whole = state_of(server.run(id).log.read(limit=1 << 20)) if server.ended(id) else None
    for context, first, events in answers:
        assert isinstance(first[0], RunSnapshot)
        got = [*first, *events]
        assert isinstance(got[-1], RunEnded)
        assert sum(isinstance(event, RunEnded) for event in got) == 1
        assert state_of(got) == whole
        context.__exit__(None, None, None)


def test_a_snapshot_has_several_candidates(server: Served, provider: Provider) -> None:
    id = server.start("many")
    server.ended(id)
    [snapshot, end] = follow(server, id, params={"snapshot": "1"})
    assert isinstance(snapshot, RunSnapshot)
    assert isinstance(end, RunEnded)
    assert end.seq == snapshot.seq + 1
    assert [field.candidate for field in snapshot.fields] == [0, 1]


def test_heartbeats_are_no_events(server: Served, provider: Provider) -> None:
    gated = Gated(SAID)
    provider.script(gated.answer)
    with connect_sse(server.http, "POST", "/programs/qa/runs", json=ASKED) as source:
        raw: list[bytes] = []

        def bytes_of() -> Iterator[bytes]:
            for piece in source.response.stream:  # type: ignore[union-attr]
                raw.append(piece)
                if b"".join(raw).count(b":\n") > 3:
                    gated.finish()
                yield piece

        again = httpx.Response(200, headers=source.response.headers, content=b"".join(bytes_of()))
    blocks = list(EventSource(again).iter_sse())
    assert [json.loads(block.data)["seq"] for block in blocks] == [int(block.id) for block in blocks]
    assert json.loads(blocks[-1].data)["type"] == "run.ended"


def test_heartbeats_are_white_space_before_a_line(server: Served, provider: Provider) -> None:
    gated = Gated(SAID)
    provider.script(gated.answer)
    with server.http.stream("POST", "/programs/qa/runs", json=ASKED, headers=NDJSON) as answer:
        raw = b""
        for piece in answer.iter_raw():
            raw += piece
            if raw.count(b"\n ") and not gated._open:
                gated.finish()
    lines = [json.loads(line) for line in raw.splitlines()]
    assert lines[-1]["type"] == "run.ended"
    assert any(line.startswith(b" ") for line in raw.splitlines())


def test_who_goes_away_does_not_stop_the_run(server: Served, provider: Provider) -> None:
    gated = Gated(*cut(SAID, 30))
    provider.script(gated.answer)
    with server.http.stream("POST", "/programs/qa/runs", json=ASKED) as answer:
        id = answer.headers["x-fieldstream-run"]
    server.until(lambda: server.figure("readers") == 0)
    assert server.run(id).outcome is None
    gated.finish()
    assert server.ended(id)["outcome"] == "completed"


@pytest.mark.parametrize("form", [{}, NDJSON, JSON])
def test_who_goes_away_stops_the_run_where_that_was_asked_for(
    server: Served, provider: Provider, form: dict[str, str]
) -> None:
    gated = Gated(*cut(SAID, 30))
    provider.script(gated.answer)
    asked = len(provider.requests)
    ask: Any = {"params": {"cancel_on_disconnect": "1"}, "json": ASKED, "headers": form}
    if form is JSON:
        with pytest.raises(httpx.ReadTimeout):
            server.http.post("/programs/qa/runs", timeout=httpx.Timeout(5, read=0.5), **ask)
        id = server.host.runs.of(Client("address:127.0.0.1", has_token=False))[0].id
    else:
        with server.http.stream("POST", "/programs/qa/runs", **ask) as answer:
            id = answer.headers["x-fieldstream-run"]
            provider.wait_for(lambda: len(provider.requests) > asked)
    assert server.ended(id)["outcome"] == "cancelled"
    provider.wait_for(lambda: provider.requests[asked].disconnected.is_set())
    gated.finish()


def test_a_cancelled_run_tells_its_readers_and_closes_the_providers_connection(
    server: Served, provider: Provider
) -> None:
    gated = Gated(*cut(SAID, 30))
    provider.script(gated.answer)
    gated.let()
    with server.http.stream("POST", "/programs/qa/runs", json=ASKED) as answer:
        id = answer.headers["x-fieldstream-run"]
        events = read_events(answer)
        assert any(isinstance(event, FieldDelta) for event in events)
        state = server.http.delete(f"/runs/{id}")
        assert (state.status_code, state.json()["outcome"]) == (200, "cancelled")
        end = list(events)[-1]
    assert isinstance(end, RunEnded)
    assert end.outcome == "cancelled"
    assert end.error is not None
    assert end.error.message == "the run was cancelled"
    provider.wait_for(lambda: provider.requests[-1].disconnected.is_set())
    again = server.http.delete(f"/runs/{id}")
    assert (again.status_code, again.json()) == (200, state.json())
    gated.finish()
    no_requests_left(provider)


def test_a_run_that_has_ended_is_not_cancelled_any_more(server: Served, provider: Provider) -> None:
    id, _ = finished(server, provider)
    assert server.http.delete(f"/runs/{id}").json()["outcome"] == "completed"


def test_the_state_of_a_run_that_goes_on_has_what_there_is(server: Served, provider: Provider) -> None:
    gated = Gated("[[ ## answer ## ]]\nBecause of the air.\n\n[[ ## sources ## ]]\n", '["a.org", "b', '.org"]')
    provider.script(gated.answer)
    with server.http.stream("POST", "/programs/qa/runs", json=ASKED) as answer:
        id = answer.headers["x-fieldstream-run"]
        gated.let(2)
        for event in read_events(answer):
            if isinstance(event, FieldDelta) and event.text == "b":
                break
    state = server.http.get(f"/runs/{id}").json()
    assert state["outcome"] is None
    assert state["program"] == "qa"
    assert state["run"] == id
    assert state["inputs"] == ASKED
    assert [(each["field"], each["value"], each["ended"]) for each in state["fields"]] == [
        ("answer", "Because of the air.", True),
        ("sources", ["a.org", "b"], False),
    ]
    assert {each["predictor"] for each in state["fields"]} == {"self"}
    assert all("ended" not in call for call in state["calls"])
    assert "result" not in state
    gated.finish()
    state = server.ended(id)
    assert state["outcome"] == "completed"
    assert state["result"] == {"answer": "Because of the air.", "sources": ["a.org", "b.org"]}
    assert all(call["ended"] for call in state["calls"])
    assert state["error"] is None
    assert state["usage"]


def test_a_run_that_is_not_known_is_told_so(server: Served) -> None:
    for method, path in [("GET", ""), ("DELETE", ""), ("GET", "/events")]:
        answer = server.http.request(method, f"/runs/nope{path}")
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "unknown_run"
        assert "forgotten" in answer.json()["error"]["message"]


def test_runs_cannot_be_guessed(server: Served, provider: Provider) -> None:
    ids = {server.start() for _ in range(20)}
    assert len(ids) == 20
    assert all(len(id) >= 16 for id in ids)  # 96 random bits, in base64
    assert len({id[:4] for id in ids}) == len({id[-4:] for id in ids}) == 20
    for id in ids:
        server.ended(id)
