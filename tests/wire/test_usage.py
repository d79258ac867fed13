"""What was used, summed over models, in OpenAI's two forms."""

from typing import Any

from openai.types import CompletionUsage
from openai.types.responses import ResponseUsage

from fieldstream.wire.usage import Tokens, tokens

CHAT: dict[str, Any] = {
    "prompt_tokens": 10,
    "completion_tokens": 4,
    "total_tokens": 14,
    "prompt_tokens_details": {"cached_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
RESPONSES: dict[str, Any] = {
    "input_tokens": 100,
    "output_tokens": 40,
    "input_tokens_details": {"cached_tokens": 30},
    "output_tokens_details": None,
}


def test_models_are_summed_in_whichever_names_they_have() -> None:
    assert tokens({"a": CHAT, "b": RESPONSES}) == Tokens(110, 44, 154, 33, 0, 2)


def test_what_is_not_reported_counts_as_none() -> None:
    assert tokens({}) == tokens({"a": {}}) == tokens({"a": {"prompt_tokens": None}}) == Tokens()


def test_both_forms_are_openais() -> None:
    used = tokens({"a": CHAT})
    chat = CompletionUsage.model_validate(used.completion())
    assert (chat.prompt_tokens, chat.completion_tokens, chat.total_tokens) == (10, 4, 14)
    response = ResponseUsage.model_validate(used.response())
    assert (response.input_tokens, response.output_tokens, response.total_tokens) == (10, 4, 14)
    assert response.input_tokens_details.cached_tokens == 3
    assert response.output_tokens_details.reasoning_tokens == 2
    assert not chat.model_extra
    assert not response.model_extra
