"""Published runs, reported against estimated: every run whose tokens and parameters are stated."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from footprint.catalog import Catalog, Row
from footprint.catalog.peaks import generation_of, reference_peak
from footprint.derivation import Plain
from footprint.errors import InputError
from footprint.estimation import architecture as shape
from footprint.estimation.estimator import plan_usage
from footprint.estimation.plan import drafts
from footprint.estimation.reached import Circumstances, setting_of_stage
from footprint.estimation.stages import check_memory
from footprint.studies import Backtest, BacktestGroup, BacktestRow
from footprint.throughput.published import batches_of_runs
from footprint.throughput.rule import rule_of
from footprint.throughput.unseen import groups as steady_groups
from footprint.throughput.whole_run import SIZE_BOUNDARY, Unseen, run_layer, without_each
from footprint.uncertainty import draw, summarise
from footprint.values import Architecture, Range
from footprint.version import __version__

TIERS = ("A", "B")
DECODERS = ("dense", "moe")
TRAINED = ("pretrain", "full", "finetune")
WIDTHS = ("n_layers", "d_model", "d_ff", "n_heads", "n_kv_heads", "vocab")
NEAR = 0.1


def run_backtest(catalog: Catalog) -> Backtest:
    """Estimate each tier A and B run from its size, tokens, device, count and year alone.

    The range of each run's MFU is set by the other organizations: its own runs take no part in it.
    """
    usable = catalog.constant("usable_memory_share").mid
    unseen = without_each(run_layer(catalog, rule_of(catalog).steady(), usable))
    batches = batches_of_runs(catalog)
    rows: list[BacktestRow] = []
    skipped: list[tuple[str, str]] = []
    excluded = {str(r["id"]): str(r["reason"]) for r in catalog.rows("fit_exclusions")}
    for row in catalog.rows("runs"):
        if row["tier"] not in TIERS:
            continue
        reason = _cannot(row)
        if reason:
            skipped.append((str(row["id"]), reason))
            continue
        try:
            hours = _estimated_hours(row, unseen.get(str(row["organization"]), unseen[""]), batches, catalog)
        except InputError as error:
            skipped.append((str(row["id"]), str(error)))
            continue
        reported = float(row["accelerator_hours"])  # type: ignore[arg-type]
        rows.append(
            BacktestRow(
                run_id=str(row["id"]),
                model=str(row["model"]),
                organization=str(row["organization"]),
                tier=str(row["tier"]),
                kind=str(row["kind"]),
                accelerator=str(row["accelerator"]),
                reported_accelerator_hours=reported,
                estimated_accelerator_hours=hours,
                inside=hours.low <= reported <= hours.high,
                source=str(row["source"]),
                note=excluded.get(str(row["id"]), ""),
            )
        )
    return Backtest(
        tuple(rows), _groups(rows, catalog), tuple(skipped), catalog.digest(), __version__, steady_groups(catalog)
    )


def _cannot(row: Row) -> str:
    """Why a run cannot be estimated, or nothing."""
    if not row["accelerator_hours"]:
        return "states no hours"
    if row["kind"] not in DECODERS:
        return f"{row['kind']}: no decoder-only language model"
    if row["stage"] not in TRAINED or not row["tokens"]:
        return "states no tokens"
    if not row["active_params"] or not row["accelerator"]:
        return "states no parameters or no accelerator"
    return ""


def _estimated_hours(row: Row, unseen: Unseen, batches: Mapping[str, float], catalog: Catalog) -> Range:
    """Hours from the run's own facts and the rule as fitted without its organization."""
    device = catalog.accelerator(str(row["accelerator"]))
    precision = str(row["precision"])
    stage: dict[str, Any] = {
        "kind": "sft" if row["stage"] == "finetune" else "pretrain",
        "tokens": row["tokens"],
        "accelerator": device.id,
        "precision": precision if precision in dict(device.peak_flop_per_s) else reference_peak(device)[0],
    }
    if row["accelerator_count"]:
        stage["count"] = row["accelerator_count"]
    if str(row["id"]) in batches:
        stage["batch_tokens"] = batches[str(row["id"])]
    if row["seq_len"]:
        stage["seq_len"] = row["seq_len"]
    year = int(_float(row["year"]))
    active = min(_float(row["active_params"]), _float(row["params"]))
    words = {"stages": [stage], "year": year, "params": _float(row["params"]), "active_params": active}
    _, (draft,) = drafts(words, {}, catalog)
    built = draft.plan.stages[0]
    check_memory((built,), catalog)
    if built.mfu is None:
        raise InputError("mfu", str(row["id"]), "was not predicted", "look at its accelerator")
    setting, _ = setting_of_stage(built, _float(row["params"]), device, Circumstances(year, None), catalog)
    middle = min(1.0, built.mfu.mid * unseen.kept_ratio(setting))
    error = unseen.errors.at(active)
    mfu = Range(middle * error.low, middle, max(middle, min(1.0, middle * error.high)))
    arch = _architecture(row)
    seq_len = int(_float(row["seq_len"])) if arch else None
    fitted = replace(built, architecture=arch, seq_len=seq_len, mfu=mfu)
    return summarise(plan_usage(draw(replace(draft.plan, stages=(fitted,))), Plain()).accelerator_hours)


def _architecture(row: Row) -> Architecture | None:
    """The run's architecture where its columns give the stated parameter count within a tenth, else None: 6ND."""
    if row["seq_len"] is None or any(row[name] is None for name in WIDTHS) or row["kind"] != "dense":
        return None
    widths = {name: int(_float(row[name])) for name in WIDTHS}
    bare = Architecture(**widths, head_dim=widths["d_model"] // widths["n_heads"])  # type: ignore[arg-type]
    shapes = [replace(bare, gated=gated, tied=tied) for gated in (True, False) for tied in (False, True)]
    total = _float(row["params"])
    nearest = min(shapes, key=lambda candidate: abs(shape.params(candidate) - total))
    return nearest if abs(shape.params(nearest) / total - 1) < NEAR else None


def _groups(rows: list[BacktestRow], catalog: Catalog) -> tuple[BacktestGroup, ...]:
    generation = {device.id: generation_of(device) for device in catalog.accelerators()}
    plain = [row for row in rows if not row.note]
    sizes = {str(row["id"]): float(row["active_params"] or 0.0) for row in catalog.rows("runs")}
    groups = [_group("all runs", rows), _group("comparable runs", plain)]
    for name, key in (
        ("accelerator", lambda row: generation[row.accelerator]),
        ("kind", lambda row: row.kind),
        ("tier", lambda row: row.tier),
        ("size", lambda row: "large" if sizes[row.run_id] >= SIZE_BOUNDARY else "small"),
    ):
        by_key = _split(plain, key)
        groups += [_group(f"{name}: {value}", found) for value, found in sorted(by_key.items())]
    return tuple(groups)


def _split(rows: list[BacktestRow], key: Callable[[BacktestRow], str]) -> Mapping[str, list[BacktestRow]]:
    found: dict[str, list[BacktestRow]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def _group(name: str, rows: list[BacktestRow]) -> BacktestGroup:
    logs = [math.log(r.estimated_accelerator_hours.mid / r.reported_accelerator_hours) for r in rows]
    errors = sorted(math.exp(abs(x)) for x in logs)
    return BacktestGroup(
        name=name,
        run_count=len(rows),
        median_error_ratio=statistics.median(errors),
        p90_error_ratio=errors[min(len(errors) - 1, math.ceil(0.9 * len(errors)) - 1)],
        median_bias_ratio=math.exp(statistics.median(logs)),
        inside_share=sum(r.inside for r in rows) / len(rows),
    )


def _float(cell: Any) -> float:
    return float(cell)
