"""The page that Prometheus scrapes: a server of a few paths, on loopback unless an address is named."""

from __future__ import annotations

import errno
import gzip
import ipaddress
import re
import socket
import socketserver
import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from footprint.errors import InputError
from footprint.export.metrics import exposition
from footprint.export.runs import Shown
from footprint.version import __version__

__all__ = ["Served", "address_of"]

LOOPBACK = "127.0.0.1"
PATH = "/metrics"
_MOST_PORT = 65535
_PATIENCE_S = 20.0
_POLL_S = 0.2
"""Within it the end is seen."""

_ADDRESS = re.compile(r"^(?:\[(?P<six>[0-9A-Fa-f:.%]+)\]|(?P<host>[^\[\]:/\s]*))(?::(?P<port>\d{1,5}))$")
_FIX = "write :9400, 127.0.0.1:9400, or 0.0.0.0:9400 for everybody"


def address_of(text: str) -> tuple[str, int]:
    """':9400' as loopback's address and the port; 'host:9400' and '[::1]:9400' as they are.

    Raises
    ------
    InputError
        For text that is no address.
    """
    told = text.strip()
    match = _ADDRESS.match(f":{told}" if told.isdigit() else told)
    port = int(match["port"]) if match else 0
    if match is None or port > _MOST_PORT:
        raise InputError("prometheus", text, "is no address to listen on", _FIX)
    return match["six"] or match["host"] or LOOPBACK, port


class Served:
    """A server that runs on a thread of its own, from `start` to `stop`.

    Parameters
    ----------
    address : host and port; 0 is any port that is free
    shown : what is told, asked at each scrape

    Raises
    ------
    InputError
        When the address cannot be listened on.
    MissingExtra
        Without prometheus-client.
    """

    def __init__(self, address: tuple[str, int], shown: Callable[[], Shown]) -> None:
        exposition(Shown((), 0.0, 0))  # what is missing is told now
        host, port = address
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            self._server = _server(family)(address, _handler(shown))
        except (OSError, UnicodeError) as error:
            told = getattr(error, "strerror", None) or str(error)
            fix = "choose another port, such as :9401 (dcgm-exporter's is 9400 too), or end what listens there"
            if not _is_taken(error):
                fix = _FIX
            raise InputError("prometheus", _shown(host, port), f"cannot be listened on ({told})", fix) from error
        self._thread = threading.Thread(target=self._serve, name="footprint-export-http", daemon=True)
        self.host, self.port = host, int(self._server.server_address[1])

    @property
    def link(self) -> str:
        """Where the page is."""
        return f"http://{_shown(self.host, self.port)}{PATH}"

    @property
    def is_open(self) -> bool:
        """Whether other machines may reach it."""
        if self.host == "localhost":
            return False
        try:
            return not ipaddress.ip_address(self.host.partition("%")[0]).is_loopback
        except ValueError:
            return True

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=_POLL_S)

    def stop(self) -> None:
        """Answer no more."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


def _is_taken(error: Exception) -> bool:
    return getattr(error, "errno", None) == errno.EADDRINUSE


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _server(family: int) -> type[ThreadingHTTPServer]:
    class Server(ThreadingHTTPServer):
        address_family = socket.AddressFamily(family)
        daemon_threads = True

        def server_bind(self) -> None:
            """Without asking for a name of this machine, which can take long."""
            socketserver.TCPServer.server_bind(self)
            self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A scraper that hangs up is nobody's fault."""
            if not isinstance(sys.exc_info()[1], OSError):
                super().handle_error(request, client_address)

    return Server


def _handler(shown: Callable[[], Shown]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _PATIENCE_S
        server_version = f"footprint/{__version__}"
        sys_version = ""

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == PATH:
                body, kind = exposition(shown(), self.headers.get("Accept", ""))
                self._answer(HTTPStatus.OK, body, kind)
            elif path == "/":
                self._answer(HTTPStatus.OK, f"metrics of footprint: {PATH}\n".encode(), "text/plain; charset=utf-8")
            elif path in ("/-/healthy", "/-/ready"):
                self._answer(HTTPStatus.OK, b"ok\n", "text/plain; charset=utf-8")
            else:
                self._answer(HTTPStatus.NOT_FOUND, f"see {PATH}\n".encode(), "text/plain; charset=utf-8")

        do_HEAD = do_GET

        def _answer(self, status: HTTPStatus, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("X-Content-Type-Options", "nosniff")
            if "gzip" in self.headers.get("Accept-Encoding", ""):
                body = gzip.compress(body, compresslevel=1)
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Scrapes are not news."""

    return Handler
