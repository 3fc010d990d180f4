"""What is written into the tables, within a transaction that is open."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, or_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import Table

from footprint.store import rows
from footprint.store.schema import DOCUMENTS, JOURNALS, MONTHS, RUNS, TAGS
from footprint.values import Footprint, Run

_RUNNING = "running"
_INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def put_run(
    connection: Connection, run: Run, kind: str, journal_bytes: int | None = None, instead_of_bytes: int | None = None
) -> bool:
    """All that the tables hold of a run, in the place of what they held; False where they hold a longer reading.

    A longer reading rests on more bytes of journals, or else ended later. One of `instead_of_bytes` gives way to any.
    """
    row = rows.run_row(run, kind, time.time()) | {"journal_bytes": journal_bytes}
    tags = dict.fromkeys(rows.storable(tag) for tag in run.tags)

    def is_no_shorter(new: Any) -> ColumnElement[bool]:
        if journal_bytes is None:
            return and_(RUNS.c.ended_utc_s <= new.ended_utc_s)
        known = RUNS.c.journal_bytes
        is_later = or_(new.status != _RUNNING, RUNS.c.ended_utc_s <= new.ended_utc_s)
        has_no_less = or_(known.is_(None), known <= journal_bytes, known == instead_of_bytes)
        return and_(is_later, has_no_less)

    return _put(connection, row, tags, rows.month_shares(run), rows.document(run), is_no_shorter)


def put_plan(connection: Connection, footprint: Footprint, name: str) -> str:
    """A plan, in the place of the one that had its name. Its id comes back."""
    row = rows.plan_row(footprint, name, time.time())
    _put(connection, row, (), {rows.month_of(row["saved_utc_s"]): 1.0}, rows.document(footprint))
    return str(row["id"])


def put_journals(connection: Connection, folder: str, run_id: str | None, signature: str, problem: str) -> None:
    """What was read of a folder, and how it looked then."""
    upsert(connection, JOURNALS, {"folder": folder, "run_id": run_id, "signature": signature, "problem": problem})


def forget(connection: Connection, run_id: str) -> None:
    """All that the tables hold of a run or plan."""
    connection.execute(delete(RUNS).where(RUNS.c.id == run_id))
    for table in (TAGS, MONTHS, DOCUMENTS, JOURNALS):
        connection.execute(delete(table).where(table.c.run_id == run_id))


def _put(
    connection: Connection,
    row: rows.Row,
    tags: Iterable[str],
    months: dict[str, float],
    body: str,
    where: Callable[[Any], ColumnElement[bool]] | None = None,
) -> bool:
    run_id = row["id"]
    if not upsert(connection, RUNS, row, where):  # first: it locks the run against other writers
        return False
    for table in (TAGS, MONTHS, DOCUMENTS):
        connection.execute(delete(table).where(table.c.run_id == run_id))
    connection.execute(DOCUMENTS.insert().values(run_id=run_id, body=body))
    if labels := [{"run_id": run_id, "tag": tag} for tag in tags]:
        connection.execute(TAGS.insert(), labels)
    parts = [{"run_id": run_id, "month": month, "energy_share": share} for month, share in months.items()]
    connection.execute(MONTHS.insert(), parts)
    return True


def upsert(
    connection: Connection, table: Table, row: rows.Row, where: Callable[[Any], ColumnElement[bool]] | None = None
) -> bool:
    """Insert a row, or change the one that has its key, `where` the new row and the old one allow it."""
    keys = [column.name for column in table.primary_key]
    insert: Any = _INSERTS[connection.dialect.name](table).values(**row)
    changed = {name: insert.excluded[name] for name in row if name not in keys}
    allowed = None if where is None else where(insert.excluded)
    statement = insert.on_conflict_do_update(index_elements=keys, set_=changed, where=allowed)
    return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount > 0
