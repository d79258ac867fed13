"""The WebSocket: runs are started, followed and cancelled over one connection."""

# pyright: reportArgumentType=false

import json
import socket as sockets
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import dspy
import msgspec
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from fieldstream._merged import merged
from fieldstream.events import Event, FieldDelta, RunEnded, RunSnapshot
from fieldstream.server import Limits
from fieldstream.simulator import Answer, Provider, simulate
from fieldstream.wire.json import decode_event, encode
from tests.server.serving import ASKED, Served, on, served, state_of
from tests.support.leftovers import DEADLINE
from tests.support.reading import Gated, chat, cut

SAID = chat(answer="Because of the air \ud800.")


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with simulate() as provider:
        yield provider


@pytest.fixture(autouse=True)
def _says_nothing_old(provider: Provider) -> None:
    provider._script.clear()  # What a run was not asked for any more.


@pytest.fixture(scope="module")
def server(provider: Provider) -> Iterator[Served]:
    limits = Limits(write_interval=0.0, max_body=5_000, max_runs=2)
    with served({"qa": on(provider, dspy.Predict("question -> answer"))}, limits=limits) as server:
        yield server


class Connection:
    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.others: list[dict[str, Any]] = []

    def say(self, **message: Any) -> None:
        self.socket.send(encode(message).decode())

    def hear(self, id: str) -> dict[str, Any]:
        """The next message about this; those about others are kept for who asks for them."""
        for message in self.others:
            if message.get("id", "") == id:
                self.others.remove(message)
                return message
        while True:
            message = json.loads(self.socket.recv(DEADLINE))
            if message.get("id", "") == id:
                return message
            self.others.append(message)

    def started(self, id: str) -> str:
        message = self.hear(id)
        assert message["type"] == "started", message
        return message["run"]

    def event(self, id: str) -> Event:
        message = self.hear(id)
        assert message["type"] == "event", message
        return decode_event(json.dumps(message["event"]))

    def to_the_end(self, id: str) -> list[Event]:
        events: list[Event] = []
        while (message := self.hear(id))["type"] == "event":
            events.append(decode_event(json.dumps(message["event"])))
        assert message == {"type": "end", "id": id}
        return events

    def error(self, id: str) -> dict[str, Any]:
        message = self.hear(id)
        assert message["type"] == "error", message
        return message["error"]


@pytest.fixture
def connection(server: Served) -> Iterator[Connection]:
    with connect(f"ws{server.url.removeprefix('http')}/ws") as socket:
        yield Connection(socket)


def test_a_run_streams_from_its_start_to_its_end(server: Served, provider: Provider, connection: Connection) -> None:
    provider.script(Answer(chunks=cut(SAID, 3)))
    connection.say(type="start", id="a", program="qa", inputs=ASKED)
    id = connection.started("a")
    events = connection.to_the_end("a")
    assert merged(events) == merged(server.run(id).log.read(limit=1 << 20))
    assert isinstance(events[-1], RunEnded)


def test_a_run_is_followed_from_every_cursor(server: Served, provider: Provider, connection: Connection) -> None:
    provider.script(Answer(chunks=cut(SAID, 7)))
    id = server.start()
    server.ended(id)
    events = server.run(id).log.read(limit=1 << 20)
    for cursor in range(-1, len(events)):
        connection.say(type="follow", id=str(cursor), run=id, after=cursor)
        assert connection.started(str(cursor)) == id
        assert connection.to_the_end(str(cursor)) == merged(events[cursor + 1 :])
    for number, options in enumerate([{"snapshot": True}, {"after": 10_000}, {"after": -2}]):
        connection.say(type="follow", id=f"s{number}", run=id, **options)
        connection.started(f"s{number}")
        got = connection.to_the_end(f"s{number}")
        assert isinstance(got[0], RunSnapshot)
        assert isinstance(got[-1], RunEnded)
        assert state_of(got) == state_of(events)


def test_several_are_followed_at_once(server: Served, provider: Provider, connection: Connection) -> None:
    gated = [Gated(SAID), Gated(SAID)]
    provider.script(*[each.answer for each in gated])
    for id in "ab":
        connection.say(type="start", id=id, program="qa", inputs={"question": id})
        connection.started(id)
    provider.wait_for(lambda: len([request for request in provider.requests if request.ended is None]) == 2)
    gated[1].finish()
    gated[0].finish()
    texts = {id: [event for event in connection.to_the_end(id) if isinstance(event, FieldDelta)] for id in "ab"}
    assert all(texts.values())


def test_a_run_that_waits_for_its_turn_keeps_nothing_else_waiting(
    server: Served, provider: Provider, connection: Connection
) -> None:
    gated = [Gated(SAID), Gated(SAID)]
    provider.script(*[each.answer for each in gated])
    for id in "abc":
        connection.say(type="start", id=id, program="qa", inputs=ASKED)
    runs = [connection.started(id) for id in "ab"]
    server.until(lambda: server.host.runs.places.queued == 1)
    connection.say(type="stop", id="c")
    server.until(lambda: server.host.runs.places.queued == 0)
    connection.say(type="cancel", run=runs[0])
    end = connection.to_the_end("a")[-1]
    assert isinstance(end, RunEnded)
    assert end.outcome == "cancelled"
    for each in gated:
        each.finish()
    connection.to_the_end("b")


def test_who_stops_following_hears_no_more_and_may_use_the_id_again(
    server: Served, provider: Provider, connection: Connection
) -> None:
    gated = Gated(SAID)
    provider.script(gated.answer)
    connection.say(type="start", id="a", program="qa", inputs=ASKED)
    run = connection.started("a")
    connection.say(type="follow", id="a", run=run)
    assert connection.hear("a")["type"] in ("event", "error")  # It is taken.
    connection.say(type="stop", id="a")
    connection.say(type="follow", id="a", run=run, snapshot=True)
    while (message := connection.hear("a"))["type"] != "started":
        pass
    assert message["run"] == run
    assert isinstance(connection.event("a"), RunSnapshot)
    gated.finish()
    assert isinstance(connection.to_the_end("a")[-1], RunEnded)


def test_a_run_goes_on_without_its_connection_except_where_that_was_asked_for(
    server: Served, provider: Provider
) -> None:
    gated = [Gated(SAID), Gated(SAID)]
    provider.script(*[each.answer for each in gated])
    with connect(f"ws{server.url.removeprefix('http')}/ws") as socket:
        connection = Connection(socket)
        connection.say(type="start", id="a", program="qa", inputs=ASKED)
        connection.say(type="start", id="b", program="qa", inputs=ASKED, cancel_on_disconnect=True)
        goes_on, ends = connection.started("a"), connection.started("b")
    assert server.ended(ends)["outcome"] == "cancelled"
    assert server.run(goes_on).outcome is None
    for each in gated:
        each.finish()
    assert server.ended(goes_on)["outcome"] == "completed"
    server.until(lambda: server.figure("readers") == 0)


def test_a_connection_that_breaks_ends_its_following(server: Served, provider: Provider) -> None:
    gated = Gated(SAID)
    provider.script(gated.answer)
    with connect(f"ws{server.url.removeprefix('http')}/ws") as socket:
        connection = Connection(socket)
        connection.say(type="start", id="a", program="qa", inputs=ASKED)
        run = connection.started("a")
        socket.socket.shutdown(sockets.SHUT_RDWR)
    server.until(lambda: server.figure("readers") == 0)
    gated.finish()
    assert server.ended(run)["outcome"] == "completed"


@pytest.mark.parametrize(
    ("message", "status", "code"),
    [
        ({"type": "start", "id": "a", "program": "nope", "inputs": {}}, 404, "unknown_program"),
        ({"type": "start", "id": "a", "program": "qa", "inputs": {"question": 1}}, 422, "invalid_inputs"),
        ({"type": "start", "id": "a", "program": "qa", "inputs": {}}, 422, "invalid_inputs"),
        ({"type": "follow", "id": "a", "run": "nope"}, 404, "unknown_run"),
    ],
)
def test_what_cannot_be_done_is_told_so(connection: Connection, message: Any, status: int, code: str) -> None:
    connection.say(**message)
    error = connection.error("a")
    assert error["code"] == code
    if code == "invalid_inputs":
        assert error["details"][0]["loc"] == ["question"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"type":"dance"}', '{"type":"start"}', "\x00", '{"type":"stop","id":3}']
)
def test_a_message_that_is_none_is_told_so_and_the_connection_goes_on(connection: Connection, text: str) -> None:
    connection.socket.send(text)
    assert connection.error("")["code"] == "bad_message"
    connection.say(type="cancel", run="nope")
    assert connection.error("")["code"] == "unknown_run"


def test_a_message_that_is_too_large_is_told_so(connection: Connection) -> None:
    connection.say(type="start", id="a", program="qa", inputs={"question": "x" * 6_000})
    assert connection.error("")["code"] == "message_too_large"


def test_bytes_are_as_good_as_text(connection: Connection) -> None:
    connection.socket.send(msgspec.json.encode({"type": "follow", "id": "a", "run": "nope"}))
    assert connection.error("a")["code"] == "unknown_run"


def test_pages_of_other_origins_are_refused(provider: Provider, server: Served) -> None:
    url = f"ws{server.url.removeprefix('http')}/ws"
    for origin in ("https://evil.example", "null", server.url + "0", "https://127.0.0.1"):
        with pytest.raises(InvalidStatus) as refused:
            connect(url, origin=Origin(origin))
        assert refused.value.response.status_code == 403
    with connect(url, origin=Origin(server.url)):
        pass
    assert server.figure("requests_refused_total", code="foreign_origin") == 4
    qa = on(provider, dspy.Predict("question -> answer"))
    with (
        served({"qa": qa}, origins=["https://good.example"]) as other,
        connect(f"ws{other.url.removeprefix('http')}/ws", origin=Origin("https://good.example")),
    ):
        pass


def test_a_token_comes_by_header_or_by_subprotocol(provider: Provider) -> None:
    qa = on(provider, dspy.Predict("question -> answer"))
    with served({"qa": qa}, tokens=["secret-1", "secret-2"]) as server:
        url = f"ws{server.url.removeprefix('http')}/ws"
        refusals: list[Any] = [
            {},
            {"additional_headers": {"Authorization": "Bearer wrong"}},
            {"subprotocols": [Subprotocol("fieldstream"), Subprotocol("bearer.wrong")]},
        ]
        for options in refusals:
            with pytest.raises(InvalidStatus) as refused:
                connect(url, **options)
            assert refused.value.response.status_code == 401
            assert refused.value.response.headers["WWW-Authenticate"].startswith("Bearer")
        with connect(url, additional_headers={"Authorization": "Bearer secret-1"}) as socket:
            assert socket.subprotocol is None
        protocols = [Subprotocol("fieldstream"), Subprotocol("bearer.secret-2")]
        with connect(url, subprotocols=protocols) as socket:
            assert socket.subprotocol == "fieldstream"


def test_who_reads_nothing_holds_up_nobody(provider: Provider, server: Served) -> None:
    # Far more than what the kernel's buffers take.
    big = "word " * 2_000_000
    provider.script(Answer(chunks=cut(chat(answer=big), 500_000)))
    with connect(f"ws{server.url.removeprefix('http')}/ws", max_queue=1, max_size=None) as idle:
        idle.send(encode({"type": "start", "id": "a", "program": "qa", "inputs": ASKED}).decode())
        run = json.loads(idle.recv(DEADLINE))["run"]
        assert server.ended(run)["outcome"] == "completed"
        with suppress(ConnectionClosed):
            idle.socket.close()
