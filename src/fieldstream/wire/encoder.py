"""What the hosts need of a protocol: a reader's events in, its bytes out."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from fieldstream.events import Event


class Encoder(Protocol):
    """A protocol at work, for one reader of one run.

    It is fed the run's events in their order, as they come, where deltas of one text may be merged. ``run.ended`` is
    the last, and what it gives for that ends the protocol's stream.
    """

    @property
    def media_type(self) -> str:
        """The ``Content-Type`` of what it writes."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """What else the protocol wants in the answer's head."""
        ...

    @property
    def heartbeat(self) -> bytes:
        """What keeps a silent connection open, and means nothing to a reader."""
        ...

    def feed(self, events: Sequence[Event], /) -> bytes:
        """The bytes for these events; perhaps none."""
        ...
