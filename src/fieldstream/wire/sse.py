"""Server-sent events (WHATWG HTML, section 9.2): an event of ours is the data of one, and its ``seq`` is the id.

They have no name of their own (``event:``), so that a browser's ``onmessage`` gets them all; the type is in the data.
"""

from collections.abc import Mapping, Sequence

from fieldstream.events import Event
from fieldstream.wire.json import encode

HEARTBEAT = b":\n"
"""A comment inside of no block of its own: some clients make an event of a block that holds nothing else."""


class SseEncoder:
    """A run's own events as server-sent events."""

    media_type = "text/event-stream"
    headers: Mapping[str, str] = {}
    heartbeat = HEARTBEAT

    def feed(self, events: Sequence[Event]) -> bytes:
        """The events' blocks."""
        return b"".join([b"id: %d\ndata: %b\n\n" % (event.seq, encode(event)) for event in events])


def data(value: object) -> bytes:
    """A block that holds a value as JSON, as other protocols over server-sent events write it."""
    return b"data: %b\n\n" % encode(value)
