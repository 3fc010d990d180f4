"""Tables on a terminal: the width is the terminal's or COLUMNS, colour only where asked for."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterable
from dataclasses import replace

from rich.console import Console, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from footprint.report.tables import Table, show_cell

_GAP = 2
_LEAST = 8
"""Letters that a column which gives way keeps."""


def as_text(table: Table, width: int | None = None, color: bool = False, cut: str = "") -> str:
    """Aligned columns; the column named by `cut`, or else the last, gives way where the width is short."""
    return render([grid(table, cut)], width, color)


def fitting(table: Table, least: int, cut: str, width: int) -> Table:
    """The first `least` columns and, one after another, those of the others that the width takes."""
    room, kept = width, 0
    for place, name in enumerate(table.columns):
        longest = _longest(table, place)
        room -= (min(longest, _LEAST) if name == cut else longest) + (_GAP if place else 0)
        if place >= least and room < 0:
            break
        kept += 1
    return replace(table, columns=table.columns[:kept], rows=tuple(row[:kept] for row in table.rows))


def _longest(table: Table, place: int) -> int:
    cells = [table.columns[place], *(show_cell(row[place]) for row in table.rows)]
    return max(len(line) for cell in cells for line in cell.split("\n"))


def render(items: Iterable[RenderableType], width: int | None = None, color: bool = False) -> str:
    """The items one below the other, without trailing spaces."""
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=color,
        no_color=not color,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    with console.capture() as capture:
        for item in items:
            console.print(item)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def grid(table: Table, cut: str = "") -> Grid:
    """A table without lines, under a dim header, whose `cut` column ends in an ellipsis where it must."""
    out = Grid(
        box=None, padding=(0, _GAP, 0, 0), pad_edge=False, show_header=any(name.strip() for name in table.columns)
    )
    flexible = cut or table.columns[-1]
    for place, name in enumerate(table.columns):
        is_flexible = name == flexible
        out.add_column(
            name.strip(),
            justify="right" if name in table.right else "left",
            header_style="dim",
            no_wrap=not is_flexible,
            min_width=min(_LEAST, _longest(table, place)) if is_flexible else None,
        )
    for row in table.rows:
        out.add_row(*(Text(show_cell(cell), no_wrap=True, overflow="ellipsis") for cell in row))
    return out


def heading(text: str) -> Text:
    """A bold line."""
    return Text(text, style="bold")


def item(text: str, columns: int) -> Text:
    """One of several remarks, which wraps under itself."""
    return Text(textwrap.fill(text, columns, initial_indent="- ", subsequent_indent="  "))


def aside(text: str) -> Text:
    """A dim line."""
    return Text(text, style="dim")
