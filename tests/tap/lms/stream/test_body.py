"""The body of a response: decoded as DSPy's own decoder does, in one piece for each block."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from dspy._vendor.lm15.transports import _http11
from dspy._vendor.lm15.transports._exceptions import ProtocolError
from dspy._vendor.lm15.transports._timeouts import wait_for
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contracts.contract import theirs

from fieldstream.tap.lms.stream import body
from fieldstream.tap.lms.stream.body import ChunkedBody
from fieldstream.tap.lms.stream.sse import SseDecoder, current_decoder

_PIECES = st.lists(st.binary(min_size=1, max_size=30), max_size=6)
_LINE_ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\n"])


@st.composite
def _bodies(draw: st.DrawFn) -> bytes:
    """Bodies as providers send them; some are broken off or damaged, or go on too long."""
    end = draw(_LINE_ENDS)
    extension = draw(st.sampled_from([b"", b"", b";a=b", b" "]))
    chunks = [b"%x%s\r\n%s%s" % (len(piece), extension, piece, end) for piece in draw(_PIECES)]
    trailer = draw(st.sampled_from([b"", b"", b"Expires: never\r\n"]))
    whole = b"".join(chunks) + b"0\r\n" + trailer + b"\r\n" + draw(st.sampled_from([b"", b"HTTP/1.1 200"]))
    damage = draw(st.sampled_from(["", "", "", "cut", "wrong"]))
    if damage:
        at = draw(st.integers(0, len(whole)))
        return whole[:at] + (b"" if damage == "cut" else b"?" + whole[at:])
    return whole


def _decoded(decoder: "ChunkedBody | _http11._BodyDecoder", blocks: list[bytes]) -> tuple[bytes, bool, bytes, bool]:
    """What came, whether the body is complete, what is left, and whether something was wrong."""
    read = bytearray()
    try:
        for block in blocks:
            if decoder.complete:
                break
            for part in decoder.feed(block):
                assert part
                read += part
        if not decoder.complete:
            decoder.eof()
    except ProtocolError:
        return bytes(read), decoder.complete, b"", True
    return bytes(read), decoder.complete, decoder.leftover, False


@settings(max_examples=500)
@given(_bodies(), st.data())
def test_as_dspy_decodes_it(whole: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    blocks = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True) if start < end]
    ours = _decoded(ChunkedBody(), blocks)
    them = _decoded(theirs(_http11.ChunkedDecoder)(), blocks)
    assert ours[3] == them[3]
    if ours[3]:
        assert them[0].startswith(ours[0]), "what came before the damage may be lost in its block"
    else:
        assert ours == them


def test_a_block_stays_one() -> None:
    block = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [b"abc", b"de", b"f" * 40])
    assert list(ChunkedBody().feed(block)) == [b"abcde" + b"f" * 40]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"zz\r\n", "malformed chunk size"),
        (b"-5\r\n", "malformed chunk size"),
        (b"\r\n", "malformed chunk size"),
        (b"1\r\nabc", "missing CRLF"),
        (b"1" * 20_000, "exceeds limit"),
    ],
)
def test_what_is_no_chunk(raw: bytes, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        list(ChunkedBody().feed(raw))


def test_a_connection_that_closes_within_a_chunk() -> None:
    decoder = ChunkedBody()
    assert list(decoder.feed(b"5\r\nab")) == [b"ab"]
    with pytest.raises(ProtocolError, match="connection closed mid-chunk"):
        decoder.eof()


@pytest.fixture
def waiting() -> Iterator[Callable[..., Any]]:
    """As the transport waits, in a stream of ours."""
    token = current_decoder.set(SseDecoder())
    yield body._wrap_wait(wait_for)
    current_decoder.reset(token)


async def test_a_wait_in_the_task_that_asks(waiting: Callable[..., Any]) -> None:
    async def task() -> object:
        return asyncio.current_task()

    assert await waiting(task(), timeout=60) is asyncio.current_task()
    assert await waiting(task(), timeout=None) is asyncio.current_task()
    kept: list[object] = []
    assert await waiting(task(), timeout=60, cancel_result=kept.append) is not asyncio.current_task()


async def test_a_wait_that_is_over_its_time(waiting: Callable[..., Any]) -> None:
    never = asyncio.get_running_loop().create_future()
    with pytest.raises(asyncio.TimeoutError):
        await waiting(never, timeout=0.001)
    assert never.cancelled()


async def test_a_cancel_is_no_timeout_and_no_result(waiting: Callable[..., Any]) -> None:
    read: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    begun = asyncio.Event()

    async def reading() -> bytes:
        begun.set()
        return await waiting(read, timeout=60)

    task = asyncio.create_task(reading())
    await begun.wait()
    read.set_result(b"data")  # It comes in the moment of the cancel.
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
