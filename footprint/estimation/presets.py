"""Presets: rows of models, their stages, and what their makers published."""

from __future__ import annotations

from typing import Any

from footprint.catalog import Catalog, Row
from footprint.errors import UnknownName
from footprint.values import Published

STAGE_COLUMNS = {
    "stage": "name",
    "kind": "kind",
    "tokens": "tokens",
    "repeats_count": "repeats",
    "seq_len": "seq_len",
    "precision": "precision",
    "accelerator": "accelerator",
    "accelerator_count": "count",
    "batch_tokens": "batch_tokens",
}
"""Columns of stages.csv and the words of a plan that they fill."""


def preset_rows(name: str, catalog: Catalog) -> list[Row]:
    """The preset of that id or alias, or all of that family."""
    wanted = name.casefold()
    rows = catalog.rows("models")
    for row in rows:
        aliases = str(row["aliases"] or "").casefold().split(";")
        if wanted == str(row["id"]).casefold() or wanted in aliases:
            return [row]
    family = [row for row in rows if str(row["family"] or "").casefold() == wanted]
    if family:
        return family
    known = {str(r["id"]) for r in rows} | {str(r["family"]) for r in rows if r["family"]}
    raise UnknownName("model", name, known, "see: footprint catalog models; or give --params and --tokens")


def stage_words(row: Row) -> dict[str, Any]:
    """The words of a preset's stage; what its row leaves blank is left out."""
    words: dict[str, Any] = {word: row[column] for column, word in STAGE_COLUMNS.items() if row[column] is not None}
    if row["after"]:
        words["after"] = str(row["after"]).split(";")
    if row["training_flop"] is not None:
        words["flop"] = f"{row['training_low_flop']}:{row['training_flop']}:{row['training_high_flop']}"
    return words


def published_run(row: Row) -> Published:
    """A row of published runs as a value."""
    return Published(
        run_id=str(row["id"]),
        model=str(row["model"]),
        accelerator_hours=_number(row["accelerator_hours"]),
        energy_kwh=_number(row["reported_energy_kwh"]),
        energy_basis=str(row["energy_basis"] or ""),
        energy_boundary=str(row["energy_boundary"] or ""),
        location_kgco2e=_number(row["reported_kgco2e"]),
        source=str(row["source"]),
        note=str(row["note"] or ""),
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
