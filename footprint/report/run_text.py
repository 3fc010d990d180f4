"""A measured run on a terminal: the answer first, then where the energy went, then what to know of it."""

from __future__ import annotations

import shutil

from rich.console import RenderableType
from rich.text import Text

from footprint.report import quantities, run_tables
from footprint.report.live_power import spark
from footprint.report.run_wording import by_hours, card, is_by_accelerators, remarks, subtitle, title
from footprint.report.tables import Table
from footprint.report.terminal import aside, grid, heading, item, render
from footprint.report.wording import plain
from footprint.units import show
from footprint.values import Run

WIDE_COLUMNS = 110
MOST_ROWS = 16
MOST_DEVICES = 8
MOST_GAPS = 6
MOST_ASSUMPTIONS = 8
_MOST_BARS, _LEAST_BARS = 60, 3
_STYLES = {"finished": "bold green", "running": "green", "failed": "bold red"}


def text(run: Run, color: bool = False, width: int | None = None) -> str:
    """A run for reading in a terminal; what is above the first table fits one screen."""
    columns = width or shutil.get_terminal_size().columns
    wide = columns >= WIDE_COLUMNS
    items: list[RenderableType] = [_title(run), *(aside(line) for line in subtitle(run)), aside(_about(run)), Text()]
    items += [grid(run_tables.answer(run)), aside(card(run)), *_by_hour(run, columns)]
    items += _part(run_tables.parts(run, wide)) + _part(run_tables.spent(run), cut="")
    items += _part(run_tables.devices(run), most=MOST_DEVICES)
    if run.planned is not None:
        head = "Planned, and so far" if run.status == "running" else "Planned, and measured"
        items += _part(run_tables.against_plan(run, wide), head=head)
    items += _part(run_tables.windows(run)) + _part(run_tables.starts(run, wide), cut="host")
    if told := remarks(run, MOST_GAPS):
        items += [Text(), heading("To know"), *(item(line, columns) for line in told)]
    items += _part(quantities.ledger(run.footprint), cut="source", most=MOST_ASSUMPTIONS)
    return render(items, columns, color)


def _title(run: Run) -> Text:
    name, _, status = title(run).rpartition(" · ")
    return Text.assemble((name, "bold"), " · ", (status, _STYLES.get(run.status, "yellow")))


def _about(run: Run) -> str:
    return f"run {plain(run.id)} · mid value (5th – 95th percentile)"


def _by_hour(run: Run, columns: int) -> list[RenderableType]:
    """How the hours differed."""
    each, sums = by_hours(run, min(_MOST_BARS, columns // 2))
    if len(sums) < _LEAST_BARS:
        return []
    own = " by accelerators" if is_by_accelerators(run) else ""
    told = f" at most {show('it_energy_kwh', max(sums))}{own} in {'an hour' if each == 1 else f'{each} h'}"
    label = "By hour: " if each == 1 else f"Every {each} h: "
    return [Text.assemble((label, "dim"), (spark(sums, max(sums), len(sums)), "cyan"), (told, "dim"))]


def _part(table: Table, cut: str | None = None, head: str = "", most: int = MOST_ROWS) -> list[RenderableType]:
    """A table under an empty line, where it has rows; a long one is cut."""
    if not table.rows:
        return []
    shown = Table(table.columns, table.rows[:most], table.title, table.right)
    rest = len(table.rows) - len(shown.rows)
    more: list[RenderableType] = [aside(f"and {rest} more: --format json has them")] if rest else []
    return [Text(), *([heading(head)] if head else []), grid(shown, table.columns[0] if cut is None else cut), *more]
