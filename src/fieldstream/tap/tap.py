"""One run's place in the seam to DSPy."""

from typing import Any

from fieldstream.tap.names import Names
from fieldstream.tap.observer import Observer
from fieldstream.tap.opened import OpenCalls
from fieldstream.tap.outlet import Outlet
from fieldstream.tap.record.sink import Sink
from fieldstream.tap.state import State


class Tap:
    """Made for each run, and gone with it."""

    def __init__(self, sink: Sink, names: Names, status: object, *, lm_text: bool = False) -> None:
        self.state = State(sink, names, lm_text=lm_text)
        self.opened = OpenCalls()
        self.outlet = Outlet(self.state, self.opened)
        self.observer = Observer(self.state, self.opened, self.outlet, status)
        self.recorder = self.state.recorder
        self.cancellation = self.state.cancellation

    # A run is one thing of one process: settings that hold it may be copied and saved, but it is not.
    def __deepcopy__(self, memo: dict[int, Any]) -> "Tap":
        return self

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        return (type(None), ())
