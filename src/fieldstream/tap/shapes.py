"""The shapes of a signature's output fields: what their types say of the values that will come.

They are read from Pydantic's core schemas, which know aliases, defaults, constraints and recursion, and which code of
their author's stands where. Such code is never run here: what it makes of a text is told by the adapter's ``parse``.

Touches of DSPy: ``dspy.adapters.utils.parse_value``, by which adapters read the values of fields. Of Pydantic: the
forms of ``TypeAdapter.core_schema`` (``pydantic_core.core_schema`` documents them); a form that is not known here is
shown when it was parsed.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache, partial
from typing import Any, Final, TypeAlias, cast

from pydantic import BaseModel, TypeAdapter
from pydantic_core import SchemaValidator, core_schema

from fieldstream.events import UNSET
from fieldstream.fields import Choice, Items, Later, Members, Plain, Scalar, Shape, Slot, Text
from fieldstream.fields.markers import marks_among
from fieldstream.tap.internals import do_without
from fieldstream.tap.values import to_json

Node: TypeAlias = Mapping[str, Any]

_parse_value: Any = None
try:
    from dspy.adapters.utils import parse_value

    _parse_value = parse_value
except ImportError as error:
    do_without("values", error)

_SCALARS: Final = frozenset(
    (
        *("none", "bool", "int", "float", "complex", "decimal", "str", "bytes", "literal", "enum", "uuid"),
        *("date", "time", "datetime", "timedelta", "url", "multi-host-url"),
    )
)
_WRAPPERS: Final = frozenset(["default", "function-after", "custom-error"])
"""What holds another schema whose value it leaves as it is, or mostly so."""


def slots_of(signature: Any, *, by_name: bool = False) -> dict[str, Slot]:
    """The slots of a signature's output fields. ``by_name``: members have no aliases in the text."""
    return {name: _field_slot(info, by_name) for name, info in signature.output_fields.items()}


def _field_slot(info: Any, by_name: bool) -> Slot:
    try:
        shape = _shape_of(info.annotation, by_name)
    except TypeError:  # An annotation that cannot be hashed.
        shape = _shape_of.__wrapped__(info.annotation, by_name)
    slot = Slot(shape)
    for mark in marks_among(info.metadata):
        setattr(slot, mark, True)
    return slot


@lru_cache(maxsize=256)
def _shape_of(annotation: Any, by_name: bool) -> Shape:
    try:
        schema = TypeAdapter(annotation).core_schema
    except Exception:  # What has no schema DSPy cannot read either, and says so.
        return Later()
    builder = _Builder(by_name=by_name)
    shape = builder.shape(cast("Node", schema))
    # DSPy reads the value of a field itself by rules of its own, what is in it by Pydantic's.
    if _parse_value is None:
        return Later() if isinstance(shape, Scalar | Plain | Choice) else shape
    parse: Callable[[Any], Any] = partial(_parse_value, annotation=annotation)
    match shape:
        case Scalar():
            return Scalar(lambda value: to_json(parse(value)), shape.revive)
        case Plain():
            root = Choice(lambda value: to_json(parse(value)), lambda value: value)
            root.shapes = [Members(Slot(shape)), Items(Slot(shape)), Scalar(root.as_json, root.revive)]
            return root
        case Choice():
            root = Choice(lambda value: to_json(parse(value)) if builder.pure else _later(), shape.revive)
            root.shapes = [each for each in shape.shapes if not isinstance(each, Text | Plain)]
            root.shapes.append(Scalar(root.as_json, root.revive))
            return root
        case _:
            return shape


def _later() -> Any:
    raise ValueError("code of the type's author decides")


class _Builder:
    """Makes a shape of a core schema."""

    def __init__(self, *, by_name: bool) -> None:
        self.pure = True
        """Whether no code of the type's author was met."""
        self._by_name = by_name
        self._definitions: dict[str, Node] = {}
        self._known: dict[str, Shape] = {}

    def slot(self, node: Node) -> Slot:
        """The slot of a value with this schema."""
        marks: set[str] = set()
        default: Any = UNSET
        inner = node
        while True:
            marks |= set(_metadata(inner))
            if inner["type"] == "default" and default is UNSET and "default" in inner:
                default = to_json(inner["default"])
            if inner["type"] not in _WRAPPERS:
                break
            inner = inner["schema"]
        slot = Slot(self.shape(node), default=default)
        for mark in marks:
            setattr(slot, mark, True)
        return slot

    def shape(self, node: Node, refs: tuple[str, ...] = ()) -> Shape:
        """The shape; ``refs`` are names by which it will be met again within itself."""
        if "ref" in node:
            refs = (*refs, node["ref"])
        serialization = node.get("serialization")
        if serialization is not None and serialization["type"] not in (
            "include-exclude-sequence",
            "include-exclude-dict",
        ):
            return Later()
        match node["type"]:
            case "definitions":
                self._definitions |= {definition["ref"]: definition for definition in node["definitions"]}
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
                members = self._remember(Members(), refs)
                members.rest = self.slot(node["values_schema"]) if "values_schema" in node else Slot(Plain())
                return members
            case "model":
                return self._model(node, refs)
            case "dataclass":
                return self._dataclass(node, refs)
            case "typed-dict":
                return self._typed_dict(node, refs)
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
            shape = self.shape(node)
            choice.shapes += shape.every if isinstance(shape, Choice) else [shape]
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

    def _tuple(self, node: Node, refs: tuple[str, ...]) -> Shape:
        slots = node["items_schema"]
        variadic = node.get("variadic_item_index")
        if variadic is not None and variadic != len(slots) - 1:
            return Later()
        items = self._remember(Items(), refs)
        items.first = tuple(map(self.slot, slots[:variadic]))
        items.rest = self.slot(slots[variadic]) if variadic is not None else None
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
        members = self._remember(Members(make=partial(_blank_model, node["cls"])), refs)
        self._fill(members, inner, node.get("config") or {}, inner["fields"])
        return members

    def _dataclass(self, node: Node, refs: tuple[str, ...]) -> Shape:
        inner = node["schema"]
        while inner["type"] == "function-after":
            inner = inner["schema"]
        if inner["type"] != "dataclass-args":
            self.pure = False
            return Later()
        fields = {field["name"]: field for field in inner["fields"]}
        members = self._remember(Members(make=partial(_blank_dataclass, node["cls"], tuple(fields))), refs)
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
        by_name = self._by_name or config.get("validate_by_name") or config.get("populate_by_name")
        by_alias = config.get("validate_by_alias", True)
        extra = node.get("extra_behavior") or config.get("extra_fields_behavior")
        if extra == "allow":
            members.rest = self.slot(node["extras_schema"]) if "extras_schema" in node else Slot(Plain())
        for name, field in fields.items():
            if field.get("serialization_exclude") or field.get("init_only"):
                continue
            slot = members.slots[name] = self.slot(field["schema"])
            if slot.default is UNSET:
                members.expected.add(name)
            alias = field.get("validation_alias")
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


def _metadata(node: Node) -> list[str]:
    return list((node.get("metadata") or {}).get("fieldstream", ()))


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


def _blank_model(kind: type[BaseModel]) -> BaseModel:
    blank = kind.model_construct()
    vars(blank).clear()  # of defaults: what is not there yet is not there
    vars(blank).update(dict.fromkeys(kind.model_fields))
    return blank


def _blank_dataclass(kind: type[Any], names: tuple[str, ...]) -> Any:
    blank = object.__new__(kind)
    for name in names:
        object.__setattr__(blank, name, None)
    return blank
