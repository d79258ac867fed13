"""What ``tap/waits/sockets.py`` relies on."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
# pyright: reportIncompatibleMethodOverride=false, reportReturnType=false, reportUnnecessaryComparison=false

import inspect
from typing import Any

import dspy
import pytest

from fieldstream.simulator import simulate
from tests.contracts.contract import check_parameters, engines


@engines
def test_the_socket_of_a_connection() -> None:
    from dspy._vendor.lm15.transports._sync import StdlibTransport

    seen: list[Any] = []
    original = StdlibTransport._send_request

    def send_request(self: Any, conn: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(conn.sock)
        return original(self, conn, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch, simulate(["Blue."]) as provider:
        patch.setattr(StdlibTransport, "_send_request", send_request)
        dspy.LM(provider.model, **provider.lm_kwargs, cache=False)("Why?")
    parameters = ("self", "conn", "request", "parsed", "proxy", "write_timeout")
    check_parameters(original, *parameters, at="install_native in tap/waits/sockets.py")
    assert [hasattr(sock, "shutdown") for sock in seen] == [True], "look at install_native in tap/waits/sockets.py"


def test_httpcores_streams_know_their_socket() -> None:
    from httpcore._backends.sync import SyncStream

    check_parameters(SyncStream.write, "self", "buffer", "timeout", at="install_httpcore in tap/waits/sockets.py")
    assert "self._sock" in inspect.getsource(SyncStream.__init__), "look at install_httpcore in tap/waits/sockets.py"
