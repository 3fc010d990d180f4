"""Every output format of a footprint: one function `Footprint -> str` and one line in a table each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath

from footprint.errors import InputError, UnknownName
from footprint.report import records, tables
from footprint.report.tables import Table
from footprint.report.wording import (
    STATED,
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
    stated,
    title,
)
from footprint.values import Footprint

EXTENSIONS = {
    ".txt": "text", ".json": "json", ".csv": "csv", ".md": "markdown", ".tex": "latex", ".html": "html", ".htm": "html",
}  # fmt: skip


def text(footprint: Footprint) -> str:
    """One screen for a terminal."""
    from footprint.report import text as screen

    return screen.text(footprint)


def json(footprint: Footprint) -> str:
    """All fields, versioned."""
    return records.to_json(footprint)


def csv(footprint: Footprint) -> str:
    """One row a quantity, numbers in the unit of their column."""
    return tables.as_csv(quantities(footprint))


def markdown(footprint: Footprint) -> str:
    """A heading, the quantities and the ledger as pipe tables."""
    parts = [f"## {tables.escape_markdown(title(footprint))}", _where(footprint, tables.escape_markdown)]
    parts.append(tables.as_markdown(readable(footprint)).rstrip())
    for model, figures, source in stated(footprint):
        parts.append(tables.escape_markdown(f"{STATED}: {model}: {figures} ({source})"))
    if footprint.ledger:
        parts += ["### Assumptions", tables.as_markdown(ledger(footprint)).rstrip()]
    parts += [f"> {tables.escape_markdown(note)}" for note in footprint.notes]
    return "\n\n".join(parts) + "\n"


def latex(footprint: Footprint) -> str:
    """A booktabs table of the quantities that are known."""
    return tables.as_latex(readable(footprint))


def html(footprint: Footprint) -> str:
    """A page that stands alone, with its data inside."""
    from footprint.report import page

    return page.page(footprint)


FORMATS: dict[str, Callable[[Footprint], str]] = {
    "text": text,
    "json": json,
    "csv": csv,
    "markdown": markdown,
    "latex": latex,
    "html": html,
}


def named(name: str) -> Callable[[Footprint], str]:
    """The function of a format.

    Raises
    ------
    UnknownName
        When there is no such format.
    """
    if name not in FORMATS:
        raise UnknownName("format", name, FORMATS, f"the formats are {', '.join(FORMATS)}")
    return FORMATS[name]


def table_text(table: Table) -> str:
    """Aligned columns for a terminal."""
    from footprint.report import terminal

    return terminal.as_text(table)


def table_html(table: Table) -> str:
    """A page that stands alone."""
    from footprint.report import page

    return page.table_page(table)


TABLE_FORMATS: dict[str, Callable[[Table], str]] = {
    "text": table_text,
    "json": tables.as_json,
    "csv": tables.as_csv,
    "markdown": tables.as_markdown,
    "latex": tables.as_latex,
    "html": table_html,
}


def format_for(path: PurePath) -> str:
    """The format that a file's extension names.

    Raises
    ------
    InputError
        When it names none.
    """
    found = EXTENSIONS.get(path.suffix.lower())
    if found is None:
        raise InputError("out", str(path), "names no known format", f"end it in one of {' '.join(EXTENSIONS)}")
    return found


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
    return Table(columns[first:], tuple(row[first:] for row in rows), title=_where(footprint, str, named=True))


def ledger(footprint: Footprint) -> Table:
    """What was assumed, and from where."""
    rows = tuple(
        (a.field, show_value(a.field, a.value), a.origin, a.source + (f"; {a.note}" if a.note else ""))
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


def _where(footprint: Footprint, escape: Callable[[str], str], named: bool = False) -> str:
    words = [title(footprint)] if named else []
    return " · ".join(escape(w) for w in (*words, hardware(footprint), place(footprint)) if w)
