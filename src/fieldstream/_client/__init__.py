"""Programs that run at a server, with the interface that they have in this process."""

from importlib.util import find_spec

from fieldstream._errors import MissingExtraError

if find_spec("httpx") is None:
    raise MissingExtraError("fieldstream.Client", "client")
