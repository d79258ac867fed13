"""``fieldstream simulate``: a simulated LM for other processes."""

import argparse
from typing import Any

from fieldstream.cli.errors import CliError
from fieldstream.simulator import OptionError, Options, Provider, serve_forever
from fieldstream.simulator.options import NAMES


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    given: dict[str, Any] = {name: value for name in NAMES if (value := getattr(arguments, name)) is not None}
    if not 0 <= arguments.port <= 65535:
        raise CliError(f"--port {arguments.port}: a port is a number from 0 to 65535")
    try:
        options = Options(**given)
    except OptionError as error:
        raise CliError(f"--{str(error).replace('_', '-', 1)}") from None
    try:
        serve_forever(arguments.port, options, host=arguments.host, ready=_announce)
    except OSError as error:
        where = f"{arguments.host}:{arguments.port}"
        raise CliError(f"cannot listen at {where} ({error.strerror or error}); choose another --port, or 0") from None
    return 0


def _announce(provider: Provider) -> None:
    arguments = "".join(f", {name}={value!r}" for name, value in provider.lm_kwargs.items())
    print(f"A simulated LM listens at {provider.url} (Ctrl-C ends it). Use it with:\n")
    print(f"    lm = dspy.LM({provider.model!r}{arguments})", flush=True)
