"""A measured run on one screen, at the end of a command: what it used, by which parts, and what to know of it."""

from __future__ import annotations

import shutil

from rich.console import RenderableType
from rich.text import Text

from footprint.report import run_tables
from footprint.report.run_wording import remarks, subtitle, title
from footprint.report.tables import Table
from footprint.report.terminal import aside, grid, heading, item, render
from footprint.report.wording import plain
from footprint.values import Run

_WIDE_COLUMNS = 110
_MOST_ROWS, _MOST_REMARKS, _MOST_GAPS = 6, 4, 2
_LONGEST_REMARK = 150


def text(run: Run, color: bool = False, width: int | None = None) -> str:
    """The run in at most 40 lines or so at 80 columns; the whole is in `report.run_text`."""
    columns = width or shutil.get_terminal_size().columns
    wide = columns >= _WIDE_COLUMNS
    items: list[RenderableType] = [heading(title(run)), *(aside(line) for line in subtitle(run)), Text()]
    items.append(grid(run_tables.answer(run)))
    items += _part(run_tables.parts(run, wide))
    if run.planned is not None:
        items += _part(run_tables.against_plan(run, wide))
    told = remarks(run, _MOST_GAPS)
    if told:
        items += [Text(), *(item(_cut(line), columns) for line in told[:_MOST_REMARKS])]
    rest = f"{len(told) - _MOST_REMARKS} more, and all else" if len(told) > _MOST_REMARKS else "more"
    return render([*items, Text(), aside(f"{rest}: footprint runs show {plain(run.id)}")], columns, color)


def _part(table: Table) -> list[RenderableType]:
    rows = table.rows[:_MOST_ROWS]
    return [Text(), grid(Table(table.columns, rows, table.title, table.right), table.columns[0])] if rows else []


def _cut(line: str) -> str:
    return line if len(line) <= _LONGEST_REMARK else line[: _LONGEST_REMARK - 1] + "…"
