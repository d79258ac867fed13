"""What ``tap/install.py`` relies on."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
# pyright: reportIncompatibleMethodOverride=false, reportReturnType=false, reportUnnecessaryComparison=false

import inspect
from typing import Any

import dspy
import pytest
from dspy.dsp.utils.settings import Settings
from dspy.utils import callback as callback_module

from tests.contracts.contract import check_parameters, engines


def test_callbacks_are_looked_up_by_settings_get_in_the_callback_module(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    seen: list[bool] = []
    original = Settings.get

    def get(self: Any, key: str, default: Any = None) -> Any:
        if key == "callbacks":
            seen.append(sys._getframe(1).f_globals is vars(callback_module))
        return original(self, key, default)

    monkeypatch.setattr(Settings, "get", get)

    class Nothing(dspy.Module):
        def forward(self) -> None: ...

    Nothing()()
    assert any(seen), "with_callbacks finds its callbacks in another way: look at tap/install.py"
    check_parameters(original, "self", "key", "default", at="tap/install.py")


@engines
def test_retries_sleep_by_the_time_of_their_module() -> None:
    from dspy.clients import execution

    message = "the retries of LMs sleep in another way: look at tap/install.py and tap/waits/sleep.py"
    assert callable(execution.time.sleep), message
    assert "time.sleep(" in inspect.getsource(execution.execute), message
