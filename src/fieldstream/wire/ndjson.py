"""Newline-delimited JSON: an event a line."""

from collections.abc import Mapping, Sequence

from fieldstream.events import Event
from fieldstream.wire.json import encode


class NdjsonEncoder:
    """A run's own events, one a line."""

    media_type = "application/x-ndjson"
    headers: Mapping[str, str] = {}
    heartbeat = b" "
    """White space before the next line's JSON: a blank line would be none to many readers."""

    def feed(self, events: Sequence[Event]) -> bytes:
        """The events' lines."""
        return b"".join([b"%b\n" % encode(event) for event in events])
