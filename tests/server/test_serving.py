"""A server as a process: it starts, it is told to end, and it ends well."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from fieldstream.events import RunEnded
from fieldstream.simulator import Answer, Provider, simulate
from tests.server.serving import ASKED, read_events
from tests.support.leftovers import DEADLINE
from tests.support.reading import Gated, chat, cut

SAID = chat(answer="Because of the air.")

_PROGRAM = """
import os, sys
import dspy
from fieldstream.server import Limits, Server

lm = dspy.LM(os.environ["MODEL"], api_base=os.environ["BASE"], api_key="k", cache=False, num_retries=0)
qa = dspy.Predict("question -> answer")
qa.set_lm(lm)
plain = dspy.Predict("question -> answer")
plain.set_lm(lm)

def in_a_thread(question: str):
    return plain(question=question)

server = Server({"qa": qa, "thread": in_a_thread}, limits=Limits(shutdown_seconds=float(sys.argv[1])), tokens=())
server.run(port=0, ready=lambda url: print(url, flush=True))
"""


@pytest.fixture
def provider() -> Iterator[Provider]:
    with simulate() as provider:
        yield provider


class Process:
    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self.process = process
        self.http = httpx.Client(base_url=url, timeout=DEADLINE)
        self.url = url

    def tell(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def ended(self, *, quietly: bool = True) -> str:
        """What it said on standard error. It ended well."""
        _, errors = self.process.communicate(timeout=6 * DEADLINE)
        assert self.process.returncode == 0, errors
        assert "Traceback" not in errors, errors
        if quietly:
            assert '"ERROR"' not in errors, errors
        return errors


@contextmanager
def process(provider: Provider, seconds: float = DEADLINE) -> Generator[Process]:
    environment = {**os.environ, "MODEL": provider.model, "BASE": provider.api_base}
    started = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(seconds)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert started.stdout is not None
        url = started.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:"), started.communicate(timeout=DEADLINE)
        running = Process(started, url)
        with running.http:
            yield running
    finally:
        started.kill()
        started.communicate()


def start(http: httpx.Client, program: str = "qa") -> str:
    answer = http.post(f"/programs/{program}/runs", json=ASKED, headers={"Prefer": "respond-async"})
    return answer.headers["x-fieldstream-run"]


def until_draining(http: httpx.Client) -> None:
    while http.get("/readyz").status_code != 503:
        pass


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_open_runs_finish_and_no_new_ones_begin(provider: Provider, number: signal.Signals) -> None:
    gated = Gated(*cut(SAID, 20))
    provider.script(gated.answer)
    with process(provider) as server, server.http.stream("POST", "/programs/qa/runs", json=ASKED) as answer:
        events = read_events(answer)
        next(events)
        server.tell(number)
        until_draining(server.http)
        refused = server.http.post("/programs/qa/runs", json=ASKED)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "shutting_down")
        assert refused.headers["retry-after"]
        assert server.http.get("/healthz").status_code == 200
        gated.finish()
        end = list(events)[-1]
        assert isinstance(end, RunEnded)
        assert end.outcome == "completed"
        assert '"run ended"' in server.ended()


@pytest.mark.parametrize("program", ["qa", "thread"])
def test_at_the_deadline_runs_are_ended_and_their_readers_are_told(provider: Provider, program: str) -> None:
    gated = Gated(SAID)
    provider.script(gated.answer)
    with process(provider, 0.1) as server:
        ends: list[Any] = []
        with (
            server.http.stream("POST", f"/programs/{program}/runs", json=ASKED) as answer,
            connect(f"ws{server.url.removeprefix('http')}/ws") as socket,
        ):
            events = read_events(answer)
            next(events)
            socket.send(json.dumps({"type": "follow", "run": answer.headers["x-fieldstream-run"]}))
            assert json.loads(socket.recv(DEADLINE))["type"] == "started"
            server.tell()
            ends.append(list(events)[-1])
            messages: list[Any] = []
            with suppress(ConnectionClosed):  # "service restart", 1012
                while True:
                    messages.append(json.loads(socket.recv(DEADLINE)))
        assert isinstance(ends[0], RunEnded)
        assert ends[0].outcome == "cancelled"
        assert ends[0].error is not None
        assert ends[0].error.kind == "shutdown"
        assert messages[-2]["event"]["error"]["kind"] == "shutdown"
        assert messages[-1]["type"] == "end"
        server.ended()
        gated.finish()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(provider: Provider, number: signal.Signals) -> None:
    gated = Gated(SAID)
    provider.script(gated.answer)
    with process(provider, 3600) as server, server.http.stream("POST", "/programs/qa/runs", json=ASKED) as answer:
        events = read_events(answer)
        next(events)
        server.tell()
        until_draining(server.http)
        server.tell(number)
        end = list(events)[-1]
        assert isinstance(end, RunEnded)
        assert end.outcome == "cancelled"
        server.ended()
        gated.finish()


def test_a_third_signal_ends_whatever_is_left(provider: Provider) -> None:
    with process(provider, 3600) as server:
        id = start(server.http)
        with server.http.stream("GET", f"/runs/{id}/events"):
            for _ in range(3):
                server.tell()
                signalled(server)
            server.ended()


def signalled(server: Process) -> None:
    """The server has heard of the signal, or is gone."""
    with suppress(httpx.HTTPError):
        server.http.get("/healthz")


def test_a_reader_who_reads_nothing_does_not_keep_it(provider: Provider) -> None:
    provider.script(Answer(chunks=cut(chat(answer="word " * 2_000_000), 200_000)))
    with process(provider, 3600) as server, socket.socket() as idle:
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        idle.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
        body = json.dumps(ASKED).encode()
        head = ["POST /programs/qa/runs HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
        idle.sendall("\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body)
        found = re.search(r"x-fieldstream-run: (\S+)", idle.recv(2048).decode())
        assert found
        state = server.http.get(f"/runs/{found[1]}/events", headers={"Accept": "application/json"}).json()
        assert state["outcome"] == "completed"
        server.tell()
        errors = server.ended(quietly=False)
        assert "Exception in ASGI" not in errors


def test_a_name_that_was_made_to_lead_here_is_refused(provider: Provider) -> None:
    with process(provider) as server:
        port = server.url.rpartition(":")[2]
        for host, status in [("evil.example", 400), ("localhost", 200), ("127.0.0.1", 200)]:
            assert server.http.get("/programs", headers={"Host": f"{host}:{port}"}).status_code == status
        server.tell()
        server.ended()


def test_a_port_that_is_taken_is_an_error(provider: Provider) -> None:
    from fieldstream.server import Server

    port = int(provider.url.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"):
        Server({"f": lambda question: question}, tokens=()).run(port=port)
