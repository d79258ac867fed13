"""The names of a program's modules: the paths that ``named_predictors()`` gives, and alike for what is no predictor.

A copy of a module (as ``BestOfN`` and ``Refine`` make of what they wrap) has the name of what it was copied from.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Iterator, Mapping
from typing import Any

import dspy


class Names:
    """Finds the name of a module instance. One for each run; a run's threads may share it."""

    def __init__(self, program: object, others: Mapping[str, dspy.Module]) -> None:
        # Whoever is named is kept alive, so that no other object can get its id.
        self._named: dict[int, tuple[str, dspy.Module]] = {}
        self._program = program if isinstance(program, dspy.Module) else None
        if self._program is not None:
            self._name_tree(self._program, "")
        for path, module in others.items():
            self._named[id(module)] = (path, module)

    def of(self, module: dspy.Module) -> str:
        """The module's path in the program; for one that the program made on its way, a path below its class."""
        known = self._named.get(id(module))
        if known is None:
            original = self._original(module)
            self._name_tree(module, original if original is not None else type(module).__name__)
            known = self._named[id(module)]
        path, _ = known
        if path:
            return path
        return "self" if isinstance(module, dspy.Predict) else type(module).__name__

    def predictors(self) -> dict[str, dspy.Predict]:
        """The program's predictors by path: also those in compiled parts, which ``named_predictors()`` leaves out."""
        return {
            self.of(module): module for _, module in tuple(self._named.values()) if isinstance(module, dspy.Predict)
        }

    def _name_tree(self, root: dspy.Module, path: str) -> None:
        for below, module in _walk(root):
            name = f"{path}.{below}" if path and below else path or below
            self._named.setdefault(id(module), (name, module))
        if root is self._program and _names_its_own(root):
            for name, predictor in root.named_predictors():
                self._named[id(predictor)] = ("" if name == "self" else name, predictor)

    def _original(self, copy: dspy.Module) -> str | None:
        shape = _shape(copy)
        for path, module in tuple(self._named.values()):
            if type(module) is type(copy) and path and _shape(module) == shape:
                return path
        return None


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


def _shape(module: dspy.Module) -> list[tuple[str, tuple[str, ...]]]:
    return [(path, _outputs(part)) for path, part in _walk(module)]


def _outputs(module: dspy.Module) -> tuple[str, ...]:
    signature: Any = module.signature if isinstance(module, dspy.Predict) else None
    return tuple(signature.output_fields) if signature is not None else ()
