"""One request to a server that takes metrics; no redirect is followed, it would carry credentials elsewhere."""

from __future__ import annotations

from http.client import HTTPException
from typing import Any
from urllib import error as web_error
from urllib import request as web

from footprint.errors import QueryError
from footprint.fleet.access import Access
from footprint.version import __version__

__all__ = ["send"]

_PATIENCE_S = 10.0
_MOST_TOLD_BYTES = 65_536
_MOST_TOLD = 200


class _Stay(web.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_opener = web.build_opener(_Stay)


def send(access: Access, path: str, method: str, body: bytes | None = None, kind: str = "", encoding: str = "") -> None:
    """A request whose answer is not needed.

    Raises
    ------
    QueryError
        When the server cannot be reached or refuses; no message holds a secret.
    """
    own = {"User-Agent": f"footprint/{__version__}", "Content-Type": kind, "Content-Encoding": encoding}
    headers = {**{name: value for name, value in own.items() if value}, **access.headers}
    request = web.Request(f"{access.address}{path}", data=body, headers=headers, method=method)
    try:
        with _opener.open(request, timeout=_PATIENCE_S):
            return
    except web_error.HTTPError as error:
        with error:
            told = _line(error.read(_MOST_TOLD_BYTES).decode("utf-8", "replace"), access)
        fix = "check the credentials in the environment" if error.code in (401, 403) else "check the address"
        raise QueryError(
            access.address, f"refuses (HTTP {error.code}) {told}".rstrip(), fix, status=error.code
        ) from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise QueryError(access.address, f"cannot be reached ({reason})", "check that it runs; tried again") from None


def _line(text: str, access: Access) -> str:
    """What a server says in one line, without a secret that it sends back."""
    for value in access.headers.values():
        for secret in (value, value.partition(" ")[2]):
            text = text.replace(secret, "***") if secret else text
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_MOST_TOLD]
