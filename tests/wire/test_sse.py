"""Server-sent events, as ``httpx-sse`` reads them, in whatever pieces they come."""

from collections.abc import AsyncIterator, Sequence

import httpx
from httpx_sse import EventSource, ServerSentEvent
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.events import Event
from fieldstream.wire.json import decode_event
from fieldstream.wire.sse import SseEncoder, data
from tests.readers.test_state import whole_runs


class _Pieces(httpx.AsyncByteStream, httpx.SyncByteStream):
    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.pieces = pieces

    def __iter__(self):
        return iter(self.pieces)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece


def read(pieces: Sequence[bytes]) -> list[ServerSentEvent]:
    """What httpx-sse makes of an answer that comes in these pieces."""
    response = httpx.Response(200, headers={"content-type": SseEncoder.media_type}, stream=_Pieces(pieces))
    return list(EventSource(response).iter_sse())


@given(whole_runs, st.data())
def test_each_event_is_read_with_its_id_and_heartbeats_are_none(events: list[Event], drawn: st.DataObject) -> None:
    encoder = SseEncoder()
    heartbeats = drawn.draw(st.lists(st.integers(0, 2), min_size=len(events), max_size=len(events)))
    parts = [encoder.heartbeat * count + encoder.feed([event]) for count, event in zip(heartbeats, events, strict=True)]
    whole = b"".join(parts) + encoder.heartbeat
    cuts = sorted(drawn.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    blocks = read(pieces)
    assert [decode_event(block.data) for block in blocks] == events
    assert [block.id for block in blocks] == [str(event.seq) for event in events]
    assert {block.event for block in blocks} == {"message"}


@given(whole_runs)
def test_many_at_once_are_the_same_bytes_as_one_by_one(events: list[Event]) -> None:
    encoder = SseEncoder()
    assert encoder.feed(events) == b"".join(encoder.feed([event]) for event in events)


def test_other_protocols_data() -> None:
    assert read([data({"a": "line\nline\r"})])[0].json() == {"a": "line\nline\r"}
