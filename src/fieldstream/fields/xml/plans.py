"""How ``XMLAdapter`` makes a value of XML elements: by a JSON schema of the field's type, whose member names are tags.

What an element becomes depends on whether it has children, text, or neither:

==========  ===================================  =============================  ==========
schema      children                             text                           neither
==========  ===================================  =============================  ==========
array       its ``item`` children; else itself,  itself, as the one item;       ``[]``
            as the one item                      text from ``[`` on as it is
string      its text and them, written out       the text                       ``""``
object      its children by their names          the text                       ``{}``
any other   the same                             the text                       ``""``
==========  ===================================  =============================  ==========

Elements of one name are the items of an array. Of any other schema only the first counts, if it has children; else
there is a list of their texts. Of several schemas (``anyOf``) ``null`` is taken if there is neither; else the first
one, or with children the first that is no string. The schema so taken is not looked up if it is a reference: what is
in it is then read without a schema.
"""

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from functools import cached_property
from typing import Any, TypeAlias, cast

Schema: TypeAlias = Mapping[str, Any]


class Plan:
    """What becomes of elements with this schema. Plans are made when they are asked for: schemas may be recursive."""

    def __init__(self, schema: Schema, source: "_Source") -> None:
        schema = source.definitions.get(schema.get("$ref", "").rsplit("/", 1)[-1], schema)
        choices: list[Schema] = schema.get("anyOf") or []
        self.nullable = {"type": "null"} in choices
        """Whether an element with nothing in it is ``None``."""
        choices = [choice for choice in choices if choice.get("type") != "null"]
        childless = choices[0] if choices else schema
        parent = next((choice for choice in choices if choice.get("type") != "string"), childless)
        self.childless = Branch(childless, source)
        """What counts for an element without children."""
        self.parent = self.childless if parent is childless else Branch(parent, source)
        """What counts for one with children."""


class Branch:
    """A schema that was chosen."""

    def __init__(self, schema: Schema, source: "_Source") -> None:
        self.kind: str = schema.get("type", "")
        self._schema = schema
        self._source = source

    @cached_property
    def items(self) -> Plan:
        """The plan of an array's items."""
        return self._source.plan(self._schema.get("items"))

    def member(self, name: str) -> Plan:
        """The plan of the elements with this name."""
        properties: Schema = self._schema.get("properties", {})
        return self._source.plan(properties.get(name, self._schema.get("additionalProperties")))


class _Source:
    """A field's schema, with what it refers to."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema  # It holds all whose identities are keys below.
        self.definitions: Schema = schema.get("$defs", {})
        self._plans: dict[int, Plan] = {}
        self._untyped: Schema = {}

    def plan(self, schema: Any) -> Plan:
        known: Schema = cast("Schema", schema) if isinstance(schema, dict) else self._untyped
        if id(known) not in self._plans:
            self._plans[id(known)] = Plan(known, self)
        return self._plans[id(known)]


def plans_of(schema: Schema) -> tuple[Plan, ...]:
    """The plans by which the adapter reads a field of this schema: the first one counts whose value is valid."""
    source = _Source(schema)
    return tuple(source.plan(each) for each in [schema, *schema.get("anyOf", [])])


def name_of(tag: str, attributes: Mapping[str, str]) -> str:
    """The name that an element goes by."""
    return attributes.get("key", tag) if tag == "entry" else tag


def grouped(element: ET.Element) -> dict[str, list[ET.Element]]:
    """The element's children by their names."""
    groups: dict[str, list[ET.Element]] = {}
    for child in element:
        groups.setdefault(name_of(child.tag, child.attrib), []).append(child)
    return groups


def value_of(elements: list[ET.Element], plan: Plan) -> Any:
    """What the adapter makes of the elements of one name."""
    element = elements[0]
    text = (element.text or "").strip()
    if plan.nullable and not len(element) and not text:
        return None
    branch = plan.parent if len(element) else plan.childless
    if branch.kind == "array":
        if len(elements) == 1 and not len(element) and (not text or text.startswith("[")):
            return text or []
        if len(elements) == 1:
            elements = grouped(element).get("item") or elements
        return [value_of([each], branch.items) for each in elements]
    if branch.kind == "string" and len(element):
        return (element.text or "") + "".join(ET.tostring(child, "unicode") for child in element)
    if not len(element):
        if branch.kind == "object" and not text:
            return {}
        texts = [(each.text or "").strip() for each in elements]
        return texts if len(texts) > 1 else text
    return {name: value_of(group, branch.member(name)) for name, group in grouped(element).items()}
