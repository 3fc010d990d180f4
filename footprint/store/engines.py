"""How a database is opened, made, copied, and how its errors become `StoreError` with what to do."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool, StaticPool

from footprint.errors import StoreError
from footprint.store import schema

BUSY_S = 5.0
"""How long a writer waits for another one."""

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


def engine(url: str, migrations: Sequence[schema.Migration] = schema.MIGRATIONS) -> Engine:
    """A database that can be used: made where there was none, and of the newest schema.

    Raises
    ------
    StoreError
        When it cannot be opened, or is newer than this footprint.
    """
    try:
        told = make_url(url)
    except ArgumentError as error:
        raise StoreError("the ledger's URL cannot be read; write a file's name, or sqlite:///FILE") from error
    if told.get_backend_name() != "sqlite":
        raise StoreError(f"the ledger cannot lie in {told.get_backend_name()} yet; name a file, or sqlite:///FILE")
    file = None if told.database in (None, "", ":memory:") or "uri" in told.query else Path(str(told.database))
    if file is not None and not file.exists():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"the ledger {file} {_TOLD['SQLITE_CANTOPEN']} ({error.strerror})") from error
    if file is None and "uri" not in told.query:
        made = create_engine(told, poolclass=StaticPool, connect_args={"check_same_thread": False})
    else:
        made = create_engine(told, poolclass=NullPool, connect_args={"timeout": BUSY_S})
    return _ready(made, migrations, file)


def copy_in_memory(url: str) -> Engine:
    """A copy of a database that can be read but not written; empty where it cannot be read either."""
    memory = sqlite3.connect(":memory:", check_same_thread=False)
    file = (make_url(url).database or "").removeprefix("file:")
    uri = Path(file).absolute().as_uri()
    for mode in ("mode=ro", "immutable=1"):
        try:
            with contextlib.closing(sqlite3.connect(f"{uri}?{mode}", uri=True, timeout=1.0)) as source:
                source.backup(memory)
            break
        except sqlite3.Error:
            memory.close()
            memory = sqlite3.connect(":memory:", check_same_thread=False)
    made = create_engine("sqlite://", poolclass=StaticPool, creator=lambda: memory)
    return _ready(made, schema.MIGRATIONS, None)


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees one state of the database and changes nothing."""
    with _told(engine), engine.begin() as connection:
        yield connection


@contextlib.contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that has the right to write from its first statement on, so that it cannot lose it half-way."""
    with _told(engine), engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection


def _ready(engine: Engine, migrations: Sequence[schema.Migration], file: Path | None) -> Engine:
    event.listen(engine, "connect", _connected)
    event.listen(engine, "begin", _begun)
    with reading(engine) as connection:
        seen = schema.check(connection, migrations)
    if seen == 0 and file is not None and not is_shared(file):
        with _told(engine), engine.connect() as connection, contextlib.suppress(sqlite3.OperationalError):
            connection.connection.driver_connection.execute("PRAGMA journal_mode=WAL")  # type: ignore[union-attr]
    while seen < len(migrations):
        with writing(engine) as connection:
            schema.migrate(connection, migrations)
            seen = schema.check(connection, migrations)
    return engine


def _connected(connection: sqlite3.Connection, _record: object) -> None:
    """Transactions begin where this file says so, not where the driver guesses."""
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous=NORMAL")


def _begun(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextlib.contextmanager
def _told(engine: Engine) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        where = engine.url.database or "in memory"
        name = getattr(error.orig, "sqlite_errorname", "") if isinstance(error, DBAPIError) else ""
        fix = next((fix for code, fix in _TOLD.items() if name.startswith(code)), None)
        told = fix or f"cannot be used ({getattr(error, 'orig', None) or type(error).__name__}); look at the file"
        raise StoreError(f"the ledger {where} {told}") from error


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
