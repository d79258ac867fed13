"""The shapes of Pydantic's core schemas, which know aliases, defaults, constraints, recursion, and code.

Code of a type's author is never run here: what it makes of a text is told by the adapter's ``parse``.

Touches of Pydantic: the forms of ``TypeAdapter.core_schema`` (``pydantic_core.core_schema`` documents them). What has a
form that is not known here is shown when it was parsed.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Any, Final, TypeAlias, cast, get_origin

from pydantic_core import SchemaValidator, core_schema

from fieldstream.events import UNSET
from fieldstream.fields import Choice, Items, Later, Members, Plain, Scalar, Shape, Slot, Text
from fieldstream.tap.signatures.blanks import blank_dataclass, blank_model
from fieldstream.tap.signatures.values import to_json

Node: TypeAlias = Mapping[str, Any]

_SCALARS: Final = frozenset(
    (
        *("none", "bool", "int", "float", "complex", "decimal", "str", "bytes", "literal", "enum", "uuid"),
        *("date", "time", "datetime", "timedelta", "url", "multi-host-url"),
    )
)
_WRAPPERS: Final = frozenset(["default", "function-after", "custom-error"])
"""What holds another schema whose value it leaves as it is, or mostly so."""

_MARKED: Final = _WRAPPERS | {"nullable", "function-before", "function-wrap"}
"""Where a mark on what is held is one on the whole."""


class Builder:
    """Makes the slot of a value of its core schema."""

    def __init__(self, *, by_name: bool) -> None:
        self.pure = True
        """Whether no code of the type's author was met."""
        self._by_name = by_name
        self._definitions: dict[str, Node] = {}
        self._known: dict[str, Shape] = {}

    def slot(self, node: Node) -> Slot:
        """The slot of a value with this schema."""
        if node["type"] == "definitions":
            self._define(node)
            node = node["schema"]
        slot = Slot(self.shape(node), default=self._default(node))
        if isinstance(slot.shape, Later):  # Its author says how the default looks, too.
            slot = slot.without_default()
        return slot.marked(_marks(node))

    @staticmethod
    def _default(node: Node) -> Any:
        while node["type"] in _WRAPPERS:
            if node["type"] == "default":
                return to_json(node["default"]) if "default" in node and not node.get("validate_default") else UNSET
            node = node["schema"]
        return UNSET

    def _define(self, node: Node) -> None:
        self._definitions |= {definition["ref"]: definition for definition in node["definitions"]}

    def shape(self, node: Node, refs: tuple[str, ...] = ()) -> Shape:
        """The shape; ``refs`` are names by which it will be met again within itself."""
        if "ref" in node:
            refs = (*refs, node["ref"])
        if _is_sequence(node):
            return self.shape(node["json_schema"], refs)
        serialization = node.get("serialization")
        if serialization is not None and not serialization["type"].startswith("include-exclude"):
            return Later()
        match node["type"]:
            case "definitions":
                self._define(node)
                return self.shape(node["schema"], refs)
            case "definition-ref":
                return self._defined(node["schema_ref"])
            case "default" | "custom-error":
                return self.shape(node["schema"], refs)
            case "function-after":
                self.pure = False
                return self.shape(node["schema"], refs)
            case "lax-or-strict":
                return self.shape(node["lax_schema"], refs)
            case "json-or-python":
                return self.shape(node["python_schema"], refs)
            case "any":
                return Plain()
            case "str" if not any(node.get(key) for key in ("strip_whitespace", "to_lower", "to_upper")):
                return Text()
            case kind if kind in _SCALARS:
                return self._scalar(node)
            case "nullable":
                return self._choice([node["schema"], cast("Node", core_schema.none_schema())], refs)
            case "union" | "tagged-union":
                return self._choice(_choices(node), refs)
            case "list":
                return self._items(node, refs)
            case "tuple":
                return self._tuple(node, refs)
            case "dict":
                return self._dict(node, refs)
            case "model":
                return self._model(node, refs)
            case "dataclass":
                return self._dataclass(node, refs)
            case "typed-dict":
                return self._typed_dict(node, refs)
            case "named-tuple":
                return self._named_tuple(node["fields"], refs)
            case "call" if node["arguments_schema"]["type"] == "arguments" and _is_named_tuple(node["function"]):
                return self._named_tuple(node["arguments_schema"]["arguments_schema"], refs)  # Pydantic before 2.14
            case _:
                self.pure = False
                return Later()

    def _remember(self, shape: Any, refs: tuple[str, ...]) -> Any:
        for ref in refs:
            self._known[ref] = shape
        return shape

    def _defined(self, ref: str) -> Shape:
        if ref not in self._known:
            self._known[ref] = Later()  # A schema that is nothing but itself.
            self._known[ref] = self.shape(self._definitions[ref], (ref,))
        return self._known[ref]

    def _scalar(self, node: Node) -> Scalar:
        convert = _Converter([node])
        return Scalar(convert.as_json, convert.revive)

    def _choice(self, nodes: list[Node], refs: tuple[str, ...]) -> Choice:
        convert = _Converter([])
        choice = self._remember(Choice(convert.as_json, convert.revive), refs)
        for node in nodes:
            choice.shapes.append(self.shape(node))
            convert.nodes += self._scalars_of(node)
        return choice

    def _scalars_of(self, node: Node) -> list[Node]:
        match node["type"]:
            case "default" | "custom-error":
                return self._scalars_of(node["schema"])
            case "definition-ref":
                return self._scalars_of(self._definitions[node["schema_ref"]])
            case "nullable":
                return [*self._scalars_of(node["schema"]), cast("Node", core_schema.none_schema())]
            case "union":
                return [scalar for choice in _choices(node) for scalar in self._scalars_of(choice)]
            case kind:
                return [node] if kind in _SCALARS else []

    def _items(self, node: Node, refs: tuple[str, ...]) -> Items:
        items = self._remember(Items(), refs)
        items.rest = self.slot(node["items_schema"]) if "items_schema" in node else Slot(Plain())
        return items

    def _dict(self, node: Node, refs: tuple[str, ...]) -> Shape:
        keys = self.shape(node["keys_schema"]) if "keys_schema" in node else Text()
        if not isinstance(keys, Text | Scalar | Plain):
            return Later()
        members = self._remember(Members(), refs)
        members.rest = self.slot(node["values_schema"]) if "values_schema" in node else Slot(Plain())
        if isinstance(keys, Scalar):
            members.rename = partial(_renamed, keys)
        return members

    def _tuple(self, node: Node, refs: tuple[str, ...]) -> Shape:
        slots = node["items_schema"]
        variadic = node.get("variadic_item_index")
        if variadic is not None and variadic != len(slots) - 1:
            return Later()
        items = self._remember(Items(), refs)
        items.first = tuple(map(self.slot, slots[:variadic]))
        items.rest = self.slot(slots[variadic]) if variadic is not None else None
        return items

    def _named_tuple(self, fields: list[Node], refs: tuple[str, ...]) -> Items:
        items = self._remember(Items(), refs)
        items.first = tuple(self.slot(field["schema"]) for field in fields)
        return items

    def _model(self, node: Node, refs: tuple[str, ...]) -> Shape:
        inner = node["schema"]
        while inner["type"] == "function-after":
            inner = inner["schema"]
        if node.get("root_model"):
            return self.shape(inner, refs)
        if inner["type"] != "model-fields" or node.get("custom_init"):
            self.pure = False
            return Later()
        members = self._remember(Members(make=partial(blank_model, node["cls"])), refs)
        self._fill(members, inner, node.get("config") or {}, inner["fields"])
        if node.get("post_init") and not node["cls"].model_post_init.__module__.startswith("pydantic."):
            members.certain = False
        return members

    def _dataclass(self, node: Node, refs: tuple[str, ...]) -> Shape:
        inner = node["schema"]
        while inner["type"] == "function-after":
            inner = inner["schema"]
        if inner["type"] != "dataclass-args":
            self.pure = False
            return Later()
        fields = {field["name"]: field for field in inner["fields"]}
        members = self._remember(Members(make=partial(blank_dataclass, node["cls"], tuple(fields))), refs)
        self._fill(members, inner, node.get("config") or {}, fields)
        if node.get("post_init"):
            members.certain = False
        return members

    def _typed_dict(self, node: Node, refs: tuple[str, ...]) -> Shape:
        fields = node["fields"]
        total = node.get("total", True)
        names = tuple(fields)
        members = self._remember(Members(make=lambda: dict.fromkeys(names)), refs)
        self._fill(members, node, node.get("config") or {}, fields)
        members.expected = {name for name in members.expected if fields[name].get("required", total)}
        return members

    def _fill(self, members: Members, node: Node, config: Node, fields: Mapping[str, Node]) -> None:
        own_names = config.get("validate_by_name") or config.get("populate_by_name")
        by_name = self._by_name or own_names
        by_alias = config.get("validate_by_alias", True)
        extra = node.get("extra_behavior") or config.get("extra_fields_behavior")
        if extra == "allow":
            members.rest = self.slot(node["extras_schema"]) if "extras_schema" in node else Slot(Plain())
        for name, field in fields.items():
            if field.get("serialization_exclude") or field.get("init_only"):
                continue
            slot = self.slot(field["schema"])
            if config.get("validate_default"):
                slot = slot.without_default()
            alias = field.get("validation_alias")
            optional = field["schema"]["type"] == "default" or not field.get("required", True)
            if alias is not None and by_name and not own_names and optional:
                # The adapter asks for names only where aliases give nothing valid: this one may just not be seen.
                slot = Slot(Later(), default=slot.default)
            members.slots[name] = slot
            if slot.default is UNSET:
                members.expected.add(name)
            if by_name or alias is None:
                members.keys[name] = name
            if alias is not None and by_alias:
                members.keys |= dict.fromkeys(_keys(alias), name)
        if node.get("computed_fields"):
            members.certain = False


def _choices(node: Node) -> list[Node]:
    if node["type"] == "tagged-union":
        return list(node["choices"].values())
    return [each[0] if isinstance(each, tuple) else each for each in node["choices"]]


def _keys(alias: Any) -> list[str]:
    """The keys of an alias: a name, or paths of which those that are no more than a name count."""
    if isinstance(alias, str):
        return [alias]
    paths = alias if alias and isinstance(alias[0], list) else [alias]
    return [path[0] for path in paths if len(path) == 1 and isinstance(path[0], str)]


def _marks(node: Node) -> set[str]:
    """The marks on a schema. On one of several types, they are marks on all."""
    marks = set((node.get("metadata") or {}).get("fieldstream", ()))
    held = _choices(node) if "choices" in node else [node["schema"]] if node["type"] in _MARKED else []
    return marks.union(*map(_marks, held))


def _is_sequence(node: Node) -> bool:
    """Whether this is ``Sequence[...]``, which takes a list as a list does, by code of Pydantic's own."""
    if node["type"] != "json-or-python" or node["json_schema"]["type"] != "list":
        return False
    steps: list[Node] = node["python_schema"].get("steps", [])
    return bool(steps) and steps[0]["type"] == "is-instance" and get_origin(steps[0]["cls"]) is Sequence


def _is_named_tuple(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")


def _renamed(keys: Scalar, key: str) -> str:
    """A key of a text, as an object of JSON has it in the end."""
    return next(iter(to_json({keys.revive(key): None})))


class _Converter:
    """Converts by schemas of scalars, whichever fits best."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes

    @cached_property
    def _validator(self) -> SchemaValidator:
        return SchemaValidator(core_schema.union_schema(cast("Any", self.nodes)))

    def revive(self, value: Any) -> Any:
        if not self.nodes:
            raise ValueError("no scalar has a place here")
        return self._validator.validate_python(value)

    def as_json(self, value: Any) -> Any:
        return to_json(self.revive(value))
