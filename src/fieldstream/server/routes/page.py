"""The page for people: static files, which anyone may have. What they show they ask of the guarded routes.

No file is loaded from anywhere else, no script or style stands in the page itself, and the policy that goes with it
says so to the browser (W3C, Content Security Policy Level 3). All addresses in the page are relative, so that the
routes may be anywhere in an app.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Request, Response

from fieldstream.server.host import Host

_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "ts": "text/plain; charset=utf-8",
    "LICENSE": "text/plain; charset=utf-8",
}

_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; object-src 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def add_page(router: APIRouter, host: Host) -> None:
    """Add the page, where the host has one."""
    if not host.options.page:
        return

    async def page(request: Request) -> Response:
        """The page on which a person runs programs and watches them."""
        return _answer(request, "index.html")

    async def file(request: Request, name: str) -> Response:
        """A file of the page."""
        return _answer(request, name)

    router.add_api_route("/", page, methods=["GET", "HEAD"], include_in_schema=False)
    router.add_api_route("/page/{name:path}", file, methods=["GET", "HEAD"], include_in_schema=False)


def _answer(request: Request, name: str) -> Response:
    files = _files()
    if name not in files:
        return Response("There is no such file.\n", 404, media_type="text/plain")
    content = files[name]
    headers = {**_HEADERS, "ETag": f'"{hashlib.sha256(content).hexdigest()[:32]}"'}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, headers={**headers, "Content-Type": _TYPES[name.rpartition(".")[2]]})


@cache
def _files() -> Mapping[str, bytes]:
    """The page's files by their names."""
    return dict(_below(resources.files("fieldstream.server") / "page", ""))


def _below(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        name = prefix + entry.name
        if entry.is_dir():
            found += _below(entry, f"{name}/")
        elif name.rpartition(".")[2] in _TYPES:
            found.append((name, entry.read_bytes()))
    return found
