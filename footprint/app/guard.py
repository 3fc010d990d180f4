"""Who may come in: by which name the app was reached, from which page, with which token; and what a page may load."""

from __future__ import annotations

import hmac
import html
import ipaddress
import platform
from collections.abc import Iterable

from flask import Flask, Response, request

from footprint.errors import InputError

OPEN = "/open"
"""Where the token is given."""

LEAST_TOKEN = 16
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_YEAR_S = 31_536_000
_DOOR = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>footprint</title>{refresh}</head>
<body><main><h1>footprint</h1>{body}</main></body></html>
"""
_ASK = """<p>{told}</p><form method="post" action="/open"><label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="off" required> <button>Open</button></form>
<p>It was printed where <code>footprint app</code> was started.</p>"""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host."""
    if host.casefold() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def checked_token(token: str) -> str:
    """A token that cannot be guessed in a while.

    Raises
    ------
    InputError
        For a short one, or one that a cookie cannot hold.
    """
    if len(token) < LEAST_TOKEN or not all(c.isascii() and (c.isalnum() or c in "-_.") for c in token):
        told = f"is not {LEAST_TOKEN} or more letters, digits, dashes and dots"
        raise InputError("token", "(not shown)", told, "leave --token out: one is made")
    return token


class Guard:
    """What every request passes first, and every answer last."""

    def __init__(self, host: str, port: int, token: str | None, script_hashes: Iterable[str]) -> None:
        self._host, self._token = host.casefold(), token
        self._cookie = f"footprint-{port}"  # cookies know hosts, not ports
        self._policy = "; ".join((
            "default-src 'self'",
            "script-src 'self' " + " ".join(script_hashes),
            "style-src 'self' 'unsafe-inline'",  # plotly and dash write styles into elements
            "img-src 'self' data: blob:",
            "connect-src 'self'",
            "object-src 'none'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'",
        ))  # fmt: skip

    def protect(self, server: Flask) -> None:
        """Stand before a server's every route."""
        server.before_request(self._before)
        server.after_request(self._after)

    def _before(self) -> Response | None:
        if not self._is_own_name():
            return Response("This app is not called so: open it by its address.\n", 421, mimetype="text/plain")
        if not self._is_own_page():
            return Response("Another site asked for this.\n", 403, mimetype="text/plain")
        if self._token is None:
            return None
        if request.path == OPEN and request.method == "POST":
            return self._welcome(request.form.get("token", ""), "/")
        if "token" in request.args:
            return self._welcome(request.args["token"], request.path)
        if self._is_token(request.cookies.get(self._cookie, "")):
            return None
        return _door(_ASK.format(told="This app asks for a token."), 401)

    def _is_own_name(self) -> bool:
        """Against a foreign name that was made to lead here: loopback names, addresses, and names that are ours."""
        name = _without_port(request.host).casefold()
        if is_loopback(self._host):
            return name in _LOOPBACK or is_loopback(name)
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in (*_LOOPBACK, self._host, platform.node().casefold())
        return True

    def _is_own_page(self) -> bool:
        """What changes or asks comes from a page of this app; a link from elsewhere may open a page."""
        origin = request.headers.get("Origin")
        if origin is not None and origin.partition("://")[2] != request.host:
            return False
        is_foreign = request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")
        return not is_foreign or (request.method == "GET" and request.headers.get("Sec-Fetch-Mode") == "navigate")

    def _is_token(self, told: str) -> bool:
        return hmac.compare_digest(told.encode("utf-8", "replace"), (self._token or "").encode())

    def _welcome(self, told: str, path: str) -> Response:
        """The cookie, and the way on by the page itself: a strict cookie does not follow a link from elsewhere."""
        if not self._is_token(told):
            return _door(_ASK.format(told="This is not the token."), 401)
        query = "&".join(
            p for p in request.query_string.decode("ascii", "ignore").split("&") if not p.startswith("token=")
        )
        way = "/" + path.lstrip("/\\") + (f"?{query}" if query else "")  # a path of this app, never another host
        refresh = f'<meta http-equiv="refresh" content="0;url={html.escape(way)}">'
        answer = _door(f'<p><a href="{html.escape(way)}">Open the app</a></p>', 200, refresh)
        answer.set_cookie(self._cookie, self._token or "", max_age=_YEAR_S, httponly=True, samesite="Strict")
        return answer

    def _after(self, answer: Response) -> Response:
        answer.headers["Content-Security-Policy"] = self._policy
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Referrer-Policy"] = "same-origin"
        answer.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        if not request.path.startswith(("/_dash-component-suites", "/assets")):
            answer.headers["Cache-Control"] = "no-store"
        return answer


def _door(body: str, status: int, refresh: str = "") -> Response:
    return Response(_DOOR.format(body=body, refresh=refresh), status, mimetype="text/html")


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host
