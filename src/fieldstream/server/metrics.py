"""What a server measures, for Prometheus."""

import time
from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from fieldstream.events import Event, FieldReset
from fieldstream.server.sink import PassingSink
from fieldstream.tap import Sink

_SECONDS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300)
_LAG = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


class Metrics:
    """A server's figures. Each server has its own, so that there may be several in a process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        of: dict[str, Any] = {"registry": self.registry, "namespace": "fieldstream"}
        self._started = Counter("runs_started", "Runs that began.", ["program"], **of)
        self._ended = Counter("runs_ended", "Runs that ended, by outcome.", ["program", "outcome"], **of)
        self.open = Gauge("runs_open", "Runs that go on.", **of)
        self.queued = Gauge("runs_queued", "Runs that wait for their turn.", **of)
        self._seconds = Histogram("run_seconds", "How long runs took.", ["program"], buckets=_SECONDS, **of)
        self.first_text = Histogram(
            "first_text_seconds", "From a run's start to the first text that it showed.", buckets=_SECONDS, **of
        )
        self.chunks = Counter("chunks", "Pieces of text that runs showed.", **of)
        self.resets = Counter("resets", "How often something shown was withdrawn.", ["reason"], **of)
        self.readers = Gauge("readers", "Connections that follow a run.", **of)
        self.lag = Histogram(
            "reader_lag_seconds", "From an event to its being written to a reader.", buckets=_LAG, **of
        )
        self.refused = Counter("requests_refused", "Requests that were not served.", ["code"], **of)

    def started(self, program: str) -> None:
        """A run began."""
        self._started.labels(program).inc()

    def ended(self, program: str, outcome: str, seconds: float) -> None:
        """A run ended."""
        self._ended.labels(program, outcome).inc()
        self._seconds.labels(program).observe(seconds)

    def text(self) -> bytes:
        """All of it, in Prometheus' text format (version 0.0.4)."""
        return generate_latest(self.registry)


class HeardSink(PassingSink):
    """Knows when a run last said something, also what is not shown, and passes it on."""

    def __init__(self, sink: Sink) -> None:
        super().__init__(sink)
        self.heard = time.monotonic()
        """When that was."""

    def record(self, kind: Callable[..., Event], /, **members: Any) -> None:
        self.heard = time.monotonic()
        super().record(kind, **members)

    def append(self, text: int, *pieces: str) -> None:
        self.heard = time.monotonic()
        super().append(text, *pieces)


class MeasuredSink(PassingSink):
    """Counts what a run shows, and passes it on."""

    def __init__(self, sink: Sink, metrics: Metrics) -> None:
        super().__init__(sink)
        self._began = time.monotonic()
        self._metrics = metrics
        self._written = 0
        self._counted = 0

    def record(self, kind: Callable[..., Event], /, **members: Any) -> None:
        if kind is FieldReset:
            self._metrics.resets.labels(members["reason"]).inc()
        super().record(kind, **members)

    def append(self, text: int, *pieces: str) -> None:
        if not self._written:
            self._metrics.first_text.observe(time.monotonic() - self._began)
        self._written += len(pieces)
        super().append(text, *pieces)

    def flush(self) -> None:
        if self._written != self._counted:
            self._metrics.chunks.inc(self._written - self._counted)
            self._counted = self._written
        super().flush()
