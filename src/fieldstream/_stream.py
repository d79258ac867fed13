"""``fieldstream.stream``: a program's run, for its readers."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Self

from fieldstream._fields import find_field
from fieldstream._messages import StatusMessageProvider
from fieldstream._run import Execution, Launch, Mode
from fieldstream._running import Running
from fieldstream.events import Event, Outcome
from fieldstream.log import CompletionCursor, CompletionLog, Cursor, Entry, Follower, MemoryLog
from fieldstream.readers.elements import ElementAssembler
from fieldstream.readers.iterators import Pieces, PiecesBlocking, Values, ValuesBlocking
from fieldstream.readers.text import Text, TextAssembler
from fieldstream.readers.transformed import TransformedCursor, Watch
from fieldstream.readers.values import ValueAssembler
from fieldstream.tap import Sink
from fieldstream.transforms import Transform


class _Reading:
    """What a run is to its readers, of whichever kind."""

    def __init__(self, execution: Running, log: CompletionLog, transforms: tuple[Transform, ...]) -> None:
        self._execution = execution
        self._log = log
        self._transforms = transforms

    @property
    def id(self) -> str:
        """The run's id, which nobody can guess."""
        return self._execution.id

    @property
    def outcome(self) -> Outcome | None:
        """How the run ended; ``None`` while it goes on."""
        return self._execution.outcome

    @property
    def usage(self) -> dict[str, dict[str, Any]]:
        """What the LMs have used so far, by model, as ``prediction.get_lm_usage()`` gives it."""
        return self._execution.usage

    def cancel(self) -> None:
        """End the run now. Its readers get the closing event; an LM that it waits for is left, with its connection."""
        self._execution.cancel()

    def through(self, *transforms: Transform) -> Self:
        """The same run, read through transforms, in this order and after those that it is read through already.

        All that it gives to read goes through them: events, which have a ``seq`` of their own here, texts and values.
        ``result`` and the exceptions of the program do not: they are the program's.
        """
        return type(self)(self._execution, self._log, (*self._transforms, *transforms))

    def cursor(self, after: int = -1, *, merge: bool = False) -> Cursor:
        """A reader's own place in the run."""
        if self._transforms:
            return TransformedCursor(self._log, self._transforms, self._execution.cancel, after, merge=merge)
        return Cursor(self._log, after, merge=merge)

    def _entries(self) -> Follower[Event] | Follower[Entry]:
        return self.cursor(merge=True) if self._transforms else CompletionCursor(self._log)

    def _text_assembler(self, field: str) -> TextAssembler:
        return TextAssembler(self._execution.find_field(field))

    # What went through transforms is what was shown, and not the program's own objects.

    def _value_assembler(self, field: str, *, typed: bool) -> ValueAssembler:
        name = self._execution.find_field(field, typed=typed)
        return ValueAssembler(name, self._execution.answers, typed=typed, live=not self._transforms)

    def _element_assembler(self, field: str) -> ElementAssembler:
        name = self._execution.find_list(field)
        return ElementAssembler(name, self._execution.answers, live=not self._transforms)

    def _raise_error(self) -> None:
        if self._execution.error is not None:
            raise self._execution.error


class Run(_Reading):
    """A run, for tasks of an event loop. Any number of readers may read it, from its beginning, also after its end."""

    @property
    def result(self) -> Any:
        """What the plain call returns; raises what it raises.

        Raises ``RunNotEndedError`` before the end, and ``RunCancelledError`` after a cancel.
        """
        return self._execution.result("await run.wait()")

    async def wait(self) -> Any:
        """Wait for the end; gives ``result``, or raises as it does."""
        await self._execution.wait()
        return self.result

    def events(self, *, after: int = -1, merge: bool = False) -> AsyncIterator[Event]:
        """The events after the one with this ``seq``, until the closing one.

        With ``merge``, deltas of one text that wait together come as one, which carries the last ``seq`` it covers.
        """
        return self.cursor(after, merge=merge).follow()

    def __aiter__(self) -> AsyncIterator[Event]:
        return self.events()

    def text(self, field: str) -> AsyncIterator[Text]:
        """The text of a field as it is written; of several calls, one after the other.

        The field is named ``"answer"``, or ``"extract.predict/answer"`` where several predictors have it. Raises
        ``UnknownFieldError`` at once for another name, and the program's exception when it is reached.
        """
        return Pieces(self.cursor(merge=True), self._text_assembler(field), self._raise_error)

    def values(self, field: str, *, typed: bool = False, interval: float = 0.0) -> AsyncIterator[Any]:
        """The value of a field so far, as it is written; of several calls, one after the other.

        It is plain data (what JSON has), or with ``typed`` an object of the field's type, in which a member that is not
        there yet is ``None``. A reader that is slow gets the newest value, and none before it that it had no time for;
        ``interval`` is the least time between two, in seconds. The last value of a call is the very object that its
        prediction holds, where that is of the kind that was asked for.

        The value is read-only and live: it grows further. Take a copy to keep it. Of several attempts
        (``dspy.BestOfN``) the last value is the chosen one's. Raises as ``text`` does, and for an interval below 0.
        """
        return Values(self._entries(), self._value_assembler(field, typed=typed), self._raise_error, interval)

    def elements(self, field: str) -> AsyncIterator[Any]:
        """Each element of a list field, once, as soon as it is whole, validated into its type.

        An element that was given stays given, also if the LM is asked again: what follows is what comes after it. At a
        call's end those come that were not given yet, as the very objects that its prediction holds. Of several
        attempts (``dspy.BestOfN``) only the chosen one's come, when it is chosen. An element's validators run for it
        alone. Raises as ``text`` does, and for a field that is no list.
        """
        return Pieces(self._entries(), self._element_assembler(field), self._raise_error)


class SyncRun(_Reading):
    """A run, for threads. Any number of readers may read it, from its beginning, also after its end."""

    @property
    def result(self) -> Any:
        """What the plain call returns; raises what it raises.

        Raises ``RunNotEndedError`` before the end, and ``RunCancelledError`` after a cancel.
        """
        return self._execution.result("run.wait()")

    def wait(self) -> Any:
        """Wait for the end; gives ``result``, or raises as it does."""
        self._execution.wait_blocking()
        return self.result

    def events(self, *, after: int = -1, merge: bool = False) -> Iterator[Event]:
        """The events after the one with this ``seq``, until the closing one.

        With ``merge``, deltas of one text that wait together come as one, which carries the last ``seq`` it covers.
        """
        self._execution.release()
        return self.cursor(after, merge=merge).follow_blocking()

    def __iter__(self) -> Iterator[Event]:
        return self.events()

    def text(self, field: str) -> Iterator[Text]:
        """The text of a field as it is written; of several calls, one after the other.

        The field is named ``"answer"``, or ``"extract.predict/answer"`` where several predictors have it. Raises
        ``UnknownFieldError`` at once for another name, and the program's exception when it is reached.
        """
        pieces = PiecesBlocking(self.cursor(merge=True), self._text_assembler(field), self._raise_error)
        self._execution.release()
        return pieces

    def values(self, field: str, *, typed: bool = False, interval: float = 0.0) -> Iterator[Any]:
        """The value of a field so far, as it is written; of several calls, one after the other.

        It is plain data (what JSON has), or with ``typed`` an object of the field's type, in which a member that is not
        there yet is ``None``. A reader that is slow gets the newest value, and none before it that it had no time for;
        ``interval`` is the least time between two, in seconds. The last value of a call is the very object that its
        prediction holds, where that is of the kind that was asked for.

        The value is read-only and live: it grows further. Take a copy to keep it. Of several attempts
        (``dspy.BestOfN``) the last value is the chosen one's. Raises as ``text`` does, and for an interval below 0.
        """
        assembler = self._value_assembler(field, typed=typed)
        values = ValuesBlocking(self._entries(), assembler, self._raise_error, interval)
        self._execution.release()
        return values

    def elements(self, field: str) -> Iterator[Any]:
        """Each element of a list field, once, as soon as it is whole, validated into its type.

        An element that was given stays given, also if the LM is asked again: what follows is what comes after it. At a
        call's end those come that were not given yet, as the very objects that its prediction holds. Of several
        attempts (``dspy.BestOfN``) only the chosen one's come, when it is chosen. An element's validators run for it
        alone. Raises as ``text`` does, and for a field that is no list.
        """
        elements = PiecesBlocking(self._entries(), self._element_assembler(field), self._raise_error)
        self._execution.release()
        return elements


class Stream:
    """A run that is about to begin: ``async with`` gives a ``Run``, ``with`` a ``SyncRun``. It begins once."""

    def __init__(self, watch: "Streamer", launch: Launch) -> None:
        self._watch = watch
        self._launch = launch
        self._execution: Execution | None = None

    def _begin(self) -> tuple[Execution, MemoryLog]:
        if self._execution is not None:
            raise RuntimeError("this stream was entered before; call stream(...) again for another run")
        log = MemoryLog()
        self._execution = self._watch.execution(self._launch, log, log)
        return self._execution, log

    async def __aenter__(self) -> Run:
        execution, log = self._begin()
        execution.start_in_loop()
        return Run(execution, log, self._watch.transforms)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._execution is not None:
            await self._execution.leave()

    def __enter__(self) -> SyncRun:
        execution, log = self._begin()
        execution.start_in_thread()
        return SyncRun(execution, log, self._watch.transforms)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._execution is not None:
            self._execution.leave_blocking()


class Streamer:
    """A program to be streamed, with options; a call with its inputs gives a ``Stream``.

    ``mode`` says how the program is called: ``"async"`` awaits ``acall`` in the reader's loop, ``"thread"`` makes the
    plain call in a thread, and ``"auto"`` does the former under ``async with`` for programs with an ``aforward``.
    ``status_message_provider`` words the ``status`` events (``None``: none). With ``lm_text``, every LM call's own text
    comes, too, as ``lm.delta`` events. ``transforms`` stand between each of its runs and their readers, in this order.

    With ``until``, a field's name, a run ends as soon as that field is whole in what the LM writes, and so does the
    provider's request: what nobody will read is not paid for. ``run.result`` is then a prediction with those fields of
    that call that are whole, and the outcome is ``completed``.
    """

    def __init__(
        self,
        program: Callable[..., Any],
        *,
        mode: Mode = "auto",
        status_message_provider: StatusMessageProvider | None = StatusMessageProvider(),  # noqa: B008 (it has no state)
        lm_text: bool = False,
        transforms: Iterable[Transform] = (),
        until: str | None = None,
    ) -> None:
        if mode not in ("auto", "async", "thread"):
            raise ValueError(f"mode is {mode!r}; it must be 'auto', 'async' or 'thread'")
        self.program = program
        self.transforms = tuple(transforms)
        self._mode: Mode = mode
        self._status = status_message_provider
        self._lm_text = lm_text
        self._until = find_field(program, until) if until is not None else None

    def __call__(self, /, *args: Any, **inputs: Any) -> Stream:
        return Stream(self, self.launch(*args, **inputs))

    def launch(self, /, *args: Any, **inputs: Any) -> Launch:
        """What is to run, in the context of this call. It is for hosts, which keep a run where they like."""
        return Launch(self.program, args, inputs, self._mode)

    def execution(self, launch: Launch, log: MemoryLog, sink: Sink) -> Execution:
        """The run of a launch, yet to be started. It writes to the sink; what comes of that is read from the log."""
        execution = Execution(launch, sink, self._status, lm_text=self._lm_text, until=self._until)
        Watch.begin(log, self.transforms, execution.cancel)
        return execution


def stream(program: Callable[..., Any], /, *args: Any, **inputs: Any) -> Stream:
    """Stream a DSPy program (a module, or a function that uses some) while it works.

        async with fieldstream.stream(qa, question="Why is the sky blue?") as run:
            async for text in run.text("answer"):
                print(text, end="")
        prediction = run.result

    The program's DSPy settings and context variables are those of this call. Leaving the block before the end cancels.
    For options, make a ``Streamer``.
    """
    return Streamer(program)(*args, **inputs)
