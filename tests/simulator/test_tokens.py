"""Where texts are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.simulator.options import Chunking
from fieldstream.simulator.tokens import count, cut, tokenize

TEXT = "The naïve café's α_value is 12345 (≈ 🌊),\n\n  unquestionably so.\t\n"


@given(st.text(), st.sampled_from(["tokens", "chars", "whole", "random"]), st.integers())
def test_the_joined_chunks_are_the_text(text: str, chunking: Chunking, seed: int) -> None:
    chunks = cut(text, chunking, seed)
    assert "".join(chunks) == text
    assert all(chunks)


def test_tokens_look_like_a_models() -> None:
    assert tokenize("The sky isn't blue: 12345 unquestionably") == [
        "The", " sky", " isn", "'", "t", " blue", ":", " 123", "45", " unque", "stiona", "bly"
    ]  # fmt: skip
    assert count("[[ ## answer ## ]]\n") == 6


def test_random_cuts_are_the_seeds_and_of_many_sizes() -> None:
    assert cut(TEXT * 9, "random", 1) == cut(TEXT * 9, "random", 1) != cut(TEXT * 9, "random", 2)
    assert {1, 2, 3} < {len(chunk) for chunk in cut(TEXT * 9, "random", 1)}


@pytest.mark.parametrize("chunking", ["tokens", "chars", "whole", "random"])
def test_nothing_is_cut_into_nothing(chunking: Chunking) -> None:
    assert cut("", chunking, 0) == []
