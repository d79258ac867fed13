"""How a client wants to read a run: by its ``Accept`` and ``Prefer`` headers (RFC 9110, RFC 7240)."""

from typing import Literal

from fastapi import Request

from fieldstream.server.errors import ApiError
from fieldstream.wire.encoder import Encoder
from fieldstream.wire.ndjson import NdjsonEncoder
from fieldstream.wire.sse import SseEncoder

Form = Literal["sse", "ndjson", "json"]

_FORMS: dict[str, Form] = {
    "text/event-stream": "sse",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/json": "json",
    "text/*": "sse",
    "application/*": "ndjson",
    "*/*": "sse",
}


def form_of(request: Request) -> Form:
    """The form that the client likes best. Raises ``ApiError`` 406 where it takes none that there is."""
    accept = ", ".join(request.headers.getlist("accept")) or "*/*"
    best: tuple[float, Form | None] = (0.0, None)
    for part in accept.split(","):
        kind, *parameters = (each.strip().lower() for each in part.split(";"))
        form = _FORMS.get(kind)
        weight = _weight(parameters)
        if form is not None and weight > best[0]:
            best = (weight, form)
    if best[1] is None:
        raise ApiError(
            406,
            "not_acceptable",
            f"Accept: {accept}; there are text/event-stream, application/x-ndjson, application/json",
        )
    return best[1]


def _weight(parameters: list[str]) -> float:
    for each in parameters:
        name, _, value = each.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def encoder_of(form: Form) -> Encoder:
    """Writes events in this form."""
    return NdjsonEncoder() if form == "ndjson" else SseEncoder()


def wants_no_stream(request: Request) -> bool:
    """Whether the client only wants the run to be started (``Prefer: respond-async``)."""
    preferences = ",".join(request.headers.getlist("prefer")).lower()
    return any(each.partition(";")[0].strip() == "respond-async" for each in preferences.split(","))
