"""A structured value in nested XML: from elements to what changes in it.

What an element becomes depends on what is in it (``xml_plans`` has the rules), on whether others of its name follow,
and, where several schemas come into question, on which of them gives a valid value in the end. Rules of this file:

* A value is shown when all schemas agree that can still be meant. One is out when it makes an object, say, where only a
  text has a place. What they do not agree on is left out; whoever sees what was parsed adds it.
* Elements of one name that follow one another are the items of a list while they come. That an element comes again
  when its value was taken for whole is rare, and parse refuses most of it: the value is withdrawn then.
* What may be anything is shown when the object that holds it ends, for it may come again.
* Any other guess that fails ends what is told of the field.
"""

import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Literal, TypeAlias

from fieldstream.fields.changes import Change, Withdrawn
from fieldstream.fields.values.corrections import alike
from fieldstream.fields.values.reader import ValueReader
from fieldstream.fields.values.shapes import Later, Plain, Shape, Slot, Text
from fieldstream.fields.values.structured import LiteralReader
from fieldstream.fields.xml.forms import (
    Form,
    fits,
    fits_nothing,
    form_of_nothing,
    form_of_parent,
    form_of_text,
    has,
    is_list_of_texts,
    item_slot,
    takes,
    tell,
)
from fieldstream.fields.xml.plans import Plan, name_of, value_of

Plans: TypeAlias = tuple[Plan | None, ...]
"""For each of a field's schemas what it makes of an element; none if it has no part in it."""

Mode: TypeAlias = Literal["new", "held", "waiting", "text", "markup", "literal", "{", "[", "unknown"]
"""How far it is known what an element is.

===========  ==============================================================================
``new``      there is nothing in it yet
``held``     it has text, which is read when it is over, or its first child comes
``waiting``  it has children, but none yet that tells whether they are a list's items
``text``     a string that grows, stripped
``markup``   a string with children in it, written out
``literal``  a field's own text, which is read as JSON
``{``        an object: its children are the members
``[``        a list: its children named ``item`` are the items
``unknown``  only the adapter can tell
===========  ==============================================================================
"""


class _Element:
    """An element that is being read."""

    __slots__ = (
        *("again", "blank", "grouped", "grouped_plans", "lead", "mode", "name", "parent", "plans", "said", "seen"),
        *("sole", "trees", "wraps", "wraps_plans", "list_plans"),
    )

    def __init__(self, name: str, plans: Plans, *, again: bool = False, sole: bool = False) -> None:
        self.name = name
        self.plans = plans
        self.mode: Mode = "new"
        self.again = again
        """Whether it continues a list that an element of its name began."""
        self.sole = sole
        """Whether a text in it is the whole field's, which may be JSON."""
        self.parent = False
        """Whether it has children."""
        # Its text: before its first word, then all that may be shown, then blanks that may be its end.
        self.lead = ""
        self.said: list[str] = []
        self.blank: list[str] = []
        # The lists that were begun because it is their one item; the plans of the outermost one, and of its items.
        self.wraps = 0
        self.list_plans: Plans = ()
        self.wraps_plans: Plans = ()
        # Of an object: the members that came, with whether they had children; those of which there are only trees;
        # and the one whose list may go on with the next element, with the plans of its items.
        self.seen: dict[str, bool] = {}
        self.trees: dict[str, list[ET.Element]] = {}
        self.grouped: str | None = None
        self.grouped_plans: Plans = ()


class XmlValue:
    """Is told of a field's elements, in order, and says what changes in the field's value."""

    def __init__(self, field: str, slot: Slot, plans: tuple[Plan, ...]) -> None:
        self._field = field
        self._slot = slot
        self._reader = ValueReader(field, slot)
        self._top = _Element("", plans)
        self._elements: list[_Element] = []
        self._wrong: set[int] = set()  # the schemas that are out
        self._skipped = 0  # how deep it is in what is not shown
        self._lost = has(slot.shape, Later)
        self._literal: LiteralReader | None = None
        self._literal_said = False
        self._changes: list[Change] = []
        self._shown = False
        # An element that is read as a tree: of a string, of a list, or the object's member of this name.
        self._tree: ET.TreeBuilder | None = None
        self._depth = 0
        self._member_name: str | None = None
        self._tree_plans: Plans = ()

    @property
    def complete(self) -> bool:
        """Whether the value is over, and is shown as it will be."""
        return not self._lost and (self._literal or self._reader).complete

    def take(self) -> list[Change]:
        """What changed since."""
        changes = self._changes + self._reader.take()
        self._changes = []
        self._shown = self._shown or bool(changes)
        return changes

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins: the field's own, another one of its name, or one in it."""
        if self._lost:
            return
        if self._skipped:
            self._skipped += 1
        elif self._tree is not None:
            self._tree.start(tag, attributes)
            self._depth += 1
        elif self._elements:
            self._start_child(self._elements[-1], tag, attributes)
        elif self._top.grouped is not None:
            self._enter("", self._top.grouped_plans, tag, attributes, again=True)
        elif self._top.seen:
            if self._counts_again("", self._top, self._top.plans):
                self._lost = True
                self._changes += self._reader.take()
                if self._shown or self._changes:
                    self._changes.append(Withdrawn(self._field))
            self._skipped = 1
        else:
            self._elements.append(_Element("", self._top.plans, sole=True))

    def data(self, text: str) -> None:
        """Text in the innermost element."""
        if self._lost or self._skipped:
            return
        if self._tree is not None:
            self._tree.data(text)
            return
        element = self._elements[-1]
        match element.mode:
            case "new":
                element.said.append(text)
                if not text.isspace():
                    self._read_text(element, whole=False)
            case "held":
                element.said.append(text)
            case "text":
                self._grow(element, text)
            case "literal":
                element.said.append(text)
                self._read_literal(text)
            case "markup":
                self._reader.text(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
            case _:
                pass

    def end(self, tag: str) -> None:
        """The innermost element ends."""
        if self._lost:
            return
        if self._skipped:
            self._skipped -= 1
            return
        if self._tree is not None:
            self._tree.end(tag)
            self._depth -= 1
            if not self._depth:
                self._end_tree(self._tree.close())
            return
        element = self._elements.pop()
        if element.mode == "new":
            self._read_nothing(element)
        else:
            if element.mode == "held":
                self._read_text(element, whole=True)
            self._end_value(element)
        self._end_element(element)

    def finish(self) -> None:
        """There are no more elements."""
        if not self._lost:
            self._end_group(self._top)

    # Children.

    def _start_child(self, element: _Element, tag: str, attributes: dict[str, str]) -> None:
        name = name_of(tag, attributes)
        element.parent = True
        if element.wraps and name == "item":  # It is no item: it has the items.
            self._unwrap(element)
        elif element.mode in ("new", "held", "waiting", "text", "literal"):
            self._read_child(element, name)
        if self._lost:
            return
        match element.mode:
            case "{":
                self._start_member(element, name, tag, attributes)
            case "[" if name == "item":
                plans = tuple(plan and plan.parent.items for plan in element.plans)
                self._enter("item", plans, tag, attributes)
            case "markup":
                self._start_tree(tag, attributes)
            case _:
                self._skipped = 1

    def _start_member(self, element: _Element, name: str, tag: str, attributes: dict[str, str]) -> None:
        if name == element.grouped:
            self._enter(name, element.grouped_plans, tag, attributes, again=True)
            return
        self._end_group(element)
        plans = tuple(plan and plan.parent.member(name) for plan in element.plans)
        if name in element.seen:
            if self._counts_again(name, element, plans):
                self._reader.key(name)
                self._reader.skip()
            self._skipped = 1
            return
        self._reader.key(name)
        if self._reader.slot is None:
            self._skipped = 1
        elif has(self._reader.slot.shape, Plain) and not has(self._reader.slot.shape, Later):
            self._member_name = name
            self._start_tree(tag, attributes)
        else:
            self._enter(name, plans, tag, attributes)

    def _counts_again(self, name: str, holder: _Element, plans: Plans) -> bool:
        """Whether another element of this name makes a value other than that of the first one."""
        lists = any("array" in (plan.parent.kind, plan.childless.kind) for plan in self._possible(plans).values())
        return lists or not holder.seen[name]

    def _enter(self, name: str, plans: Plans, tag: str, attributes: dict[str, str], *, again: bool = False) -> None:
        """Read an element as the value that comes next."""
        slot = self._reader.slot
        if slot is None or has(slot.shape, Later):
            self._reader.skip()
            self._skipped = 1
        elif has(slot.shape, Plain):
            self._tree_plans = plans
            self._start_tree(tag, attributes)
        else:
            self._elements.append(_Element(name, plans, again=again))

    def _start_tree(self, tag: str, attributes: dict[str, str]) -> None:
        self._tree = ET.TreeBuilder()
        self._tree.start(tag, attributes)
        self._depth = 1

    def _end_tree(self, tree: ET.Element) -> None:
        self._tree = None
        if self._member_name is not None:
            self._elements[-1].trees.setdefault(self._member_name, []).append(tree)
            self._member_name = None
        elif self._elements and self._elements[-1].mode == "markup":
            self._reader.text(ET.tostring(tree, "unicode"))
        else:
            self._tell_trees([tree], self._tree_plans)

    def _tell_trees(self, trees: list[ET.Element], plans: Plans) -> None:
        values = [value_of(trees, plan) for plan in self._possible(plans).values()]
        if values and all(alike(values[0], value) for value in values[1:]):
            tell(self._reader, values[0])
        else:
            self._reader.skip()

    # What an element is.

    def _possible(self, plans: Plans) -> dict[int, Plan]:
        """The plans that can still be meant, by their schemas' numbers."""
        return {index: plan for index, plan in enumerate(plans) if plan is not None and index not in self._wrong}

    def _good(
        self, element: _Element, form_of: Callable[[Plan], Form], fitting: Callable[[Shape, Form], bool]
    ) -> dict[int, Form]:
        """What the schemas say that the element is, where that has a place here."""
        slot = self._reader.slot
        forms: dict[int, Form] = {index: form_of(plan) for index, plan in self._possible(element.plans).items()}
        return {index: form for index, form in forms.items() if slot is not None and fitting(slot.shape, form)}

    def _exclude(self, element: _Element, good: dict[int, Form]) -> None:
        """The other schemas are out."""
        self._wrong |= self._possible(element.plans).keys() - good.keys()
        self._lost = not good

    def _wrap(self, element: _Element, items: Plans) -> None:
        """The element is the one item of a list."""
        self._reader.begin("[")
        element.sole = False
        if not element.wraps:
            element.list_plans, element.wraps_plans = element.plans, items
        element.plans = items
        element.wraps += 1

    def _unwrap(self, element: _Element) -> None:
        """The element was no item: it is the list."""
        if element.mode != "text" or element.wraps > 1:
            self._lost = True
            return
        self._reader.retract()
        element.plans = element.list_plans
        element.wraps = 0
        element.mode = "["

    def _read_child(self, element: _Element, name: str) -> None:
        """The first child came; or the next one, after others that said nothing."""
        while True:
            good = self._good(element, lambda plan: form_of_parent(plan, name), fits)
            self._exclude(element, good)
            if self._lost:
                return
            form = _agreed(good)
            if form != "item":
                break
            slot = self._reader.slot
            item = item_slot(slot.shape) if slot is not None else None
            if item is None or not takes(item.shape, name):
                self._retract(element)
                element.mode = "waiting"
                return
            self._retract(element)
            element.mode = "held"
            plans = self._possible(element.plans)
            self._wrap(element, _for_each(element.plans, {key: plan.parent.items for key, plan in plans.items()}))
        if form == '"':
            self._begin_markup(element)
            return
        self._retract(element)
        if form == "{" or form == "[":
            self._reader.begin(form)
            element.mode = form
        else:
            element.mode = "unknown"

    def _retract(self, element: _Element) -> None:
        """What was shown of the element's text is no value."""
        if element.mode == "text":
            self._reader.retract()
        elif self._literal is not None:
            self._literal = None
            if self._literal_said:
                self._changes.append(Withdrawn(self._field))

    def _begin_markup(self, element: _Element) -> None:
        if element.mode == "text" and not element.lead:
            text = "".join(element.blank)
        else:
            self._retract(element)
            self._reader.begin('"')
            text = element.lead + "".join(element.said) + "".join(element.blank)
        if text:
            self._reader.text(text)
        element.mode = "markup"

    def _read_text(self, element: _Element, *, whole: bool) -> None:
        """There is text; and if it is ``whole``, nothing else."""
        text = "".join(element.said)
        stripped = text.lstrip()
        element.mode = "held"
        while True:
            good = self._good(
                element,
                lambda plan: form_of_text(plan, stripped[0]),
                lambda shape, form: (element.sole and form == '"') or fits(shape, form),
            )
            slot = self._reader.slot
            item = item_slot(slot.shape) if slot is not None else None
            grows = item is not None and has(item.shape, Text)
            form = next(iter(good.values()), None)
            sure = form == "item" and slot is not None and is_list_of_texts(slot.shape)
            if form is None or (len(set(good.values())) > 1 and not sure):
                return
            if form != "item":
                break
            if not grows and not whole:
                return
            plans = self._possible(element.plans)
            items = {key: plans[key].childless.items for key, each in good.items() if each == "item"}
            self._wrap(element, _for_each(element.plans, items))
        if element.sole:
            self._literal = LiteralReader(self._field, self._slot, raw=True)
            element.mode = "literal"
            self._read_literal(text)
        elif whole or (slot is not None and has(slot.shape, Text)):
            element.lead = text[: len(text) - len(stripped)]
            element.said = []
            element.mode = "text"
            self._reader.begin('"')
            self._grow(element, stripped)

    def _read_literal(self, text: str) -> None:
        if self._literal is not None:
            changes = self._literal.feed(text)
            self._literal_said = self._literal_said or bool(changes)
            self._changes += changes

    def _grow(self, element: _Element, text: str) -> None:
        body = text.rstrip()
        if body:
            said = "".join(element.blank) + body
            element.said.append(said)
            element.blank = []
            self._reader.text(said)
        if len(body) < len(text):
            element.blank.append(text[len(body) :])

    def _read_nothing(self, element: _Element) -> None:
        """It ends, and there is nothing in it."""
        slot = self._reader.slot
        good = self._good(element, form_of_nothing, fits_nothing)
        if slot is not None and not fits(slot.shape, "["):  # Of a list's, more may come.
            self._exclude(element, good)
        form = _agreed(good)
        if element.sole and good and min(good) == min(self._possible(element.plans)):
            form = good[min(good)]  # A field's value is that of the first schema for which it is valid.
        match form:
            case "null":
                self._reader.scalar(None)
            case "[" | "{" | '"':
                self._reader.begin(form)
                self._reader.end(form)
            case _:
                self._reader.skip()

    # Ends.

    def _end_value(self, element: _Element) -> None:
        match element.mode:
            case "text" | "markup":
                self._reader.end('"')
            case "literal" if self._literal is not None:
                self._changes += self._literal.finish()
            case "[":
                self._reader.end("[")
            case "{":
                self._end_object(element)
            case _:
                self._reader.skip()

    def _end_object(self, element: _Element) -> None:
        self._end_group(element)
        for name, trees in element.trees.items():
            self._reader.key(name)
            self._tell_trees(trees, tuple(plan and plan.parent.member(name) for plan in element.plans))
        self._reader.end("{")

    def _end_group(self, element: _Element) -> None:
        """The list of the elements of one name is over."""
        if element.grouped is not None:
            element.grouped = None
            self._reader.end("[")

    def _end_element(self, element: _Element) -> None:
        """Go on behind it: the list that it began as its first item may have more."""
        holder = self._elements[-1] if self._elements else self._top
        goes_on = bool(element.wraps) and not element.again and holder.mode != "["
        for _ in range(element.wraps - goes_on):
            self._reader.end("[")
        if goes_on:
            holder.grouped, holder.grouped_plans = element.name, element.wraps_plans
        holder.seen[element.name] = element.parent


def _agreed(forms: dict[int, Form]) -> Form | None:
    return next(iter(forms.values())) if len(set(forms.values())) == 1 else None


def _for_each(plans: Plans, others: dict[int, Plan]) -> Plans:
    return tuple(others.get(index) for index in range(len(plans)))
