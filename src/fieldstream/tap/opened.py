"""DSPy's calls that are open, by DSPy's ids.

Touches of DSPy: ``dspy.utils.callback.ACTIVE_CALL_ID``, which names the call that code is in, and during a callback's
start handler still the parent.
"""

from collections.abc import Callable, Set
from contextvars import ContextVar, Token
from typing import Any

from fieldstream.tap.internals import do_without
from fieldstream.tap.lms.lm_call import LmCall
from fieldstream.tap.record.calls import Call
from fieldstream.tap.record.writer import Writer

_active_id: ContextVar[Any] = ContextVar("fieldstream_no_active_call", default=None)
try:
    from dspy.utils.callback import ACTIVE_CALL_ID

    _active_id = ACTIVE_CALL_ID
except ImportError as error:
    do_without("parents", error)


class Attempt:
    """One try of a module by another one that chooses among several: its call, and what came of it."""

    __slots__ = ("call", "result")

    def __init__(self, call: Call) -> None:
        self.call = call
        self.result: object = None


class Opened:
    """What is known of a DSPy call id until its end."""

    __slots__ = (
        "adapter",
        "attempt",
        "attempts",
        "call",
        "context",
        "instance",
        "lm",
        "release",
        "signature",
        "silent",
        "undecided",
        "writer",
    )

    def __init__(self, call: Call | None, instance: object) -> None:
        self.call = call
        self.instance = instance
        self.writer: Writer | None = None
        self.lm: LmCall | None = None
        self.signature: Any = None
        self.undecided: Set[str] = frozenset()
        self.adapter: tuple[object, str] | None = None
        self.context: Token[Any] | None = None
        self.release: Callable[[], None] | None = None
        self.silent = False
        self.attempt: Attempt | None = None
        self.attempts: list[Attempt] = []


class OpenCalls:
    """One run's. Its threads and tasks share it."""

    def __init__(self) -> None:
        self._opened: dict[str, Opened] = {}

    def add(self, id: str, call: Call | None, instance: object) -> Opened:
        """A call of DSPy's begins; ``call`` is ours, or that of what it is called from."""
        opened = self._opened[id] = Opened(call, instance)
        return opened

    def remove(self, id: str) -> Opened | None:
        """It ended; what was known of it comes back."""
        return self._opened.pop(id, None)

    def active(self) -> Opened | None:
        """What the calling code is in."""
        id = _active_id.get()
        return self._opened.get(id) if id is not None else None

    def active_lm(self) -> LmCall | None:
        """The LM call that the calling code is in."""
        opened = self.active()
        return opened.lm if opened is not None else None

    def active_call(self) -> Call | None:
        """The call that the calling code is in."""
        opened = self.active()
        return opened.call if opened is not None else None
