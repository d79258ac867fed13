"""Serving: every contender delivers the whole text to every reader, and what is counted is what it was sent."""

import json
from collections.abc import Iterator, Sequence

import pytest

from benchmarks.provider import Provider, field_text, provider
from benchmarks.serving import CASES, FAST, FOLLOWED, RUNS, Case, Turn, quick, turn
from benchmarks.serving_readers import delivered, readers
from benchmarks.serving_servers import server


@pytest.fixture(scope="module")
def providing() -> Iterator[Provider]:
    with provider() as one:
        yield one


def served(providing: Provider, contender: str, case: Case) -> Turn:
    case = quick(case)
    with readers(providing.core) as reading, server(contender, providing.lm_kwargs, case.programs) as one:
        return turn(one, reading, case)


@pytest.mark.parametrize(
    ("contender", "case"),
    [("fieldstream", RUNS), ("dspy.streamify", RUNS), ("fieldstream", FOLLOWED), ("raw ASGI", FOLLOWED)],
)
def test_every_reader_has_the_whole_text(providing: Provider, contender: str, case: Case) -> None:
    done = served(providing, contender, case)  # which looks at each of them
    small = quick(case)
    assert done.text == len(field_text(small.chunks)) * small.runs * small.readers
    assert small.chunks * 9 // 10 <= done.deltas / (small.runs * small.readers) <= small.chunks * 11 // 10
    assert done.cpu > 0


def test_the_raw_writer_writes_each_event_by_itself(providing: Provider) -> None:
    done = served(providing, "raw ASGI", FOLLOWED)
    assert done.writes > done.deltas


def test_goals_are_those_of_fast_streams() -> None:
    assert [(case.other, case.goal) for case in CASES if case.rate == FAST] == [("dspy.streamify", 8), ("raw ASGI", 2)]
    assert [case.goal for case in CASES if case.rate != FAST] == [None, None]
    assert all(case.runs * case.readers == 500 for case in CASES)


def response(blocks: Sequence[str], *, status: str = "200 OK") -> bytes:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(block.encode()), block.encode()) for block in blocks)
    return f"HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + chunks + b"0\r\n\r\n"


def block(seq: int, type: str, **members: object) -> str:
    return f"id: {seq}\ndata: {json.dumps({'type': type, 'seq': seq, **members})}\n\n"


def test_a_merged_delta_counts_as_those_that_it_holds() -> None:
    first, second = block(0, "run.started"), block(1, "field.delta", text="é")
    merged = block(5, "field.delta", text="bcde") + ":\n" + block(6, "run.ended")
    seen = delivered(response([first[:7], first[7:] + second, merged]))
    assert (seen.text, seen.deltas, seen.writes) == ("ébcde", 5, 3)


def test_what_dspy_streams_is_counted_by_its_chunks() -> None:
    blocks = ['data: {"chunk":"a"}\n\n', 'data: {"chunk":"bc"}\n\n', 'data: {"prediction":{}}\n\n', "data: [DONE]\n\n"]
    seen = delivered(response(blocks))
    assert (seen.text, seen.deltas, seen.writes) == ("abc", 2, 4)


@pytest.mark.parametrize(
    "answer", [response([], status="500 Internal Server Error"), b"HTTP/1.1 200 OK\r\n\r\nall", b""]
)
def test_an_answer_that_is_no_stream_is_an_error(answer: bytes) -> None:
    with pytest.raises(ValueError, match="no stream"):
        delivered(answer)


def test_one_that_breaks_off_is_an_error() -> None:
    with pytest.raises(ValueError, match="subsection not found"):
        delivered(response(["data: {}\n\n"]).removesuffix(b"0\r\n\r\n"))
