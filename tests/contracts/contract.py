"""What the contract tests share."""

import inspect
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest
from dspy.utils.callback import ACTIVE_CALL_ID, BaseCallback

HAS_ENGINES = find_spec("dspy.clients.execution") is not None

engines = pytest.mark.dspy(">=3.4")
"""What DSPy 3.4 brought: LMs that run on engines."""

no_engines = pytest.mark.dspy("<3.4")
"""What it took away."""


def theirs(function: Any) -> Any:
    """The function, or where a run has put one of ours around it, that one."""
    while inspect.isfunction(function) and "original" in (inside := inspect.getclosurevars(function).nonlocals):
        function = inside["original"]
    return inspect.unwrap(function)


def check_parameters(function: Callable[..., Any], *expected: str, at: str) -> None:
    """The function's parameters have these names; else ``at`` must be looked at."""
    function = theirs(function)
    names = tuple(inspect.signature(function).parameters)
    assert names == expected, f"{function.__qualname__} takes {names} now, not {expected}: look at {at}"


class Noting(BaseCallback):
    """Notes what starts: its kind, its id, the id of the call that is active then, and more."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, str, str | None, Any]] = []

    def note(self, kind: str, call_id: str, what: Any) -> None:
        self.notes.append((kind, call_id, ACTIVE_CALL_ID.get(), what))

    def on_module_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self.note("module", call_id, instance)

    def on_adapter_format_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self.note("format", call_id, inputs)

    def on_lm_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        import dspy

        self.note("lm", call_id, dspy.settings.send_stream)
