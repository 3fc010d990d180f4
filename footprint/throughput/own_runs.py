"""What runs of one's own say of a cluster: one level of steady throughput, one of what whole runs keep of it.

Levels are shrunk (`formulas.shrinkage`): prior mean none, prior spread that between the sources and organizations
that the rule rests on, scatter that within them. Runs of one configuration count as one run: what the model gets
wrong of it, it gets wrong each time. No slopes are fitted, however many runs there are.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from footprint.catalog import Catalog, Row
from footprint.formulas import shrinkage
from footprint.throughput.rule import TABLE, rule_of
from footprint.throughput.whole_run import fit_kept, quantile, run_layer
from footprint.values import HIGH_SHARE, Range

Array = NDArray[np.float64]

MARK = "own runs: "
"""How the note of a row begins that a calibration on own runs wrote."""
UNSEEN = "throughput_unseen"
STEADY_ROW, KEPT_ROW = "found_layout", "production"
STEADY_ERROR, RUN_ERROR = "steady_error:", "run_error:"
FREEDOM = 4
"""Degrees of freedom of a run's scatter: what is known of it counts for so many runs, and so fat are its tails."""
REPEATS = 60
NORMAL_SCORE = NormalDist().inv_cdf(HIGH_SHARE)
INSIDE = 0.9
DIGITS = 5


@dataclass(frozen=True, slots=True)
class Spreads:
    """Standard deviations of log ratios: of levels between clusters, and of runs within one."""

    between_log: float
    within_log: float


@dataclass(frozen=True, slots=True)
class Learned:
    """What runs say of one level, beside what was known before."""

    centre_log: float
    unlearned_share: float
    scatter_log: float  # of the next run about the level: never below what is known of other clusters
    run_count: int
    configuration_count: int

    @property
    def level_log(self) -> float:
        """The shrunk level."""
        return math.log(shrinkage.level_ratio(self.centre_log, self.unlearned_share))


@dataclass(frozen=True, slots=True)
class Levels:
    """The steady level, and what whole runs keep beyond it."""

    steady: Learned
    kept: Learned
    steady_spread_log: float
    run_spread_log: float

    @property
    def run_log(self) -> float:
        """The level of whole runs: of steady throughput and of what is kept of it together."""
        return self.steady.level_log + self.kept.level_log

    @property
    def run_unlearned_share(self) -> float:
        """Of the variance of whole-run levels between organizations."""
        kept = self._kept_spread_log() ** 2 * self.kept.unlearned_share
        return kept / self.run_spread_log**2

    def _kept_spread_log(self) -> float:
        return _kept_spread(self.run_spread_log, self.steady_spread_log, self.steady.unlearned_share)

    def ratio(self, is_steady: bool) -> Range:
        """A level with its 90 % interval, over the throughput that is predicted without own runs."""
        middle = self.steady.level_log if is_steady else self.run_log
        open_share = self.steady.unlearned_share if is_steady else self.run_unlearned_share
        spread = self.steady_spread_log if is_steady else self.run_spread_log
        away = NORMAL_SCORE * spread * math.sqrt(open_share)
        return Range(math.exp(middle - away), math.exp(middle), math.exp(middle + away))


@dataclass(frozen=True, slots=True)
class Observed:
    """Logs of measured over predicted throughput, and which configuration each was measured on."""

    log_ratio: tuple[float, ...]
    configuration: tuple[Hashable, ...]

    def without(self, configuration: Hashable) -> Observed:
        """What was measured on other configurations."""
        kept = [pair for pair in zip(self.log_ratio, self.configuration, strict=True) if pair[1] != configuration]
        return Observed(tuple(log for log, _ in kept), tuple(one for _, one in kept))


@lru_cache(maxsize=8)
def steady_spreads(catalog: Catalog) -> Spreads:
    """Between sources as the rule states it; within them from configurations predicted without their source."""
    rows = catalog.rows(UNSEEN)
    logs = np.array([math.log(float(row["measured_mfu"]) / float(row["searched_mfu"])) for row in rows])  # type: ignore[arg-type]
    within = scatter_within(logs, [str(row["source_id"]) for row in rows])
    return Spreads(math.log(rule_of(catalog).known("source_spread").mid), within)


@lru_cache(maxsize=8)
def run_spreads(catalog: Catalog) -> Spreads:
    """Between and within the organizations of published runs, over what the rule predicts of them."""
    runs = run_layer(catalog, rule_of(catalog).steady(), catalog.constant("usable_memory_share").mid)
    residual = runs.log_kept - runs.design @ fit_kept(runs)
    between = max(spread_between(residual, runs.group), steady_spreads(catalog).between_log)
    return Spreads(between, scatter_within(residual, runs.group))


def scatter_within(residual: Array, group: Sequence[str]) -> float:
    """The standard deviation of a normal law with the same 90 % interval as runs have about their group's median."""
    names, away, weight = np.array(group), [], []
    for name in sorted(set(group)):
        own = residual[names == name]
        if len(own) > 1:
            away += (np.abs(own - np.median(own)) * math.sqrt(len(own) / (len(own) - 1))).tolist()
            weight += [len(own) ** -0.5] * len(own)
    return quantile(np.array(away), np.array(weight), INSIDE) / NORMAL_SCORE


def spread_between(residual: Array, group: Sequence[str]) -> float:
    """Standard deviation of group levels by the moments of a one-way analysis of variance; 0 where there is none.

    Searle, Casella, McCulloch 1992, Variance Components, section 3.6 (unbalanced data).
    """
    names = np.array(group)
    own = [residual[names == name] for name in sorted(set(group))]
    sizes = np.array([len(values) for values in own])
    means = np.array([values.mean() for values in own])
    within = sum(float(((values - values.mean()) ** 2).sum()) for values in own) / (sizes.sum() - len(own))
    between = float((sizes * (means - residual.mean()) ** 2).sum()) / (len(own) - 1)
    usual_size = (sizes.sum() - (sizes**2).sum() / sizes.sum()) / (len(own) - 1)
    return math.sqrt(max(0.0, (between - within) / float(usual_size)))


def learn(observed: Observed, spreads: Spreads) -> Learned:
    """The level of one cluster from its runs, whatever their order."""
    if not observed.log_ratio:
        return Learned(0.0, 1.0, spreads.within_log, 0, 0)
    sizes = {one: observed.configuration.count(one) for one in observed.configuration}
    pairs = sorted((log, 1 / sizes[one]) for log, one in zip(observed.log_ratio, observed.configuration, strict=True))
    logs, share = (np.array(column) for column in zip(*pairs, strict=True))
    centre, scatter, weight = quantile(logs, share, 0.5), spreads.within_log, share
    for _ in range(REPEATS):
        weight = share * shrinkage.run_weight_share(logs, centre, scatter, FREEDOM)
        centre = float(weight @ logs / weight.sum())
        squares = float(weight @ (logs - centre) ** 2)
        scatter = float(shrinkage.scatter_log(spreads.within_log, squares, weight.sum(), FREEDOM))
    return Learned(
        centre_log=centre,
        unlearned_share=float(shrinkage.unlearned_share(weight.sum(), spreads.between_log, scatter)),
        scatter_log=max(scatter, spreads.within_log),
        run_count=len(pairs),
        configuration_count=len(sizes),
    )


def own_levels(steady: Observed, whole: Observed, steady_known: Spreads, runs_known: Spreads) -> Levels:
    """Both levels: whole runs are held against predictions that the steady level has already moved."""
    first = learn(steady, steady_known)
    left = _kept_spread(runs_known.between_log, steady_known.between_log, first.unlearned_share)
    moved = Observed(tuple(log - first.level_log for log in whole.log_ratio), whole.configuration)
    kept = learn(moved, Spreads(left, runs_known.within_log))
    return Levels(first, kept, steady_known.between_log, runs_known.between_log)


def _kept_spread(run_spread_log: float, steady_spread_log: float, unlearned_share: float) -> float:
    return float(shrinkage.kept_spread_log(run_spread_log, steady_spread_log, unlearned_share))


# the rule's rows


def changed_rows(levels: Levels, catalog: Catalog, source: str, as_of: str) -> tuple[Row, ...]:
    """The rows of the rule that own runs change, as a user's folder holds them.

    Parameters
    ----------
    levels : learned against `catalog`
    catalog : with the rule as it is without own runs
    source, as_of : where the runs stand, and today
    """
    changes: list[tuple[str, Range, str]] = []
    steady, kept, rule = levels.steady, levels.kept, rule_of(catalog)
    for name, learned in ((STEADY_ROW, steady), (KEPT_ROW, kept)):
        if learned.run_count:
            shipped, ratio = rule.known(name).mid, math.exp(learned.level_log)
            told = f"{name} x{ratio:.2f} of {shipped:.4g}, {_counted(learned)}"
            changes.append((name, Range.exactly(shipped * ratio), told))
    names = [str(row["id"]) for row in catalog.rows(TABLE)]
    if steady.run_count:
        changes += _moved_ends(STEADY_ERROR, names, steady.unlearned_share, steady.scatter_log, catalog)
    if steady.run_count or kept.run_count:
        changes += _moved_ends(RUN_ERROR, names, levels.run_unlearned_share, kept.scatter_log, catalog)
    return tuple(
        {
            "id": name,
            "low_ratio": _rounded(value.low),
            "ratio": _rounded(value.mid),
            "high_ratio": _rounded(value.high),
            "provenance": "derived",
            "source": source,
            "as_of": as_of,
            "note": MARK + told,
        }
        for name, value, told in changes
    )


def _counted(learned: Learned) -> str:
    runs, kinds = learned.run_count, learned.configuration_count
    counted = f"{runs} run{'s' * (runs > 1)}"
    return counted if runs == kinds else f"{counted} of {kinds} configuration{'s' * (kinds > 1)}"


def _moved_ends(
    prefix: str, names: Sequence[str], unlearned_share: float, scatter_log: float, catalog: Catalog
) -> list[tuple[str, Range, str]]:
    found = []
    for name in names:
        if name.startswith(prefix):
            shipped = rule_of(catalog).known(name)
            ends = (-math.log(shipped.low), math.log(shipped.high))
            low, high = (
                float(shrinkage.error_end_log(end, unlearned_share, scatter_log, NORMAL_SCORE)) for end in ends
            )
            told = f"{unlearned_share:.2f} of the variance between clusters is left, before {shipped.low:.3g} to "
            found.append((name, Range(math.exp(-low), 1.0, math.exp(high)), f"{told}{shipped.high:.3g}"))
    return found


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def is_own(row: Row) -> bool:
    """Whether a calibration on own runs wrote this row."""
    return str(row["note"] or "").startswith(MARK)


def uncalibrated(catalog: Catalog) -> Catalog:
    """The catalog with shipped rows in place of those that an earlier calibration wrote; the same where none did."""
    if catalog.override is None:
        return catalog
    own = {str(row["id"]) for row in catalog.rows(TABLE) if is_own(row)}
    if not own:
        return catalog
    shipped = [row for row in Catalog(catalog.shipped).rows(TABLE) if str(row["id"]) in own]
    return catalog.with_rows(TABLE, shipped)


def with_own_source(source: str, note: str, catalog: Catalog, names: Sequence[str]) -> tuple[str, str]:
    """The source and note of a prediction, with the own runs that moved it where any did."""
    if catalog.override is None:
        return source, note
    rows: Mapping[str, Row] = {str(row["id"]): row for row in catalog.rows(TABLE) if is_own(row)}
    moved = [rows[name] for name in names if name in rows]
    sources = dict.fromkeys((source, *(str(row["source"]) for row in moved)))
    notes = (note, *(str(row["note"]) for row in moved))
    return "; ".join(sources), "; ".join(filter(None, notes))
