"""How much to measure, and with which provider."""

from dataclasses import dataclass
from typing import Any

import dspy

from benchmarks.provider import Provider


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a section is given."""

    provider: Provider
    rounds: int = 7
    """How many rounds count."""
    quick: bool = False
    """Whether this is only to see that it works: smoke-sized, and its figures mean nothing."""

    @property
    def lm_kwargs(self) -> dict[str, Any]:
        """What leads an LM to the provider."""
        return self.provider.lm_kwargs

    def lm(self, model: str, **options: Any) -> dspy.LM:
        """An LM of the provider's, without a cache. `benchmarks.provider.model` makes names of models."""
        return dspy.LM(f"openai/{model}", cache=False, **self.lm_kwargs, **options)
