"""Values that fit a JSON Schema and sound like their names: `age` is a number of years, `sources` are addresses."""

import math
import random
import re
from typing import Any, cast

from fieldstream.simulator import prose
from fieldstream.simulator.annotations import Schema

_DEPTH = 4
"""Values in values: deeper than this, what may be empty is left empty."""

_NAMES = ("Ada Lovelace", "Grace Hopper", "Émilie du Châtelet", "Alan Turing", "Søren Kierkegaard", "Mary Somerville")
_CITIES = ("Lisbon", "Zürich", "Kyoto", "Reykjavík", "Montréal", "Nairobi")
_COUNTRIES = ("Portugal", "Switzerland", "Japan", "Iceland", "Canada", "Kenya")
_FORMATS = {
    "date": "2024-05-17",
    "date-time": "2024-05-17T09:30:00Z",
    "time": "09:30:00",
    "duration": "PT15M",
    "email": "ada@example.org",
    "uri": "https://example.org/",
    "uuid": "3f2b8c1e-6a4d-4e0f-9b7a-5c2d1e8f0a6b",
    "ipv4": "192.0.2.7",
    "ipv6": "2001:db8::7",
}


def invent(name: str, schema: Schema, about: str, rng: random.Random, words: int | None = None) -> Any:
    """A JSON value of the schema for a field with this name, in a text that is `about` something.

    `words` is how long its text may become. `$ref`s are looked up in the schema's own `$defs`.
    """
    definitions = {**schema.get("definitions", {}), **schema.get("$defs", {})}
    return _Inventor(about, rng, words, definitions).value(name, schema, 0)


class _Inventor:
    def __init__(self, about: str, rng: random.Random, words: int | None, definitions: dict[str, Schema]) -> None:
        self._about = about
        self._rng = rng
        self._words = words
        self._definitions = definitions
        self._items = 0
        self._inside = 0

    def value(self, name: str, schema: Schema | bool, depth: int) -> Any:
        if not isinstance(schema, dict):
            return self._anything(name)
        schema = self._resolved(schema, depth)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._rng.choice(schema["enum"])
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((part for part in cast("list[str]", kind) if part != "null"), "null")
        if kind is None:
            kind = "object" if "properties" in schema else "array" if "items" in schema else None
        match kind:
            case "string":
                return self._string(name, schema)
            case "integer":
                return round(self._number(name, schema, whole=True))
            case "number":
                return self._number(name, schema, whole=False)
            case "boolean":
                return self._rng.random() < 0.7
            case "null":
                return None
            case "array":
                return self._array(name, schema, depth)
            case "object":
                return self._object(name, schema, depth)
            case _:
                return self._anything(name)

    def _resolved(self, schema: Schema, depth: int) -> Schema:
        """The schema without references and choices: the first choice that is not null, but null where it is deep."""
        for _ in range(32):
            if "$ref" in schema:
                schema = self._definitions.get(str(schema["$ref"]).rpartition("/")[2], {})
            elif "allOf" in schema:
                parts: list[Schema] = schema["allOf"]
                schema = {key: value for key, value in schema.items() if key != "allOf"}
                for part in parts:
                    schema = self._resolved(part, depth) | schema
            elif choices := schema.get("anyOf") or schema.get("oneOf"):
                null = [choice for choice in choices if choice.get("type") == "null"]
                others = [choice for choice in choices if choice.get("type") != "null"]
                schema = (null if null and depth >= _DEPTH else others or null)[0]
            else:
                break
        return schema

    def _object(self, name: str, schema: Schema, depth: int) -> dict[str, Any]:
        properties: dict[str, Schema] = schema.get("properties", {})
        required = schema.get("required", [])
        self._inside += 1
        made = {
            key: self.value(key, part, depth + 1)
            for key, part in properties.items()
            if key in required or depth < _DEPTH
        }
        more = schema.get("additionalProperties", not properties)
        if more and not properties and depth < _DEPTH:
            for word in prose.keywords(self._about, 2):
                made[word.lower()] = self.value(name.rstrip("s"), more, depth + 1)
        self._inside -= 1
        return made

    def _array(self, name: str, schema: Schema, depth: int) -> list[Any]:
        if prefix := schema.get("prefixItems"):
            return [self.value(name, part, depth + 1) for part in prefix]
        low, high = int(schema.get("minItems", 0)), int(schema.get("maxItems", 1 << 20))
        wanted = self._rng.choice((2, 3, 3, 4)) if depth < 2 else 2 if depth < _DEPTH else 0
        single = re.sub(r"(?<=.)s$", "", name)
        made: list[Any] = []
        for index in range(max(low, min(high, wanted))):
            self._items = index
            item = self.value(single, schema.get("items", {}), depth + 1)
            if item not in made or len(made) < low:
                made.append(item)
        return made

    def _number(self, name: str, schema: Schema, *, whole: bool) -> float:
        low, high = _within(schema, *_range(name, whole=whole), whole=whole)
        value = low + (high - low) * self._rng.uniform(0.05, 0.95)  # inside: a bound may be excluded
        if step := schema.get("multipleOf"):
            value = math.floor(value / step) * step
            return value if value >= low else value + step
        if whole:
            return min(max(round(value), math.ceil(low)), math.floor(high))
        return round(value, 2) if low < round(value, 2) < high else value

    def _string(self, name: str, schema: Schema) -> str:
        made = _FORMATS.get(schema.get("format", "")) or self._named(name)
        while len(made) < int(schema.get("minLength", 0)):
            made += " " + prose.sentence(self._about, self._rng)
        return made[: schema["maxLength"]].rstrip() if "maxLength" in schema else made

    def _named(self, name: str) -> str:
        """A text for a field by what its name says."""
        about, rng, index = self._about, self._rng, self._items
        words = [word for word in re.split(r"[_\W]+|(?<=[a-z])(?=[A-Z])", name.lower()) if word]
        last = words[-1].rstrip("s") if words else ""
        topic = prose.keywords(about, 3)
        match last:
            case "url" | "source" | "link" | "uri" | "reference" | "citation":
                return f"https://example.org/{'-'.join(topic).lower()}/{index + 1}"
            case "name" | "author" | "person" | "who" | "customer" | "user":
                return _NAMES[index % len(_NAMES)]
            case "city" | "location" | "place" | "town":
                return prose.proper_name(about) or _CITIES[index % len(_CITIES)]
            case "country":
                return _COUNTRIES[index % len(_COUNTRIES)]
            case "date" | "day":
                return _FORMATS["date"]
            case "email":
                return _FORMATS["email"]
            case "language":
                return rng.choice(("English", "Français", "日本語"))
            case "tag" | "keyword" | "label" | "category" | "topic" | "key" | "type":
                return [*topic, "example", "evidence", "context", "history"][index % (len(topic) + 4)].lower()
            case "title" | "headline" | "heading":
                return prose.title(about, rng)
            case "query" | "search" | "question" | "expression":
                return prose.query(about)
            case "id" | "code" | "sku":
                return f"{topic[0][:3].upper()}-{rng.randrange(100, 1000)}"
            case "reasoning" | "rationale" | "thought" | "explanation" | "justification" | "analysis":
                return prose.reasoning(about, rng, self._words)
            case "answer" | "response" | "reply" | "conclusion" | "result":
                return prose.answer(about, rng, self._words)
            case "essay" | "report" | "article" | "story" | "summary" | "text" | "description" | "content" | "letter":
                return prose.answer(about, rng, self._words or 60)
            case _ if self._inside:
                return " ".join(rng.sample(topic, min(2, len(topic)))).lower()
            case _:
                return prose.sentence(about, rng) if not self._words else prose.answer(about, rng, self._words)

    def _anything(self, name: str) -> Any:
        """A value of no known type: a number where the name sounds like one."""
        low, high = _range(name, whole=True)
        return round(low + (high - low) * self._rng.random()) if (low, high) != (1, 100) else self._named(name)


def _within(schema: Schema, natural_low: float, natural_high: float, *, whole: bool) -> tuple[float, float]:
    """Between what numbers a value lies: the natural ones where the schema's bounds allow them."""
    beyond = 1 if whole else 0
    lows = [schema[key] + more for key, more in (("minimum", 0), ("exclusiveMinimum", beyond)) if key in schema]
    highs = [schema[key] - more for key, more in (("maximum", 0), ("exclusiveMaximum", beyond)) if key in schema]
    low, high = max([natural_low, *lows]), min([natural_high, *highs])
    if low < high or (whole and low == high):
        return low, high
    low = max(lows) if lows else min(highs) - 10
    return low, min(highs) if highs else low + 10


def _range(name: str, *, whole: bool) -> tuple[float, float]:
    """Between what numbers a field with this name lies."""
    words = set(re.split(r"[_\W]+", name.lower()))
    if words & {"confidence", "probability", "score", "relevance", "likelihood", "similarity"}:
        return (1, 10) if whole else (0.55, 0.99)
    if words & {"age", "years"}:
        return (18, 90)
    if words & {"year"}:
        return (1900, 2024)
    if words & {
        "count",
        "number",
        "total",
        "quantity",
        "rating",
        "stars",
        "rank",
        "amount",
        "days",
        "limit",
        "top",
        "k",
        "n",
    }:
        return (1, 5)
    if words & {"price", "cost"}:
        return (5, 250)
    if words & {"percent", "percentage"}:
        return (5, 95)
    return (1, 100)
