"""Server-sent events: read as DSPy's own reader reads them, however the body is cut into blocks."""

from collections.abc import AsyncIterator
from importlib.util import find_spec

from hypothesis import given
from hypothesis import strategies as st

from fieldstream.tap.lms.stream.sse import SseDecoder, adecode, decode

_BODIES = st.lists(
    st.one_of(
        st.sampled_from([b"\n", b"\r\n", b": a comment\n", b"data: [DONE]\n", b"data:\n", b"id: 3\n", b"event: end\n"]),
        st.binary(max_size=12).map(lambda raw: b"data: " + raw.replace(b"\n", b"") + b"\n"),
        st.binary(max_size=12).map(lambda raw: raw.replace(b"\n", b"") + b"\n"),
        st.binary(max_size=12),
    ),
    max_size=12,
).map(b"".join)


@st.composite
def _blocks(draw: st.DrawFn) -> list[bytes]:
    body = draw(_BODIES)
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=6)))
    return [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]


if find_spec("dspy.clients.execution") is not None:  # DSPy 3.4 brought a reader of its own.
    from dspy._vendor.lm15.sse import parse_sse

    @given(_blocks())
    def test_as_dspy_reads_them(blocks: list[bytes]) -> None:
        body = b"".join(blocks)
        lines = [line + b"\n" for line in body.split(b"\n")[:-1]] + [body.split(b"\n")[-1]]
        ours = [(event.event, event.data) for event in decode(SseDecoder(), iter(blocks))]
        assert ours == [(event.event, event.data) for event in parse_sse(line for line in lines if line)]


@given(_blocks(), st.sets(st.integers(0, 6)))
def test_what_is_taken_is_not_given(blocks: list[bytes], wanted: set[int]) -> None:
    every = [(event.event, event.data) for event in decode(SseDecoder(), iter(blocks))]
    offered: list[bytes] = []
    told: list[str] = []
    taken: list[str] = []

    def take(data: bytes) -> bool:
        offered.append(data)
        if len(offered) in wanted:
            taken.append(data.decode("utf-8", "replace").rstrip("\r").lstrip())
            return True
        return False

    given_events: list[tuple[str | None, str]] = []
    decoder = SseDecoder()
    decoder.take = take
    decoder.taken = lambda: (told.extend(taken), taken.clear())[1]
    for event in decode(decoder, iter(blocks)):
        told.append(event.data)
        given_events.append((event.event, event.data))
    assert not taken, "what was taken is told of when its block is over"
    assert told == [data for _, data in every], "taken or given, each event comes in its turn"
    assert all(event in every for event in given_events)


async def test_awaited_alike() -> None:
    blocks = [b"event: a\nda", b"ta: 1\ndata: 2", b"\n\ndata: [DONE]\n", b"\n"]

    async def source() -> AsyncIterator[bytes]:
        for block in blocks:
            yield block

    decoder = SseDecoder()
    events = [(event.event, event.data) async for event in adecode(decoder, source())]
    assert events == [("a", "1\n2"), (None, "[DONE]")]
    assert decoder.done


def test_a_line_of_any_length() -> None:
    decoder = SseDecoder()
    (event,) = decode(decoder, iter([b"data: ", *[b"x" * 20_000] * 100, b"\n", b"\n"]))
    assert len(event.data) == 2_000_000
    assert not decoder.done
