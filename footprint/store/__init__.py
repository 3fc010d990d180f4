"""The ledger of runs: what was measured, imported or planned, for listing, filtering and totals.

What a journal tells is the truth; the ledger holds what was last read from it and catches up when asked
(`Ledger.catch_up`). The database's library is loaded when a ledger is opened, not before.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from footprint.store.ledger import Ledger

__all__ = ["grants", "open_ledger", "open_ledger_for_reading"]


def open_ledger(url_or_path: str | Path | None = None, environment: Mapping[str, str] | None = None) -> Ledger:
    """The ledger at a file or a URL; unless told, at `FOOTPRINT_STORE`, else `ledger.sqlite` in footprint's home.

    A URL `postgresql://USER@HOST/DATABASE` is a team's, with the extra `postgres`. What does not exist is made, and
    what an older version of footprint wrote is brought up to date.

    Raises
    ------
    StoreError
        When it cannot be opened or written; the message says what to do.
    """
    from footprint.store import engines, ledger, place

    url = place.ledger_url(url_or_path, os.environ if environment is None else environment)
    return ledger.Ledger(engines.engine(url))


def open_ledger_for_reading(
    url_or_path: str | Path | None = None, environment: Mapping[str, str] | None = None
) -> tuple[Ledger, str]:
    """The ledger; or, where a file cannot be written, a copy of it in memory beside the reason why.

    The copy is empty where there is nothing to copy: journals can be read into it all the same. A team's ledger that
    this role may read is read as it is: nothing is written or copied.

    Raises
    ------
    StoreError
        When a team's ledger cannot be read: what this host alone knows is not shown in its place.
    """
    import contextlib

    from footprint.errors import StoreError
    from footprint.store import engines, ledger, place, sqlite_engine

    url = place.ledger_url(url_or_path, os.environ if environment is None else environment)
    told = engines.read_url(url)
    if told.get_backend_name() != "sqlite":
        with contextlib.ExitStack() as failing:
            made = engines.engine(url)
            failing.callback(made.dispose)
            opened = ledger.Ledger(made, engines.read(made, engines.kind_of(made).lacks_to_write))
            failing.pop_all()
        return opened, ""
    try:
        opened = ledger.Ledger(engines.engine(url))
        opened.check_writable()
        return opened, ""
    except StoreError as error:
        return ledger.Ledger(engines.ready(sqlite_engine.copy_in_memory(told))), str(error)


def grants(readers: Iterable[str], writers: Iterable[str], schema: str = "public") -> str:
    """The SQL by which the owner of a team's ledger lets roles read, or read and write.

    Raises
    ------
    InputError
        When a name cannot be one.
    """
    from footprint.store import rights

    return rights.grants(readers, writers, schema)
