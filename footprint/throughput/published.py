"""Published runs as settings: what the whole-run layer is calibrated on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from footprint.catalog import Catalog, Row
from footprint.catalog.peaks import generation_of, reference_peak
from footprint.throughput.measured import Measured, precision_of, setting_of, shape_of_row, weights
from footprint.throughput.setting import Setting, Shape, stacked
from footprint.throughput.steady import LAST_SOFTWARE
from footprint.throughput.usual import has_vendor_stack, usual_count

PRETRAINED = ("pretrain", "long-context", "anneal")
"""Kinds of stages that a published run's hours went into."""


def published_rows(catalog: Catalog) -> list[Row]:
    """Published runs fit for calibration: decoder-only language models with stated hours and tokens."""
    excluded = {row["id"] for row in catalog.rows("fit_exclusions")}
    return [
        row
        for row in catalog.rows("runs")
        if row["tier"] in ("A", "B")
        and row["kind"] in ("dense", "moe")
        and row["stage"] in ("pretrain", "full")
        and row["accelerator_hours"]
        and row["implied_6n_mfu"]
        and row["id"] not in excluded
    ]


def published(catalog: Catalog) -> Measured:
    """Published runs as settings; their MFU is over the whole run, each weighted by 1/sqrt(its organization's runs)."""
    rows, stages = published_rows(catalog), preset_stages(catalog)
    return Measured(
        settings=stacked([run_setting(row, catalog) for row in rows]),
        log_mfu=np.log([_whole_run_mfu(row, catalog, stages.get(str(row["id"]), [])) for row in rows]),
        weight=weights([str(row["organization"]) for row in rows]),
        group=tuple(str(row["organization"]) for row in rows),
        labels=tuple(str(row["id"]) for row in rows),
        generation=tuple(generation_of(catalog.accelerator(str(row["accelerator"]))) for row in rows),
        is_moe=np.array([row["kind"] == "moe" for row in rows]),
        stated=({},) * len(rows),
        rows=tuple(rows),
    )


def _whole_run_mfu(row: Row, catalog: Catalog, stages: Sequence[Row]) -> float:
    """A run's MFU, causal; where its preset lists more stages than its row's tokens, over the FLOP of all of them."""
    found = float(row["implied_causal_mfu"] or row["implied_6n_mfu"])  # type: ignore[arg-type]
    if len(stages) < 2 or not row["tokens"]:
        return found
    return found * stages_ratio(row, run_setting(row, catalog).shape, stages)


def run_setting(row: Row, catalog: Catalog) -> Setting:
    """A published run's setting, in the precision and with the batch that it or its preset states."""
    shape = shape_of_row(row, float(row["seq_len"] or catalog.constant("seq_len").mid))
    batch = batches_of_runs(catalog).get(str(row["id"]))
    year = float(row["year"] or LAST_SOFTWARE)
    device = catalog.accelerator(str(row["accelerator"]))
    reference, peak = reference_peak(device)
    known = precision_of(row) in dict(device.peak_flop_per_s)
    precision = precision_of(row) if known else reference
    flop = 6 * float(shape.matmul_params) * float(row["tokens"] or 0.0)
    count = float(row["accelerator_count"] or usual_count(flop, peak, catalog))
    is_stated = row["accelerator_count"] is not None
    setting = setting_of(shape, device.id, precision, count, batch, year, catalog, count_known=is_stated)
    return replace(setting, is_vendor_stack=float(has_vendor_stack(device.vendor, year)))


def preset_stages(catalog: Catalog) -> dict[str, list[Row]]:
    """The stages of the presets that name a published run, by run id: what its hours went into."""
    stages: dict[str, list[Row]] = {}
    for row in catalog.rows("stages"):
        if row["kind"] in PRETRAINED and row["tokens"]:
            stages.setdefault(str(row["model"]), []).append(row)
    return {
        run: stages[str(row["id"])]
        for row in catalog.rows("models")
        if str(row["id"]) in stages
        for run in str(row["run_ids"] or "").split(";")[:1]
        if run
    }


def stages_ratio(row: Row, shape: Shape, stages: Sequence[Row]) -> float:
    """FLOP of all stages of a run over those of its stated tokens at its stated length."""
    per_length = float(shape.attention_flop) / float(shape.seq_len)
    matmul = 6 * float(shape.matmul_params)
    whole = 0.0
    for one in stages:
        tokens = float(one["tokens"] or 0.0) * float(one["repeats_count"] or 1)
        whole += tokens * (matmul + per_length * float(one["seq_len"] or shape.seq_len))
    return whole / (float(row["tokens"] or 0.0) * (matmul + per_length * float(shape.seq_len)))


def batches_of_runs(catalog: Catalog) -> dict[str, float]:
    """Tokens a step of published runs whose preset states them, by run id."""
    stages: dict[str, float] = {}
    for row in catalog.rows("stages"):
        if row["batch_tokens"]:
            stages.setdefault(str(row["model"]), float(row["batch_tokens"]))
    return {
        run: stages[str(row["id"])]
        for row in catalog.rows("models")
        if str(row["id"]) in stages
        for run in str(row["run_ids"] or "").split(";")
        if run
    }
