"""The corpus: 2,000 cases in each run of the tests, 100,000 with ``FIELDSTREAM_HYPOTHESIS_PROFILE=nightly``.

A shard is an adapter and a seed. Which cases are in it depends on nothing else, so that

    pytest "tests/corpus/test_corpus.py::test_corpus[xml-0]"

shows again what it has shown. What Hypothesis prints of a failure is the smallest case that fails.
"""

import os
from collections import Counter
from zlib import crc32

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.corpus.adapters import ADAPTERS
from tests.corpus.case import Case, cases
from tests.corpus.checks import as_json, check, early, is_clean
from tests.corpus.running import Runs
from tests.support.sameness import HAS_ENGINES

NIGHTLY = os.environ.get("FIELDSTREAM_HYPOTHESIS_PROFILE") == "nightly"

SEEDS = 25 if NIGHTLY else 1
CASES = 500 if NIGHTLY else 250
"""Of each shard."""

pytestmark = pytest.mark.timeout(900)  # To find the smallest case that fails takes its time.


@pytest.mark.parametrize("number", range(SEEDS))
@pytest.mark.parametrize("adapter", sorted(ADAPTERS))
def test_corpus(adapter: str, number: int) -> None:
    seen: set[str] = set()
    counts: Counter[str] = Counter()
    wanted = CASES if HAS_ENGINES else CASES // 10  # LiteLLM alone takes most of the time.

    @seed(number)
    @settings(
        max_examples=wanted * 4 // 3,  # Some come twice.
        database=None,
        derandomize=False,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    @given(case=cases(adapter))
    def run(case: Case) -> None:
        if len(seen) < wanted and case.key not in seen:
            counts.update(_run(runs, case))
            seen.add(case.key)  # Not before: one that fails comes again, to be made smaller.

    with Runs() as runs:
        run()
    assert len(seen) == wanted
    print(f"{adapter}-{number}: {dict(counts)}")  # noqa: T201 (with -s; and where something fails)
    assert counts["answered"] > wanted / 3, "most answers can be read"
    assert counts["clean"] > wanted / 8
    if ADAPTERS[adapter][0] != "lines":  # Which nobody but its adapter reads.
        assert counts["shown_early"] >= counts["structured"] * 0.75, (
            "most values are seen before an answer's last chunk"
        )


def _run(runs: Runs, case: Case) -> Counter[str]:
    http = crc32(case.key.encode("utf-8", "surrogatepass")) % 20 == 0
    plain = runs.plain(case, http=http)
    streamed = runs.streamed(case, http=http)
    check(case, plain, streamed)
    final = {name: as_json(value) for name, value in streamed.result.items()}
    clean = is_clean(case, plain, final)
    counts = Counter(answered=plain.error is None, clean=clean, asked_again=plain.asked > 1)
    if clean and not http:
        structured, shown = early(streamed, final)
        counts.update(structured=structured, shown_early=shown)
    return counts
