"""The tables of a footprint: its quantities for machines, for readers, and its ledger."""

from __future__ import annotations

from collections.abc import Callable

from footprint.report.tables import Table
from footprint.report.wording import (
    THIRD_PARTY,
    Entry,
    all_entries,
    base_unit,
    hardware,
    is_third_party,
    ledger_by_doubt,
    place,
    show_entry,
    show_value,
    title,
)
from footprint.values import Footprint


def quantities(footprint: Footprint) -> Table:
    """Every quantity of the total, its stages and its members, unrounded; what is absent stays empty."""
    status = THIRD_PARTY if is_third_party(footprint) else ""
    rows = tuple(
        (footprint.name, e.part, e.field, e.convention, *_ends(e), base_unit(e.field), status)
        for e in all_entries(footprint)
    )
    columns = ("name", "part", "quantity", "convention", "low", "mid", "high", "unit", "status")
    return Table(columns, rows, right=frozenset({"low", "mid", "high"}))


def readable(footprint: Footprint) -> Table:
    """The known quantities of the total, and hours, energy and carbon of the members, rounded for reading."""
    shown = [e for e in all_entries(footprint) if e.value is not None and (e.part == "total" or _is_main(e))]
    rows = tuple((e.part, e.label, e.convention, show_entry(e)) for e in shown)
    has_parts = any(e.part != "total" for e in shown)
    columns = ("part", "quantity", "convention", "mid (5th – 95th percentile)")
    first = 0 if has_parts else 1
    return Table(columns[first:], tuple(row[first:] for row in rows), title=where(footprint, str, named=True))


def ledger(footprint: Footprint) -> Table:
    """What was assumed, and from where."""
    rows = tuple(
        (a.field, show_value(a.field, a.value), a.origin, "; ".join(filter(None, (a.source, a.note))))
        for a in ledger_by_doubt(footprint)
    )
    return Table(("field", "value", "origin", "source"), rows)


def _is_main(entry: Entry) -> bool:
    return entry.convention in ("", "facility") and entry.field in (
        "accelerator_hours",
        "facility_energy_kwh",
        "total_location_kgco2e",
    )


def _ends(entry: Entry) -> tuple[float | None, float | None, float | None]:
    value = entry.value
    return (None, None, None) if value is None else (value.low, value.mid, value.high)


def where(footprint: Footprint, escape: Callable[[str], str], named: bool = False) -> str:
    words = [title(footprint)] if named else []
    return " · ".join(escape(w) for w in (*words, hardware(footprint), place(footprint)) if w)
