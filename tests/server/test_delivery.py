"""Delivery: what waits for a reader goes out as one write, the first at once; and readers leave in any way."""

# pyright: reportArgumentType=false

import asyncio
import json
import re
import socket
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

import dspy
import pytest

from fieldstream import Guard, Redact, Smooth, Streamer
from fieldstream._merged import merged
from fieldstream.events import Event, Failure, FieldDelta, FieldStarted, RunEnded, RunSnapshot
from fieldstream.server import Limits
from fieldstream.server.delivery import Following
from fieldstream.server.host import Host
from fieldstream.simulator import Answer, Provider, simulate
from fieldstream.wire.sse import SseEncoder
from tests.server.serving import ASKED, Served, events_of, on, read_events, served, text_of
from tests.support.leftovers import DEADLINE
from tests.support.reading import Gated, chat, cut

WORDS = "Because of the air, which scatters blue light more. " * 40
SAID = chat(answer=WORDS)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with simulate() as provider:
        yield provider


@pytest.fixture(autouse=True)
def _says_nothing_old(provider: Provider) -> None:
    provider._script.clear()  # What a run was not asked for any more.


@pytest.fixture(scope="module")
def server(provider: Provider) -> Iterator[Served]:
    with served({"qa": on(provider, dspy.Predict("question -> answer"))}) as server:
        yield server


class Reader:
    """The other side of ASGI: counts what is written, reads when it is let, and may leave."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.writes: list[bytes] = []
        self.may_read = asyncio.Event()
        self.may_read.set()
        self.left = asyncio.Event()
        self.wrote = asyncio.Event()
        self.problem: Exception | None = None

    async def receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        await self.may_read.wait()
        if self.problem is not None:
            raise self.problem
        if message.get("body"):
            self.writes.append(message["body"])
            self.wrote.set()

    def read(self, run: str, **options: Any) -> "asyncio.Task[None]":
        following = Following(self.host.runs.get(run), SseEncoder(), **options)
        return asyncio.get_running_loop().create_task(following({"type": "http"}, self.receive, self.send))


def test_what_waits_for_a_slow_reader_is_one_write(server: Served, provider: Provider) -> None:
    gated = Gated(*cut(SAID, 4))
    provider.script(gated.answer)
    id = server.start()

    async def read() -> Reader:
        reader = Reader(server.host)
        following = reader.read(id)
        await asyncio.wait_for(reader.wrote.wait(), DEADLINE)
        reader.may_read.clear()  # Its first is there; now it is busy elsewhere,
        gated.finish()
        await server.host.runs.get(id).wait()  # and the run ends meanwhile.
        reader.may_read.set()
        await asyncio.wait_for(following, DEADLINE)
        return reader

    reader = server.waiting(read())
    deltas = sum(b'"field.delta"' in write for write in reader.writes)
    assert len(server.run(id).log) > 400
    assert len(reader.writes) <= 3
    assert deltas <= 2
    assert b'"seq":0,' in reader.writes[0]
    assert reader.writes[-1].endswith(b"\n\n")


def test_writes_have_a_least_time_between_them(provider: Provider) -> None:
    provider.script(Answer(chunks=cut(SAID, 4)))
    limits = Limits(write_interval=3600)
    with served({"qa": on(provider, dspy.Predict("question -> answer"))}, limits=limits) as server:
        id = server.start()

        async def read() -> Reader:
            reader = Reader(server.host)
            following = reader.read(id)
            await asyncio.wait_for(reader.wrote.wait(), DEADLINE)  # The first comes at once all the same.
            await server.host.runs.get(id).wait()
            reader.left.set()
            await asyncio.wait_for(following, DEADLINE)
            return reader

        assert len(server.waiting(read()).writes) == 1


def test_a_reader_who_leaves_is_noticed_while_the_run_is_silent(server: Served, provider: Provider) -> None:
    gated = Gated(SAID)
    provider.script(gated.answer)
    with server.http.stream("POST", "/programs/qa/runs", json=ASKED) as answer:
        id = answer.headers["x-fieldstream-run"]
        events = read_events(answer)
        assert next(events).seq == 0
        server.until(lambda: server.figure("readers") == 1)
    server.until(lambda: server.figure("readers") == 0)
    assert server.run(id).outcome is None
    gated.finish()
    server.ended(id)


@pytest.mark.parametrize("how", ["before the first write", "by an error"])
@pytest.mark.parametrize("cancels", [True, False])
def test_who_leaves_in_any_way_has_left(server: Served, provider: Provider, how: str, cancels: bool) -> None:
    gated = Gated(SAID)
    provider.script(gated.answer)
    asked = len(provider.requests)
    id = server.start()
    provider.wait_for(lambda: len(provider.requests) > asked)

    async def read() -> None:
        reader = Reader(server.host)
        if how == "by an error":
            reader.problem = OSError("gone")
        else:
            reader.may_read.clear()
            reader.left.set()
        await asyncio.wait_for(reader.read(id, cancel_on_leave=cancels), DEADLINE)

    server.waiting(read())
    assert server.run(id).outcome == ("cancelled" if cancels else None)
    assert server.figure("readers") == 0
    gated.finish()
    server.ended(id)


def test_who_never_reads_holds_up_nobody_and_is_kept_nothing_for(server: Served, provider: Provider) -> None:
    # Far more than what the kernel's buffers take.
    provider.script(Answer(chunks=cut(chat(answer="word " * 2_000_000), 200_000)))
    where = urlsplit(server.url)
    with socket.socket() as idle:
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        idle.connect((where.hostname, where.port))
        body = b'{"question": "x"}'
        idle.sendall(
            b"POST /programs/qa/runs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        head = idle.recv(2048).decode()
        found = re.search(r"x-fieldstream-run: (\S+)", head)
        assert found
        assert server.ended(found[1])["outcome"] == "completed"
        events = events_of(server.http.get(f"/runs/{found[1]}/events"))
        assert len(text_of(events)) == 10_000_000 - 1
    server.until(lambda: server.figure("readers") == 0)


TRANSFORMS: dict[str, Any] = {
    "smooth": [Smooth(every=0.001)],
    "redact": [Redact(re.compile("blue"))],
    "both": [Redact(re.compile("blue")), Smooth(every=0.0)],
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_readers_read_through_transforms_from_every_cursor(provider: Provider, name: str) -> None:
    said = chat(answer="The sky is blue. " * 5)
    provider.script(Answer(chunks=cut(said, 5)))
    program = Streamer(on(provider, dspy.Predict("question -> answer")), transforms=TRANSFORMS[name])
    with served({"qa": program}) as server:
        answer = server.http.post("/programs/qa/runs", json=ASKED)
        id = answer.headers["x-fieldstream-run"]
        whole = events_of(answer)
        shown = text_of(whole)
        assert shown == whole[-1].result["answer"]  # type: ignore[union-attr]
        assert ("blue" in answer.text) is (name == "smooth")
        last = whole[-1].seq
        for cursor in range(-1, last):
            answer = server.http.get(f"/runs/{id}/events", params={"after": cursor})
            assert answer.status_code == 200
            tail = events_of(answer)
            assert not any(isinstance(event, RunSnapshot) for event in tail)
            assert tail[-1] == whole[-1]
            assert shown.endswith(text_of(tail))
        assert server.http.get(f"/runs/{id}/events", params={"after": last}).status_code == 204
        state = server.http.get(f"/runs/{id}").json()
        assert state["fields"][0]["value"] == shown
        assert state["outcome"] == "completed"


def test_a_reader_who_is_behind_nobody_is_paced_and_a_state_is_not(provider: Provider) -> None:
    gated = Gated("[[ ## answer ## ]]\n", "one two three four ", "five")
    provider.script(gated.answer)
    program = Streamer(
        on(provider, dspy.Predict("question -> answer")), transforms=[Smooth(every=600, most_behind=3600)]
    )
    with served({"qa": program}) as server:
        id = server.start()
        gated.let(2)
        server.until(lambda: server.http and len(server.run(id).log) > 4)
        state = server.http.get(f"/runs/{id}").json()
        assert state["fields"][0]["value"].startswith("one two three")
        # A cursor among what the state has is the run's, though no reader has got so far.
        with server.http.stream("GET", f"/runs/{id}/events", params={"after": state["seq"]}) as answer:
            server.http.delete(f"/runs/{id}")
            event = next(read_events(answer))
            assert not isinstance(event, RunSnapshot)
            assert event.seq == state["seq"] + 1
        gated.finish()


def test_a_guard_ends_the_run_for_its_readers(provider: Provider) -> None:
    def check(draft: Any) -> str | None:
        return "no air" if "air" in draft.text else None

    provider.script(Answer(chunks=cut(SAID, 4)))
    program = Streamer(on(provider, dspy.Predict("question -> answer")), transforms=[Guard(check)])
    with served({"qa": program}) as server:
        events = events_of(server.http.post("/programs/qa/runs", json=ASKED))
        end = events[-1]
        assert isinstance(end, RunEnded)
        assert (end.outcome, end.error) == ("cancelled", Failure(kind="guard", message="no air"))
        assert "scatters" not in text_of(merged(events))


class Broken:
    """A transform that cannot do without an answer."""

    def start(self) -> "Broken":
        return self

    def feed(self, event: Event) -> Iterable[Event]:
        if isinstance(event, FieldDelta):
            raise LookupError("of no concern to clients")
        yield event


def test_a_transform_that_raises_ends_its_readers_run(provider: Provider, caplog: pytest.LogCaptureFixture) -> None:
    program = Streamer(on(provider, dspy.Predict("question -> answer")), transforms=[Broken()])
    with served({"qa": program}) as server:
        answer = server.http.post("/programs/qa/runs", json=ASKED)
        events = events_of(answer)
        end = events[-1]
        assert isinstance(end, RunEnded)
        assert (end.outcome, end.seq) == ("failed", len(events) - 1)
        assert isinstance(events[-2], FieldStarted), "what came before is told"
        assert end.error is not None
        assert end.error.kind == "error"
        assert "no concern" not in answer.text
        assert "no concern" in caplog.text
        id = answer.headers["x-fieldstream-run"]
        assert server.http.get(f"/runs/{id}").json()["outcome"] == "failed"
        assert server.http.get(f"/runs/{id}/events", params={"after": end.seq}).status_code == 204


def test_who_takes_nothing_for_too_long_is_left(provider: Provider) -> None:
    provider.script(Answer(chunks=cut(chat(answer="word " * 2_000_000), 200_000)))
    qa = on(provider, dspy.Predict("question -> answer"))
    with served({"qa": qa}, limits=Limits(stall_seconds=0.2, heartbeat_seconds=0.05)) as server:
        where = urlsplit(server.url)
        with socket.socket() as idle:
            idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            idle.connect((where.hostname, where.port))
            body = json.dumps(ASKED).encode()
            head = [
                "POST /programs/qa/runs?cancel_on_disconnect=1 HTTP/1.1",
                "Host: x",
                "Content-Type: application/json",
            ]
            idle.sendall("\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body)
            assert idle.recv(12) == b"HTTP/1.1 200"
            server.until(lambda: server.figure("readers") == 0)
        # One that reads, but for which there is nothing, is not.
        gated = Gated("[[ ## answer ## ]]\nyes")
        provider.script(gated.answer)
        with server.http.stream("POST", "/programs/qa/runs", json=ASKED) as answer:
            lines = answer.iter_lines()
            for _ in range(8):  # That is twice as long.
                while next(lines) != ":":
                    pass
            gated.finish()
            assert "run.ended" in list(lines)[-2]
