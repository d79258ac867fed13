"""The README's first program: run as it stands, but for its provider, and by the command that it names."""

import os
import re
import subprocess
import sys
from pathlib import Path

import fieldstream

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def program() -> str:
    found = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_first_program(tmp_path: Path) -> None:
    with fieldstream.simulate() as provider:
        lm = f'dspy.LM("openai/sim", api_base={provider.api_base!r}, api_key="simulator")'
        file = tmp_path / "my_program.py"
        file.write_text(program().replace('dspy.LM("openai/gpt-4o-mini")', lm), encoding="utf-8")
        assert lm in file.read_text(encoding="utf-8")
        environment = os.environ | {"DSPY_CACHEDIR": str(tmp_path)}
        ran = subprocess.run(
            [sys.executable, str(file)], capture_output=True, encoding="utf-8", env=environment, timeout=60, check=False
        )
    assert ran.returncode == 0, ran.stderr
    assert "The sky is blue because" in ran.stdout
    assert "Sunlight" in ran.stdout, "the reasoning"


def test_the_first_program_by_the_command(tmp_path: Path) -> None:
    file = tmp_path / "my_program.py"
    file.write_text(program(), encoding="utf-8")
    assert "--simulate" in README
    arguments = ["run", f"{file}:qa", "question=Why is the sky blue?", "--simulate", "--fast"]
    environment = os.environ | {"OPENAI_API_KEY": "none", "DSPY_CACHEDIR": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-m", "fieldstream", *arguments],
        capture_output=True,
        encoding="utf-8",
        env=environment,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "The sky is blue because" in ran.stdout
