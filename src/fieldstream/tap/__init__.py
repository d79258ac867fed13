"""The one seam to DSPy: its callbacks, its engines, its settings, its threads.

Every touch of an internal of DSPy is in this room, and is listed at the top of the file that it is in.
"""

from fieldstream.tap.current import current_tap, tapped
from fieldstream.tap.install import install
from fieldstream.tap.names import Names
from fieldstream.tap.record.calls import ABANDONED, Call
from fieldstream.tap.record.sink import Sink
from fieldstream.tap.signatures.answers import Answer, element_type
from fieldstream.tap.signatures.values import failure, field_kind, to_json
from fieldstream.tap.tap import Tap
from fieldstream.tap.waits.cancel import RunCancelled
from fieldstream.tap.waits.threads import as_anyio_worker, background_loop, threads

__all__ = [
    "ABANDONED",
    "Answer",
    "Call",
    "Names",
    "RunCancelled",
    "Sink",
    "Tap",
    "as_anyio_worker",
    "background_loop",
    "current_tap",
    "element_type",
    "failure",
    "field_kind",
    "install",
    "tapped",
    "threads",
    "to_json",
]
