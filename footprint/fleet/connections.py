"""Connections that go on from one request to the next: urllib makes and closes one for each."""

from __future__ import annotations

import threading
import time
import weakref
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from io import BufferedReader, RawIOBase
from typing import Any
from urllib import request as web

__all__ = ["Connections"]

_BUFFER_BYTES = 2**18
"""Read at once, as far as it has come: after each look at a socket a thread waits for the others."""

_SHORT_BYTES, _CALM_S = 2**16, 1e-3

_MOST_LINE_BYTES = 2**16

Place = tuple[type[HTTPConnection], str, str | None]


class _Calm(RawIOBase):
    """Of a stream that comes in many small parts each would wake its reader: it sleeps while some come together."""

    def __init__(self, raw: RawIOBase) -> None:
        self._raw = raw
        self._is_short = False  # what came last

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._is_short:
            time.sleep(_CALM_S)
        count = self._raw.readinto(buffer)
        self._is_short = count is not None and count < _SHORT_BYTES
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    """Read in large parts; closing it closes its connection, unless that was handed back."""

    connection: HTTPConnection | None = None
    place: Place

    def __init__(self, sock: Any, *args: Any, **more: Any) -> None:
        super().__init__(sock, *args, **more)
        self.fp.close()
        self.fp = BufferedReader(_Calm(sock.makefile("rb", 0)), _BUFFER_BYTES)

    def read(self, amt: int | None = None) -> bytes:
        """As ever; but of an answer in chunks all, or its first so many bytes, and then no more.

        The library's own way takes ten times as long for each chunk, and a stream of series has one for each of them.
        """
        if not self.chunked or amt is None or self.isclosed():
            return super().read(amt)
        parts, left = [], amt
        while left and (size := self._chunk_bytes()):
            part = self.fp.read(min(size, left))
            if len(part) < min(size, left):
                raise IncompleteRead(b"")
            parts.append(part)
            left -= len(part)
            if left:
                self.fp.readline()
        self.will_close |= not left  # there may be more
        while left and self.fp.readline().strip():
            pass
        self.fp.close()
        self.fp = None  # type: ignore[assignment]  # as the library's has it at its end
        return b"".join(parts)

    def _chunk_bytes(self) -> int:
        try:
            return int(self.fp.readline(_MOST_LINE_BYTES).partition(b";")[0], 16)
        except ValueError:
            raise IncompleteRead(b"") from None

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
