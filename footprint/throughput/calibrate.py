"""Fits the throughput model and prints how wrong it is: `python -m footprint.throughput.calibrate [--write FILE]`.

Two layers. Steady throughput: the constants of `steady.Constants` on the best measured configuration per source,
model, accelerator, count, length and precision, each row weighted by 1/sqrt(the rows of its source), validated by
leaving sources out. Whole run: the share of that throughput which published runs kept beside failures, by the
software of their time, each run weighted by 1/sqrt(the runs of its organization), validated by leaving organizations
out. What is left out of the fit stands in `data/fit_exclusions.csv` with its reason.

References
----------
.. [1] METHODOLOGY.md, section "Hours".
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from footprint.catalog import Catalog, open_catalog
from footprint.throughput.fitting import Fit, choices, fit_steady, unseen_sources
from footprint.throughput.measured import Measured, measured
from footprint.throughput.ranges import unseen_range
from footprint.throughput.rule import DENSE, EARLY, MIXTURE
from footprint.throughput.steady import MATURE_SOFTWARE, Constants
from footprint.throughput.whole_run import (
    FEW_DEVICES,
    KEPT_TERMS,
    SIZE_BOUNDARY,
    Errors,
    Runs,
    centred,
    fit_kept,
    quantile,
    run_layer,
    sized_errors,
    unseen_organizations,
)

UNSEEN = "throughput_unseen.csv"
AS_OF = "2026-11-26"


@dataclass(frozen=True, slots=True)
class Calibration:
    """The rows of the rule, what was predicted for each measured row without its source, and both in words."""

    rule: list[dict[str, str]]
    unseen: list[dict[str, str]]
    report: list[str]


def calibrate(catalog: Catalog) -> Calibration:
    """Both layers fitted, and each cross-validated."""
    data, usable = measured(catalog), catalog.constant("usable_memory_share").mid
    stated = choices(data, usable, stated=True)
    fit = fit_steady(data, catalog, stated)
    count = f"{len(data.log_mfu)} measured configurations of {len(set(data.group))} sources"
    rows = [_row(field.name, 1, getattr(fit.constants, field.name), 1, count) for field in fields(Constants)]
    rows += [_row(f"generation:{g}", 1, ratio, 1, count) for g, ratio in sorted(fit.generations.items())]
    runs = run_layer(catalog, fit, usable)
    searched = choices(data, usable, stated=False)
    told, found = (Errors(r, data.weight) for r in unseen_sources(data, catalog, fit, stated, [stated, searched]))
    shift = quantile(found.residual, found.weight, 0.5)
    by_organization = unseen_organizations(runs)
    rows += [
        _row("found_layout", 1, float(np.exp(shift)), 1, "what sources reach of the fastest layout that is found"),
        *_steady_errors(data, centred(found, shift), count),
        *_source_rows(fit, count),
        *_bounds(data, count),
        *run_rows(runs, by_organization, float(np.exp(shift))),
    ]
    report = [
        f"steady throughput, unseen sources, layout as stated ({count}): median {told.median():.1%}, "
        f"90th percentile x{told.p90():.2f}",
        f"steady throughput, unseen sources, layout searched: median {centred(found, shift).median():.1%}, "
        f"90th percentile x{centred(found, shift).p90():.2f}",
        f"whole-run hours, unseen organizations ({_count(runs)}): median {by_organization.median():.1%}, "
        f"90th percentile x{by_organization.p90():.2f}",
        *_parts_of_runs(runs, by_organization),
        "share of steady throughput kept over a whole run beside failures: " + _kept(runs),
    ]
    report += ["90 % intervals of steady throughput, each source held by the ranges that the others set:"]
    report += _coverage(data, centred(found, shift))
    return Calibration(rows, _unseen_rows(data, told, centred(found, shift)), report)


def _unseen_rows(data: Measured, told: Errors, found: Errors) -> list[dict[str, str]]:
    """Measured MFU beside the two that were predicted without the row's source."""
    return [
        {
            "id": label,
            "source_id": group,
            "measured_mfu": f"{np.exp(reached):.5g}",
            "stated_mfu": f"{np.exp(reached - with_layout):.5g}",
            "searched_mfu": f"{np.exp(reached - without):.5g}",
            "provenance": "derived",
            "source": "throughput.csv;mlperf.csv",
            "as_of": AS_OF,
        }
        for label, group, reached, with_layout, without in zip(
            data.labels, data.group, data.log_mfu, told.residual, found.residual, strict=True
        )
    ]


def _kinds(data: Measured) -> NDArray[np.str_]:
    """Which of the three ranges of steady throughput each row belongs to."""
    early = np.asarray(data.settings.software_year) < MATURE_SOFTWARE
    return np.where(early, EARLY, np.where(data.is_moe, MIXTURE, DENSE))


def _steady_errors(data: Measured, errors: Errors, note: str) -> list[dict[str, str]]:
    rows, kinds = [], _kinds(data)
    for name in (DENSE, MIXTURE, EARLY):
        ends = unseen_range(errors, data.group, kinds == name)
        rows.append(_row(f"steady_error:{name}", ends.low, 1, ends.high, f"{note}, each unseen"))
    return rows


def _coverage(data: Measured, errors: Errors) -> list[str]:
    """How many rows of a source lie in the range that the other sources set, in all and by kind and generation."""
    kinds, groups = _kinds(data), np.array(data.group)
    inside, width = np.zeros(len(kinds)), np.zeros(len(kinds))
    for group in sorted(set(data.group)):
        others = groups != group
        rest, names = _some(errors, others), groups[others].tolist()
        for name in sorted(set(kinds[~others].tolist())):
            own = ~others & (kinds == name)
            ends = unseen_range(rest, names, kinds[others] == name)
            inside[own] = (np.log(ends.low) <= errors.residual[own]) & (errors.residual[own] <= np.log(ends.high))
            width[own] = ends.high / ends.low
    large = np.asarray(data.settings.shape.matmul_params) >= SIZE_BOUNDARY
    parts: dict[str, NDArray[np.bool_]] = {"all": np.ones(len(kinds), bool)}
    parts |= {name: kinds == name for name in (DENSE, MIXTURE, EARLY)}
    parts |= {"small": ~large, "large": large}
    parts |= {name: np.array(data.generation) == name for name in sorted(set(data.generation))}
    return [
        f"  {name:<16} {which.sum():>4} rows: "
        f"{inside[which] @ errors.weight[which] / errors.weight[which].sum():.0%} inside, "
        f"median width x{np.exp(quantile(np.log(width[which]), errors.weight[which], 0.5)):.2f}"
        for name, which in parts.items()
    ]


def _source_rows(fit: Fit, note: str) -> list[dict[str, str]]:
    """How far generations lie from their ceilings, and sources from each other."""
    generations = np.log([ratio for ratio in fit.generations.values() if ratio != 1.0])
    between = float(np.sqrt(np.mean(generations**2)))
    sources = float(np.sqrt(np.mean(np.array(list(fit.sources.values())) ** 2)))
    return [
        _row("unmeasured_generation", float(np.exp(-between)), 1, float(np.exp(between)), note),
        _row("source_spread", 1, float(np.exp(sources)), 1, "one standard deviation between sources"),
    ]


def _bounds(data: Measured, note: str) -> list[dict[str, str]]:
    """Least, middle and most of what was measured: outside, a prediction says so and has a wider range."""
    settings = data.settings
    columns = {
        "accelerator_count": settings.accelerator_count,
        "params": settings.shape.params,
        "seq_len": settings.shape.seq_len,
        "tokens_per_accelerator": settings.global_batch_tokens / settings.accelerator_count,
    }
    rows = []
    for name, values in columns.items():
        values = np.asarray(values)
        rows.append(_row(f"measured:{name}", values.min(), float(np.median(values)), values.max(), note))
    return rows


def run_rows(runs: Runs, errors: Errors, found_layout: float) -> list[dict[str, str]]:
    """The rows that published runs set, given what sources reach of the fastest layout that is found (ratio)."""
    kept, *terms = (float(x) for x in np.exp(fit_kept(runs)))
    sized, note = sized_errors(runs, errors), _count(runs)
    place = "the size to which it belongs; between the two it changes smoothly"
    return [
        _row("production", 1, kept / found_layout, 1, note),
        *(_row(name, 1, ratio, 1, note) for name, ratio in zip(KEPT_TERMS, terms, strict=True)),
        _row("run_error:small", sized.small.low, 1, sized.small.high, f"{note}, each unseen"),
        _row("run_error:large", sized.large.low, 1, sized.large.high, f"{note}, each unseen"),
        _row("small_params", 1, sized.small_params, 1, place),
        _row("large_params", 1, sized.large_params, 1, place),
    ]


def _kept(runs: Runs) -> str:
    kept, early, few, large = np.exp(fit_kept(runs))
    return (
        f"{kept:.3f}, times {early:.3f} before 2023, {few:.3f} for each tenfold below {FEW_DEVICES} devices, "
        f"{large:.3f} for each above 8B parameters"
    )


def _count(runs: Runs) -> str:
    return f"{len(runs.log_kept)} published runs of {len(set(runs.group))} organizations"


def _parts_of_runs(runs: Runs, errors: Errors) -> list[str]:
    """What the errors on runs come from: hours that are stated or inferred, sizes."""
    stated, large = runs.fit_weight > 0, runs.active_params >= SIZE_BOUNDARY
    parts = {
        "hours that their authors state": stated,
        "hours from devices and rounded days": ~stated,
        "of 8B active parameters and more": large,
        "smaller": ~large,
    }
    return [
        f"  {name}: {which.sum()} runs, median {_some(errors, which).median():.1%}, "
        f"90th percentile x{_some(errors, which).p90():.2f}"
        for name, which in parts.items()
    ]


def _some(errors: Errors, which: NDArray[np.bool_]) -> Errors:
    return Errors(errors.residual[which], errors.weight[which])


def _row(name: str, low: float, value: float, high: float, note: str) -> dict[str, str]:
    if low == 1 and high == 1:
        low = high = value
    return {
        "id": name,
        "low_ratio": f"{low:.5g}",
        "ratio": f"{value:.5g}",
        "high_ratio": f"{high:.5g}",
        "provenance": "derived",
        "source": "throughput.csv;mlperf.csv;runs.csv",
        "as_of": AS_OF,
        "note": note,
    }


def main(arguments: Sequence[str]) -> int:
    """Print the cross-validation; with `--write FILE`, write the rule, and the unseen predictions beside it."""
    found = calibrate(open_catalog(None))
    for line in found.report:
        print(line)
    for row in found.rule:
        print(f"  {row['id']:<32} {row['low_ratio']:>10} {row['ratio']:>10} {row['high_ratio']:>10}  {row['note']}")
    if len(arguments) == 2 and arguments[0] == "--write":
        rule = Path(arguments[1])
        _write(rule, found.rule)
        _write(rule.with_name(UNSEEN), found.unseen)
    return 0


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
