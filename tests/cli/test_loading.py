"""Finding the program that a command line names."""

import sys
from collections.abc import Iterator
from pathlib import Path

import dspy
import pytest

from fieldstream.cli.errors import CliError
from fieldstream.cli.loading import load_program

SOURCE = Path(__file__).with_name("programs.py").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory with Python files, and nothing of it left behind in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "many.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "single.py").write_text("import dspy\nqa = same = dspy.Predict('question -> answer')\n")
    (tmp_path / "nothing.py").write_text("x = 1\n")
    (tmp_path / "bad.py").write_text("import dspy\n\nx = 1 / 0\n")
    (tmp_path / "syntax.py").write_text("def f(:\n")
    (tmp_path / "leaves.py").write_text("raise SystemExit(3)\n")
    (tmp_path / "needs.py").write_text("import no_such_package\n")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "inner.py").write_text("from many import qa\n")
    (tmp_path / "json.py").write_text("import dspy\nqa = dspy.Predict('a -> b')\n")
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if not name.startswith(("dspy", "litellm", "pydantic", "rich", "fieldstream.")):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("many.py:qa", "ChainOfThought"),
        ("./many.py:qa", "ChainOfThought"),
        ("many:agent", "ReAct"),
        ("package.inner:qa", "ChainOfThought"),
        ("package/inner.py", "ChainOfThought"),
        ("many.py:Loop", "Loop"),
        ("many.py:shout", "function"),
        ("many.py:box.inner", "function"),
        ("single.py", "Predict"),
        ("single", "Predict"),
        ("json.py", "Predict"),
    ],
)
def test_programs_are_found(target: str, kind: str, monkeypatch: pytest.MonkeyPatch, here: Path) -> None:
    monkeypatch.syspath_prepend(str(here))
    assert type(load_program(target)).__name__ == kind


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("mny.py", "there is no file 'mny.py'; did you mean 'many.py'?"),
        ("zzzzz.py:x", "there is no file 'zzzzz.py'; here are: bad.py, json.py, leaves.py, many.py"),
        ("package/iner.py", "there is no file 'package/iner.py'; did you mean 'package/inner.py'?"),
        ("empty/x.py", "there is no file 'empty/x.py'; there is no Python file in empty"),
        ("no_such.module", "there is no module 'no_such.module'; here are: "),
        ("package.other:x", "there is no module 'package.other'"),
        (
            "many.py",
            "many.py has 3 programs; say which one to run: many.py:qa, many.py:describe, many.py:agent, many.py:Loop",
        ),
        ("nothing.py", "nothing.py has no program"),
        ("many.py:qaa", "many.py has no 'qaa'; did you mean 'qa'? it has: qa, describe, agent, Loop, Failing"),
        ("nothing.py:x.y", "nothing.py has no 'x.y'; and nothing else in it is a program"),
        ("many.py:number", "'number' in many.py is a int; name a dspy.Module or a function"),
        ("many.py:Person", "the class 'Person' in many.py is no dspy.Module"),
        ("many.py:Needy", "Needy cannot be made without arguments"),
        ("many.py:Broken", "Broken() raised RuntimeError: not today"),
        ("many.py:", "'many.py:' names no program after the colon"),
        (":qa", "':qa' names no file"),
        ("bad.py", "bad.py, line 3: importing it raised ZeroDivisionError: division by zero; mend that first"),
        ("bad", "bad.py, line 3: importing it raised ZeroDivisionError"),
        ("syntax.py", "syntax.py, line 1: SyntaxError: invalid syntax; mend that first"),
        ("leaves.py", "leaves.py, line 1: importing it raised SystemExit: 3"),
        ("needs.py", "needs.py, line 1: importing it raised ModuleNotFoundError: No module named 'no_such_package'"),
    ],
)
def test_what_is_not_there_is_said(target: str, message: str) -> None:
    with pytest.raises(CliError) as caught:
        load_program(target)
    assert message in str(caught.value)


def test_a_file_may_import_its_neighbours(here: Path) -> None:
    (here / "user.py").write_text("from single import qa as other\n")
    assert isinstance(load_program("user.py"), dspy.Predict)
