"""A calibration on own runs as tables and lines: before, after, and with each run left out."""

from __future__ import annotations

from footprint.report.tables import Cell, Table
from footprint.report.wording import plain
from footprint.studies import Calibration, OwnLevel, OwnRun
from footprint.units import PERCENT_PER_SHARE, show, show_number
from footprint.values import Range

HOURS, RATE = "accelerator_hours", "accelerator_tokens_per_s"


def text(calibration: Calibration, width: int | None = None, color: bool = False) -> str:
    """Whole runs, steady measurements, what changes in the rule, and the levels in words."""
    from footprint.report import terminal

    shown = [runs_shown(calibration, False), runs_shown(calibration, True), rule_shown(calibration)]
    items = [terminal.as_text(table, width, color, cut=table.columns[0]) for table in shown if table.rows]
    lines = [terminal.render([terminal.heading(line)], width, color) for line in summary(calibration)]
    return "\n".join([*items, "".join(lines)])


def runs_shown(calibration: Calibration, is_steady: bool) -> Table:
    """Whole runs by their hours, or steady measurements by the tokens/s of one accelerator."""
    rows: list[tuple[Cell, ...]] = []
    for run in calibration.runs:
        measured, before, after = figures(run)
        if run.is_steady == is_steady and measured is not None and before is not None and after is not None:
            predicted = [
                (_amount(value.mid, is_steady), _times(ratio), "yes" if inside else "no")
                for value, ratio, inside in (
                    (before, run.before_ratio, run.inside_before),
                    (after, run.after_ratio, run.inside_after),
                )
            ]
            left_out = "" if run.left_out_ratio is None else _times(run.left_out_ratio)
            cells = [cell for part in predicted for cell in part]
            rows.append((plain(run.name), _amount(measured, is_steady), *cells, left_out))
    name, unit = ("steady run", "\ntokens/s") if is_steady else ("whole run", "")
    columns = (name, f"measured{unit}", "before", "x", "in", "after", " x ", " in ", "left out")
    return Table(columns, tuple(rows), right=frozenset((columns[1], "before", "x", "after", " x ", "left out")))


def _amount(value: float, is_steady: bool) -> str:
    """Hours with their unit; tokens/s without, which stands above."""
    return show_number(value) if is_steady else show(HOURS, value)


def _times(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio > 1 / PERCENT_PER_SHARE else show_number(ratio, 1)


def rule_shown(calibration: Calibration) -> Table:
    """The rows of the rule that change."""
    rows = tuple((row.id, _ratio(row.before_ratio), _ratio(row.after_ratio)) for row in calibration.rows)
    return Table(("throughput_rule.csv", "before", "after"), rows, right=frozenset(("before", "after")))


def numbers(calibration: Calibration) -> Table:
    """Every run, unrounded."""
    columns = (
        "name", "line", "accelerator", "measure", "quantity", "measured", "before_low", "before", "before_high",
        "before_ratio", "after_low", "after", "after_high", "after_ratio", "left_out_ratio", "inside_before",
        "inside_after", "source",
    )  # fmt: skip
    rows = tuple(_numbers(run, calibration.source) for run in calibration.runs)
    return Table(columns, rows, title="Own runs: measured, and predicted before and after")


def _numbers(run: OwnRun, source: str) -> tuple[Cell, ...]:
    measured, before, after = figures(run)
    return (
        run.name, run.line, run.accelerator, run.measure, RATE if run.is_steady else HOURS, measured, *_ends(before),
        run.before_ratio, *_ends(after), run.after_ratio, run.left_out_ratio, run.inside_before, run.inside_after,
        source,
    )  # fmt: skip


def summary(calibration: Calibration) -> list[str]:
    """One line a level: 'steady throughput x0.93 (0.86 to 1.01) from 5 runs; median error 18 % before, ...'."""
    return [_told(level) for level in calibration.levels]


def _told(level: OwnLevel) -> str:
    ratio, alike = level.level_ratio, ""
    if level.configuration_count < level.run_count:
        alike = f" of {level.configuration_count} configuration{'s' * (level.configuration_count > 1)}"
    left_out = level.median_error_left_out_ratio
    told = "" if left_out is None else f" (each run left out: {_percent(left_out)})"
    what = "steady throughput" if level.is_steady else "whole runs: throughput"
    return (
        f"{what} level x{ratio.mid:.2f} ({ratio.low:.2f} to {ratio.high:.2f}) from {level.run_count} "
        f"run{'s' * (level.run_count > 1)}{alike}; median error {_percent(level.median_error_before_ratio)} before, "
        f"{_percent(level.median_error_after_ratio)} after{told}; "
        f"{level.inside_before_share:.0%} inside the interval before, {level.inside_after_share:.0%} after"
    )


def figures(run: OwnRun) -> tuple[float | None, Range | None, Range | None]:
    """Measured, and predicted before and after, in the run's own quantity."""
    if run.is_steady:
        return (
            run.measured_accelerator_tokens_per_s,
            run.before_accelerator_tokens_per_s,
            run.after_accelerator_tokens_per_s,
        )
    return run.measured_accelerator_hours, run.before_accelerator_hours, run.after_accelerator_hours


def _ends(value: Range | None) -> tuple[Cell, Cell, Cell]:
    return (None, None, None) if value is None else (value.low, value.mid, value.high)


def _ratio(value: Range) -> str:
    middle = f"{value.mid:.3g}"
    return middle if value.low == value.high else f"{middle} ({value.low:.2f} – {value.high:.2f})"


def _percent(error_ratio: float) -> str:
    return f"{show_number((error_ratio - 1) * PERCENT_PER_SHARE, 2)} %"
