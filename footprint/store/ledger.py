"""The ledger: save, find, list, add up and delete runs and plans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, select

from footprint.errors import InputError, StoreError, UnknownName
from footprint.store import adding, catching_up, changes, engines, place, rows
from footprint.store.entries import ALL, KINDS, PLAN, RUN, CaughtUp, Entry, Filter, Total
from footprint.store.schema import DOCUMENTS, JOURNALS, RUNS, VERSION
from footprint.values import Footprint, Run

T = TypeVar("T")

_MOST_TOLD = 5


class Ledger:
    """Runs and plans in one database. Every call is one transaction: others see all of it or nothing.

    Raises
    ------
    StoreError
        From every call, when the database cannot be read or written.
    """

    def __init__(self, engine: Engine, unwritable: str = "") -> None:
        self._engine, self._unwritable = engine, unwritable

    @property
    def place(self) -> str:
        """The file, 'memory', or the URL without a password."""
        return engines.kind_of(self._engine).place(self._engine.url)

    @property
    def unwritable(self) -> str:
        """Why it can only be read; empty where that is not known beforehand."""
        return self._unwritable

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def check_writable(self) -> None:
        """Raise what a writing call would raise, without a change."""
        kind = engines.kind_of(self._engine)
        if lacks := engines.read(self._engine, kind.lacks_to_write):
            raise StoreError(lacks)
        if self._engine.dialect.name == "sqlite":
            engines.write(self._engine, _try)

    def save(self, run: Run, kind: str = RUN) -> str:
        """Put a run in, or in the place of what was known of it, unless that ended later. Its id comes back."""
        self._write(lambda connection: changes.put_run(connection, run, kind))
        return run.id

    def save_plan(self, footprint: Footprint, name: str) -> str:
        """Put an estimate in under a name, in the place of the plan that had it. Its id comes back.

        Raises
        ------
        InputError
            When the name cannot be one.
        """
        rows.checked_name(name)
        return self._write(lambda connection: changes.put_plan(connection, footprint, name))

    def find(self, word: str, kinds: Sequence[str] = KINDS) -> Entry:
        """The entry with this id, or else this name, or else whose id begins, or ends, with this.

        Raises
        ------
        UnknownName
            When there is none.
        InputError
            When there are several.
        """
        return self._read(lambda connection: self._find(connection, word, kinds))

    def get(self, word: str, kinds: Sequence[str] = KINDS) -> Run | Footprint:
        """What was saved: a `Run`, or the `Footprint` of a plan. Finds and raises as `find` does."""

        def both(connection: Connection) -> tuple[Entry, str]:
            found = self._find(connection, word, kinds)
            query = select(DOCUMENTS.c.body).where(DOCUMENTS.c.run_id == found.id)
            return found, connection.execute(query).scalar_one()

        found, body = self._read(both)
        return rows.of_document(found.kind, found.id, body)

    def plan(self, word: str) -> Footprint:
        """A saved estimate, by its name, its id or the id's beginning."""
        found = self.get(word, (PLAN,))
        assert isinstance(found, Footprint)
        return found

    def list(self, wanted: Filter = ALL) -> tuple[Entry, ...]:
        """The entries that are meant, the newest first."""
        dialect = self._engine.dialect.name
        query = select(RUNS).where(*adding.conditions(wanted, dialect)).order_by(*adding.newest_first(dialect))
        return self._read(lambda connection: tuple(rows.entry(row._asdict()) for row in connection.execute(query)))

    def totals(self, by: str | None = None, wanted: Filter = ALL) -> tuple[Total, ...]:
        """Runs added up by name, project, tag, month or status; in one sum where nothing is named.

        Failed and interrupted runs count; plans do not, unless they alone are asked for. What another run counts
        is left out. A run with two tags is in the sums of both, one that ran over two months in each with its share.
        """
        return self._read(lambda connection: adding.totals(connection, by, wanted))

    def months_by_project(self, wanted: Filter = ALL) -> dict[str, tuple[Total, ...]]:
        """Runs added up as by `totals("month")`, each project by itself."""
        return self._read(lambda connection: adding.months_by_project(connection, wanted))

    def delete(self, run_id: str) -> None:
        """Forget a run or plan. Its journals are not touched: while they are there, it comes back when read again."""
        self._write(lambda connection: changes.forget(connection, run_id))

    def handles(self) -> dict[str, str]:
        """For every id its shortest end that `find` takes for it alone."""
        return self._read(lambda connection: adding.handles(connection.execute(select(RUNS.c.id)).scalars()))

    def folders_of(self, run_id: str) -> tuple[Path, ...]:
        """Where the journals of a run were read, on this host or for all hosts."""
        return tuple(sorted(folder for key in self._keys_of(run_id) if (folder := place.here(key)) is not None))

    def elsewhere(self, run_id: str) -> tuple[str, ...]:
        """Where journals of a run were read on other hosts: 'gpu01:/runs/sft'."""
        return tuple(sorted(key for key in self._keys_of(run_id) if place.here(key) is None))

    def ids_of(self, folder: Path) -> tuple[str, ...]:
        """The run that was read in a folder."""
        whole = folder.absolute()
        key = place.folder_key(whole, engines.host_of(self._engine, whole))
        query = select(JOURNALS.c.run_id).where(JOURNALS.c.folder == key)
        return tuple(one for one in self._read(lambda c: c.execute(query).scalars().all()) if one)

    def _keys_of(self, run_id: str) -> Sequence[str]:
        query = select(JOURNALS.c.folder).where(JOURNALS.c.run_id == run_id)
        return self._read(lambda connection: connection.execute(query).scalars().all())

    def catch_up(
        self,
        root: Path,
        read: Callable[[Path], Run],
        *,
        stamp: str = "",
        again: bool = False,
        progress: Callable[[Sequence[Path]], Iterable[Path]] = tuple,
    ) -> CaughtUp:
        """Read the run folders below `root` that are new or changed or were read with another `stamp`; `again`: all.

        A folder that cannot be read is told of and passed over. `progress` is given the folders to be read and
        hands them on. A ledger that can only be read stays as it is, and tells what it lacks.
        """
        return catching_up.catch_up(self._engine, root, read, stamp, again, progress, self._unwritable)

    def _read(self, work: Callable[[Connection], T]) -> T:
        return engines.read(self._engine, work)

    def _write(self, work: Callable[[Connection], T]) -> T:
        if self._unwritable:
            raise StoreError(self._unwritable)
        return engines.write(self._engine, work)

    def _find(self, connection: Connection, word: str, kinds: Sequence[str]) -> Entry:
        told = rows.storable(word)
        of_kind = RUNS.c.kind.in_(kinds)
        newest = adding.newest_first(connection.dialect.name)

        def matching(*conditions: Any) -> Sequence[Entry]:
            query = select(RUNS).where(of_kind, *conditions).order_by(*newest)
            return [rows.entry(row._asdict()) for row in connection.execute(query)]

        def steps() -> Iterator[Sequence[Entry]]:
            yield matching(RUNS.c.id == told)
            named = matching(RUNS.c.name == told)
            yield [e for e in named if e.kind != PLAN]
            yield named
            if told:
                yield matching(adding.begins(RUNS.c.id, told))
                yield matching(adding.ends(RUNS.c.id, "-" + told))

        for found in steps():
            if len(found) == 1:
                return found[0]
            if found:
                ids = ", ".join(e.id for e in found[:_MOST_TOLD]) + (", ..." if len(found) > _MOST_TOLD else "")
                raise InputError("run", word, f"means {len(found)} runs", f"give an id, newest first: {ids}")
        known = connection.execute(select(RUNS.c.id, RUNS.c.name).where(of_kind)).all()
        names = [text for row in known for text in row if text.isprintable()]
        raise UnknownName("run", word, names, "list them with: footprint runs list")


def _try(connection: Connection) -> None:
    """A change that is none."""
    with connection.begin_nested() as tried:
        connection.execute(VERSION.update().values(version=VERSION.c.version))
        tried.rollback()
