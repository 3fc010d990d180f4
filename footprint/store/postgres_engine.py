"""PostgreSQL: one ledger for a team. Who may do what is the server's to say; passwords are never repeated."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from footprint.errors import MissingExtra, StoreError
from footprint.store import rights

CONNECT_S = 5
"""How long a server may take to answer; `connect_timeout` in the URL or PGCONNECT_TIMEOUT say otherwise."""

PATIENCE_S = 20.0
"""How long what passes is waited for: a server that restarts, a connection that was dropped, a deadlock."""

LOCK_S = 10
"""How long a writer waits for a row or table that another one holds."""

_KEEPALIVE_S, _DEAD_MS = 30, 30_000
_RECYCLE_S = 300
_MOST_CONNECTIONS = 20

_DRIVER = "postgresql+psycopg"
_PASSES = ("40001", "40P01", "57P01", "57P02", "57P03", "53300", "08")
"""Serialization failure, deadlock, shutdown, crash, start, too many connections, and all of a lost connection."""

_BUSY = ("57P01", "57P02", "57P03", "53300")
_STARTS = ("the database system is", "too many clients", "remaining connection slots")
"""What a server says that is there, and will answer soon."""

_LASTING = (
    "authentication failed", "no password supplied", "does not exist", "pg_hba.conf", "resolve host",
    "could not translate", "not permitted to log in", "permission denied", "certificate", "SSL", "invalid",
)  # fmt: skip
"""What no waiting changes, in a connection that was refused."""

_SHOWN_QUERY = ("host", "port", "service")


def read_url(url: str) -> URL:
    """A URL as its parts, with psycopg as the driver.

    Raises
    ------
    StoreError
        When it is none. It is not repeated: it may hold a password.
    MissingExtra
        When the driver is not installed.
    """
    fix = "write postgresql://USER@HOST/DATABASE, the password in PGPASSWORD or ~/.pgpass"
    scheme, _, rest = url.partition("://")
    if scheme not in ("postgresql", "postgres", _DRIVER):
        raise StoreError(f"the ledger's URL names a driver that is not used here; {fix}")
    if rest.partition("?")[0].count("@") > 1:
        raise StoreError(f"the ledger's URL holds more than one @; write %40 for that of the password, or: {fix}")
    try:
        told = make_url(f"{_DRIVER}://{rest}")
        told.port  # noqa: B018
    except (ArgumentError, ValueError) as error:
        raise StoreError(f"the ledger's URL cannot be read; {fix}") from error
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise MissingExtra("psycopg", "postgres", "a ledger on PostgreSQL") from error
    return told


def make(url: URL) -> Engine:
    """The database as it lies there. No connection is made yet."""
    made = create_engine(
        url,
        connect_args=words(url, os.environ),
        hide_parameters=True,
        max_overflow=_MOST_CONNECTIONS,
        pool_recycle=_RECYCLE_S,
    )
    made.dialect.use_insertmanyvalues_wo_returning = True  # rows in one statement, not in the driver's pipeline
    event.listen(made, "connect", _connected)
    return made


def words(url: URL, environment: Mapping[str, str]) -> dict[str, Any]:
    """What the driver is told unless the URL, or its own environment, says otherwise."""
    given: dict[str, Any] = {
        "keepalives_idle": _KEEPALIVE_S,
        "tcp_user_timeout": _DEAD_MS,
        "prepare_threshold": None,  # what stands between may hand each transaction to another connection
    }
    if "PGCONNECT_TIMEOUT" not in environment:
        given["connect_timeout"] = CONNECT_S
    if "PGAPPNAME" not in environment:
        given["application_name"] = "footprint"
    return {name: value for name, value in given.items() if name not in url.query}


def _connected(connection: Any, _record: object) -> None:
    connection.execute(f"SET lock_timeout = '{LOCK_S}s'")
    connection.commit()


def options(writes: bool) -> dict[str, Any]:
    """Readers see one state and are held by the server to change nothing."""
    if writes:
        return {"isolation_level": "READ COMMITTED", "postgresql_readonly": False}
    return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


def before_first(engine: Engine) -> None:
    """Nothing: the server was set up by its administrator."""


def lacks_to_change(connection: Connection, seen: int) -> str:
    """Which right to make or change tables is missing, and who has it."""
    return rights.to_change(connection, f"the ledger {place(connection.engine.url)}", seen)


def lacks_to_write(connection: Connection) -> str:
    """Which right to write is missing, without trying."""
    return rights.to_write(connection, f"the ledger {place(connection.engine.url)}")


def passes(error: SQLAlchemyError, is_opening: bool) -> bool:
    """Whether it may go well when tried again; what opens a ledger waits for a server that is there, no other."""
    if not isinstance(error, DBAPIError):
        return False
    state: str | None = getattr(error.orig, "sqlstate", None)
    said = str(error.orig)
    if is_opening:
        return error.connection_invalidated or state in _BUSY or any(words in said for words in _STARTS)
    if state:
        return state.startswith(_PASSES)
    is_connecting = type(error.orig).__name__ in ("OperationalError", "ConnectionTimeout")
    return error.connection_invalidated or (is_connecting and not any(words in said for words in _LASTING))


def place(url: URL) -> str:
    """The URL without a password."""
    bare = URL.create("postgresql", url.username, None, url.host, url.port, url.database).render_as_string()
    query = "&".join(f"{name}={url.query[name]}" for name in _SHOWN_QUERY if name in url.query)
    return _plain(f"{bare}?{query}" if query else bare)


def told(url: URL, error: SQLAlchemyError, writes: bool) -> str:
    """What went wrong, and what to do."""
    where = f"the ledger {place(url)}"
    orig = getattr(error, "orig", None)
    state, said = getattr(orig, "sqlstate", None), _said(orig, url) if orig else type(error).__name__
    if state == "42501":
        word = "--writer" if writes else "--reader"
        deed = "written" if writes else "read"
        fix = f"the owner grants it with what this prints: footprint runs grants {word} {url.username or 'ROLE'}"
        return f"{where} may not be {deed} by this role ({said}); {fix}"
    if state == "25006":
        return f"{where} cannot be written ({said}); name the primary server"
    if state == "55P03":
        return f"{where} is locked by another program; try again when that has ended"
    if state and not state.startswith(_PASSES):
        return f"{where} cannot be used ({said}); ask who runs the database"
    return f"{where} cannot be reached ({said}); {_fix(said)}"


def _fix(said: str) -> str:
    """What to do about a connection that failed."""
    if "password" in said:
        return "set PGPASSWORD, or put a line into ~/.pgpass (or the file that PGPASSFILE names)"
    if re.search(r'database ".*" does not exist', said):
        return "name one that exists, or have it made: createdb NAME"
    if re.search(r'role ".*" does not exist', said):
        return "name another user in the URL, or have it made: createuser NAME"
    if "resolve host" in said or "could not translate" in said:
        return "check the name of the host"
    if "pg_hba.conf" in said:
        return "have the server let this user in from this host"
    if "too many" in said or "slots" in said:
        return "try again when fewer programs use it"
    return "check host and port, and that the server runs; what was measured stays in the journals and is caught up"


def _said(error: BaseException, url: URL) -> str:
    """The server's own words in one line, without hints, the password masked should they hold it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    chosen = next((line for line in lines if "FATAL:" in line), lines[0] if lines else type(error).__name__)
    said = " ".join(chosen.rpartition("FATAL:")[2].split())
    said = said.removeprefix("connection failed: ").removeprefix("connection is bad: ")
    password = str(url.password or url.query.get("password") or "")
    if len(password) > 2:
        said = said.replace(password, "***")
    return _plain(said)


def _plain(said: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in said)
