"""SQLite: a file of one's own, with nothing to set up."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool, StaticPool

from footprint.errors import StoreError

BUSY_S = 5.0
"""How long a writer waits for another one."""

PATIENCE_S = 0.0
"""Nothing is tried again: the library itself waits for other writers."""

SHARED = frozenset((
    "nfs", "nfs4", "cifs", "smb3", "lustre", "gpfs", "beegfs", "ceph", "glusterfs", "9p", "afs", "panfs", "wekafs",
    "fuse.sshfs", "fuse.juicefs", "fuse.glusterfs", "fuse.ceph",
))  # fmt: skip
"""File systems of several hosts: there SQLite's write-ahead log, which needs shared memory, must not be used."""

_TOLD = {
    "SQLITE_BUSY": "is locked by another process; try again when that has ended",
    "SQLITE_LOCKED": "is locked by another process; try again when that has ended",
    "SQLITE_READONLY": "cannot be written; set FOOTPRINT_HOME to a folder that can, or FOOTPRINT_STORE to a file",
    "SQLITE_PERM": "cannot be written; set FOOTPRINT_HOME to a folder that can, or FOOTPRINT_STORE to a file",
    "SQLITE_CANTOPEN": "cannot be opened; set FOOTPRINT_HOME to a folder that can be written",
    "SQLITE_FULL": "finds no room on its disk; free some",
    "SQLITE_NOTADB": "is no ledger; move it away: what was measured is read again from the journals",
    "SQLITE_CORRUPT": "is damaged; move it away: what was measured is read again from the journals",
}


def make(url: URL) -> Engine:
    """The database as it lies there; its folder is made where there was none.

    Raises
    ------
    StoreError
        When the folder cannot be made.
    """
    file = _file(url)
    if file is not None and not file.exists():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"the ledger {file} {_TOLD['SQLITE_CANTOPEN']} ({error.strerror})") from error
    if file is None and "uri" not in url.query:
        made = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
    else:
        made = create_engine(url, poolclass=NullPool, connect_args={"timeout": BUSY_S})
    return _listening(made)


def copy_in_memory(url: URL) -> Engine:
    """A copy of a database that can be read but not written; empty where it cannot be read either."""
    memory = sqlite3.connect(":memory:", check_same_thread=False)
    file = (url.database or "").removeprefix("file:")
    uri = Path(file).absolute().as_uri()
    for mode in ("mode=ro", "immutable=1"):
        try:
            with contextlib.closing(sqlite3.connect(f"{uri}?{mode}", uri=True, timeout=1.0)) as source:
                source.backup(memory)
            break
        except sqlite3.Error:
            memory.close()
            memory = sqlite3.connect(":memory:", check_same_thread=False)
    return _listening(create_engine(make_url("sqlite://"), poolclass=StaticPool, creator=lambda: memory))


def options(writes: bool) -> dict[str, Any]:
    """What a transaction must know when it begins."""
    return {"writes": writes}


def before_first(engine: Engine) -> None:
    """A new file is written ahead, where one host alone writes it."""
    file = _file(engine.url)
    if file is not None and not is_shared(file):
        with engine.connect() as connection, contextlib.suppress(sqlite3.OperationalError):
            connection.connection.driver_connection.execute("PRAGMA journal_mode=WAL")  # type: ignore[union-attr]


def lacks_to_change(connection: Connection, seen: int) -> str:
    """Which right to make or change tables is missing: none that could be asked for beforehand."""
    return ""


def lacks_to_write(connection: Connection) -> str:
    """Which right to write is missing: none that could be asked for beforehand."""
    return ""


def passes(error: SQLAlchemyError, is_opening: bool) -> bool:
    """Whether it may go well when tried again."""
    return False


def place(url: URL) -> str:
    """The file, or 'memory'."""
    return url.database or "memory"


def told(url: URL, error: SQLAlchemyError, writes: bool) -> str:
    """What went wrong, and what to do."""
    name = getattr(error.orig, "sqlite_errorname", "") if isinstance(error, DBAPIError) else ""
    fix = next((fix for code, fix in _TOLD.items() if name.startswith(code)), None)
    said = fix or f"cannot be used ({getattr(error, 'orig', None) or type(error).__name__}); look at the file"
    return f"the ledger {url.database or 'in memory'} {said}"


def is_shared(path: Path, mounts: Path = Path("/proc/self/mounts")) -> bool:
    """Whether a file lies, or would lie, on a file system that other hosts write to as well."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    real = path.absolute().resolve()
    best, kind = -1, ""
    for line in lines:
        fields = line.split()
        point = Path(fields[1].replace("\\040", " ")) if len(fields) > 2 else None
        if point is not None and real.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), fields[2]
    return kind in SHARED


def _file(url: URL) -> Path | None:
    if url.database in (None, "", ":memory:") or "uri" in url.query:
        return None
    return Path(str(url.database))


def _listening(engine: Engine) -> Engine:
    event.listen(engine, "connect", _connected)
    event.listen(engine, "begin", _begun)
    return engine


def _connected(connection: sqlite3.Connection, _record: object) -> None:
    """Transactions begin where this file says so, not where the driver guesses."""
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous=NORMAL")


def _begun(connection: Connection) -> None:
    """A writer has the right to write from its first statement on, so that it cannot lose it half-way."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
