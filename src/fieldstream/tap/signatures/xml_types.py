"""What is known of the types of a signature's fields, as the XML adapter looks at them.

Touches of DSPy: ``XMLAdapter.parse`` goes by ``TypeAdapter(annotation).json_schema(by_alias=False)``. Members have
their own names there; where Pydantic takes no value by those, the adapter asks it again to do so.
"""

from collections.abc import Collection
from functools import lru_cache
from typing import Any, TypeAlias

from pydantic import TypeAdapter

from fieldstream.fields import Later, Slot
from fieldstream.fields.xml.plans import Plan, plans_of
from fieldstream.tap.signatures.shapes import slots_of
from fieldstream.tap.signatures.values import field_kind

Types: TypeAlias = dict[str, tuple[Slot, tuple[Plan, ...]]]


def xml_types_of(signature: Any, undecided: Collection[str] = ()) -> Types:
    """The slots and plans of a signature's data fields, but for those that only the adapter can read."""
    types: Types = {}
    slots = slots_of(signature, by_name=True)
    for name, info in signature.output_fields.items():
        slot = slots[name]
        if name not in undecided and field_kind(info.annotation) == "data" and not isinstance(slot.shape, Later):
            plans = _plans(info.annotation)
            if plans:
                types[name] = slot, plans
    return types


def _plans(annotation: Any) -> tuple[Plan, ...]:
    try:
        return _known_plans(annotation)
    except TypeError:  # An annotation that cannot be hashed.
        return _known_plans.__wrapped__(annotation)


@lru_cache(maxsize=256)
def _known_plans(annotation: Any) -> tuple[Plan, ...]:
    try:
        return plans_of(TypeAdapter(annotation).json_schema(by_alias=False))
    except Exception:  # What has no schema DSPy cannot read either, and says so.
        return ()
