"""What ``tap/lms/responses.py`` relies on."""

# pyright: reportAttributeAccessIssue=false

import dspy

from tests.contracts.contract import check_parameters, no_engines


@no_engines
def test_responses_before_engines() -> None:
    check_parameters(
        dspy.BaseLM._process_lm_response, "self", "response", "prompt", "messages", "kwargs", at="tap/lms/responses.py"
    )
    check_parameters(dspy.BaseLM._finalize_lm_response, "self", "request", "response", at="tap/lms/responses.py")
