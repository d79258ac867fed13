"""What programs, tools and custom LMs say themselves: DSPy's ``settings.send_stream``, and ``fieldstream.emit``."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from typing import Any

from fieldstream.tap.opened import OpenCalls
from fieldstream.tap.signatures.values import to_json
from fieldstream.tap.state import State

_SAYS = ("content", "reasoning_content", "tool_calls")
"""What a chunk's delta may have."""


class Outlet:
    """Stands in ``settings.send_stream`` during a run. Sending never waits, in whatever loop or thread it is done."""

    def __init__(self, state: State, opened: OpenCalls) -> None:
        self._state = state
        self._opened = opened

    async def send(self, item: object) -> None:
        """Take what is sent; where it is an LM's chunk, sent by a custom LM, its text is that LM's."""
        self.send_nowait(item)

    def send_nowait(self, item: object) -> None:
        self._state.cancellation.check()
        lm = self._opened.active_lm()
        choices = _choices(item) if lm is not None else None
        if lm is None or choices is None:
            self.emit(item, None)
            return
        self._state.recorder.chunk(lm.call, item)
        for choice in choices:
            index = getattr(choice, "index", 0) or 0
            delta = getattr(choice, "delta", None)
            if index not in lm.fed and any(getattr(delta, name, None) for name in _SAYS):
                lm.begin(index)
            lm.delta(index, delta)
            lm.chunk(index, item)

    def emit(self, value: object, name: str | None) -> None:
        """Say something of the program's own."""
        self._state.recorder.custom(self._opened.active_call(), value, to_json(value), name)


def _choices(item: Any) -> list[Any] | None:
    """The choices of a chunk in the shape that DSPy and LiteLLM share; ``None`` of anything else."""
    choices = getattr(item, "choices", None)
    return choices if isinstance(choices, list) else None
