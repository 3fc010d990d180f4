"""Catalog rows as tables: the main columns for readers, all of them for machines."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

from footprint.report.tables import Cell, Table
from footprint.units import show, unit_of

Row = Mapping[str, str | int | float | None]

_TOGETHER = {"zones": ("grid_open", "grid_odbl")}
"""Names that users know, and the files over which each is spread."""

_MAIN = {
    "accelerators": ("id", "generation", "memory_gb", "tdp_w", "peak_bf16_dense_tflop_per_s", "name"),
    "constants": ("id", "low", "mid", "high", "source"),
    "electricity": ("area", "kind", "period", "electricity_usd_per_kwh", "source"),
    "facilities": ("operator", "site", "year", "pue", "wue_l_per_kwh", "kind", "source"),
    "models": ("id", "organization", "params", "active_params", "closed", "source"),
    "nodes": ("id", "accelerator", "accelerator_count", "idle_w", "max_w", "name"),
    "prices": (
        "provider", "region", "accelerator", "on_demand_usd_per_h", "spot_usd_per_h", "reserved_1y_usd_per_h",
        "reserved_3y_usd_per_h", "as_of",
    ),
    "regions": ("id", "location", "zone", "alternative_zone", "source"),
    "runs": ("id", "params", "tokens", "accelerator", "accelerator_hours", "source"),
    "scores": ("model_id", "benchmark", "setting", "score", "source"),
    "sources": ("id", "what"),
    "throughput": ("model", "accelerator", "accelerator_count", "precision", "std_causal_mfu", "source"),
    "zones": ("zone", "year", "intensity_g_per_kwh", "basis", "scope", "source", "name"),
}  # fmt: skip
_MOST_COLUMNS = 6


def sources(table: str) -> tuple[str, ...]:
    """The files behind a name."""
    return _TOGETHER.get(table, (table,))


def names(tables: Iterable[str]) -> Table:
    """The tables that can be listed."""
    hidden = {name for parts in _TOGETHER.values() for name in parts}
    listed = sorted({*_TOGETHER, *tables} - hidden)
    return Table(("table",), tuple((name,) for name in listed))


def full(rows: Sequence[Row]) -> Table:
    """Every column, every row, as the files have them."""
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    return Table(columns, tuple(tuple(_plain(row.get(name)) for name in columns) for row in rows))


def _plain(cell: Cell) -> Cell:
    """Whole numbers without a point, as the files write them."""
    return int(cell) if isinstance(cell, float) and cell.is_integer() else cell


def brief(table: str, rows: Sequence[Row]) -> Table:
    """The main columns; of a grid zone its newest year only."""
    if table == "zones":
        rows = _newest(rows)
    known = full(rows[:1]).columns
    chosen = tuple(name for name in _MAIN.get(table, known[:_MOST_COLUMNS]) if name in known or not rows)
    body = tuple(tuple(_short(name, row.get(name)) for name in chosen) for row in rows)
    right = frozenset(name for name in chosen if any(isinstance(row.get(name), (int, float)) for row in rows))
    return Table(tuple(map(_header, chosen)), body, right=frozenset(map(_header, right)))


def _newest(rows: Sequence[Row]) -> list[Row]:
    found: dict[tuple[Cell, ...], Row] = {}
    for row in rows:
        key = tuple(row.get(name) for name in ("zone", "basis", "scope"))
        if key not in found or int(row["year"] or 0) > int(found[key]["year"] or 0):
            found[key] = row
    return list(found.values())


def _short(name: str, cell: Cell) -> Cell:
    """A year has no thousands, a count of parameters has a B."""
    if name == "year" and cell is not None:
        return str(cell)
    if isinstance(cell, (int, float)) and abs(cell) >= 1e6 and unit_of(name) == "":
        return show(name, cell)
    return cell


def _header(name: str) -> str:
    """A column's name over several short lines: 'on demand / usd per h'."""
    return textwrap.fill(name.replace("_", " "), 8, break_long_words=False)
