"""The tree of calls: what was opened is closed before what encloses it, and nothing is said after that."""

from fieldstream.events import CallEnded, Failure
from fieldstream.log import MemoryLog
from fieldstream.tap.record.calls import Recorder


def ends(log: MemoryLog) -> list[tuple[str, str | None]]:
    """The calls that ended, in order, with the kind of their error."""
    return [
        (event.call, event.error.kind if event.error else None) for event in log.read() if isinstance(event, CallEnded)
    ]


def test_a_child_that_outlives_its_parent_is_abandoned() -> None:
    recorder = Recorder(log := MemoryLog())
    recorder.start("run", "program")
    parent = recorder.open(None, "module", "parent")
    child = recorder.open(parent, "predictor", "child")
    recorder.close(parent)
    recorder.close(child)
    recorder.status(child, "too late for a call, in time for the run")
    assert ends(log) == [(child.id, "abandoned"), (parent.id, None)]


def test_calls_of_a_call_that_ended_are_not_heard() -> None:
    recorder = Recorder(log := MemoryLog())
    recorder.start("run", "program")
    parent = recorder.open(None, "module", "parent")
    recorder.close(parent)
    recorder.close(recorder.open(parent, "tool", "late"))
    assert ends(log) == [(parent.id, None)]


def test_a_cancel_is_told_of_every_call_that_it_ended() -> None:
    recorder = Recorder(log := MemoryLog())
    recorder.start("run", "program")
    outer = recorder.open(None, "module", "outer")
    inner = recorder.open(outer, "predictor", "inner")
    lm = recorder.open(inner, "lm", "model", hold=True)
    recorder.end("cancelled", error=Failure(kind="cancelled", message="the run was cancelled"))
    assert ends(log) == [(lm.id, "cancelled"), (inner.id, "cancelled"), (outer.id, "cancelled")]
    assert not recorder.end("completed")
