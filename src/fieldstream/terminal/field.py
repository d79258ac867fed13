"""A field as it stands: what was written of it so far, and what was taken back."""

from dataclasses import dataclass, field

from fieldstream._draft import Draft
from fieldstream.events import UNSET, FieldDelta, FieldKind, Path, ResetReason
from fieldstream.terminal.value import as_json, as_text


@dataclass(slots=True)
class Withdrawn:
    """What was shown of a field and then taken back, and why."""

    reason: ResetReason
    text: str
    path: Path = ()


@dataclass(slots=True)
class FieldView:
    """A field of a predictor's call, or the text of an LM's."""

    name: str
    kind: FieldKind = "text"
    candidate: int = 0
    ended: bool = False
    withdrawn: list[Withdrawn] = field(default_factory=list[Withdrawn])
    pieces: list[str] = field(default_factory=list[str])
    """A text, as it came."""
    draft: Draft | None = None
    """Anything else."""
    version: int = 0
    """Changes when ``pieces`` begin anew."""

    @property
    def label(self) -> str:
        """The field's name, and which candidate's it is where that is not the first."""
        return f"{self.name} #{self.candidate + 1}" if self.candidate else self.name

    @property
    def blank(self) -> bool:
        """Whether nothing of it is to be seen."""
        return not self.pieces and (self.draft is None or self.draft.value is UNSET)

    def text(self, width: int | None = None) -> str:
        """What there is of it, for a person: a text as it is, a value as JSON (on lines of ``width``, if given)."""
        if self.draft is None:
            return "".join(self.pieces)
        value = self.draft.value
        if value is UNSET:
            return ""
        return as_text(value, width) if self.kind == "text" else as_json(value, width)

    def apply(self, delta: FieldDelta) -> None:
        """Take a delta in."""
        if delta.text is not None and self.kind == "text" and not delta.path and self.draft is None:
            self.pieces.append(delta.text)
            return
        if self.draft is None:
            self.draft = Draft()
            if self.pieces:
                self.draft.assign((), "".join(self.pieces))
            self._clear()
        if delta.text is not None:
            self.draft.append(delta.path, delta.text)
        else:
            self.draft.assign(delta.path, delta.value)

    def withdraw(self, reason: ResetReason, path: Path) -> None:
        """Take back what was shown at this path."""
        self.ended = False
        if path and self.draft is not None:
            known = self.draft.withdraw(path)
            self.withdrawn.append(Withdrawn(reason, "" if known is UNSET else as_text(known), path))
            return
        self.withdrawn.append(Withdrawn(reason, self.text()))
        self.draft = None
        self._clear()

    def _clear(self) -> None:
        self.pieces = []
        self.version += 1
