"""The ledger: save, find, list, add up and delete runs and plans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, Engine, select

from footprint.errors import InputError, UnknownName
from footprint.store import adding, catching_up, changes, rows
from footprint.store.engines import reading, writing
from footprint.store.entries import ALL, KINDS, PLAN, RUN, CaughtUp, Entry, Filter, Total
from footprint.store.schema import DOCUMENTS, JOURNALS, RUNS, VERSION
from footprint.values import Footprint, Run

_MOST_TOLD = 5


class Ledger:
    """Runs and plans in one database. Every call is one transaction: others see all of it or nothing.

    Raises
    ------
    StoreError
        From every call, when the database cannot be read or written.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def place(self) -> str:
        """The file, or 'memory'."""
        return self._engine.url.database or "memory"

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def check_writable(self) -> None:
        """Raise what a writing call would raise, without a change."""
        with writing(self._engine) as connection, connection.begin_nested() as tried:
            connection.execute(VERSION.update().values(version=VERSION.c.version))
            tried.rollback()

    def save(self, run: Run, kind: str = RUN) -> str:
        """Put a run in, or in the place of what was known of it. Its id comes back."""
        with writing(self._engine) as connection:
            changes.put_run(connection, run, kind)
        return run.id

    def save_plan(self, footprint: Footprint, name: str) -> str:
        """Put an estimate in under a name, in the place of the plan that had it. Its id comes back.

        Raises
        ------
        InputError
            When the name cannot be one.
        """
        rows.checked_name(name)
        with writing(self._engine) as connection:
            return changes.put_plan(connection, footprint, name)

    def find(self, word: str, kinds: Sequence[str] = KINDS) -> Entry:
        """The entry with this id, or else this name, or else whose id begins, or ends, with this.

        Raises
        ------
        UnknownName
            When there is none.
        InputError
            When there are several.
        """
        with reading(self._engine) as connection:
            return self._find(connection, word, kinds)

    def get(self, word: str, kinds: Sequence[str] = KINDS) -> Run | Footprint:
        """What was saved: a `Run`, or the `Footprint` of a plan. Finds and raises as `find` does."""
        with reading(self._engine) as connection:
            found = self._find(connection, word, kinds)
            body = connection.execute(select(DOCUMENTS.c.body).where(DOCUMENTS.c.run_id == found.id)).scalar_one()
        return rows.of_document(found.kind, found.id, body)

    def plan(self, word: str) -> Footprint:
        """A saved estimate, by its name, its id or the id's beginning."""
        found = self.get(word, (PLAN,))
        assert isinstance(found, Footprint)
        return found

    def list(self, wanted: Filter = ALL) -> tuple[Entry, ...]:
        """The entries that are meant, the newest first."""
        query = select(RUNS).where(*adding.conditions(wanted)).order_by(RUNS.c.started_utc_s.desc(), RUNS.c.id)
        with reading(self._engine) as connection:
            return tuple(rows.entry(row._asdict()) for row in connection.execute(query))

    def totals(self, by: str | None = None, wanted: Filter = ALL) -> tuple[Total, ...]:
        """Runs added up by name, project, tag, month or status; in one sum where nothing is named.

        Failed and interrupted runs count; plans do not, unless they alone are asked for. What another run counts
        is left out. A run with two tags is in the sums of both, one that ran over two months in each with its share.
        """
        with reading(self._engine) as connection:
            return adding.totals(connection, by, wanted)

    def delete(self, run_id: str) -> None:
        """Forget a run or plan. Its journals are not touched: while they are there, it comes back when read again."""
        with writing(self._engine) as connection:
            changes.forget(connection, run_id)

    def handles(self) -> dict[str, str]:
        """For every id its shortest end that `find` takes for it alone."""
        with reading(self._engine) as connection:
            return adding.handles(connection.execute(select(RUNS.c.id)).scalars())

    def folders_of(self, run_id: str) -> tuple[Path, ...]:
        """Where the journals of a run were read."""
        query = select(JOURNALS.c.folder).where(JOURNALS.c.run_id == run_id).order_by(JOURNALS.c.folder)
        with reading(self._engine) as connection:
            return tuple(Path(folder) for folder in connection.execute(query).scalars())

    def ids_of(self, folder: Path) -> tuple[str, ...]:
        """The run that was read in a folder."""
        query = select(JOURNALS.c.run_id).where(JOURNALS.c.folder == str(folder.absolute()))
        with reading(self._engine) as connection:
            return tuple(one for one in connection.execute(query).scalars() if one)

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
        hands them on.
        """
        return catching_up.catch_up(self._engine, root, read, stamp, again, progress)

    def _find(self, connection: Connection, word: str, kinds: Sequence[str]) -> Entry:
        told = rows.storable(word)
        of_kind = RUNS.c.kind.in_(kinds)
        newest = RUNS.c.started_utc_s.desc()

        def matching(*conditions: Any) -> Sequence[Entry]:
            query = select(RUNS).where(of_kind, *conditions).order_by(newest, RUNS.c.id)
            return [rows.entry(row._asdict()) for row in connection.execute(query)]

        named = matching(RUNS.c.name == told)
        for found in (
            matching(RUNS.c.id == told),
            [e for e in named if e.kind != PLAN],
            named,
            matching(RUNS.c.id.startswith(told, autoescape=True)) if told else [],
            matching(RUNS.c.id.endswith("-" + told, autoescape=True)) if told else [],
        ):
            if len(found) == 1:
                return found[0]
            if found:
                ids = ", ".join(e.id for e in found[:_MOST_TOLD]) + (", ..." if len(found) > _MOST_TOLD else "")
                raise InputError("run", word, f"means {len(found)} runs", f"give an id, newest first: {ids}")
        known = connection.execute(select(RUNS.c.id, RUNS.c.name).where(of_kind)).all()
        names = [text for row in known for text in row if text.isprintable()]
        raise UnknownName("run", word, names, "list them with: footprint runs list")
