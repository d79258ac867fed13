"""Types as a prompt writes them, as JSON Schema: Python annotations (`list[str]`), and the notation of BAML prompts.

A name that we do not know is the schema `{}`: anything.
"""

import ast
import re
from typing import Any

Schema = dict[str, Any]

_TOKEN = re.compile(r"\s*(?:(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|-?[\w.]+)|(\W))")
_PYTHON: dict[str, Schema] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "None": {"type": "null"},
    "NoneType": {"type": "null"},
    "bytes": {"type": "string"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "time": {"type": "string", "format": "time"},
    "UUID": {"type": "string", "format": "uuid"},
    "Decimal": {"type": "number"},
    "Path": {"type": "string"},
    "list": {"type": "array", "items": {"type": "string"}},
    "set": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
    "tuple": {"type": "array", "items": {"type": "string"}},
    "dict": {"type": "object", "additionalProperties": True},
}
_BAML: dict[str, Schema] = _PYTHON | {
    "string": {"type": "string"},
    "boolean": {"type": "boolean"},
    "null": {"type": "null"},
}
_ARRAYS = ("list", "List", "Sequence", "Iterable", "set", "Set", "frozenset")
_OBJECTS = ("dict", "Dict", "Mapping")


def from_python(text: str) -> Schema:
    """The schema of a Python annotation; `{}` where it cannot be read."""
    try:
        return _Reader(text, _PYTHON).python()
    except (IndexError, ValueError, SyntaxError):
        return {}


def from_baml(text: str) -> Schema:
    """The schema of a type in BAML's notation: `string[]`, `int or null`, `{ name: string, }`, `"a" or "b"`."""
    try:
        return _Reader(re.sub(r"(?m)^\s*#.*$", "", text), _BAML).baml()
    except (IndexError, ValueError, SyntaxError):
        return {}


class _Reader:
    """A reader by recursive descent; it raises `IndexError` or `ValueError` at what it does not expect."""

    def __init__(self, text: str, names: dict[str, Schema]) -> None:
        self._tokens = [word or mark for word, mark in _TOKEN.findall(text.strip()) if (word or mark).strip()]
        self._names = names
        self._at = 0

    def python(self) -> Schema:
        name = self._next()
        if self._peek() != "[":
            return dict(self._names.get(name.rpartition(".")[2], {}))
        self._next()
        if name == "Literal":
            return {"enum": [ast.literal_eval(token) for token in self._until("]") if token != ","]}
        args: list[Schema] = []
        while self._peek() != "]":
            args.append(self.python())
            self._skip(",")
        self._next()
        return _generic(name, args)

    def baml(self) -> Schema:
        choices = [self._baml_single()]
        while self._peek() == "or":
            self._next()
            choices.append(self._baml_single())
        return _any_of(choices)

    def _baml_single(self) -> Schema:
        token = self._next()
        if token == "{":
            properties: dict[str, Schema] = {}
            while self._peek() != "}":
                name = self._next()
                self._expect(":")
                properties[name] = self.baml()
                self._skip(",")
            self._next()
            schema: Schema = {"type": "object", "properties": properties, "required": list(properties)}
        elif token == "[":
            schema = {"type": "array", "items": self.baml()}
            self._expect("]")
        elif token == "dict" and self._peek() == "[":
            self._next()
            self.baml()
            self._expect(",")
            schema = {"type": "object", "additionalProperties": self.baml()}
            self._expect("]")
        elif token in ("true", "false") or token[0] in "\"'-0123456789":
            schema = {"enum": [token == "true" if token in ("true", "false") else ast.literal_eval(token)]}
        else:
            schema = dict(self._names.get(token, {}))
        while self._peek() == "[" and self._peek(1) == "]":
            self._at += 2
            schema = {"type": "array", "items": schema}
        return schema

    def _peek(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else ""

    def _next(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1]

    def _skip(self, token: str) -> None:
        if self._peek() == token:
            self._at += 1

    def _expect(self, token: str) -> None:
        if self._next() != token:
            raise ValueError(f"expected {token!r} in {''.join(self._tokens)!r}")

    def _until(self, end: str) -> list[str]:
        tokens: list[str] = []
        while (token := self._next()) != end:
            tokens.append(token)
        return tokens


def _generic(name: str, args: list[Schema]) -> Schema:
    if name in _ARRAYS:
        return {"type": "array", "items": args[0]}
    if name in ("tuple", "Tuple"):
        return {"type": "array", "prefixItems": args, "minItems": len(args), "maxItems": len(args)}
    if name in _OBJECTS:
        return {"type": "object", "additionalProperties": args[1]}
    if name == "Optional":
        return _any_of([args[0], {"type": "null"}])
    return _any_of(args) if name == "Union" else {}


def _any_of(choices: list[Schema]) -> Schema:
    if all("enum" in choice for choice in choices):
        return {"enum": [value for choice in choices for value in choice["enum"]]}
    return choices[0] if len(choices) == 1 else {"anyOf": choices}
