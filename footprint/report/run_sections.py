"""A measured run as titled tables: the answer first, then what follows it."""

from __future__ import annotations

from footprint.report import quantities, run_tables
from footprint.report.run_wording import subtitle, title
from footprint.report.tables import Table
from footprint.values import Run


def answer(run: Run) -> Table:
    """What it cost, under a header and a title."""
    table = run_tables.answer(run)
    name = " · ".join((title(run), *subtitle(run)))
    return Table(("quantity", "mid (5th – 95th percentile)", "rests on"), table.rows, name)


def sections(run: Run) -> list[tuple[str, Table]]:
    """What follows the answer."""
    return [
        ("Where the energy went", run_tables.parts(run)),
        ("Of this energy", run_tables.spent(run)),
        ("Accelerators", run_tables.devices(run)),
        ("Planned, and so far" if run.status == "running" else "Planned, and measured", run_tables.against_plan(run)),
        ("Windows", run_tables.windows(run)),
        ("Starts", run_tables.starts(run)),
        ("Assumptions", quantities.ledger(run.footprint)),
    ]
