"""Fits the throughput rule and prints how wrong it is: `python -m footprint.throughput.calibrate [--write FILE]`.

Two layers. Steady throughput: weighted least absolute deviations of log MFU on generation, mixture of
experts, precision and size, over the best measured configuration per source, model, accelerator, count,
length and precision, each row weighted by 1/sqrt(the rows of its source), validated by leaving sources out. Whole
run: the share of that throughput which published runs kept, by the software of their time, each
run weighted by 1/sqrt(the runs of its organization), validated by leaving organizations out. What is left out of the
fit stands in `data/fit_exclusions.csv` with its reason.

References
----------
.. [1] METHODOLOGY.md, section "Hours".
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from footprint.catalog import Catalog, open_catalog
from footprint.throughput.rule import MATURE_SOFTWARE, PRECISION_TERMS, SIXTEEN_BIT, generation_of
from footprint.values import Range

Array = NDArray[np.float64]

BASE_GENERATION = "Hopper"
PARAMS_KNEE, PARAMS_LOW, PARAMS_HIGH = 1e10, 1e8, 5e11
RIDGE = 0.3
"""Penalty on every term but the base: one weighted row pulls a term about three quarters of the way."""
REWEIGHTINGS = 30
SMALL_RESIDUAL = 0.05
UNFIT_FLAGS = ("proxy", "inconsistent", "not decoder", "model uncertain", "check", "repeat", "hybrid", "not filled")
PRECISIONS = {"nvfp4": "fp4"}
"""Names of measured precisions under which the devices' peaks stand elsewhere."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What a layer is fitted on: log of MFU, terms, weights and the group that is left out together."""

    design: Array
    log_mfu: Array
    weight: Array
    group: tuple[str, ...]
    labels: tuple[str, ...]

    def without(self, group: str) -> NDArray[np.bool_]:
        """Which rows belong to other groups."""
        others: NDArray[np.bool_] = np.array(self.group) != group
        return others

    def only(self, keep: NDArray[np.bool_]) -> Rows:
        """The rows that are kept, as if there were no others."""
        group, labels = (tuple(np.array(names)[keep].tolist()) for names in (self.group, self.labels))
        return Rows(self.design[keep], self.log_mfu[keep], self.weight[keep], group, labels)


@dataclass(frozen=True, slots=True)
class Errors:
    """Unseen groups: logs of reported over estimated, and their weights."""

    residual: Array
    weight: Array

    def median(self) -> float:
        """Median ratio error less one."""
        return float(np.exp(quantile(np.abs(self.residual), self.weight, 0.5)) - 1)

    def p90(self) -> float:
        """90th percentile of the ratio error."""
        return float(np.exp(quantile(np.abs(self.residual), self.weight, 0.9)))


def quantile(values: Array, weight: Array, q: float) -> float:
    """Weighted quantile, interpolated between the middles of the weights."""
    order = np.argsort(values, kind="stable")
    middle = (np.cumsum(weight[order]) - weight[order] / 2) / weight.sum()
    return float(np.interp(q, middle, values[order]))


def terms_of(catalog: Catalog) -> list[str]:
    """Names of the rule's terms, the base first."""
    devices = {a.id: generation_of(a) for a in catalog.accelerators()}
    rows = measured_rows(catalog)
    generations = sorted({devices[str(r["accelerator"])] for r in rows} - {BASE_GENERATION})
    precisions = sorted({_precision(r) for r in rows} - set(SIXTEEN_BIT))
    return [
        "base",
        *(f"generation:{g}" for g in generations),
        "moe",
        *(f"precision:{p}" for p in precisions),
        "params_per_decade",
        "params_per_decade_below_knee",
    ]


def measured_rows(catalog: Catalog) -> list[Any]:
    """Measured configurations fit for calibration."""
    return [
        row
        for row in catalog.rows("throughput")
        if row["best"] == "yes"
        and row["mode"] == "pretrain"
        and row["provenance"] != "recalled"
        and (row["active_params"] or row["params"])
        and causal_mfu(row)
        and not any(flag in str(row["flags"] or "") for flag in UNFIT_FLAGS)
    ]


def causal_mfu(row: Any) -> float:
    """A row's MFU with causal attention, over the 16-bit peak; 0 where it states none.

    Where only the full-attention figure is known, it is scaled by (6 N + 6 L d s) / (6 N + 12 L d s).
    """
    if row["std_causal_mfu"] or not row["fit_mfu"]:
        return float(row["std_causal_mfu"] or 0.0)
    shape = [row[name] for name in ("matmul_params", "n_layers", "attn_dim", "seq_len")]
    if None in shape:
        return float(row["fit_mfu"])
    params, layers, width, length = (float(value) for value in shape)
    core = layers * width * length
    return float(row["fit_mfu"]) * (params + core) / (params + 2 * core)


def _precision(row: Any) -> str:
    return PRECISIONS.get(str(row["precision"]), str(row["precision"]))


def steady_layer(catalog: Catalog) -> Rows:
    """Measured configurations as a design matrix."""
    rows = measured_rows(catalog)
    generation = {a.id: generation_of(a) for a in catalog.accelerators()}
    return _rows(
        catalog,
        active=[float(r["active_params"] or r["params"]) for r in rows],
        generation=[generation[str(r["accelerator"])] for r in rows],
        moe=[bool(r["n_experts"]) for r in rows],
        precision=[_precision(r) for r in rows],
        mfu=[causal_mfu(r) for r in rows],
        group=[str(r["source_id"]) for r in rows],
        labels=[str(r["id"]) for r in rows],
    )


def published_rows(catalog: Catalog) -> list[Any]:
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


def run_layer(catalog: Catalog) -> Rows:
    """Published runs as a design matrix; their MFU is over the 16-bit peak, whole run."""
    rows = published_rows(catalog)
    generation = {a.id: generation_of(a) for a in catalog.accelerators()}
    return _rows(
        catalog,
        active=[float(r["active_params"]) for r in rows],
        generation=[generation[str(r["accelerator"])] for r in rows],
        moe=[r["kind"] == "moe" for r in rows],
        precision=[_precision(r) for r in rows],
        mfu=[float(r["implied_causal_mfu"] or r["implied_6n_mfu"]) for r in rows],
        group=[str(r["organization"]) for r in rows],
        labels=[str(r["id"]) for r in rows],
    )


def _rows(
    catalog: Catalog,
    active: Sequence[float],
    generation: Sequence[str],
    moe: Sequence[bool],
    precision: Sequence[str],
    mfu: Sequence[float],
    group: Sequence[str],
    labels: Sequence[str],
) -> Rows:
    names = terms_of(catalog)
    decades = np.log10(np.clip(np.array(active), PARAMS_LOW, PARAMS_HIGH) / PARAMS_KNEE)
    columns = {
        "base": np.ones(len(mfu)),
        "moe": np.array(moe, float),
        "params_per_decade": decades,
        "params_per_decade_below_knee": np.minimum(decades, 0.0),
    }
    for name in names:
        if name.startswith("generation:"):
            columns[name] = np.array([name == f"generation:{g}" for g in generation], float)
        elif name.startswith("precision:"):
            term = name.removeprefix("precision:")
            columns[name] = np.array([term in PRECISION_TERMS.get(p, ()) for p in precision], float)
    counts = {g: group.count(g) for g in set(group)}
    weight = np.array([counts[g] ** -0.5 for g in group])
    design = np.column_stack([columns[name] for name in names])
    return Rows(design, np.log(np.array(mfu)), weight, tuple(group), tuple(labels))


def fit(rows: Rows, keep: NDArray[np.bool_] | None = None) -> Array:
    """Weighted least absolute deviations with a small ridge on all but the first term, by iterated reweighting."""
    design, target, base_weight = rows.design, rows.log_mfu, rows.weight
    if keep is not None:
        design, target, base_weight = design[keep], target[keep], base_weight[keep]
    penalty = np.eye(design.shape[1]) * RIDGE
    penalty[0, 0] = 0.0
    weight: Any = base_weight
    coefficients: Array = np.zeros(design.shape[1])
    for _ in range(REWEIGHTINGS):
        coefficients = np.linalg.solve(design.T @ (design * weight[:, None]) + penalty, design.T @ (weight * target))
        weight = base_weight * 0.2 / np.maximum(np.abs(target - design @ coefficients), SMALL_RESIDUAL)
    return coefficients


def unseen(rows: Rows) -> Errors:
    """Errors on each group (source or organization), fitted without it."""
    residual = np.empty(len(rows.log_mfu))
    for group in sorted(set(rows.group)):
        others = rows.without(group)
        residual[~others] = rows.log_mfu[~others] - rows.design[~others] @ fit(rows, others)
    return Errors(residual, rows.weight)


def kept_layer(catalog: Catalog, runs: Rows, coefficients: Array) -> Rows:
    """The share of steady throughput that runs kept, on whether their software was of before `MATURE_SOFTWARE`."""
    years = {str(row["id"]): float(row["year"]) for row in catalog.rows("runs") if row["year"] is not None}
    early = np.array([years[label] < MATURE_SOFTWARE for label in runs.labels], float)
    design = np.column_stack([np.ones(len(early)), early])
    return replace(runs, design=design, log_mfu=runs.log_mfu - runs.design @ coefficients)


def goodput_shares(catalog: Catalog) -> Array:
    """Whole-run MFU over the steady MFU that the same authors report, at most one."""
    pairs = [
        (float(row["implied_6n_mfu"]), float(row["reported_mfu"]))
        for row in published_rows(catalog)
        if row["reported_mfu"] and row["implied_6n_mfu"]
    ]
    return np.array([min(1.0, whole / steady) for whole, steady in pairs])


def calibrate(catalog: Catalog) -> tuple[list[dict[str, str]], list[str]]:
    """The rule's rows, and the cross-validation as lines of text."""
    steady, runs = steady_layer(catalog), run_layer(catalog)
    coefficients = fit(steady)
    kept_rows = kept_layer(catalog, runs, coefficients)
    by_source, by_organization = unseen(steady), unseen(kept_rows)
    kept, early = (float(x) for x in np.exp(fit(kept_rows)))
    goodput = goodput_shares(catalog)
    useful = _useful(goodput)
    names = terms_of(catalog)
    generations = coefficients[[i for i, n in enumerate(names) if n.startswith("generation:")]]
    between = float(np.sqrt(np.mean(np.append(generations, 0.0) ** 2)))
    run_error = _run_error(by_organization.residual, by_organization.weight, useful)
    measured = f"{len(steady.log_mfu)} measured configurations of {len(set(steady.group))} sources"
    published = f"{len(runs.log_mfu)} published runs of {len(set(runs.group))} organizations"
    rows = [_row(n, 1, float(np.exp(c)), 1, measured) for n, c in zip(names, coefficients, strict=True)]
    rows.insert(1, _row(f"generation:{BASE_GENERATION}", 1, 1, 1, "the base"))
    rows += [
        _row("params_knee", 1, PARAMS_KNEE, 1, "where the effect of size changes"),
        _row("params_bound", PARAMS_LOW, PARAMS_KNEE, PARAMS_HIGH, "size has no further effect outside"),
        _row("goodput", useful.low, useful.mid, useful.high, f"{len(goodput)} published runs that state both MFU"),
        _row("production", 1, kept / useful.mid, 1, published),
        _row("software_before_2023", 1, early, 1, published),
        _row("run_error", run_error.low, 1.0, run_error.high, f"{published}, each unseen"),
        _row("unmeasured_generation", float(np.exp(-between)), 1.0, float(np.exp(between)), measured),
        _row("ceiling", 1, _ceiling(catalog), 1, "largest measured share of a dense peak"),
    ]
    ends = [float(np.exp(-quantile(by_organization.residual, by_organization.weight, q))) for q in (0.95, 0.05)]
    return rows, [
        f"steady throughput, unseen sources ({measured}): median {by_source.median():.1%}, "
        f"90th percentile x{by_source.p90():.2f}",
        f"whole-run hours, unseen organizations ({published}): median {by_organization.median():.1%}, "
        f"90th percentile x{by_organization.p90():.2f}",
        f"share of tuned throughput kept over a whole run: {kept:.3f} (goodput {useful.mid:.3f}), "
        f"times {early:.3f} before {MATURE_SOFTWARE}",
        f"90 % interval of hours: x{ends[0]:.2f} to x{ends[1]:.2f} of the mid",
    ]


@dataclass(frozen=True, slots=True)
class Unseen:
    """The whole-run layer as fitted without one organization, over the shipped one."""

    kept_ratio: float
    early_kept_ratio: float
    run_error: Range


def without_each_organization(catalog: Catalog) -> dict[str, Unseen]:
    """What the rule would be had each organization's runs not been known; '' for one that has none in the fit."""
    runs = run_layer(catalog)
    kept_rows = kept_layer(catalog, runs, fit(steady_layer(catalog)))
    errors, whole = unseen(kept_rows), fit(kept_rows)
    useful = _useful(goodput_shares(catalog))
    found = {"": Unseen(1.0, 1.0, _run_error(errors.residual, errors.weight, useful))}
    for organization in sorted(set(kept_rows.group)):
        others = kept_rows.without(organization)
        shift = fit(kept_rows, others) - whole
        rest = unseen(kept_rows.only(others))
        error = _run_error(rest.residual, rest.weight, useful)
        found[organization] = Unseen(float(np.exp(shift[0])), float(np.exp(shift.sum())), error)
    return found


def _useful(goodput: Array) -> Range:
    return Range(*(float(q) for q in np.quantile(goodput, [0.05, 0.5, 0.95])))


def _run_error(residual: Array, weight: Array, useful: Range) -> Range:
    """The part of the whole-run error that goodput's own range does not hold, in quadrature on the log scale."""
    below, above = (quantile(residual, weight, q) for q in (0.05, 0.95))
    low = max(below**2 - np.log(useful.low / useful.mid) ** 2, 0.0) ** 0.5
    high = max(above**2 - np.log(useful.high / useful.mid) ** 2, 0.0) ** 0.5
    return Range(float(np.exp(-low)), 1.0, float(np.exp(high)))


def _ceiling(catalog: Catalog) -> float:
    return catalog.constant("matmul_ceiling_mfu").high


def _row(name: str, low: float, value: float, high: float, note: str) -> dict[str, str]:
    if low == 1 and high == 1:
        low = high = value
    return {
        "id": name,
        "low_ratio": f"{low:.6g}",
        "ratio": f"{value:.6g}",
        "high_ratio": f"{high:.6g}",
        "provenance": "derived",
        "source": "throughput.csv;runs.csv",
        "as_of": "2026-11-23",
        "note": note,
    }


def main(arguments: Sequence[str]) -> int:
    """Print the cross-validation; with `--write FILE`, write the rule."""
    rows, report = calibrate(open_catalog(None))
    for line in report:
        print(line)
    for row in rows:
        print(f"  {row['id']:<32} {row['low_ratio']:>10} {row['ratio']:>10} {row['high_ratio']:>10}  {row['note']}")
    if len(arguments) == 2 and arguments[0] == "--write":
        with Path(arguments[1]).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
