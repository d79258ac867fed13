"""A load: the generator's streams, what readers see of them, and how many of them there may be."""

import json
import time
from collections.abc import Iterator

import httpx
import pytest

from benchmarks import load, load_readers
from benchmarks.load import TRIES
from benchmarks.load_provider import DIGITS, Generator, Pace, Paced, generator, name_of
from benchmarks.load_readers import WAYS, Reader, Sample, Watched, reader
from benchmarks.provider import NotKeptUpError

SECONDS = 0.5


def _pace(name: str) -> Pace:
    return Pace(name=name, rate=20, begin=time.monotonic_ns() + 200_000_000, seconds=SECONDS, settle=0.1)


def _url(one: Generator) -> str:
    return f"{one.lm_kwargs['api_base']}/chat/completions"


def _deltas(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if line:
            yield json.loads(line.removeprefix("data: "))["choices"][0]["delta"]["content"]


def test_a_stream_says_when_each_of_its_chunks_was_written() -> None:
    body = {"model": "floor-3", "messages": [], "stream": True}
    with (
        generator(None) as one,
        httpx.stream("POST", f"{one.lm_kwargs['api_base']}/chat/completions", json=body) as got,
    ):
        deltas = _deltas(got.iter_lines())
        assert [next(deltas), next(deltas)] == ["", "[[ ## answer ## ]]\n"]
        assert one.waiting("floor") == 1
        pace = _pace("floor")
        assert one.pace(pace).chunks == 10
        stamps = [next(deltas) for _ in range(14)]
        assert [len(stamp) for stamp in stamps] == [DIGITS + 1] * 14
        written = [int(stamp) for stamp in stamps]
        assert written == sorted(written)
        assert written[0] < pace.begin <= written[2]
        assert written[-1] < time.monotonic_ns()


def test_a_stream_that_was_left_is_counted_no_more() -> None:
    body = {"model": "floor-3", "messages": [], "stream": True}
    with generator(None) as one:
        with httpx.stream("POST", _url(one), json=body) as got:
            deltas = _deltas(got.iter_lines())
            assert next(deltas) == ""
            assert one.waiting("floor") == 1
        while one.waiting("floor"):
            pass


def test_streams_are_called_as_their_models_are_without_the_number() -> None:
    assert name_of("dspy.streamify-async-12") == "dspy.streamify-async"


@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize("contender", ["floor", "fieldstream"])
def test_a_reader_sees_every_chunk_that_counts(way: str, contender: str) -> None:
    name = f"{contender}-{way}"
    with generator(None) as one, reader(name, way, contender, one.lm_kwargs) as watching:
        load._open(one, watching, 3)
        load._open(one, watching, 1)
        assert one.waiting(name) == 4
        pace = _pace(name)
        watching.watch(pace.begin, SECONDS)
        assert one.pace(pace).chunks == 40
        assert 0 < watching.sample(40).delay < load_readers._PATIENCE  # else some were not seen


def test_what_is_seen_are_the_chunks_of_the_generator() -> None:
    watched = Watched()
    watched.take("0000000000000000001 0000000000000000002 ")
    watched.take("[[ ##")
    assert [written for written, _ in watched.seen] == [1, 2]


def test_what_counts_is_what_was_written_in_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_readers, "_PATIENCE", 0.0)
    end = time.monotonic_ns() - 1_000_000_000
    measured = load_readers._Measured(begin=end - 100, end=end, cpu=0.5, seen=50)
    watched = Watched([(end - 101, 5_000_000), *((each, 1_000_000) for each in range(end - 50, end)), (end, 5_000_000)])
    assert load_readers._sample(watched, measured, 50).delay == 0.001
    assert load_readers._sample(watched, measured, 50).cpu == 0.01
    assert load_readers._sample(watched, measured, 51).delay > 0.9  # what was not seen is late


class _Load(Generator):
    """Does nothing, and was so late."""

    def __init__(self, *late: float) -> None:
        self.late = list(late)

    def pace(self, pace: Pace) -> Paced:
        return Paced(chunks=1, late=self.late.pop(0), cpu=0.1)


class _Reader(Reader):
    def __init__(self) -> None:
        self.name = "floor"
        self.streams = 0

    def open(self, streams: int) -> None:
        self.streams += streams

    def collect(self) -> None: ...

    def watch(self, begin: int, seconds: float) -> None: ...

    def sample(self, chunks: int) -> Sample:
        return Sample(cpu=1e-5, delay=1.0 if self.streams >= 300 else 0.01, busy=0.5)


def test_a_turn_in_which_the_generator_was_late_is_taken_again() -> None:
    assert load._sample(_Load(0.5, 0.002, 0.5), _Reader(), 1.0)[1].late == 0.002
    with pytest.raises(NotKeptUpError, match="500 ms late"):
        load._sample(_Load(*[0.5] * TRIES), _Reader(), 1.0)


@pytest.mark.parametrize(("limit", "most"), [(1000, 300), (200, 200)])
def test_streams_are_added_until_they_are_seen_too_late(limit: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = _Reader()
    monkeypatch.setattr(load, "_open", lambda _, reading, streams: reading.open(streams))
    monkeypatch.setattr(_Load, "waiting", lambda *_: reading.streams)
    assert load._most(_Load(*[0.0] * 10), reading, limit, quick=False) == most


def test_one_long_delay_among_three_is_none() -> None:
    delays = [0.6, 0.1, 0.2]

    class Once(_Reader):
        def sample(self, chunks: int) -> Sample:
            return Sample(cpu=1e-5, delay=delays.pop(0), busy=0.5)

    assert load._delay(_Load(*[0.0] * 3), Once(), 1.0) == 0.2
