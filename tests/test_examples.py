"""Every example runs as it is, and prints something."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))


def test_there_are_examples() -> None:
    assert len(_EXAMPLES) >= 8


@pytest.mark.parametrize("example", _EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(example: Path, tmp_path: Path) -> None:
    # The price list of models is looked up on the network otherwise; DSPy's cache would answer the second time.
    environment = os.environ | {"LITELLM_LOCAL_MODEL_COST_MAP": "true", "DSPY_CACHEDIR": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", str(example)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert len(ran.stdout.splitlines()) >= 2
    assert "Traceback" not in ran.stderr
