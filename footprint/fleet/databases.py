"""SQLite files of other tools, read without a change to them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from footprint.errors import DataError

__all__ = ["MAGIC", "columns", "opened", "select"]

MAGIC = b"SQLite format 3\x00"


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A database for reading alone; whatever goes wrong with it while it is read is an error of the file.

    Raises
    ------
    DataError
        When it is no database, is damaged, or another holds it.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise DataError(path, None, None, "is no SQLite database")
        # with a log beside it, it must be opened as a database that grows; without, it may lie where none can write
        growing = path.with_name(path.name + "-wal").exists()
        address = f"{path.absolute().as_uri()}?mode=ro{'' if growing else '&immutable=1'}"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            connection.text_factory = lambda told: told.decode("utf-8", "replace")
            yield connection
    except OSError as error:
        raise DataError(path, None, None, f"cannot be read ({error.strerror or error})") from error
    except (sqlite3.Error, UnicodeError) as error:  # its messages may hold a damaged file's bytes
        raise DataError(path, None, None, f"cannot be read as SQLite ({error})") from error


def columns(connection: sqlite3.Connection, table: str) -> tuple[str, ...]:
    """The names of a table's columns; none where there is no such table."""
    return tuple(str(row[0]) for row in connection.execute("SELECT name FROM pragma_table_info(?)", (table,)))


def select(
    connection: sqlite3.Connection, table: str, wanted: Sequence[str], rest: str = "", given: Sequence[object] = ()
) -> Iterator[tuple[object, ...]]:
    """A table's rows; a column that it does not have is None in each."""
    known = columns(connection, table)
    told = ", ".join(f'"{name}"' if name in known else "NULL" for name in wanted)
    yield from connection.execute(f'SELECT {told} FROM "{table}" {rest}', tuple(given))
