"""A user's own runs, measured against predicted: the levels of their cluster, before and after."""

from __future__ import annotations

import math
import statistics
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from footprint.catalog import Catalog, Row
from footprint.derivation import Plain
from footprint.errors import DataError, InputError
from footprint.estimation.estimator import plan_usage
from footprint.estimation.own_folder import write_rule
from footprint.estimation.own_rows import MFU, OwnRow, Runs, read_runs, told
from footprint.estimation.plan import drafts
from footprint.estimation.presets import preset_rows
from footprint.estimation.stages import check_memory, work
from footprint.formulas import energy
from footprint.studies import Calibration, OwnLevel, OwnRun, RuleRow
from footprint.throughput.own_runs import (
    Levels,
    Observed,
    changed_rows,
    own_levels,
    run_spreads,
    steady_spreads,
    uncalibrated,
)
from footprint.throughput.rule import TABLE, rule_of
from footprint.uncertainty import draw, mids, summarise
from footprint.units import show_number
from footprint.values import Plan, Range, Stage
from footprint.version import __version__

USUAL_TOKENS = 1e12
"""Of a steady measurement, which does not depend on them."""
FAR_RATIO = 4.0
"""Measured so many times more or less than predicted is more often a wrong unit than a cluster."""


@dataclass(frozen=True, slots=True)
class Held:
    """A run beside its prediction, both in accelerator-hours or in tokens/s of one accelerator."""

    row: OwnRow
    accelerator: str
    configuration: Hashable
    measured: float
    predicted: Range

    @property
    def throughput_log(self) -> float:
        """Log of measured over predicted throughput."""
        over = math.log(self.measured / self.predicted.mid)
        return over if self.row.is_steady else -over


def run_calibration(
    source: str | Path | Iterable[Mapping[str, Any]],
    catalog: Catalog,
    write: str | Path | None = None,
    skip_bad: bool = False,
    as_of: str | None = None,
) -> Calibration:
    """Hold runs against their predictions, move these, and hold them again.

    Parameters
    ----------
    source : a CSV file, or mappings with its columns
    catalog : rows that an earlier calibration wrote count as the shipped ones
    write : a folder for the changed rows
    skip_bad : pass over rows that cannot be, and say so
    as_of : the date of the rows; today if None

    Raises
    ------
    InputError, DataError
        For a file or a row that cannot be read, naming line, column, value and fix.
    """
    base, runs = uncalibrated(catalog), read_runs(source)
    held, skipped = _held(runs, base, skip_bad)
    levels = _levels(held, base)
    rows = changed_rows(levels, base, runs.source, as_of or date.today().isoformat())
    moved = base.with_rows(TABLE, rows)
    shown = tuple(_shown(one, _predicted(one.row, moved)[2], _left_out(one, held, levels, base)) for one in held)
    notes = _notes(held, skipped, catalog is not base)
    written = None
    if write is not None:
        written, told_of = write_rule(rows, Path(write), catalog, source)
        notes += told_of
    return Calibration(
        source=runs.source,
        runs=shown,
        levels=tuple(_level(levels, shown, is_steady) for is_steady in (True, False) if _some(shown, is_steady)),
        rows=tuple(_rule_row(row, base) for row in rows),
        skipped=skipped,
        notes=tuple(notes),
        written=written,
        catalog_digest=catalog.digest(),
        version=__version__,
    )


def _held(runs: Runs, catalog: Catalog, skip_bad: bool) -> tuple[list[Held], tuple[tuple[str, str], ...]]:
    held: list[Held] = []
    skipped: list[tuple[str, str]] = []
    for row in runs.rows:
        try:
            if isinstance(row, DataError):
                raise row
            held.append(_measured(row, catalog))
        except DataError as error:
            if not skip_bad or error.path != Path(runs.path):
                raise
            place, _, reason = str(error).removeprefix(f"{runs.path}, ").partition(": ")
            skipped.append((place, reason))
    if not held:
        place, reason = skipped[0]
        raise DataError(runs.path, None, None, f"has no row that can be used; {place}: {reason}")
    return held, tuple(skipped)


def _measured(row: OwnRow, catalog: Catalog) -> Held:
    """A run beside its prediction.

    Raises
    ------
    DataError
        For a word that cannot be, or a measure beyond what the hardware can do.
    """
    try:
        plan, flop, predicted = _predicted(row, catalog)
    except InputError as error:
        raise told(row, error) from error
    first, measured = plan.stages[0], row.value
    if row.is_steady:
        most = first.peak_flop_per_s / flop
        measured = row.value * most if row.measure == MFU else row.value
        implied = measured / most
    else:
        implied = sum(energy.implied_mfu(_flop(stage), measured, stage.peak_flop_per_s) for stage in plan.stages)
    if implied > 1:
        fix = "check the unit, and that tokens, parameters and accelerator are right"
        if not row.is_steady:
            fix = "check that they are hours of all accelerators together, and that tokens and parameters are right"
        problem = f"{row.value:g} gives an MFU of {show_number(implied)} on {first.accelerator}, above 1; {fix}"
        raise row.error(row.measure, problem)
    return Held(row, first.accelerator, _configuration(plan), measured, predicted)


def _predicted(row: OwnRow, catalog: Catalog) -> tuple[Plan, float, Range]:
    """The row as a plan, the FLOP of one of its tokens, and what is predicted of its measure."""
    words = dict(row.words)
    subject = words.pop("model", None)
    if subject is not None and len(members := preset_rows(str(subject), catalog)) > 1:
        names = ", ".join(str(member["id"]) for member in members)
        raise InputError("model", subject, "is a family of models", f"name one of {names}")
    if row.is_steady:
        words.setdefault("tokens", USUAL_TOKENS)
    _, (draft,) = drafts(subject, words, catalog)
    stages = draft.plan.stages
    check_memory(stages, catalog)
    first = stages[0]
    flop = _flop(first) / first.tokens.mid if first.tokens else 0.0
    if not row.is_steady:
        return draft.plan, flop, summarise(plan_usage(draw(draft.plan), Plain()).accelerator_hours)
    if first.steady_mfu is None or not flop:
        raise InputError("tokens", row.name, "has no steady throughput to predict", "give params or a known model")
    most = first.peak_flop_per_s / flop
    ends = (first.steady_mfu.low, first.steady_mfu.mid, first.steady_mfu.high)
    return draft.plan, flop, Range(*(end * most for end in ends))


def _flop(stage: Stage) -> float:
    done = work(mids(stage), Plain())
    return 0.0 if done is None else float(done.dense_flop + done.generation_flop)


def _configuration(plan: Plan) -> Hashable:
    """What makes two runs alike: everything that the prediction depends on but the tokens."""
    return tuple(
        (s.architecture, s.params, s.active_params, s.accelerator, s.precision, s.accelerator_count, s.seq_len,
         s.batch_tokens, s.layout, s.mfu)
        for s in plan.stages
    )  # fmt: skip


# levels


def _levels(held: Sequence[Held], catalog: Catalog, without: Held | None = None) -> Levels:
    """Both levels; `without` the runs that are alike with one, of its measure."""
    steady, whole = (
        Observed(tuple(h.throughput_log for h in own), tuple(h.configuration for h in own))
        for own in ([h for h in held if h.row.is_steady], [h for h in held if not h.row.is_steady])
    )
    if without is not None and without.row.is_steady:
        steady = steady.without(without.configuration)
    elif without is not None:
        whole = whole.without(without.configuration)
    return own_levels(steady, whole, steady_spreads(catalog), run_spreads(catalog))


def _left_out(one: Held, held: Sequence[Held], levels: Levels, catalog: Catalog) -> float | None:
    """Predicted over measured, calibrated on the other configurations of the same measure."""
    alike = [h for h in held if h.row.is_steady == one.row.is_steady]
    if len({h.configuration for h in alike}) < 2:
        return None
    others = _levels(held, catalog, without=one)
    moved = others.steady.level_log if one.row.is_steady else others.run_log
    away = moved - one.throughput_log
    return math.exp(away if one.row.is_steady else -away)


def _shown(one: Held, after: Range, left_out: float | None) -> OwnRun:
    before, is_steady = one.predicted, one.row.is_steady
    return OwnRun(
        name=one.row.name,
        line=one.row.line,
        accelerator=one.accelerator,
        measure=one.row.measure,
        is_steady=is_steady,
        measured_accelerator_hours=None if is_steady else one.measured,
        before_accelerator_hours=None if is_steady else before,
        after_accelerator_hours=None if is_steady else after,
        measured_accelerator_tokens_per_s=one.measured if is_steady else None,
        before_accelerator_tokens_per_s=before if is_steady else None,
        after_accelerator_tokens_per_s=after if is_steady else None,
        before_ratio=before.mid / one.measured,
        after_ratio=after.mid / one.measured,
        left_out_ratio=left_out,
        inside_before=before.low <= one.measured <= before.high,
        inside_after=after.low <= one.measured <= after.high,
    )


def _some(runs: Sequence[OwnRun], is_steady: bool) -> list[OwnRun]:
    return [run for run in runs if run.is_steady == is_steady]


def _level(levels: Levels, shown: Sequence[OwnRun], is_steady: bool) -> OwnLevel:
    runs = _some(shown, is_steady)
    learned = levels.steady if is_steady else levels.kept
    left_out = [run.left_out_ratio for run in runs if run.left_out_ratio is not None]
    return OwnLevel(
        is_steady=is_steady,
        level_ratio=levels.ratio(is_steady),
        run_count=len(runs),
        configuration_count=learned.configuration_count,
        median_error_before_ratio=_median_error([run.before_ratio for run in runs]),
        median_error_after_ratio=_median_error([run.after_ratio for run in runs]),
        median_error_left_out_ratio=_median_error(left_out) if left_out else None,
        inside_before_share=sum(run.inside_before for run in runs) / len(runs),
        inside_after_share=sum(run.inside_after for run in runs) / len(runs),
    )


def _median_error(ratios: Sequence[float]) -> float:
    return statistics.median(max(ratio, 1 / ratio) for ratio in ratios)


def _rule_row(row: Row, base: Catalog) -> RuleRow:
    after = Range(*(float(row[name]) for name in ("low_ratio", "ratio", "high_ratio")))  # type: ignore[arg-type]
    texts = (str(row[name]) for name in ("source", "as_of", "note"))
    return RuleRow(str(row["id"]), rule_of(base).known(str(row["id"])), after, *texts)


def _notes(held: Sequence[Held], skipped: Sequence[tuple[str, str]], was_calibrated: bool) -> list[str]:
    notes = [f"{place} is passed over: {reason}" for place, reason in skipped]
    if was_calibrated:
        notes.append("before is the rule without the own runs that the data folder already holds")
    for one in held:
        away = math.exp(abs(one.throughput_log))
        if away > FAR_RATIO:
            word = "more" if one.measured > one.predicted.mid else "less"
            notes.append(
                f"line {one.row.line}, {one.row.name}: measured {show_number(away)} times {word} than predicted; "
                f"is {one.row.measure} in its unit?"
            )
    return notes
