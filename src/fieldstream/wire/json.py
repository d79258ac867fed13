"""Events, and what else goes over a wire, as JSON in UTF-8.

A text that UTF-8 cannot carry (a lone surrogate) is escaped, as JSON allows (RFC 8259, section 7), and comes back as it
was.
"""

import json
from typing import Any

import msgspec

from fieldstream.events import Event

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder[Event](Event)


def encode(value: object) -> bytes:
    """A value, or an event, as one line of JSON."""
    try:
        return _ENCODER.encode(value)
    except UnicodeEncodeError:
        plain: Any = msgspec.to_builtins(value)
        return json.dumps(plain, separators=(",", ":")).encode("ascii")


def decode_event(data: bytes | str) -> Event:
    """The event that ``encode`` gave this for. Raises ``msgspec.ValidationError`` for one that is not known here."""
    try:
        return _DECODER.decode(data)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        # Python's own decoder takes escaped surrogates, and says better what is wrong with what is no JSON at all.
        plain: Any = json.loads(data)
        return msgspec.convert(plain, Event)
