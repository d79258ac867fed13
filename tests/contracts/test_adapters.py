"""What ``tap/signatures/adapters.py`` relies on."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
# pyright: reportIncompatibleMethodOverride=false, reportReturnType=false, reportUnnecessaryComparison=false

import inspect
from typing import Any

import dspy

from tests.contracts.contract import engines


def test_adapters_keep_their_parse_under_a_wrapper() -> None:
    class Inheriting(dspy.ChatAdapter):
        pass

    class Own(dspy.ChatAdapter):
        def parse(self, signature: Any, completion: str) -> dict[str, Any]:
            return {}

    message = "inspect.unwrap finds another parse: look at tap/signatures/adapters.py"
    assert inspect.unwrap(Inheriting.parse) is inspect.unwrap(dspy.ChatAdapter.parse), message
    assert inspect.unwrap(Own.parse) is not inspect.unwrap(dspy.ChatAdapter.parse), message
    parses = {inspect.unwrap(adapter.parse) for adapter in (dspy.ChatAdapter, dspy.JSONAdapter, dspy.XMLAdapter)}
    assert len(parses) == 3, message


@engines
def test_xml_is_read_as_xml() -> None:
    assert hasattr(dspy.XMLAdapter, "_elements_to_value"), (
        "XMLAdapter reads otherwise: look at tap/signatures/adapters.py"
    )
    parsed = dspy.XMLAdapter().parse(dspy.Signature("question -> answer"), "<answer>a &lt; b</answer>")
    assert parsed == {"answer": "a < b"}, (
        "XMLAdapter reads otherwise: look at tap/signatures/adapters.py and fields/xml.py"
    )
