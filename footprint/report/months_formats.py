"""Every output format of a site's months: one function `JobsTable -> str` and one line in a table each."""

from __future__ import annotations

from collections.abc import Callable

from footprint import records
from footprint.report import months, tables
from footprint.studies import JobsTable

__all__ = ["FORMATS"]


def _html(table: JobsTable) -> str:
    from footprint.report import months_page  # here, not above: the page alone needs its frame

    return months_page.document(table)


def _markdown(table: JobsTable) -> str:
    parts = [f"## {tables.escape_markdown(months.title(table))}", *map(tables.escape_markdown, months.headline(table))]
    parts += [
        tables.as_markdown(months.flat(months.readable(table))).rstrip(),
        tables.as_markdown(months.flat(months.waste(table))).rstrip(),
    ]
    parts += [f"> {tables.escape_markdown(line)}" for line in months.remarks(table)]
    return "\n\n".join(parts) + "\n"


FORMATS: dict[str, Callable[[JobsTable], str]] = {
    "text": months.text,
    "json": records.to_json,
    "csv": lambda table: tables.as_csv(months.numbers(table)),
    "markdown": _markdown,
    "latex": lambda table: tables.as_latex(months.flat(months.readable(table))),
    "html": _html,
}
