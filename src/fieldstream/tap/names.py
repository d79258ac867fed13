"""The names of a program's modules: the paths that ``named_predictors()`` gives, and alike for what is no predictor.

A copy of a module (as ``BestOfN`` and ``Refine`` make of what they wrap) has the name of what it was copied from.

Touches of DSPy: ``Predict.stage``, a random text that a predictor is made with and that its copies share.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import threading
from collections.abc import Iterator, Mapping
from typing import Any

import dspy


class Names:
    """Finds the name of a module instance. One for each run; a run's threads may share it."""

    def __init__(self, program: object, others: Mapping[str, dspy.Module]) -> None:
        # Whoever is named is kept alive, so that no other object can get its id.
        self._named: dict[int, tuple[str, dspy.Module]] = {}
        self._originals: dict[Any, list[str]] = {}
        self._unsorted: list[dspy.Module] = []
        self._lock = threading.Lock()
        self._program = program if isinstance(program, dspy.Module) else None
        if self._program is not None:
            self._name_tree(self._program, "")
        for path, module in others.items():
            self._named[id(module)] = (path, module)

    def of(self, module: dspy.Module) -> str:
        """The module's path in the program; for one that the program made on its way, a path below its class."""
        known = self._named.get(id(module)) or self._name(module)
        path, _ = known
        if path:
            return path
        return "self" if isinstance(module, dspy.Predict) else type(module).__name__

    def predictors(self) -> dict[str, dspy.Predict]:
        """The program's predictors by path: also those in compiled parts, which ``named_predictors()`` leaves out."""
        return {
            self.of(module): module for _, module in tuple(self._named.values()) if isinstance(module, dspy.Predict)
        }

    def _name(self, module: dspy.Module) -> tuple[str, dspy.Module]:
        """Name a module that is not of the program, and what is in it."""
        with self._lock:
            names = self._names_of_original(module)
            if names is None:
                self._name_tree(module, type(module).__name__)
            else:
                for (_, part), name in zip(_walk(module), names, strict=True):
                    self._named[id(part)] = (name, part)
            return self._named[id(module)]

    def _name_tree(self, root: dspy.Module, path: str) -> None:
        for below, module in _walk(root):
            name = f"{path}.{below}" if path and below else path or below
            if self._named.setdefault(id(module), (name, module))[1] is module:
                self._unsorted.append(module)
        if root is self._program and _names_its_own(root):
            for name, predictor in root.named_predictors():
                self._named[id(predictor)] = ("" if name == "self" else name, predictor)
                self._unsorted.append(predictor)

    def _names_of_original(self, copy: dspy.Module) -> list[str] | None:
        """The names in the module that this one is a copy of: of its class, with its predictors at its places.

        The same signatures are not enough: a predictor that a program makes on its way may have another's.
        """
        while self._unsorted:
            module = self._unsorted.pop(0)
            named = [self._named.get(id(part)) for _, part in _walk(module)]
            if (identity := _identity(module)) is not None and None not in named:
                self._originals.setdefault(identity, [each[0] for each in named if each is not None])
        identity = _identity(copy)
        return self._originals.get(identity) if identity is not None else None


def _walk(root: dspy.Module) -> Iterator[tuple[str, dspy.Module]]:
    """The module and those in its attributes, lists, tuples and dicts, each once, with their paths."""
    seen: set[int] = set()

    def visit(path: str, value: Any) -> Iterator[tuple[str, dspy.Module]]:
        if isinstance(value, dspy.Module):
            if id(value) in seen:
                return
            seen.add(id(value))
            yield path, value
            for name, member in tuple(vars(value).items()):
                if (
                    name != "history"
                ):  # What its LMs said: a long list, in which DSPy looks for predictors all the same.
                    yield from visit(f"{path}.{name}" if path else name, member)
        elif isinstance(value, list | tuple):
            for index, member in enumerate(value):
                if isinstance(member, dspy.Module):
                    yield from visit(f"{path}[{index}]", member)
        elif isinstance(value, dict):
            for key, member in value.items():
                if isinstance(member, dspy.Module):
                    yield from visit(f"{path}['{key}']", member)

    return visit("", root)


def _names_its_own(module: dspy.Module) -> bool:
    """Whether the module's class has a way of its own to name its predictors."""
    kind = type(module)
    return (
        kind.named_predictors is not dspy.Module.named_predictors
        or kind.named_parameters is not dspy.Module.named_parameters
    )


def _identity(module: dspy.Module) -> Any:
    """What a module shares with its copies alone; nothing is known of one without predictors."""
    parts = tuple((path, type(part), getattr(part, "stage", None)) for path, part in _walk(module))
    return parts if any(stage is not None for _, _, stage in parts) else None
