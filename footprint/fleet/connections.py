"""Connections that go on from one request to the next: urllib makes and closes one for each."""

from __future__ import annotations

import threading
import weakref
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib import request as web

__all__ = ["Connections"]

_BUFFER_BYTES = 2**18
"""Read at once, as far as it has come: after each look at a socket a thread waits for the others."""

Place = tuple[type[HTTPConnection], str, str | None]


class _Response(HTTPResponse):
    """Read in large parts; closing it closes its connection, unless that was handed back."""

    connection: HTTPConnection | None = None
    place: Place

    def __init__(self, sock: Any, *args: Any, **more: Any) -> None:
        super().__init__(sock, *args, **more)
        self.fp.close()
        self.fp = sock.makefile("rb", _BUFFER_BYTES)

    def close(self) -> None:
        super().close()
        if self.connection is not None:
            self.connection.close()


class Connections(web.HTTPHandler, web.HTTPSHandler):
    """Of an opener, which may be shared by threads."""

    def __init__(self) -> None:
        web.HTTPSHandler.__init__(self)
        self._free: dict[Place, list[HTTPConnection]] = {}
        self._lock = threading.Lock()
        weakref.finalize(self, _close, self._free)

    def http_open(self, req: web.Request) -> HTTPResponse:
        return self._opened(HTTPConnection, req)

    def https_open(self, req: web.Request) -> HTTPResponse:
        return self._opened(HTTPSConnection, req)

    def hand_back(self, answer: Any) -> None:
        """For the next request, where this one's answer was read to its end."""
        if isinstance(answer, _Response) and answer.isclosed() and not answer.will_close and answer.connection:
            with self._lock:
                self._free.setdefault(answer.place, []).append(answer.connection)
            answer.connection = None

    def _opened(self, kind: type[HTTPConnection], req: web.Request) -> HTTPResponse:
        tunnel: str | None = getattr(req, "_tunnel_host", None)  # of a proxy, where urllib has found one
        place = (kind, req.host, tunnel)
        while (connection := self._one(place)) is not None:
            try:
                return self._sent(connection, place, req)
            except (OSError, HTTPException) as error:
                connection.close()
                if isinstance(error, TimeoutError):
                    raise
        connection = kind(req.host, timeout=req.timeout)
        headers = {"Proxy-Authorization": req.headers["Proxy-authorization"]} if _is_for_proxy(req, tunnel) else {}
        if tunnel:
            connection.set_tunnel(tunnel, headers=headers)
        try:
            return self._sent(connection, place, req)
        except (OSError, HTTPException):
            connection.close()
            raise

    def _one(self, place: Place) -> HTTPConnection | None:
        with self._lock:
            free = self._free.get(place)
            return free.pop() if free else None

    def _sent(self, connection: HTTPConnection, place: Place, req: web.Request) -> HTTPResponse:
        connection.response_class = _Response
        headers = {name.title(): value for name, value in (*req.unredirected_hdrs.items(), *req.headers.items())}
        if place[2]:
            headers.pop("Proxy-Authorization", None)
        connection.request(req.get_method(), req.selector, req.data, headers)
        answer = connection.getresponse()
        assert isinstance(answer, _Response)
        answer.connection, answer.place = connection, place
        answer.msg = answer.reason  # type: ignore[assignment]  # as urllib's own answers have it
        return answer


def _is_for_proxy(req: web.Request, tunnel: str | None) -> bool:
    return bool(tunnel) and req.has_header("Proxy-authorization")


def _close(free: dict[Place, list[HTTPConnection]]) -> None:
    for own in free.values():
        for one in own:
            one.close()
