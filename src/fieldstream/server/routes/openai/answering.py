"""HTTP answers of OpenAI's two forms: a stream, and one that waits for a run's end."""

from fastapi.responses import Response
from starlette.types import Message, Send

from fieldstream.events import RunEnded
from fieldstream.server.delivery import Following
from fieldstream.server.routes.openai.errors import no_answer
from fieldstream.server.runs import ServedRun
from fieldstream.wire.json import encode
from fieldstream.wire.openai.turn import OpenAITurn, Problem


class Streaming(Following):
    """A stream. With the error that ends it, its run ends, too: nobody would read the rest."""

    def __init__(self, run: ServedRun, turn: OpenAITurn, *, cancel_on_leave: bool) -> None:
        super().__init__(run, turn, cancel_on_leave=cancel_on_leave)
        self._turn = turn

    async def _deliver(self, send: Send) -> None:
        async def send_and_look(message: Message) -> None:
            await send(message)
            if self._turn.problem is not None and self._cancel_on_leave:
                self._run.cancel()

        await super()._deliver(send_and_look)


class Answering(Following):
    """The whole answer of a run, when there is one; or why there is none, with status 500."""

    def __init__(self, run: ServedRun, turn: OpenAITurn, *, cancel_on_leave: bool) -> None:
        super().__init__(run, turn, cancel_on_leave=cancel_on_leave)
        self._turn = turn

    async def _deliver(self, send: Send) -> None:
        ended = False
        while not ended:
            events = await self._cursor.next()
            ended = not events or type(events[-1]) is RunEnded
            self._turn.feed(events)
        response = self._answer()
        await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
        await send({"type": "http.response.body", "body": response.body})

    def _answer(self) -> Response:
        if self._turn.answer is None:
            problem = self._turn.problem or Problem("program_failed", "the run has no end")
            return no_answer(problem, self._run.id)
        headers = {"X-Fieldstream-Run": self._run.id}
        return Response(encode(self._turn.answer), headers=headers, media_type="application/json")
