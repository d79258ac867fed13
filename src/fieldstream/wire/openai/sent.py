"""Text that was sent to a client who cannot be told to forget some of it."""


class Diverged(Exception):
    """What was sent is not how the text begins."""


class Sent:
    """A text that may be withdrawn here, and can only grow there.

    After a withdrawal, what says once more what was sent is not sent once more.
    """

    def __init__(self) -> None:
        self._pieces: list[str] = []
        # What was sent, while it is being said once more; and how much of it has been.
        self._known: str | None = None
        self._met = 0

    @property
    def text(self) -> str:
        """All that was sent."""
        return "".join(self._pieces)

    def say(self, text: str) -> str:
        """More of the text. Gives the part of it that is to be sent. Raises ``Diverged``."""
        if self._known is not None:
            text = self._meet(self._known, text)
        if text:
            self._pieces.append(text)
        return text

    def withdraw(self, kept: str) -> None:
        """The text is only this much any more, and goes on from there. Raises ``Diverged``."""
        if not self._pieces:
            return
        self._pieces = [self.text]
        self._known, self._met = self._pieces[0], 0
        self._meet(self._known, kept)

    def finish(self) -> None:
        """The text is final. Raises ``Diverged`` where more was sent than it says."""
        if self._known is not None:
            raise Diverged

    def _meet(self, known: str, text: str) -> str:
        """What of the text is new."""
        size = min(len(text), len(known) - self._met)
        if not known.startswith(text[:size], self._met):
            raise Diverged
        self._met += size
        if self._met == len(known):
            self._known = None
        return text[size:]
