"""Every number of measured runs as one table, for machines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from footprint.report.run_wording import kind_of, label
from footprint.report.tables import Cell, Table
from footprint.report.wording import base_unit, entries
from footprint.values import Range, Run


def quantities(runs: Iterable[Run]) -> Table:
    """Every number of the runs, one a row and unrounded."""
    columns = (
        "run", "name", "status", "part", "quantity", "convention", "low", "mid", "high", "unit", "known_by", "evidence",
    )  # fmt: skip
    rows = tuple(
        (*map(label, (run.id, run.name, run.status)), *row, label(run.evidence))
        for run in runs
        for row in _quantities(run)
    )
    return Table(columns, rows, right=frozenset({"low", "mid", "high"}))


def _quantities(run: Run) -> Iterator[tuple[Cell, ...]]:
    def row(
        part: str, field: str, value: Range | float | None, convention: str = "", kind: str = ""
    ) -> tuple[Cell, ...]:
        ends = (None,) * 3 if value is None else (value, value, value) if not isinstance(value, Range) else ()
        low, mid, high = ends or (value.low, value.mid, value.high)  # type: ignore[union-attr]
        return label(part), field, convention, low, mid, high, base_unit(field), kind

    for e in entries(run.footprint):
        yield row("total", e.field, e.value, e.convention)
    for field in ("mfu", "stalled_it_energy_kwh", "wasted_it_energy_kwh"):
        yield row("total", field, getattr(run, field))
    yield row("total", "coverage_share", run.usage.coverage_share)
    for one in run.meters:
        kind = kind_of(one)
        for field in ("it_energy_kwh", "attributed_it_energy_kwh", "stalled_it_energy_kwh", "mean_w", "peak_w"):
            value = getattr(one, field)
            if value is not None:
                yield row(f"meter {one.host} {one.meter.id}", field, value, kind=kind)
        yield row(f"meter {one.host} {one.meter.id}", "coverage_share", one.coverage_share, kind=kind)
    for window in run.windows:
        yield row(f"window {window.name}", "it_energy_kwh", window.it_energy_kwh)
        yield row(f"window {window.name}", "window_count", window.window_count)
        yield row(f"window {window.name}", "duration_s", window.duration_s)
    for start in run.segments:
        part = f"start {start.restart_count} {start.host}"
        yield row(part, "it_energy_kwh", start.it_energy_kwh)
        if start.wasted_it_energy_kwh is not None:
            yield row(part, "wasted_it_energy_kwh", start.wasted_it_energy_kwh)
    if run.planned is not None:
        for e in entries(run.planned):
            yield row("planned", e.field, e.value, e.convention)
