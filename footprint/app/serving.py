"""The app on a socket: bound, named, and answering many at once."""

from __future__ import annotations

import contextlib
import io
import platform
import secrets
from dataclasses import dataclass, replace

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from footprint.app import building
from footprint.app.books import Books
from footprint.app.guard import Guard, checked_token, is_loopback
from footprint.app.settings import Settings
from footprint.errors import InputError

_HIGHEST_PORT = 65_535
_TOKEN_BYTES = 24
_EVERYWHERE = ("0.0.0.0", "::", "")
"""Bound so, others reach this machine by its name."""

_FIX = "give an address of this machine"


class _Quiet(WSGIRequestHandler):
    """Says nothing of requests: a token may stand in an address."""

    def log(self, type: str, message: str, *args: object) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class Served:
    """An app that is bound and can be opened."""

    server: BaseWSGIServer
    books: Books
    address: str
    """Without the token."""
    token: str | None = None
    is_made: bool = False
    """Whether the token was made here, and is to be told."""

    @property
    def link(self) -> str:
        """What opens it, the token with it."""
        return f"{self.address}?token={self.token}" if self.token else self.address

    def run(self) -> None:
        """Answer until it is stopped."""
        try:
            self.server.serve_forever()
        finally:
            self.server.server_close()
            self.books.close()

    def stop(self) -> None:
        """End `run`, from another thread."""
        self.server.shutdown()


def open_app(settings: Settings) -> Served:
    """See `footprint.app.open_app`."""
    if not 0 <= settings.port <= _HIGHEST_PORT:
        raise InputError("port", settings.port, "is no port", f"give one from 0 (any) to {_HIGHEST_PORT}")
    is_made = settings.token is None and not is_loopback(settings.host)
    token = secrets.token_urlsafe(_TOKEN_BYTES) if is_made else settings.token
    if token is not None and not is_made:
        checked_token(token)
    app, books = building.build(replace(settings, token=None))
    server = _bound(settings, app.server)
    guard = Guard(settings.host, server.port, token, app.csp_hashes())
    guard.protect(app.server)
    name = platform.node() if settings.host in _EVERYWHERE else settings.host
    host = f"[{name}]" if ":" in name else name
    return Served(server, books, f"http://{host}:{server.port}/", token, is_made)


def _bound(settings: Settings, app: Flask) -> BaseWSGIServer:
    """Werkzeug ends the process where it cannot bind: here that is an error like any other."""
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            return make_server(settings.host, settings.port, app, threaded=True, request_handler=_Quiet)
    except SystemExit as error:
        if "in use" not in told.getvalue():
            told_by = " ".join(told.getvalue().split()) or "no reason given"
            raise InputError("host", settings.host, f"cannot be bound ({told_by})", _FIX) from error
        fix = "give another --port, or --port 0 for any that is free"
        raise InputError("port", settings.port, "cannot be had: another program has it", fix) from error
    except (OSError, OverflowError) as error:
        raise InputError(
            "host", settings.host, f"cannot be bound ({error})", "give an address of this machine"
        ) from error
