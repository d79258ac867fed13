"""The tree of a run's calls, to be read."""

from collections.abc import Iterable

from fieldstream.events import CallStarted, Event


def tree(events: Iterable[Event]) -> list[str]:
    """The calls in their order, each as its kind and name, indented by two spaces for each call that encloses it."""
    depths: dict[str | None, int] = {None: -1}
    lines: list[str] = []
    for event in events:
        if isinstance(event, CallStarted):
            depths[event.call] = depths[event.parent] + 1
            lines.append("  " * depths[event.call] + f"{event.kind} {event.name}")
    return lines
