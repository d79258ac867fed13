"""Who may import whom: the table of rooms, held for every module that there is."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"
PACKAGE = SOURCE / "fieldstream"

# The run and the interfaces on top of it: private modules, which may import these, and also each other, though not in a
# circle (that is one of import-linter's contracts).
RUN = {"events", "fields", "log", "tap", "transforms", "readers"}

# A room (a module or package right below `fieldstream`) and what it may import of ours.
ROOMS: dict[str, set[str]] = {
    "events": set(),
    "fields": {"events", "_draft"},
    "log": {"events", "_merged", "_snapshots"},
    "tap": {"events", "fields", "_draft"},
    "transforms": {"events", "_merged"},
    "readers": {"events", "fields", "log", "tap", "transforms", "_attempts", "_draft", "_fields"},
    "wire": {"events", "_attempts", "_draft", "_snapshots"},
    "simulator": set(),
    "_attempts": {"events"},
    "_draft": {"events"},
    "_snapshots": {"events"},
    "_client": {"wire", "_errors", "_fields", "_latch", "_stream", *RUN},
    "_merged": {"events"},
    "_errors": set(),
    "_messages": {"events"},
}
# Hosts import what they like, but not each other, save for the CLI that starts them.
HOSTS = {"server", "terminal", "cli"}

# What may be imported from elsewhere only in these rooms. "_" is the run.
SEAMS: dict[str, set[str]] = {
    "dspy": {"tap", "_", "_client", *HOSTS},
    "httpx": {"_client"},
    "litellm": {"tap"},
    "redis": {"log"},
    "rich": {"terminal"},
    "starlette": {"server"},
    "fastapi": {"server"},
    "uvicorn": {"server", "cli"},
    "prometheus_client": {"server"},
    "ag_ui": {"wire", "server"},
}


def modules() -> Iterator[tuple[str, str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        room = parts[1]
        yield room, str(path.relative_to(SOURCE)), ast.parse(path.read_text(encoding="utf-8"), str(path))


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Each name that a module imports, wherever it does so, in full: ``from a import b`` is ``a.b``."""
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from ((node.lineno, alias.name) for alias in node.names)
            case ast.ImportFrom(level=0, module=str(module)):
                yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
            case ast.ImportFrom():
                yield node.lineno, "a relative import"
            case ast.Call(
                func=ast.Name(id="__import__" | "import_module") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield node.lineno, name
            case _:
                pass


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def complaint(room: str, name: str) -> str | None:
    """What is wrong with a room's importing a name, if anything is."""
    top, _, rest = name.partition(".")
    if name == "a relative import":
        return "is relative: write the module's name in full"
    if is_within(name, "dspy.streaming"):
        return "is what fieldstream replaces"
    if top in SEAMS and not {room, "_" if is_run(room) else room} & SEAMS[top]:
        return f"belongs to {', '.join(sorted(SEAMS[top]))} alone"
    if top == "fieldstream" and not may_import(room, rest.partition(".")[0]):
        return "is not for this room"
    return None


def is_run(room: str) -> bool:
    return room.startswith("_") and not room.startswith("__") and room not in ROOMS


def may_import(room: str, target: str) -> bool:
    if room == target or room in {"__init__", "__main__", "cli"}:
        return True
    if room == "_streamify" and not target:  # puts the package's public names where others look for DSPy's
        return True
    if room in HOSTS:
        return target not in HOSTS
    if is_run(room):
        return target in RUN or (target.startswith("_") and not target.startswith("__"))
    return target in ROOMS.get(room, set())


def test_every_room_has_a_row() -> None:
    public = {room for room, _, _ in modules() if not room.startswith("_")}
    assert public <= ROOMS.keys() | HOSTS, "give the new room its row in ROOMS"


def test_rooms_import_only_what_they_may() -> None:
    wrong = [
        f"{path}:{line}: {name} {problem}"
        for room, path, tree in modules()
        for line, name in imported(tree)
        if (problem := complaint(room, name)) is not None
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("room", "statement"),
    [
        ("events", "import fieldstream"),
        ("fields", "from fieldstream import log"),
        ("fields", "import dspy"),
        ("fields", "def f():\n    import dspy.signatures"),
        ("log", "from fieldstream.fields.json.parser import JsonParser"),
        ("tap", "from fieldstream.log import MemoryLog"),
        ("tap", "from dspy.streaming import streamify"),
        ("tap", "from dspy import streaming"),
        ("tap", "from fieldstream._errors import FieldstreamError"),
        ("_run", "from fieldstream.simulator import simulate"),
        ("_run", "import fieldstream"),
        ("_messages", "import dspy"),
        ("_streamify", "importlib.import_module('dspy.streaming.messages')"),
        ("wire", "from ..events import Event"),
        ("simulator", "from fieldstream.events import Event"),
        ("server", "import rich.console"),
        ("server", "from fieldstream.terminal import show"),
        ("__init__", "from dspy.streaming import StatusMessage"),
    ],
)
def test_a_wrong_import_is_found(room: str, statement: str) -> None:
    assert any(complaint(room, name) for _, name in imported(ast.parse(statement)))


@pytest.mark.parametrize(
    ("room", "statement"),
    [
        ("fields", "from fieldstream import events"),
        ("fields", "from fieldstream.fields.changes import Opened"),
        ("tap", "import dspy.clients.lm"),
        ("_run", "from fieldstream._errors import FieldstreamError"),
        ("_run", "from dspy import Module"),
        ("terminal", "from rich.live import Live"),
        ("cli", "from fieldstream.terminal import show"),
        ("server", "from fieldstream import stream"),
        ("__init__", "from fieldstream._run import Run"),
    ],
)
def test_a_right_import_is_not(room: str, statement: str) -> None:
    assert not any(complaint(room, name) for _, name in imported(ast.parse(statement)))
