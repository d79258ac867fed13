"""What a run used, summed over its models, in each of OpenAI's two forms."""

from collections.abc import Mapping
from typing import Any, NamedTuple, cast


class Tokens(NamedTuple):
    """Counts of tokens. What a provider does not report counts as none."""

    input: int = 0
    output: int = 0
    total: int = 0
    cached: int = 0
    cache_written: int = 0
    reasoning: int = 0

    def completion(self) -> dict[str, Any]:
        """As chat completions say it."""
        return {
            "prompt_tokens": self.input,
            "completion_tokens": self.output,
            "total_tokens": self.total,
            "prompt_tokens_details": {"cached_tokens": self.cached},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning},
        }

    def response(self) -> dict[str, Any]:
        """As responses say it."""
        return {
            "input_tokens": self.input,
            "input_tokens_details": {"cached_tokens": self.cached, "cache_write_tokens": self.cache_written},
            "output_tokens": self.output,
            "output_tokens_details": {"reasoning_tokens": self.reasoning},
            "total_tokens": self.total,
        }


def tokens(usage: Mapping[str, Any]) -> Tokens:
    """The sum over the models of a run's usage, which is by model, in the form of DSPy's usage tracker.

    Providers name them in either of OpenAI's two ways.
    """
    sums = [_of_model(mapping(each)) for each in usage.values()]
    return Tokens(*map(sum, zip(*sums, strict=True))) if sums else Tokens()


def _of_model(usage: Mapping[str, Any]) -> Tokens:
    came = _count(usage, "prompt_tokens") or _count(usage, "input_tokens")
    went = _count(usage, "completion_tokens") or _count(usage, "output_tokens")
    into = mapping(usage.get("prompt_tokens_details")) or mapping(usage.get("input_tokens_details"))
    out = mapping(usage.get("completion_tokens_details")) or mapping(usage.get("output_tokens_details"))
    return Tokens(
        input=came,
        output=went,
        total=_count(usage, "total_tokens") or came + went,
        cached=_count(into, "cached_tokens"),
        cache_written=_count(into, "cache_write_tokens"),
        reasoning=_count(out, "reasoning_tokens"),
    )


def mapping(value: Any) -> Mapping[str, Any]:
    """The value, if it has members; else none."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _count(usage: Mapping[str, Any], name: str) -> int:
    found = usage.get(name)
    return int(found) if isinstance(found, int | float) else 0
