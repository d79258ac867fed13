"""A server's figures, after what is known to have happened."""

from collections.abc import Iterator
from typing import Any

import dspy
import pytest
from prometheus_client.parser import text_string_to_metric_families

from fieldstream.events import FieldDelta, FieldReset, FieldStarted, LmDelta
from fieldstream.log import MemoryLog
from fieldstream.server import Expose
from fieldstream.server.exposure import ExposedSink, Mask, Visible
from fieldstream.server.metrics import HeardSink, MeasuredSink, Metrics
from fieldstream.simulator import Answer, Provider, simulate
from fieldstream.wire.view import FieldPath
from tests.server.serving import ASKED, Served, on, read_events, served
from tests.support.reading import Gated, chat, cut

SAID = chat(answer="Because of the air.")


@pytest.fixture
def provider() -> Iterator[Provider]:
    with simulate() as provider:
        yield provider


@pytest.fixture
def server(provider: Provider) -> Iterator[Served]:
    def fails(question: str) -> None:
        raise ValueError(question)

    with served({"qa": on(provider, dspy.Predict("question -> answer")), "fails": fails}) as server:
        yield server


def test_runs_are_counted_by_what_came_of_them(server: Served, provider: Provider) -> None:
    provider.script(SAID, SAID)
    for _ in range(2):
        server.ended(server.start())
    server.ended(server.start("fails"))
    gated = Gated(SAID)
    provider.script(gated.answer)
    id = server.start()
    server.http.delete(f"/runs/{id}")
    gated.finish()
    server.until(lambda: not server.host.runs._open)
    assert server.figure("runs_started_total", program="qa") == 3
    assert server.figure("runs_started_total", program="fails") == 1
    assert server.figure("runs_ended_total", program="qa", outcome="completed") == 2
    assert server.figure("runs_ended_total", program="qa", outcome="cancelled") == 1
    assert server.figure("runs_ended_total", program="fails", outcome="failed") == 1
    assert server.figure("run_seconds_count", program="qa") == 3


def test_chunks_are_those_that_were_shown(server: Served, provider: Provider) -> None:
    provider.script(Answer(chunks=cut(SAID, 2)))
    id = server.start()
    server.ended(id)
    deltas = [event for event in server.run(id).log.read(limit=1 << 20) if isinstance(event, FieldDelta)]
    assert server.figure("chunks_total") == len(deltas) > 5
    assert server.figure("first_text_seconds_count") == 1


def test_open_runs_and_readers_come_and_go(server: Served, provider: Provider) -> None:
    gated = Gated(*cut(SAID, 20))
    provider.script(gated.answer)
    with (
        server.http.stream("POST", "/programs/qa/runs", json=ASKED) as answer,
        server.http.stream("GET", f"/runs/{answer.headers['x-fieldstream-run']}/events") as other,
    ):
        both = [read_events(answer), read_events(other)]
        assert [next(events).seq for events in both] == [0, 0]
        server.http.get("/metrics")
        assert server.figure("runs_open") == 1
        assert server.figure("readers") == 2
        gated.finish()
    server.until(lambda: server.figure("readers") == 0 and not server.host.runs._open)
    server.http.get("/metrics")
    assert (server.figure("runs_open"), server.figure("runs_queued")) == (0, 0)


def test_who_comes_late_does_not_make_it_late(server: Served, provider: Provider) -> None:
    provider.script(SAID)
    id = server.start()
    server.ended(id)
    assert server.figure("reader_lag_seconds_count") == 0
    for _ in range(3):
        server.http.get(f"/runs/{id}/events")
    assert server.figure("reader_lag_seconds_count") == 0
    provider.script(SAID)
    server.http.post("/programs/qa/runs", json=ASKED)
    assert server.figure("reader_lag_seconds_count") > 0
    assert server.figure("reader_lag_seconds_sum") < 10


def test_prometheus_reads_them(server: Served, provider: Provider) -> None:
    server.ended(server.start())
    answer = server.http.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert {f"fieldstream_{name}" for name in ("runs_started", "runs_ended", "readers", "chunks", "resets")} <= set(
        families
    )
    assert families["fieldstream_first_text_seconds"].type == "histogram"


@pytest.mark.parametrize("shown", [True, False])
def test_resets_and_chunks_of_what_is_hidden_are_not_counted_but_heard(shown: bool) -> None:
    metrics, log = Metrics(), MemoryLog()
    fields = frozenset({FieldPath(None, "answer")} if shown else ())
    visible = Visible(expose=Expose(), fields=fields)
    exposed = ExposedSink(MeasuredSink(log, metrics), "p", visible, Mask(debug=False))
    sink = HeardSink(exposed)
    place: Any = {"call": "c", "field": "answer", "candidate": 0}
    sink.record(FieldStarted, **place, kind="text")
    text = sink.open_text(FieldDelta, **place)
    before = sink.heard
    sink.append(text, "a", "b")
    sink.record(FieldReset, **place, reason="retry")
    thought = sink.open_text(LmDelta, call="c", channel="reasoning")
    sink.append(thought, "hm")
    sink.flush()
    assert sink.heard > before
    value = metrics.registry.get_sample_value
    assert value("fieldstream_chunks_total") == (2 if shown else 0)
    assert (value("fieldstream_resets_total", {"reason": "retry"}) or 0) == (1 if shown else 0)
    assert value("fieldstream_first_text_seconds_count") == (1 if shown else 0)
    assert len(log) == (4 if shown else 0)
