"""What a request asks for: the format, the fields and their types, the inputs, the tools.

It reads what DSPy's adapters write (chat, JSON, XML, and BAML's variant of JSON), as a language model does, and the
`response_format` of the OpenAI API. A prompt of nobody's format asks for plain text.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any, Literal, cast
from xml.etree import ElementTree

from fieldstream.simulator.annotations import Schema, from_baml, from_python
from fieldstream.simulator.request import ChatRequest, message_text
from fieldstream.simulator.tools import Tool, described_tools, offered_tools

Format = Literal["chat", "json", "xml", "text"]

_OUTPUTS = re.compile(r"^Your (?:output fields are|outputs must contain):\n", re.MULTILINE)
_FIELD = re.compile(r"^\d+\. `(\w+)` \((.+?)\):(?: (.*))?$", re.MULTILINE)
_CONSTRAINT = re.compile(r"(greater than or equal to|less than or equal to|greater than|less than): (-?[\d.]+)")
_KEYWORDS = {
    "greater than or equal to": "minimum",
    "less than or equal to": "maximum",
    "greater than": "exclusiveMinimum",
    "less than": "exclusiveMaximum",
}
_NOTE = "        # note: the value you produce "
_HEADER = re.compile(r"^\[\[ ## (\w+) ## \]\]\n", re.MULTILINE)
_OBJECTIVE = re.compile(r"^In adhering to this structure, your objective is: *\n(?: {8}.*\n|\s*\n)*", re.MULTILINE)
_STEP = re.compile(r"^(?:\[\[ ## tool_name_\d+ ## \]\]|<tool_name_\d+>|tool_name_\d+:)", re.MULTILINE)
_QUESTIONS = ("question", "query", "topic", "task", "request", "prompt", "input", "text")
_NO_QUESTIONS = ("trajectory", "history", "tools", "tool_call_results")
_TAGGED = re.compile(r"^<(\w+)>\n(.*?)\n</\1>$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Output:
    """A field to write: its schema, and what the prompt calls its type."""

    name: str
    schema: Schema
    kind: str = "str"
    nested: bool = False
    """Whether XML elements are asked for within it, rather than JSON."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be written, and from what."""

    format: Format
    outputs: list[Output]
    inputs: dict[str, str]
    question: str = ""
    """What it is about: the input that sounds like a question, or the first."""
    tools: list[Tool] = field(default_factory=list[Tool])
    """Tools that the prompt or the request offers."""
    tool_calls: int = 0
    """How many calls the conversation has seen already."""


def read_task(request: ChatRequest) -> Task:
    """The task that a request sets."""
    system = request.text("system") or request.text("developer")
    user = request.text("user")
    if not system and (objective := _OBJECTIVE.search(user)):  # all in one text, as a completion's prompt is
        system, user = user[: objective.end()], user[objective.end() :].strip()
    if not system and (objective := _OBJECTIVE.search(user)):  # all in one text, as a completion's prompt is
        system, user = user[: objective.end()], user[objective.end() :].strip()
    kind = _format(request, system, user)
    outputs = _outputs(request, system, user, kind)
    texts = [message_text(message) for message in request.messages if message.get("role") == "user"]
    said = [_inputs(system, text) for text in (*texts[:-1], user)]
    inputs = said[-1]
    question = next((asked for earlier in reversed(said) if (asked := _question(earlier))), "")
    tools = offered_tools(request.body) or described_tools(system) or described_tools(user)
    calls = len(_STEP.findall(inputs.get("trajectory", ""))) + sum("tool_call_results" in earlier for earlier in said)
    calls += sum(message.get("role") == "tool" for message in request.messages)
    return Task(kind, outputs, inputs, question, tools, calls)


def _format(request: ChatRequest, system: str, user: str) -> Format:
    asked = request.body.get("response_format")
    kind = str(cast("dict[str, Any]", asked).get("type")) if isinstance(asked, dict) else ""
    if kind.startswith("json") or "Respond with a JSON object" in user:
        return "json"
    if "wrapped in XML tags" in user:
        return "xml"
    if "[[ ## completed ## ]]" in user or ("[[ ## completed ## ]]" in system and "Your output fields are:" in system):
        return "chat"
    return "text"


def _outputs(request: ChatRequest, system: str, user: str, kind: Format) -> list[Output]:
    named: dict[str, Output] = {}
    start = _OUTPUTS.search(system)
    if start:
        listing = system[start.end() :].partition("\nAll interactions will be structured")[0]
        for match in _FIELD.finditer(listing):
            name, annotation, _ = match.groups()
            rest = listing[match.end() :].partition("\n")[2].partition("\n")[0]
            schema = _noted(system, name, kind) or _named(system, name, annotation)
            if rest.startswith("Constraints: "):
                schema |= {_KEYWORDS[word]: float(number) for word, number in _CONSTRAINT.findall(rest)}
            structure = _nested(user, name)
            named[name] = Output(name, _filled(schema, structure or {}), annotation, structure is not None)
    schema = _response_schema(request)
    if schema is not None:
        definitions = schema.get("$defs", {})
        for name, part in schema.get("properties", {}).items():
            known = named.get(name)
            named[name] = Output(name, part | {"$defs": definitions}, known.kind if known else "")
    return list(named.values())


def _response_schema(request: ChatRequest) -> Schema | None:
    asked: Any = request.body.get("response_format")
    try:
        return asked["json_schema"]["schema"]
    except (KeyError, TypeError):
        return None


def _noted(system: str, name: str, kind: Format) -> Schema:
    """The schema in the note beside a field's place: DSPy writes one for every type but `str`."""
    for line in system.splitlines():
        before, note, said = line.partition(f"{{{name}}}{_NOTE}")
        if not note:
            continue
        if kind == "json" and before.strip():
            said = str(json.loads("{" + line.strip().removesuffix(",") + "}").get(name)).partition(_NOTE)[2]
        return _from_note(said)
    return {}


def _from_note(said: str) -> Schema:
    _, adhere, schema = said.partition("must adhere to the JSON schema: ")
    if adhere:
        return json.loads(schema)
    _, one_of, choices = said.partition("one of: ")
    if one_of and "exactly match" not in said:  # the type of a Literal says more than its note
        return {"enum": choices.split("; ")}
    return {}


def _named(system: str, name: str, annotation: str) -> Schema:
    """The schema by the type's name, or by what BAML's notation says of it where the name says too little."""
    schema = from_python(annotation)
    noted = re.search(rf"Output field `{name}` should be of type: (.*?)\n\n?\[\[ ##", system, re.DOTALL)
    return from_baml(noted[1]) if noted and not _is_known(schema) else schema


def _is_known(schema: Schema) -> bool:
    choices: list[Schema] = schema.get("anyOf", [])
    parts = [schema[key] for key in ("items", "additionalProperties") if schema.get(key) not in (None, True)]
    return bool(schema) and all(map(_is_known, [*parts, *choices]))


def _nested(user: str, name: str) -> Schema | None:
    """The schema that a nested XML structure suggests: which elements there are, not their types. `None`: there is
    no such structure.
    """
    structure = user.partition("Use this nested XML structure:")[2]
    try:
        elements = ElementTree.fromstring(f"<all>{structure}</all>")
    except ElementTree.ParseError:
        return None
    found = elements.find(name)
    return None if found is None else _from_xml(found)


def _filled(schema: Schema, structure: Schema) -> Schema:
    """A schema, with the structure in the place of what the name of its type left open."""
    if not structure:
        return schema
    choices = [choice for choice in schema.get("anyOf", [schema]) if choice.get("type") != "null"]
    known: Schema = choices[0] if choices else {}
    if known.get("type") == "array" and structure.get("type") == "array":
        return known | {"items": _filled(known.get("items", {}), structure["items"])}
    return known or structure


def _from_xml(element: ElementTree.Element) -> Schema:
    children = {child.tag: _from_xml(child) for child in element}
    if not children:
        return {}
    if list(children) == ["item"]:
        return {"type": "array", "items": children["item"]}
    return {"type": "object", "properties": children, "required": list(children)}


def _inputs(system: str, user: str) -> dict[str, str]:
    """The values of the input fields in a message of the user; the whole text as `text` where it has none."""
    body = re.split(r"(?:^|\n\n)Respond with (?:the corresponding output fields|a JSON object)", user)[0]
    if _HEADER.match(body):
        parts = _HEADER.split(body)[1:]
        inputs: dict[str, str] = {}
        for name, value in zip(parts[::2], parts[1::2], strict=True):
            if "trajectory" in inputs:
                inputs["trajectory"] += f"[[ ## {name} ## ]]\n{value}"  # a trajectory has headers of its own
            else:
                inputs[name] = value.strip()
        return inputs
    tagged = {name: value.strip() for name, value in _TAGGED.findall(body)}
    plain = system.partition("As input, you will be provided with:\n")[2].partition("\nYour outputs must contain:")[0]
    if names := [name for name, _, _ in _FIELD.findall(plain)]:
        parts = re.split(rf"(?:^|\n\n)({'|'.join(names)}): ?", body)
        return {name: value.strip() for name, value in zip(parts[1::2], parts[2::2], strict=True)}
    return tagged or ({"text": body.strip()} if body.strip() else {})


def _question(inputs: dict[str, str]) -> str:
    for name in _QUESTIONS:
        if inputs.get(name):
            return inputs[name]
    return next((value for name, value in inputs.items() if name not in _NO_QUESTIONS), "")
