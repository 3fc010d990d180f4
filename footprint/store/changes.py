"""What is written into the tables, within a transaction that is open."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import Table

from footprint.store import rows
from footprint.store.schema import DOCUMENTS, JOURNALS, MONTHS, RUNS, TAGS
from footprint.values import Footprint, Run

_INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def put_run(connection: Connection, run: Run, kind: str) -> None:
    """All that the tables hold of a run, in the place of what they held."""
    tags = dict.fromkeys(rows.storable(tag) for tag in run.tags)
    _put(connection, rows.run_row(run, kind, time.time()), tags, rows.month_shares(run), rows.document(run))


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


def _put(connection: Connection, row: rows.Row, tags: Iterable[str], months: dict[str, float], body: str) -> None:
    run_id = row["id"]
    upsert(connection, RUNS, row)  # first: it locks the run against other writers
    for table in (TAGS, MONTHS, DOCUMENTS):
        connection.execute(delete(table).where(table.c.run_id == run_id))
    connection.execute(DOCUMENTS.insert().values(run_id=run_id, body=body))
    for tag in tags:
        connection.execute(TAGS.insert().values(run_id=run_id, tag=tag))
    for month, share in months.items():
        connection.execute(MONTHS.insert().values(run_id=run_id, month=month, energy_share=share))


def upsert(connection: Connection, table: Table, row: rows.Row) -> None:
    """Insert a row, or change the one that has its key."""
    keys = [column.name for column in table.primary_key]
    insert: Any = _INSERTS[connection.dialect.name](table).values(**row)
    changed = {name: insert.excluded[name] for name in row if name not in keys}
    connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=changed))
