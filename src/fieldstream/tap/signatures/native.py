"""Which fields of a predictor DSPy fills from what an LM says beside its text.

Touches of DSPy: ``Adapter._call_postprocess``, which fills them (an adapter with one of its own does as it likes), and
as it does, ``_get_tool_call_output_field_name`` and ``native_response_types``; of these types ``is_streamable`` and
``parse_stream_chunk``, by which DSPy itself streams them.
"""

# pyright: reportPrivateUsage=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from collections.abc import Callable
from typing import Any

import dspy
from dspy.signatures.signature import ensure_signature

from fieldstream.fields import NativeFields
from fieldstream.tap.internals import known, lacking, put
from fieldstream.tap.signatures.values import to_json


def native_fields(adapter: dspy.Adapter, declared: Any) -> NativeFields:
    """The fields of the predictor's signature that this adapter fills so, if the LM says anything there."""
    if "native" in lacking or type(adapter)._call_postprocess is not dspy.Adapter._call_postprocess:
        return NativeFields()
    signature: Any = ensure_signature(declared)
    types = [
        (name, info.annotation)
        for name, info in signature.output_fields.items()
        if isinstance(info.annotation, type)
        and info.annotation in adapter.native_response_types
        and issubclass(info.annotation, dspy.Type)
    ]
    return NativeFields(
        reasoning=tuple(name for name, kind in types if kind is dspy.Reasoning),
        calls=adapter._get_tool_call_output_field_name(signature),
        readers={name: _reader_of(kind) for name, kind in types if kind is not dspy.Reasoning and kind.is_streamable()},
    )


def _reader_of(kind: type[dspy.Type]) -> Callable[[Any], Any]:
    return lambda chunk: None if (value := kind.parse_stream_chunk(chunk)) is None else to_json(value)


def _check() -> None:
    known(dspy.Adapter._call_postprocess, "self", *_POSTPROCESSED)
    known(dspy.Adapter._get_tool_call_output_field_name, "self", "signature")


_POSTPROCESSED = ("processed_signature", "original_signature", "outputs", "lm", "lm_kwargs")
put("native", _check)
