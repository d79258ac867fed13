"""What a field's readers hold on to where a module is tried several times and one try is chosen.

``dspy.BestOfN`` and ``dspy.Refine`` make attempts, one after the other. A following attempt takes the place of what the
one before showed; in the end it may be an earlier one that is chosen, and then that one is shown again.
"""

from typing import NamedTuple

from fieldstream.events import CallEnded, CallStarted


class Rerun(NamedTuple):
    """What calls showed of the field is withdrawn, and what ``restored`` ones showed takes its place."""

    withdrawn: list[str]
    restored: list[str]


class _Chooser:
    """A call that makes attempts: the calls that wrote the field in each, and which attempt is shown."""

    __slots__ = ("attempts", "shown")

    def __init__(self) -> None:
        self.attempts: dict[str, list[str]] = {}
        self.shown: str | None = None


class Attempts:
    """Follows the attempts of a run, for the readers of one field."""

    def __init__(self) -> None:
        self._parents: dict[str, str | None] = {}
        self._choosers: dict[str, _Chooser] = {}

    @property
    def undecided(self) -> bool:
        """Whether some attempts are not chosen from yet."""
        return bool(self._choosers)

    def started(self, event: CallStarted) -> None:
        """A call began."""
        self._parents[event.call] = event.parent
        if event.attempt is not None and event.parent is not None:
            self._choosers.setdefault(event.parent, _Chooser()).attempts[event.call] = []

    def writes(self, call: str) -> list[str]:
        """This call begins to show the field. What other calls showed, those that come, is withdrawn by that."""
        withdrawn: list[str] = []
        for chooser, attempt in self._enclosing(call):
            if chooser.shown is not None and chooser.shown != attempt:
                withdrawn += [each for each in chooser.attempts[chooser.shown] if each not in withdrawn]
            chooser.shown = attempt
            chooser.attempts[attempt].append(call)
        return withdrawn

    def pending(self, call: str) -> bool:
        """Whether it is not known yet whether what this call showed stays."""
        return any(call in calls for chooser in self._choosers.values() for calls in chooser.attempts.values())

    def discarded(self, event: CallEnded) -> set[str]:
        """The calls that wrote the field in attempts that were not chosen, where what made them is about to end."""
        chooser = self._choosers.get(event.call)
        attempts = chooser.attempts if chooser is not None else {}
        return {call for attempt, calls in attempts.items() if attempt != event.chosen for call in calls}

    def ended(self, event: CallEnded) -> Rerun | None:
        """A call ended. Where it has chosen another attempt than the one that is shown, this is what changes."""
        enclosing = self._enclosing(event.call)
        self._parents.pop(event.call, None)
        chooser = self._choosers.pop(event.call, None)
        if chooser is None:
            return None
        choice = event.chosen if event.error is None else chooser.shown  # Who fails leaves what it showed.
        chosen = chooser.attempts.get(choice or "", [])
        discarded = {call for calls in chooser.attempts.values() for call in calls}.difference(chosen)
        for outer, attempt in enclosing:
            outer.attempts[attempt] = [call for call in outer.attempts[attempt] if call not in discarded]
        if chooser.shown is None or chooser.shown == choice:
            return None
        return Rerun(chooser.attempts[chooser.shown], chosen)

    def _enclosing(self, call: str) -> list[tuple[_Chooser, str]]:
        """The attempts that the call is in, or is, from the inside out."""
        found: list[tuple[_Chooser, str]] = []
        while (parent := self._parents.get(call)) is not None:
            chooser = self._choosers.get(parent)
            if chooser is not None and call in chooser.attempts:
                found.append((chooser, call))
            call = parent
        return found
