"""Which runs are meant, and their sums: the database filters and adds, whatever the number of runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, literal, literal_column, select

from footprint.errors import UnknownName
from footprint.store.entries import GROUPS, IMPORTED, RUN, Filter, Total
from footprint.store.rows import storable
from footprint.store.schema import MONTHS, RANGED, RUNS, TAGS, three
from footprint.values import Range

_ESCAPE = "\\"
_LEAST_HANDLE = 3


def conditions(wanted: Filter, dialect: str) -> list[ColumnElement[bool]]:
    """A filter as conditions on `runs`; letters are told apart by their case, in every database."""
    found: list[ColumnElement[bool]] = []
    if wanted.name is not None:
        found.append(_named(wanted.name, dialect))
    if wanted.project is not None:
        found.append(RUNS.c.project == storable(wanted.project))
    if wanted.status is not None:
        found.append(RUNS.c.status == wanted.status)
    if wanted.kinds:
        found.append(RUNS.c.kind.in_(wanted.kinds))
    if wanted.since is not None:
        found.append(RUNS.c.started_utc_s >= wanted.since.timestamp())
    if wanted.until is not None:
        found.append(RUNS.c.started_utc_s < wanted.until.timestamp())
    found += [RUNS.c.id.in_(select(TAGS.c.run_id).where(TAGS.c.tag == storable(tag))) for tag in wanted.tags]
    return found


def _named(name: str, dialect: str) -> ColumnElement[bool]:
    told = storable(name)
    if not set(told) & {"*", "?"}:
        return RUNS.c.name == told
    if dialect == "sqlite":  # its LIKE takes A for a
        return RUNS.c.name.op("GLOB", is_comparison=True)(told.replace("[", "[[]"))
    for special in (_ESCAPE, "%", "_"):
        told = told.replace(special, _ESCAPE + special)
    return RUNS.c.name.like(told.replace("*", "%").replace("?", "_"), escape=_ESCAPE)


def newest_first(dialect: str) -> tuple[ColumnElement[Any], ...]:
    """The order of lists: by start, and by id, letter by letter, among those of one moment."""
    return RUNS.c.started_utc_s.desc(), RUNS.c.id.collate("C") if dialect == "postgresql" else RUNS.c.id


def begins(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """Whether a text begins so."""
    return func.substr(column, 1, len(text)) == text


def ends(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """Whether a text ends so, and is longer."""
    length = func.length(column)
    return and_(length > len(text), func.substr(column, length - len(text) + 1) == text)


def totals(connection: Connection, by: str | None, wanted: Filter) -> tuple[Total, ...]:
    """The sums of the runs that are meant: by month in order of time, otherwise the most energy first.

    Raises
    ------
    UnknownName
        When they cannot be grouped so.
    """
    if by is not None and by not in GROUPS:
        raise UnknownName("by", by, GROUPS, f"add up by {', '.join(GROUPS)}")
    found = [_total(row) for row in connection.execute(_sums(by, wanted, connection.dialect.name)) if row.run_count]
    return tuple(sorted(found, key=lambda t: (t.key,) if by == "month" else (-t.facility_energy_kwh.mid, t.key)))


def months_by_project(connection: Connection, wanted: Filter) -> dict[str, tuple[Total, ...]]:
    """The sums of each project's months, in one question: projects by name, months in order of time."""
    found: dict[str, list[Total]] = {}
    for row in connection.execute(_sums("month", wanted, connection.dialect.name, RUNS.c.project)):
        found.setdefault(row.project, []).append(_total(row))
    return {project: tuple(sorted(found[project], key=lambda t: t.key)) for project in sorted(found)}


def _sums(by: str | None, wanted: Filter, dialect: str, *more: ColumnElement[Any]) -> Select[Any]:
    """The question for sums by a key, and by more columns where they are named."""
    if not wanted.kinds:
        wanted = replace(wanted, kinds=(RUN, IMPORTED))
    part: ColumnElement[float] = MONTHS.c.energy_share if by == "month" else literal(1.0)
    energy = RUNS.c.own_energy_share * part
    hours = RUNS.c.own_hours_share * part
    operational, total = RUNS.c.operational_location_kgco2e, RUNS.c.total_location_kgco2e
    both = (operational * energy + (total - operational) * hours) / func.nullif(total, 0.0)
    shares = dict.fromkeys((*RANGED, "electricity_usd"), energy) | {"total_location_kgco2e": both}
    key = _key(by)
    query = select(
        key.label("key"),
        *more,
        func.count(RUNS.c.id).label("run_count"),
        func.sum(RUNS.c.accelerator_hours * hours).label("accelerator_hours"),
        func.sum(RUNS.c.tokens * part).label("tokens"),
        func.count(RUNS.c.electricity_usd).label("priced_count"),
        func.sum(RUNS.c.it_energy_kwh * (1.0 - RUNS.c.own_energy_share) * part).label("elsewhere"),
        *(func.sum(RUNS.c[name] * share).label(name) for field, share in shares.items() for name in three(field)),
    ).where(*conditions(wanted, dialect))
    if by == "tag":
        query = query.select_from(RUNS.outerjoin(TAGS, TAGS.c.run_id == RUNS.c.id))
    elif by == "month":
        query = query.select_from(RUNS.join(MONTHS, MONTHS.c.run_id == RUNS.c.id))
    return query if by is None else query.group_by(key, *more)


def _key(by: str | None) -> ColumnElement[str]:
    if by is None:
        return literal("")
    if by == "tag":
        return func.coalesce(TAGS.c.tag, literal_column("''"))
    column: ColumnElement[str] = MONTHS.c.month if by == "month" else RUNS.c[by]
    return column


def _total(row: Row[Any]) -> Total:
    def added(field: str) -> Range:
        low, mid, high = (getattr(row, name) or 0.0 for name in three(field))
        return Range(min(low, mid), mid, max(mid, high))

    return Total(
        key=row.key,
        run_count=row.run_count,
        accelerator_hours=row.accelerator_hours,
        **{field: added(field) for field in RANGED},
        electricity_usd=added("electricity_usd") if row.priced_count else None,
        tokens=row.tokens,
        priced_count=row.priced_count,
        counted_elsewhere_it_energy_kwh=row.elsewhere,
    )


def handles(ids: Iterable[str]) -> dict[str, str]:
    """For each id its shortest end, from a dash on, that is the end of no other: what was made to tell it apart."""
    all_ids = list(ids)
    ends = Counter(end for one in all_ids for end in _ends(one))
    return {one: next(end for end in (*_ends(one), one) if ends[end] == 1 or end == one) for one in all_ids}


def _ends(one: str) -> list[str]:
    """'a-b-c' as 'c', 'b-c', 'a-b-c'."""
    parts = one.split("-")
    return [end for i in range(len(parts) - 1, -1, -1) if len(end := "-".join(parts[i:])) >= _LEAST_HANDLE or i == 0]
