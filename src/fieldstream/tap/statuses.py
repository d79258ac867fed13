"""Status messages: what a user's provider of them says of a call's start or end."""

import asyncio
import inspect
import logging
from typing import Any

from fieldstream.tap.record.calls import Call, Recorder
from fieldstream.tap.signatures.values import taken

logger = logging.getLogger("fieldstream")


class Statuses:
    """Asks the provider, and passes on what it says. Its failure loses the message, never the run."""

    def __init__(self, recorder: Recorder, provider: object) -> None:
        self._recorder = recorder
        self._provider = provider
        self.pending: set[asyncio.Task[None]] = set()
        """Messages that are awaited still."""

    def say(self, moment: str, call: Call, **arguments: Any) -> None:
        """Something happens to the call: the provider may have a word for it."""
        if self._provider is None or self._recorder.ended:
            return
        try:
            method = getattr(self._provider, f"{moment}_status_message", None)
            if method is None:
                return
            message = method(**taken(method, arguments))
            if inspect.iscoroutine(message):
                self._await(call, moment, message)
            else:
                self._pass_on(call, message)
        except Exception as error:  # A provider is its user's code, and may raise anything.
            _lost(moment, error)

    def _await(self, call: Call, moment: str, message: Any) -> None:
        async def deliver() -> None:
            try:
                self._pass_on(call, await message)
            except Exception as error:
                _lost(moment, error)

        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            asyncio.run(deliver())
        else:
            task = loop.create_task(deliver())
            self.pending.add(task)
            task.add_done_callback(self.pending.discard)

    def _pass_on(self, call: Call, message: Any) -> None:
        if message:
            self._recorder.status(call, str(message))


def _lost(moment: str, error: Exception) -> None:
    kind = type(error).__name__
    logger.warning("The status message for %s was lost: its provider raised %s: %s", moment, kind, error)
