"""Finding the program that a command line names: a file, and an object in it."""

import difflib
import importlib
import importlib.machinery
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import dspy

from fieldstream.cli.errors import CliError, did_you_mean, listed


def load_program(target: str) -> Callable[..., Any]:
    """The program at ``FILE:PROGRAM``; raises ``CliError`` where there is none."""
    place, colon, name = target.partition(":")
    if colon and not name:
        raise CliError(f"{target!r} names no program after the colon; write {place}:PROGRAM, or {place} alone")
    if not place:
        raise CliError(f"{target!r} names no file; write FILE:PROGRAM")
    module = _load_module(place)
    found = _named(module, name, place) if name else _only(module, place)
    return _made(found, name, place)


# The module


def _load_module(place: str) -> ModuleType:
    path = Path(place)
    try:
        if place.endswith(".py") or path.is_file() or "/" in place:
            if not path.is_file():
                raise CliError(f"there is no file {place!r}; {_neighbours(path)}")
            return _load_file(path)
        sys.path.insert(0, str(Path.cwd()))
        return importlib.import_module(place)
    except CliError:
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and (place == error.name or place.startswith(f"{error.name}.")):
            raise CliError(f"there is no module {place!r}; {_neighbours(Path(f'{place}.py'))}") from None
        raise CliError(_raised(place, "importing it", error)) from None
    except (Exception, SystemExit) as error:  # It is the user's code: it may raise anything.
        raise CliError(_raised(place, "importing it", error)) from None


def _load_file(path: Path) -> ModuleType:
    """Import a file as Python would if it were on the path; one that has a taken name gets another."""
    sys.path.insert(0, str(path.resolve().parent))
    name = path.stem
    if name in sys.modules or name in sys.stdlib_module_names:
        name = f"fieldstream_program_{name}"
    spec = importlib.util.spec_from_loader(name, importlib.machinery.SourceFileLoader(name, str(path)))
    if spec is None or spec.loader is None:
        raise CliError(f"{str(path)!r} cannot be imported; name a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _neighbours(path: Path) -> str:
    try:
        files = sorted(each.name for each in path.parent.glob("*.py"))
    except OSError:
        files = []
    where = "here" if path.parent == Path() else f"in {path.parent}"
    close = difflib.get_close_matches(path.stem, [name.removesuffix(".py") for name in files], n=1)
    if close:
        return f"did you mean '{path.parent / close[0]}.py'?"
    return f"{where} are: {listed(files)}" if files else f"there is no Python file {where}"


def _raised(place: str, what: str, error: BaseException) -> str:
    """What the user's code raised, and the last line of the file that it went through."""
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f"{error.filename}, line {error.lineno}: {type(error).__name__}: {error.msg}; mend that first"
    file = Path(place).resolve()
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == str(place) or Path(frame.filename) == file]
    users = own or [frame for frame in frames if "importlib" not in frame.filename and frame.filename != __file__]
    where = f"{users[-1].filename}, line {users[-1].lineno}" if users else place
    return f"{where}: {what} raised {type(error).__name__}{f': {error}' if str(error) else ''}; mend that first"


# The object in it


def candidates(module: ModuleType) -> list[str]:
    """The names in a module that may be programs: first instances of ``dspy.Module``, then classes, then functions."""
    named = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    own = {name: value for name, value in named.items() if getattr(value, "__module__", None) == module.__name__}
    return [
        *(name for name, value in named.items() if isinstance(value, dspy.Module)),
        *(name for name, value in own.items() if inspect.isclass(value) and issubclass(value, dspy.Module)),
        *(name for name, value in own.items() if inspect.isfunction(value)),
    ]


def _named(module: ModuleType, name: str, place: str) -> Any:
    found: Any = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            known = candidates(module)
            has = f"it has: {listed(known)}" if known else "and nothing else in it is a program"
            raise CliError(f"{place} has no {name!r}; {did_you_mean(name, known)}{has}") from None
    return found


def _only(module: ModuleType, place: str) -> Any:
    instances = {id(value): value for value in vars(module).values() if isinstance(value, dspy.Module)}
    if len(instances) == 1:
        return next(iter(instances.values()))
    known = candidates(module)
    if not known:
        raise CliError(f"{place} has no program: no dspy.Module, no class of one, no function; write one")
    many = f"has {len(instances)} programs" if instances else "has no dspy.Module instance"
    raise CliError(f"{place} {many}; say which one to run: {listed(f'{place}:{name}' for name in known)}")


def _made(found: Any, name: str, place: str) -> Callable[..., Any]:
    """The program itself: a class of modules is called to make one."""
    if not inspect.isclass(found):
        if not callable(found):
            raise CliError(f"{name!r} in {place} is a {type(found).__name__}; name a dspy.Module or a function")
        return cast("Callable[..., Any]", found)
    if not issubclass(found, dspy.Module):
        raise CliError(f"the class {name!r} in {place} is no dspy.Module; name one, or a function")
    kind = cast("type[Any]", found)
    try:
        inspect.signature(kind.__init__).bind(None)  # The class itself takes anything, as DSPy's metaclass has it.
    except TypeError as error:
        raise CliError(
            f"{name} cannot be made without arguments ({error}); make one in {place} and name that"
        ) from None
    try:
        return kind()
    except Exception as error:  # It is the user's code: it may raise anything.
        raise CliError(_raised(place, f"{name}()", error)) from None
