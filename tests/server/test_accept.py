"""In which form a client wants to read."""

from contextlib import suppress

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.server.errors import ApiError
from fieldstream.server.routes.accept import encoder_of, form_of, wants_no_stream
from fieldstream.wire.ndjson import NdjsonEncoder
from fieldstream.wire.sse import SseEncoder


def request(*headers: tuple[str, str]) -> Request:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": raw})


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", "sse"),
        ("*/*", "sse"),
        ("text/event-stream", "sse"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "sse"),
        ("application/json, text/plain, */*", "json"),
        ("application/json", "json"),
        ("Application/JSON; charset=utf-8", "json"),
        ("application/x-ndjson", "ndjson"),
        ("application/jsonl", "ndjson"),
        ("application/json;q=0.5, application/x-ndjson;q=0.9", "ndjson"),
        ("application/json;q=0.5, */*", "sse"),
        ("text/event-stream;q=0, application/json;q=0.1", "json"),
        ("text/event-stream;q=x, application/json;q=0.1", "json"),
        ("image/png, text/*;q=0.2", "sse"),
    ],
)
def test_the_form_is_the_one_that_is_liked_best(accept: str, form: str) -> None:
    assert form_of(request(("accept", accept))) == form


def test_without_a_word_it_is_server_sent_events() -> None:
    assert form_of(request()) == "sse"


def test_two_headers_are_one() -> None:
    assert form_of(request(("accept", "image/png"), ("accept", "application/json"))) == "json"


@pytest.mark.parametrize(
    "accept", ["image/png", "text/html", "application/json;q=0", "*/*;q=0", ";", "application/json;q=nan"]
)
def test_what_there_is_not_is_an_error(accept: str) -> None:
    with pytest.raises(ApiError) as refused:
        form_of(request(("accept", accept)))
    assert refused.value.status_code == 406


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_anything_is_a_form_or_an_error(accept: str) -> None:
    with suppress(ApiError):
        assert form_of(request(("accept", accept))) in ("sse", "ndjson", "json")


@pytest.mark.parametrize(
    ("prefer", "told"),
    [
        (["respond-async"], True),
        (["Respond-Async, wait=10"], True),
        (["return=minimal", "respond-async"], True),
        (["respond-async; x=y"], True),
        (["wait=10"], False),
        (["respond-async-not"], False),
        ([], False),
    ],
)
def test_who_does_not_want_to_wait_says_so(prefer: list[str], told: bool) -> None:
    assert wants_no_stream(request(*[("prefer", each) for each in prefer])) is told


def test_each_form_has_its_encoder() -> None:
    assert isinstance(encoder_of("sse"), SseEncoder)
    assert isinstance(encoder_of("ndjson"), NdjsonEncoder)
