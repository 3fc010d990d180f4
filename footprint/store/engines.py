"""A ledger's database, of either kind: opened, brought up to date, and asked in transactions."""

from __future__ import annotations

import contextlib
import platform
import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from footprint.errors import StoreError
from footprint.store import postgres_engine, schema, sqlite_engine

T = TypeVar("T")

_FIRST_WAIT_S, _LONGEST_WAIT_S = 1 / 20, 1.0


class Kind(Protocol):
    """What each kind of database does in its own way."""

    PATIENCE_S: float

    def make(self, url: URL) -> Engine: ...
    def options(self, writes: bool) -> dict[str, Any]: ...
    def before_first(self, engine: Engine) -> None: ...
    def lacks_to_change(self, connection: Connection, seen: int) -> str: ...
    def lacks_to_write(self, connection: Connection) -> str: ...
    def passes(self, error: SQLAlchemyError, is_opening: bool) -> bool: ...
    def place(self, url: URL) -> str: ...
    def told(self, url: URL, error: SQLAlchemyError, writes: bool) -> str: ...


KINDS: dict[str, Kind] = {"sqlite": sqlite_engine, "postgresql": postgres_engine}


def read_url(url: str) -> URL:
    """A URL as its parts, with the driver that is used.

    Raises
    ------
    StoreError
        When it is none, or names a database of another kind. It is not repeated: it may hold a password.
    """
    scheme = url.partition("://")[0].partition("+")[0]
    if scheme in ("postgres", "postgresql"):
        return postgres_engine.read_url(url)
    fix = "name a file, sqlite:///FILE or postgresql://USER@HOST/DATABASE"
    try:
        told = make_url(url)
    except ArgumentError as error:
        raise StoreError(f"the ledger's URL cannot be read; {fix}") from error
    if told.get_backend_name() not in KINDS:
        raise StoreError(f"the ledger cannot lie in {told.get_backend_name()}; {fix}")
    return told


def kind_of(engine: Engine) -> Kind:
    """The kind of its database."""
    return KINDS[engine.dialect.name]


def host_of(engine: Engine, folder: Path) -> str:
    """Whose a folder is, where a ledger is several hosts': this one's, unless they share its file system."""
    return "" if engine.dialect.name == "sqlite" or sqlite_engine.is_shared(folder) else platform.node()


def engine(url: str, migrations: Sequence[schema.Migration] = schema.MIGRATIONS) -> Engine:
    """A database that can be used: made where there was none, and of the newest schema.

    Raises
    ------
    StoreError
        When it cannot be opened, or is newer than this footprint, or lacks what may not be made.
    """
    told = read_url(url)
    made = KINDS[told.get_backend_name()].make(told)
    with contextlib.ExitStack() as failing:
        failing.callback(made.dispose)
        ready(made, migrations)
        failing.pop_all()
    return made


def ready(engine: Engine, migrations: Sequence[schema.Migration] = schema.MIGRATIONS) -> Engine:
    """Bring a database up to date: one migration after the other, each whole or not at all."""
    kind = kind_of(engine)
    seen = _done(engine, lambda connection: schema.check(connection, migrations), is_opening=True)
    if seen == len(migrations):
        return engine
    if lacks := read(engine, lambda connection: kind.lacks_to_change(connection, seen)):
        raise StoreError(lacks)
    if seen == 0:
        try:
            kind.before_first(engine)
        except SQLAlchemyError as error:
            raise StoreError(kind.told(engine.url, error, writes=True)) from error
    while seen < len(migrations):
        seen = write(engine, lambda connection: schema.migrate(connection, migrations))
    return engine


def read(engine: Engine, work: Callable[[Connection], T]) -> T:
    """What the work returns, in a transaction that sees one state of the database and changes nothing.

    Raises
    ------
    StoreError
        When the database cannot be read. What passes, such as a connection that was dropped, is waited for: the
        work may be done more than once.
    """
    return _done(engine, work)


def write(engine: Engine, work: Callable[[Connection], T]) -> T:
    """As `read`, in a transaction that may change what it sees: all of it, or nothing."""
    return _done(engine, work, writes=True)


def _done(engine: Engine, work: Callable[[Connection], T], writes: bool = False, is_opening: bool = False) -> T:
    kind = kind_of(engine)
    waits = _waits(kind.PATIENCE_S)
    while True:
        try:
            with engine.connect().execution_options(**kind.options(writes)) as connection, connection.begin():
                return work(connection)
        except SQLAlchemyError as error:
            wait_s = next(waits, None) if kind.passes(error, is_opening) else None
            if wait_s is None:
                raise StoreError(kind.told(engine.url, error, writes)) from error
            time.sleep(wait_s)


def _waits(patience_s: float) -> Iterator[float]:
    """Pauses that double, none like another's, as long as the patience lasts."""
    until_s, wait_s = time.monotonic() + patience_s, _FIRST_WAIT_S
    while time.monotonic() < until_s:
        yield wait_s * random.uniform(0.5, 1.0)
        wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
