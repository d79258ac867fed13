"""The responses of LMs before DSPy 3.4: what they used, and whether they were cached.

Touches of DSPy: ``BaseLM._process_lm_response`` and ``_finalize_lm_response`` (wrapped), one of which takes each
response of an LM, whatever kind of LM that is.
"""

# What DSPy had before 3.4 is not there where types are checked.
# pyright: reportAttributeAccessIssue=false
# pyright: reportPrivateUsage=false, reportPrivateImportUsage=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Callable
from typing import Any

from dspy.clients.base_lm import BaseLM

from fieldstream.tap.current import current_tap
from fieldstream.tap.internals import known


def _account(response: Any) -> None:
    tap = current_tap()
    lm = tap.opened.active_lm() if tap is not None else None
    if lm is not None and not getattr(response, "cache_hit", False):
        lm.attempted = True
        lm.usage = None
        lm.spent(dict(getattr(response, "usage", None) or {}))


def _wrap_process(original: Callable[..., Any]) -> Callable[..., Any]:
    def process(self: BaseLM, response: Any, prompt: Any, messages: Any, **kwargs: Any) -> Any:
        _account(response)
        return original(self, response, prompt, messages, **kwargs)

    return process


def _wrap_finalize(original: Callable[..., Any]) -> Callable[..., Any]:
    def finalize(self: BaseLM, request: Any, response: Any) -> Any:
        _account(response)
        return original(self, request, response)

    return finalize


def install() -> None:
    """Put the tap in place, once in a process. Outside of a run everything is as before."""
    process = known(BaseLM._process_lm_response, "self", "response", "prompt", "messages", "kwargs")
    finalize = known(BaseLM._finalize_lm_response, "self", "request", "response")
    BaseLM._process_lm_response = _wrap_process(process)
    BaseLM._finalize_lm_response = _wrap_finalize(finalize)
