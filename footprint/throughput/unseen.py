"""Measured configurations beside what is predicted for them when their source is left out of the fit.

The predictions stand in `data/throughput_unseen.csv`, written by `footprint.throughput.calibrate`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from footprint.catalog import Catalog, Row
from footprint.catalog.peaks import generation_of, peak_flop_per_s, reference_peak
from footprint.studies import BacktestGroup, MeasuredPoint, Measurements
from footprint.throughput.measured import precision_of, year_of
from footprint.throughput.rule import DENSE, EARLY, MIXTURE, rule_of
from footprint.throughput.steady import MATURE_SOFTWARE
from footprint.throughput.whole_run import SIZE_BOUNDARY, Errors, quantile
from footprint.version import __version__

TABLE = "throughput_unseen"


def measured_points(catalog: Catalog) -> tuple[MeasuredPoint, ...]:
    """Every configuration that the calibration rests on, with its two predictions."""
    known = {str(row["id"]): row for table in ("throughput", "mlperf") for row in catalog.rows(table)}
    models = {str(row["id"]): row for row in catalog.rows("models")}
    return tuple(
        _point(row, known[str(row["id"])], models, catalog) for row in catalog.rows(TABLE) if str(row["id"]) in known
    )


def measurements(catalog: Catalog) -> Measurements:
    """All of them, how far the predictions on the layout found are off, and the interval of each kind."""
    points = measured_points(catalog)
    rows = [point.source_id for point in points]
    errors = Errors(
        np.array([math.log(point.measured_mfu / point.searched_mfu) for point in points]),
        np.array([rows.count(name) ** -0.5 for name in rows]),
    )
    rule = rule_of(catalog)
    return Measurements(
        points=points,
        median_error_ratio=1 + errors.median() if points else 1.0,
        p90_error_ratio=errors.p90() if points else 1.0,
        interval_ratio=tuple((kind, rule.known(f"steady_error:{kind}")) for kind in (DENSE, MIXTURE, EARLY)),
        catalog_digest=catalog.digest(),
        version=__version__,
    )


def groups(catalog: Catalog) -> tuple[BacktestGroup, ...]:
    """How far steady throughput was off on sources left out of the fit, the layout searched: in all, by kind, size
    and generation; a row counts by 1/sqrt(the rows of its source).
    """
    found = measurements(catalog)
    errors = dict(found.interval_ratio)
    sources = [point.source_id for point in found.points]
    weight = np.array([sources.count(name) ** -0.5 for name in sources])
    logs = np.array([math.log(point.searched_mfu / point.measured_mfu) for point in found.points])
    ratios = [(point.measured_mfu / point.searched_mfu, errors[point.kind]) for point in found.points]
    inside = np.array([error.low <= ratio <= error.high for ratio, error in ratios])
    parts = {"all configurations": [True] * len(sources)}
    parts |= {f"kind: {kind}": [p.kind == kind for p in found.points] for kind in errors}
    parts |= {
        "size: small": [p.active_params < SIZE_BOUNDARY for p in found.points],
        "size: large": [p.active_params >= SIZE_BOUNDARY for p in found.points],
    }
    generations = sorted({point.generation for point in found.points})
    parts |= {f"accelerator: {g}": [p.generation == g for p in found.points] for g in generations}
    return tuple(_group(name, np.array(which), logs, inside, weight) for name, which in parts.items() if any(which))


def _group(name: str, which: Any, logs: Any, inside: Any, weight: Any) -> BacktestGroup:
    own, weights = logs[which], weight[which]
    return BacktestGroup(
        name=name,
        run_count=int(which.sum()),
        median_error_ratio=math.exp(quantile(np.abs(own), weights, 1 / 2)),
        p90_error_ratio=math.exp(quantile(np.abs(own), weights, 9 / 10)),
        median_bias_ratio=math.exp(quantile(own, weights, 1 / 2)),
        inside_share=float(inside[which] @ weights / weights.sum()),
    )


def _point(unseen: Row, row: Row, models: dict[str, Row], catalog: Catalog) -> MeasuredPoint:
    device = catalog.accelerator(str(row["accelerator"]))
    model = models.get(str(row.get("model_id") or ""), row)
    is_contest = "model" not in row
    batch = _number(row["global_batch"]) if is_contest else _number(row["global_batch_tokens"])
    seq_len, measured = _number(row["seq_len"]), _number(unseen["measured_mfu"]) or 0.0
    if is_contest and batch and seq_len:
        batch *= seq_len  # MLPerf counts sequences
    own_peak = peak_flop_per_s(device, precision_of(row)) / reference_peak(device)[1]
    return MeasuredPoint(
        id=str(unseen["id"]),
        source_id=str(unseen["source_id"]),
        model=f"{model['name']} (MLPerf {row['round']})" if is_contest else str(row["model"]),
        accelerator=device.id,
        generation=generation_of(device),
        accelerator_count=_whole(row["accelerator_count"]),
        seq_len=_whole(row["seq_len"]),
        batch_tokens=batch,
        precision=str(row["precision"]),
        is_moe=bool(row.get("n_experts")),
        kind=EARLY if year_of(row) < MATURE_SOFTWARE else MIXTURE if row.get("n_experts") else DENSE,
        active_params=_number(model["active_params"]) or _number(model["params"]) or 0.0,
        measured_mfu=measured,
        stated_mfu=_number(unseen["stated_mfu"]) or 0.0,
        searched_mfu=_number(unseen["searched_mfu"]) or 0.0,
        own_peak_mfu=measured / own_peak,
        source=str(row["source"]),
    )


def _number(cell: object) -> float | None:
    return None if cell is None else float(cell)  # type: ignore[arg-type]


def _whole(cell: object) -> int | None:
    number = _number(cell)
    return None if number is None else int(number)
