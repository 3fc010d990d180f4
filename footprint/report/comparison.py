"""Tables over many footprints: models beside each other, published runs beside their estimates, catalog rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from footprint.report.tables import Cell, Table
from footprint.report.wording import THIRD_PARTY, UNKNOWN, is_third_party, show_range
from footprint.studies import Backtest, BacktestGroup, Score
from footprint.units import show_number
from footprint.values import Footprint, Range

BENCHMARKS = ("MMLU", "HumanEval", "GSM8K")
Scores = Mapping[str, Sequence[Score]]


def comparison(footprints: Sequence[Footprint], scores: Scores) -> Table:
    """Models as rows, for documents: hours, energy, carbon, money and quality with its setting."""
    rows: list[tuple[Cell, ...]] = []
    for footprint in footprints:
        cells = [show_range(field, value) for field, value in _compared(footprint).items()]
        quality = [_quality(scores.get(footprint.name, ()), benchmark) for benchmark in BENCHMARKS]
        mark = THIRD_PARTY if is_third_party(footprint) else ""
        rows.append((footprint.name, *cells, *quality, mark))
    columns = ("model", "accelerator-hours", "facility energy", "CO2e total", "rental", *BENCHMARKS, "status")
    return Table(columns, tuple(rows))


def costs(footprints: Sequence[Footprint]) -> Table:
    """Models for a narrow screen: the mids of each on one line, the intervals below."""
    rows: list[tuple[Cell, ...]] = []
    for footprint in footprints:
        shown = [show_range(field, value).partition(" (") for field, value in _compared(footprint).items()]
        mark = THIRD_PARTY if is_third_party(footprint) else ""
        rows.append((footprint.name, *(middle for middle, _, _ in shown)))
        rows.append((mark, *(f"({ends}" if ends else "" for _, _, ends in shown)))
    return Table(("model", "accel.\nhours", "facility\nenergy", "CO2e\ntotal", "rental"), tuple(rows))


def quality(footprints: Sequence[Footprint], scores: Scores) -> Table:
    """Published scores of the models, each with its setting."""
    rows = tuple(
        (footprint.name, *(_quality(scores.get(footprint.name, ()), benchmark) for benchmark in BENCHMARKS))
        for footprint in footprints
    )
    return Table(("model", *BENCHMARKS), rows)


def comparison_numbers(footprints: Sequence[Footprint], scores: Scores) -> Table:
    """The same, unrounded, one number a cell."""
    rows: list[tuple[Cell, ...]] = []
    columns: list[str] = []
    for footprint in footprints:
        cells: dict[str, Cell] = {"model": footprint.name, "is_third_party": is_third_party(footprint)}
        for field, value in _compared(footprint).items():
            ends = (None, None, None) if value is None else (value.low, value.mid, value.high)
            cells.update(zip((f"{field}_low", field, f"{field}_high"), ends, strict=True))
        for benchmark in BENCHMARKS:
            score = _score(scores.get(footprint.name, ()), benchmark)
            key = benchmark.lower()
            cells[f"{key}_share"] = score.score_share if score else None
            cells[f"{key}_setting"] = score.setting if score else None
            cells[f"{key}_source"] = score.source if score else None
        columns, rows = list(cells), [*rows, tuple(cells.values())]
    return Table(tuple(columns), tuple(rows))


def backtest_rows(backtest: Backtest, organizations: bool = True) -> Table:
    """Published runs for reading, in the order of the data."""
    rows = tuple(
        (
            row.model,
            row.accelerator,
            show_range("accelerator_hours", Range.exactly(row.reported_accelerator_hours)),
            show_range("accelerator_hours", row.estimated_accelerator_hours),
            f"{row.estimated_accelerator_hours.mid / row.reported_accelerator_hours:.2f}",
            "yes" if row.inside else "no",
            row.organization,
        )
        for row in backtest.rows
    )
    columns = ("model", "accelerator", "reported", "estimated", "ratio", "in", "organization")
    last = len(columns) if organizations else -1
    return Table(columns[:last], tuple(row[:last] for row in rows), right=frozenset({"ratio"}))


def backtest_numbers(backtest: Backtest) -> Table:
    """Published runs, unrounded, with sources."""
    columns = (
        "run_id", "model", "organization", "tier", "kind", "accelerator", "reported_accelerator_hours",
        "estimated_accelerator_hours_low", "estimated_accelerator_hours", "estimated_accelerator_hours_high",
        "estimate_over_reported_ratio", "inside", "source", "note",
    )  # fmt: skip
    rows = tuple(
        (
            row.run_id, row.model, row.organization, row.tier, row.kind, row.accelerator,
            row.reported_accelerator_hours,
            row.estimated_accelerator_hours.low, row.estimated_accelerator_hours.mid,
            row.estimated_accelerator_hours.high,
            row.estimated_accelerator_hours.mid / row.reported_accelerator_hours, row.inside, row.source, row.note,
        )
        for row in backtest.rows
    )  # fmt: skip
    return Table(columns, rows, title="Published runs: reported and estimated accelerator-hours")


def backtest_groups(backtest: Backtest) -> Table:
    """How far off each group of runs was."""
    return _groups(backtest.groups, "group", "runs")


def steady_groups(backtest: Backtest) -> Table:
    """How far off steady throughput was, by group of measured configurations."""
    return _groups(backtest.steady_groups, "steady throughput", "rows")


def _groups(groups: Sequence[BacktestGroup], name: str, count: str) -> Table:
    rows = tuple(
        (
            group.name,
            group.run_count,
            f"{show_number(group.median_error_ratio, 3)} x",
            f"{show_number(group.p90_error_ratio, 3)} x",
            show_number(group.median_bias_ratio, 3),
            f"{group.inside_share:.0%}",
        )
        for group in groups
    )
    columns = (name, count, "median error", "90 % within", "bias", "inside interval")
    return Table(columns, rows, right=frozenset(columns[1:]))


def backtest_skipped(backtest: Backtest) -> Table:
    """Runs that cannot be estimated, each with the reason, alike ones together."""
    ordered = sorted(backtest.skipped, key=lambda pair: (pair[1], pair[0]))
    return Table(("published run", "why it cannot be estimated"), tuple(ordered))


def _compared(footprint: Footprint) -> dict[str, Range | None]:
    return {
        "accelerator_hours": footprint.usage.accelerator_hours,
        "facility_energy_kwh": footprint.facility.facility_energy_kwh,
        "total_location_kgco2e": footprint.total_location_kgco2e,
        "rental_on_demand_usd": footprint.rental_on_demand_usd,
    }


def _score(scores: Sequence[Score], benchmark: str) -> Score | None:
    return next((s for s in scores if s.benchmark.casefold() == benchmark.casefold()), None)


def _quality(scores: Sequence[Score], benchmark: str) -> str:
    score = _score(scores, benchmark)
    return f"{score.score_share:.1%} {score.setting}".strip() if score else UNKNOWN
