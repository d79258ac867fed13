"""Programs over HTTP: in an app of yours, and read from another process as if they were in it.

Run it as it is, with a provider on this machine:   python examples/over_http.py
Your app, with a server of your choice:             uvicorn over_http:app
The same without an app:                            fieldstream serve examples/over_http.py:qa --simulate
"""

import threading
import time

import dspy
import uvicorn
from fastapi import FastAPI

import fieldstream
from fieldstream.server import Expose, Mount, router

qa = dspy.ChainOfThought("question -> answer, sources: list[str]")

app = FastAPI()
app.include_router(router({"qa": Mount(qa, expose=Expose(reasoning=True))}), prefix="/api")


def ask(url: str) -> None:
    client = fieldstream.Client(f"{url}/api", programs={"qa": qa})
    with client.stream("qa", question="Why is the sky blue?") as run:
        for text in run.text("answer"):
            print(text, end="", flush=True)
        print("\n\nsources:")
        for source in run.elements("sources"):
            print(f"* {source}")
    print(f"\nreasoning: {run.result.reasoning}")


if __name__ == "__main__":
    with fieldstream.simulate() as provider:
        dspy.configure(lm=dspy.LM("openai/sim", **provider.lm_kwargs))
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        ask(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}")
        server.should_exit = True
        thread.join()
