"""``fieldstream.emit``: a program says something of its own to whoever watches it."""


def emit(value: object, /, *, name: str | None = None) -> None:
    """Say something to the readers of the run that this code belongs to; outside of a run, nothing happens.

    It becomes a ``custom`` event with the value as JSON and the name; ``streamify`` yields the value itself.
    """
    from fieldstream.tap import current_tap

    if (tap := current_tap()) is not None:
        tap.cancellation.check()
        tap.outlet.emit(value, name)
