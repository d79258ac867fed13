"""Server-sent events: read as DSPy's own reader reads them."""

from collections.abc import AsyncIterator
from importlib.util import find_spec

from hypothesis import given
from hypothesis import strategies as st

from fieldstream.tap.sse import SseDecoder, adecode, decode

_LINES = st.lists(
    st.one_of(
        st.sampled_from([b"\n", b"\r\n", b": a comment\n", b"data: [DONE]\n", b"data:\n", b"id: 3\n", b"event: end\n"]),
        st.binary(max_size=12).map(lambda raw: b"data: " + raw.replace(b"\n", b"") + b"\n"),
        st.binary(max_size=12).map(lambda raw: raw.replace(b"\n", b"") + b"\n"),
    ),
    max_size=12,
)


if find_spec("dspy.clients.execution") is not None:  # DSPy 3.4 brought a reader of its own.
    from dspy._vendor.lm15.sse import parse_sse

    @given(_LINES)
    def test_as_dspy_reads_them(lines: list[bytes]) -> None:
        ours = [(event.event, event.data) for event in decode(SseDecoder(), iter(lines))]
        assert ours == [(event.event, event.data) for event in parse_sse(iter(lines))]


async def test_awaited_alike() -> None:
    lines = [b"event: a\n", b"data: 1\n", b"data: 2\n", b"\n", b"data: [DONE]\n"]

    async def source() -> AsyncIterator[bytes]:
        for line in lines:
            yield line

    decoder = SseDecoder()
    events = [(event.event, event.data) async for event in adecode(decoder, source())]
    assert events == [("a", "1\n2"), (None, "[DONE]")]
    assert decoder.done


def test_a_line_of_any_length() -> None:
    decoder = SseDecoder()
    (event,) = decode(decoder, iter([b"data: " + b"x" * 2_000_000 + b"\n", b"\n"]))
    assert len(event.data) == 2_000_000
    assert not decoder.done
