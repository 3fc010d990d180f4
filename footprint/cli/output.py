"""Where results go: stdout or a file; notes go to stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from footprint.errors import InputError

if TYPE_CHECKING:
    from footprint.report.tables import Table
    from footprint.values import Footprint


class Format(StrEnum):
    """The names of `footprint.report.formats.FORMATS`, known without importing it."""

    text = "text"
    json = "json"
    csv = "csv"
    markdown = "markdown"
    latex = "latex"
    html = "html"


def chosen(format: Format | None, out: Path | None) -> str:
    """The format asked for, or the one that the file's extension names, or text."""
    if format is not None:
        return format.value
    if out is None:
        return Format.text.value
    from footprint.report.formats import format_for

    return format_for(out)


def write(text: str, out: Path | None) -> None:
    """To the file, or to stdout."""
    if out is None:
        typer.echo(text, nl=not text.endswith("\n"), color=True if is_colored() else None)
        return
    try:
        out.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise unwritable("out", out, error) from error


def unwritable(field: str, path: Path, error: OSError) -> InputError:
    """A file that cannot be written, as an error that says what to do."""
    return InputError(field, str(path), f"cannot be written ({error.strerror})", "name a file in a folder that exists")


def show(footprint: Footprint, name: str, out: Path | None) -> None:
    """One footprint in one format."""
    if name == Format.text.value and out is None:
        from footprint.report import text

        write(text.text(footprint, color=is_colored()), None)
        return
    from footprint.report import formats

    write(formats.named(name)(footprint), out)


def show_table(table: Table, name: str, out: Path | None, cut: str = "") -> None:
    """One table in one format; colour and the terminal's width where text goes to a terminal."""
    if name == Format.text.value:
        from footprint.report import terminal

        write(terminal.as_text(table, color=out is None and is_colored(), cut=cut), out)
        return
    from footprint.report import formats

    write(formats.TABLE_FORMATS[name](table), out)


def show_tables(tables: Iterable[Table], out: Path | None, cut: str = "") -> None:
    """Several tables one below the other, as text; the column `cut` gives way where the width is short."""
    from footprint.report import terminal

    color = out is None and is_colored()
    write(
        "\n".join(terminal.as_text(t, color=color, cut=cut if cut in t.columns else "") for t in tables if t.rows), out
    )


def notes(lines: Iterable[str]) -> None:
    """Remarks on a result, on stderr, each once."""
    for line in dict.fromkeys(lines):
        typer.echo(f"note: {line}", err=True)


def is_colored() -> bool:
    """Whether stdout is a terminal that wants colour."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
