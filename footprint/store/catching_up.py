"""The ledger reads what journals tell: folders that are new, or whose files changed since they were read."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, select

from footprint.errors import FootprintError, StoreError
from footprint.measurement import journal
from footprint.store import changes, engines, place
from footprint.store.adding import begins
from footprint.store.entries import RUN, CaughtUp
from footprint.store.rows import storable
from footprint.store.schema import JOURNALS, RUNS
from footprint.values import Run

SHORTER = (
    "tells less than the ledger holds of its run; "
    "join what nodes wrote apart with footprint runs merge, or read it anew: footprint runs recover"
)
"""The problem of journals that are not the whole of a run, or were cut: the longer reading stays."""

_RUNNING = "running"
"""A run that was alive when it was read may have died since, without a change to its files."""

BROKEN = (FootprintError, OSError, ValueError, TypeError, LookupError, ArithmeticError)
"""What reading a damaged journal may raise: none of it may hide the other runs."""


def catch_up(
    engine: Engine,
    root: Path,
    read: Callable[[Path], Run],
    stamp: str,
    again: bool,
    progress: Callable[[Sequence[Path]], Iterable[Path]],
    unwritable: str = "",
) -> CaughtUp:
    """See `Ledger.catch_up`. Each run is a transaction of its own: what was read stays when a later one is cut off.

    An `unwritable` ledger stays as it is; what it lacks is told.
    """
    root = root.absolute()
    host = engines.host_of(engine, root)
    known = _known(engine, place.folder_key(root, host))
    found: list[str] = []
    skipped: list[tuple[Path, str]] = []
    notes: list[str] = []
    new: dict[Path, _Look] = {}
    for look in _looks(root, stamp):
        row = known.get(place.folder_key(look.folder, host))
        if look.problem:
            skipped.append((look.folder, look.problem))
        elif again or row is None or row.signature != look.signature or row.status == _RUNNING:
            new[look.folder] = look
        elif row.problem.startswith(SHORTER):
            notes.append(f"{look.folder.name} {row.problem}")
        elif row.problem:
            skipped.append((look.folder, row.problem))
    if unwritable:
        count = sum(key not in known or known[key].signature != look.signature for key, look in _keyed(new, host))
        if count:
            one, many = f"1 run below {root} is", f"{count} runs below {root} are"
            lacking = f"{one if count == 1 else many} not in the ledger as {'it is' if count == 1 else 'they are'}"
            notes.append(f"{lacking}: {unwritable}")
        return CaughtUp((), tuple(sorted(skipped)), tuple(notes))
    for folder in progress(list(new)) if new else ():
        key = place.folder_key(folder, host)
        try:
            run = read(folder)
            problem = engines.write(engine, _putting(run, key, known.get(key), new[folder], again))
            found.append(run.id)
            if problem:
                notes.append(f"{folder.name} {problem}")
        except StoreError:
            raise
        except BROKEN as error:
            told = _told(error)
            skipped.append((folder, told))
            engines.write(engine, _failing(key, known.get(key), new[folder].signature, told))
    return CaughtUp(tuple(found), tuple(sorted(skipped)), tuple(notes))


def _known(engine: Engine, root_key: str) -> dict[str, Row[Any]]:
    """What the ledger knows of the folders below a root, and of the runs that were read there."""
    query = (
        select(JOURNALS, RUNS.c.status, RUNS.c.journal_bytes)
        .select_from(JOURNALS.outerjoin(RUNS, RUNS.c.id == JOURNALS.c.run_id))
        .where(begins(JOURNALS.c.folder, root_key.rstrip(os.sep) + os.sep))
    )
    return {row.folder: row for row in engines.read(engine, lambda connection: connection.execute(query).all())}


def _keyed(looks: Mapping[Path, _Look], host: str) -> Iterable[tuple[str, _Look]]:
    return ((place.folder_key(folder, host), look) for folder, look in looks.items())


def _putting(run: Run, key: str, known: Row[Any] | None, look: _Look, again: bool) -> Callable[[Connection], str]:
    """What puts a run in that was read, unless more of it is known; it returns what is to be told of that."""

    def put(connection: Connection) -> str:
        over = known.journal_bytes if again and known is not None else None
        if changes.put_run(connection, run, RUN, look.size_bytes, over):
            changes.put_journals(connection, key, run.id, look.signature, "")
            return ""
        held = connection.execute(
            select(RUNS.c.journal_bytes, JOURNALS.c.signature)
            .select_from(RUNS.outerjoin(JOURNALS, JOURNALS.c.folder == key))
            .where(RUNS.c.id == storable(run.id))
        ).one()
        before = known.signature if known is not None else None
        if (held.journal_bytes or 0) <= look.size_bytes or held.signature != before:
            return ""  # another one, who read more of this folder, was faster
        changes.put_journals(connection, key, run.id, look.signature, SHORTER)
        return SHORTER

    return put


def _failing(key: str, known: Row[Any] | None, signature: str, told: str) -> Callable[[Connection], None]:
    run_id = known.run_id if known is not None else None
    return lambda connection: changes.put_journals(connection, key, run_id, signature, told)


@dataclass(frozen=True, slots=True)
class _Look:
    """A run's folder as its files look, or why that cannot be seen."""

    folder: Path
    signature: str = ""
    size_bytes: int = 0
    problem: str = ""


def _looks(root: Path, stamp: str) -> Iterator[_Look]:
    try:
        folders = journal.run_folders(root)
    except OSError as error:
        yield _Look(root, problem=_told(error))
        return
    for folder in folders:
        try:
            files = [(file.name, (stat := file.stat()).st_size, stat.st_mtime_ns) for file in journal.files_of(folder)]
        except OSError as error:
            yield _Look(folder, problem=_told(error))
        else:
            signature = hashlib.sha256(json.dumps([stamp, files]).encode()).hexdigest()
            yield _Look(folder, signature, sum(size for _, size, _ in files))


def _told(error: BaseException) -> str:
    told = str(error.strerror if isinstance(error, OSError) and error.strerror else error)
    return " ".join(told.split()) or type(error).__name__
