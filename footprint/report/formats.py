"""Every output format of a footprint: one function `Footprint -> str` and one line in a table each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import TypeVar

from footprint import records
from footprint.errors import InputError, UnknownName
from footprint.report import quantities, tables
from footprint.report.tables import Table
from footprint.report.wording import (
    STATED,
    stated,
    title,
)
from footprint.values import Footprint

Format = TypeVar("Format")

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
    return tables.as_csv(quantities.quantities(footprint))


def markdown(footprint: Footprint) -> str:
    """A heading, the quantities and the ledger as pipe tables."""
    parts = [f"## {tables.escape_markdown(title(footprint))}", quantities.where(footprint, tables.escape_markdown)]
    parts.append(tables.as_markdown(quantities.readable(footprint)).rstrip())
    for model, figures, source in stated(footprint):
        parts.append(tables.escape_markdown(f"{STATED}: {model}: {figures} ({source})"))
    if footprint.ledger:
        parts += ["### Assumptions", tables.as_markdown(quantities.ledger(footprint)).rstrip()]
    parts += [f"> {tables.escape_markdown(note)}" for note in footprint.notes]
    return "\n\n".join(parts) + "\n"


def latex(footprint: Footprint) -> str:
    """A booktabs table of the quantities that are known."""
    return tables.as_latex(quantities.readable(footprint))


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
    return chosen(name, FORMATS)


def chosen(name: str, formats: Mapping[str, Format]) -> Format:
    """The one of a table of formats.

    Raises
    ------
    UnknownName
        When there is no such format.
    """
    if name not in formats:
        raise UnknownName("format", name, formats, f"the formats are {', '.join(formats)}")
    return formats[name]


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
