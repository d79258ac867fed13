"""HTTP connections: kept alive, pipelined, refused."""

import socket

import httpx

from fieldstream.simulator import Provider, simulate
from tests.simulator.client import body, post


def _talk(provider: Provider, request: bytes) -> bytes:
    """Send bytes, and read until the server closes."""
    host, _, port = provider.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as sock:
        sock.sendall(request)
        return b"".join(iter(lambda: sock.recv(65536), b""))


def test_a_connection_is_kept_for_the_next_request() -> None:
    with simulate() as provider, httpx.Client() as client:
        for stream in (True, False, True):
            client.post(provider.api_base + "/chat/completions", json=body(stream=stream))
        assert provider.connections == 1
        assert len(provider.requests) == 3
    assert provider.connections == 0


def test_pipelined_requests_are_answered_in_their_order() -> None:
    get = b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n"
    with simulate() as provider:
        answers = _talk(provider, get + get + b"GET /nothing HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    statuses = [part.split(b" ", 1)[0] for part in answers.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200", b"200", b"404"]


def test_what_is_no_http_is_refused() -> None:
    with simulate() as provider:
        assert _talk(provider, b"hello\r\n\r\n").startswith(b"HTTP/1.1 400")
        assert _talk(provider, b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400")  # without a host
        assert post(provider).status_code == 200


def test_a_client_that_waits_to_be_asked_for_the_body() -> None:
    content = b'{"messages": [{"role": "user", "content": "Hi"}]}'
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\nexpect: 100-continue\r\n"
    with simulate(answers=["hi"]) as provider:
        answer = _talk(provider, head + b"content-length: %d\r\n\r\n" % len(content) + content)
    assert answer.startswith((b"HTTP/1.1 100", b"HTTP/1.1 200"))
    assert b'"hi"' in answer
