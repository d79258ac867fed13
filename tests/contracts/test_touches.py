"""Each touch of somebody else's internals is listed at the top of its file, and has its contract test here."""

import ast
from collections.abc import Iterator
from pathlib import Path

import dspy
import pytest

HERE = Path(__file__).parent
PACKAGE = HERE.parents[1] / "src" / "fieldstream"
FILES = sorted(path for path in PACKAGE.rglob("*.py") if "dspy" in path.read_text())

# Packages that we touch, and modules of theirs whose names are public. So is what DSPy has at its top.
OTHERS = ("dspy", "litellm", "httpcore", "httpx", "openai", "anyio", "pydantic", "pydantic_core", "tenacity")
PUBLIC = {"dspy", "dspy.adapters", "dspy.retrievers", "pydantic", "pydantic_core", "anyio", "anyio.from_thread"}
DOCUMENTED = {"BaseCallback"}


def ours() -> set[str]:
    """The private names that this package itself defines."""
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    found.add(name)
                case ast.Attribute(attr=name, ctx=ast.Store()) | ast.Name(id=name, ctx=ast.Store()):
                    found.add(name)
                case _:
                    pass
    return found


OURS = ours()


def touches(tree: ast.Module) -> Iterator[str]:
    """The names that a file takes from others' modules that are not public, and the private attributes it asks for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in OTHERS:
            if node.module not in PUBLIC:
                yield from (alias.name for alias in node.names if not _is_public(alias.name))
        elif isinstance(node, ast.Attribute) and _is_private(node.attr):
            yield node.attr
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
            name = node.args[1]
            if isinstance(name, ast.Constant) and isinstance(name.value, str) and _is_private(name.value):
                yield name.value


def _is_public(name: str) -> bool:
    return name in DOCUMENTED or hasattr(dspy, name)


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in OURS and name != "_getframe"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_touches_are_listed_and_tested(path: Path) -> None:
    tree = ast.parse(path.read_text())
    listed = (ast.get_docstring(tree) or "").replace("\n", " ")
    tested = "".join(test.read_text() for test in HERE.glob("*.py") if test != Path(__file__))
    found = sorted(set(touches(tree)))
    unlisted = [name for name in found if name not in listed]
    assert not unlisted, f"{path.name} touches {unlisted} and does not say so at its top"
    untested = [name for name in found if name not in tested]
    assert not untested, f"{path.name} touches {untested}, of which tests/contracts has no test"
