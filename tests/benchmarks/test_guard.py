"""What watching costs has not become much worse: ratios of CPU times, taken in alternation.

What is recorded is renewed with ``python -m benchmarks --record``, with each DSPy that the tests run with.
"""

import json
from pathlib import Path

import pytest

from benchmarks import guard


@pytest.mark.timeout(400)
def test_no_ratio_is_much_worse_than_the_recorded_one() -> None:
    recorded = guard.recorded()
    worse = guard.too_slow(guard.ratios(), recorded)
    if worse:  # The machine may have had something else to do.
        worse = guard.too_slow(guard.ratios(worse, rounds=3 * guard.ROUNDS), recorded)
    assert not worse, "\n".join(worse.values())


def test_what_is_too_slow() -> None:
    recorded = {"chat": 0.5, "json": 1.0}
    assert guard.too_slow({"chat": 0.75, "json": 1.5}, recorded) == {}
    worse = guard.too_slow({"chat": 0.76, "json": 1.5}, recorded)
    assert worse == {"chat": "chat: 0.76 × floor, recorded were 0.50, and 1.5 × that is too much"}


def test_every_record_has_every_case() -> None:
    for record in json.loads(guard.RECORDED.read_text(encoding="utf-8")).values():
        assert set(record) == set(guard.CASES)


def test_the_record_of_a_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "recorded.json"
    file.write_text('{"3.10.0": {"a": 3}, "3.3.1": {"a": 1}, "3.4.1": {"a": 2}}', encoding="utf-8")
    monkeypatch.setattr(guard, "RECORDED", file)
    found = {version: guard.recorded(version)["a"] for version in ("3.2", "3.3.1", "3.4.0", "3.4.1", "3.9", "3.10.2")}
    assert found == {"3.2": 1, "3.3.1": 1, "3.4.0": 1, "3.4.1": 2, "3.9": 2, "3.10.2": 3}
