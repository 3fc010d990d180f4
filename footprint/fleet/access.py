"""How a server of metrics is reached: its address, and who asks or sends; secrets are sent and never shown.

They come from the environment or from files, never from a command line, which everybody on a host can read.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from footprint.errors import InputError

__all__ = ["ADDRESS", "Access", "access", "credentials"]

PROMETHEUS = "prometheus"
ADDRESS = "FOOTPRINT_PROMETHEUS_URL"

_TENANT_HEADERS = ("X-Scope-OrgID", "THANOS-TENANT")
_HEADER = re.compile(r"^([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*(\S.*)$")
_MOST_SECRET_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Access:
    """An address, safe to show, and the headers of a request, which are not."""

    address: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def access(url: str | None, environment: Mapping[str, str], of: str = PROMETHEUS) -> Access:
    """The server that was named, or the environment's; with the environment's credentials.

    Each of `FOOTPRINT_PROMETHEUS_TOKEN`, `_USER`, `_PASSWORD` and `_ORG` (tenants of Mimir, Cortex and Thanos) may end
    in `_FILE` instead and name a file. `_HEADERS_FILE` names one of further headers, one `Name: value` a line.

    Parameters
    ----------
    url : the address; credentials in it are taken out
    environment : variables
    of : the server's kind, as in its option and, in capitals, in its variables

    Raises
    ------
    InputError
        When there is no address, it is none, or a file cannot be read. No message holds a secret.
    """
    prefix = f"FOOTPRINT_{of.upper()}"
    told = url or environment.get(f"{prefix}_URL")
    if not told:
        fix = f"name the server: --{of} http://host:9090, or {prefix}_URL"
        raise InputError(of, None, "is missing", fix)
    address, user, password = _address(told.strip(), of)
    headers: dict[str, str] = {}
    tenant = _secret(f"{prefix}_ORG", environment)
    if tenant:
        headers |= dict.fromkeys(_TENANT_HEADERS, tenant)
    user = _secret(f"{prefix}_USER", environment) or user
    password = _secret(f"{prefix}_PASSWORD", environment) or password
    token = _secret(f"{prefix}_TOKEN", environment)
    if token and user:
        raise InputError(f"{prefix}_TOKEN", None, f"and {prefix}_USER are both set", "set one of them")
    if token:
        headers["Authorization"] = f"Bearer {token}"
    elif user:
        pair = f"{user}:{password or ''}".encode()
        headers["Authorization"] = "Basic " + base64.b64encode(pair).decode("ascii")
    return Access(address, headers | _further(f"{prefix}_HEADERS_FILE", environment))


def _address(told: str, of: str) -> tuple[str, str, str]:
    """The address without credentials, query and fragment; user and password that stood in it."""
    fix = "write http://host:9090 or https://host/path"
    try:
        parts = urlsplit(told)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InputError(of, None, "is no address", fix) from None  # which may hold a password
    if parts.scheme not in ("http", "https") or not host or not told.isprintable() or " " in told:
        raise InputError(of, None, "is no address of a server", fix)
    place = f"[{host}]" if ":" in host else host
    netloc = place if port is None else f"{place}:{port}"
    path = parts.path.rstrip("/").removesuffix("/api/v1")
    address = urlunsplit((parts.scheme, netloc, path, "", ""))
    return address, unquote(parts.username or ""), unquote(parts.password or "")


def credentials(environment: Mapping[str, str], of: str = PROMETHEUS) -> tuple[list[tuple[str, str]], list[str]]:
    """Variables that name files of credentials, with their absolute paths, and those that hold one themselves."""
    names = [f"FOOTPRINT_{of.upper()}_{kind}" for kind in ("TOKEN", "USER", "PASSWORD", "ORG")]
    named = [f"{name}_FILE" for name in (*names, f"FOOTPRINT_{of.upper()}_HEADERS")]
    files = [(name, str(Path(environment[name]).expanduser().absolute())) for name in named if environment.get(name)]
    return files, [name for name in names if environment.get(name)]


def _secret(name: str, environment: Mapping[str, str]) -> str:
    """What a variable says, or the file that it names; one line."""
    value = environment.get(name, "")
    path = environment.get(f"{name}_FILE")
    if not value and path:
        value = _read(f"{name}_FILE", path)
    value = value.strip()
    if not (value.isprintable() and value.isascii()):
        raise InputError(name, None, "must be one line of plain characters", "check its line ends and spaces")
    return value


def _further(name: str, environment: Mapping[str, str]) -> dict[str, str]:
    path = environment.get(name)
    found = {}
    for number, line in enumerate(_read(name, path).splitlines() if path else (), start=1):
        if not line.strip():
            continue
        match = _HEADER.match(line.strip())
        if match is None or not line.strip().isprintable() or not line.isascii():
            raise InputError(name, path, f"line {number} is no header", "write lines of Name: value")
        found[match[1]] = match[2]
    return found


def _read(field: str, path: str) -> str:
    try:
        with Path(path).expanduser().open("rb") as file:
            return file.read(_MOST_SECRET_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(field, path, "is not text", "name the file that holds it") from error
    except OSError as error:
        fix = "name a file that you may read"
        raise InputError(field, path, f"cannot be read ({error.strerror or error})", fix) from error
