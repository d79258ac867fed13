"""Which programs there are, and starting a run of one."""

from collections.abc import Iterator

import dspy
import pytest

from fieldstream.simulator import Provider, simulate
from tests.server.serving import ASKED, Served, events_of, on, served, text_of


@pytest.fixture
def provider() -> Iterator[Provider]:
    with simulate() as provider:
        yield provider


@pytest.fixture
def server(provider: Provider) -> Iterator[Served]:
    with served({"qa": on(provider, dspy.Predict("question -> answer"))}) as server:
        yield server


def test_a_run_streams_from_its_start_to_its_end(server: Served) -> None:
    answer = server.http.post("/programs/qa/runs", json=ASKED)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = events_of(answer)
    assert text_of(events) == events[-1].result["answer"]
