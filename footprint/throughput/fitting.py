"""Fits the constants of steady throughput to measured configurations, and leaves sources out to see how wrong it is.

Constants are multiples of what physics expects (data/throughput_priors.csv), and may depart from it as far as that
table's spread allows: a penalty of one standard deviation. What sets one source apart from the others as a whole is
fitted beside them and then left behind: an unseen source has none. Robust: a residual counts by its square near zero,
by its size further out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from footprint.catalog import Catalog
from footprint.errors import MissingExtra
from footprint.throughput.layouts import candidates, joined
from footprint.throughput.measured import Measured, with_generations
from footprint.throughput.setting import Setting, at
from footprint.throughput.steady import Constants, Layouts, mfu

Array = NDArray[np.float64]

NAMES = tuple(field.name for field in fields(Constants))
ALTERNATIONS = 8
"""Layout found, constants fitted, layout found again, until it is the same: at most so often."""
MOST_EVALUATIONS = 200
"""Far more than it takes: fewer stop before the least is reached."""


@dataclass(frozen=True, slots=True)
class Priors:
    """What physics expects: logs of the constants' expected values, and standard deviations of the logs."""

    expected: dict[str, float]
    spread: dict[str, float]


@dataclass(frozen=True, slots=True)
class Fit:
    """Constants, the ratio of each generation (1 for one without rows), and the logs of what sets sources apart."""

    constants: Constants
    generations: dict[str, float]
    sources: dict[str, float]
    logs: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Choices:
    """Every layout that each setting may take: one flat row of them, with where each setting's begin."""

    rows: NDArray[np.int64]
    starts: NDArray[np.int64]
    layouts: Layouts
    settings: Setting


def priors(catalog: Catalog) -> Priors:
    """The table of priors."""
    rows = {str(r["id"]): (float(r["ratio"]), float(r["spread_ratio"])) for r in catalog.rows("throughput_priors")}  # type: ignore[arg-type]
    return Priors({k: math.log(v) for k, (v, _) in rows.items()}, {k: math.log(s) for k, (_, s) in rows.items()})


def choices(data: Measured, usable_share: float, stated: bool) -> Choices:
    """The layouts of each setting that fit in memory, those that agree with what its source states if `stated`."""
    own = [
        candidates(at(data.settings, i), data.stated[i] if stated else {}, usable_share)[0]
        for i in range(len(data.log_mfu))
    ]
    rows = np.repeat(np.arange(len(own)), [len(one.tensor) for one in own])
    starts = np.searchsorted(rows, np.arange(len(own)))
    return Choices(rows, starts, joined(own), at(data.settings, rows))


def log_mfu(data: Measured, fit: Fit, found: Choices) -> Array:
    """Log MFU of each setting on the fastest of its layouts."""
    return np.asarray(np.maximum.reduceat(_all_logs(data, fit, found), found.starts))


def _all_logs(data: Measured, fit: Fit, found: Choices) -> Array:
    ratios = np.array([fit.generations.get(g, 1.0) for g in data.generation])[found.rows]
    return np.asarray(np.log(mfu(with_generations(found.settings, ratios), found.layouts, fit.constants)))


def _best(data: Measured, fit: Fit, found: Choices) -> Layouts:
    logs = _all_logs(data, fit, found)
    top = np.maximum.reduceat(logs, found.starts)[found.rows]
    first = np.flatnonzero(logs >= top)
    return found.layouts[first[np.searchsorted(found.rows[first], np.arange(len(found.starts)))]]


def fit_steady(
    data: Measured, catalog: Catalog, found: Choices, keep: NDArray[np.bool_] | None = None, start: Fit | None = None
) -> Fit:
    """Constants, generations and sources of the kept rows; from `start` one alternation is enough."""
    least_squares = _least_squares()
    known = priors(catalog)
    kept = np.flatnonzero(np.ones(len(data.log_mfu), bool) if keep is None else keep)
    generations, sources = sorted(set(data.generation)), sorted(set(data.group))
    names = [*NAMES, *generations, *sources]
    spread = np.array([*(known.spread[n] for n in NAMES), *[known.spread["generation"]] * len(generations),
                       *[known.spread["source"]] * len(sources)])  # fmt: skip
    expected = np.array([*(known.expected[n] for n in NAMES), *[0.0] * (len(names) - len(NAMES))])
    generation = np.array([generations.index(g) for g in data.generation])[kept]
    source = np.array([sources.index(s) for s in data.group])[kept]
    settings, weight, target = at(data.settings, kept), np.sqrt(data.weight[kept]), data.log_mfu[kept]

    def of(logs: Array) -> Fit:
        values = np.exp(logs + expected)
        first, second = len(NAMES), len(NAMES) + len(generations)
        return Fit(
            Constants(*(float(v) for v in values[:first])),
            dict(zip(generations, (float(v) for v in values[first:second]), strict=True)),
            dict(zip(sources, (float(v) for v in logs[second:]), strict=True)),
            tuple(float(v) for v in logs),
        )

    def residuals(logs: Array, layouts: Layouts) -> Array:
        current = of(logs)
        ratios = np.array([current.generations[g] for g in generations])[generation]
        predicted = np.log(mfu(with_generations(settings, ratios), layouts, current.constants))
        away = (target - predicted - logs[len(NAMES) + len(generations) :][source]) / known.spread["residual"]
        softened = np.sign(away) * np.sqrt(2 * (np.sqrt(1 + away**2) - 1))
        return np.concatenate([softened * weight, logs / spread])

    logs = np.zeros(len(names)) if start is None else np.array(start.logs)
    layouts: Layouts | None = None
    for _ in range(ALTERNATIONS if start is None else 1):
        chosen = _best(data, of(logs), found)[kept]
        if layouts is not None and layouts.same(chosen):
            break
        layouts = chosen
        logs = least_squares(residuals, logs, args=(layouts,), max_nfev=MOST_EVALUATIONS).x
    fitted = of(logs)
    absent = set(generations) - set(np.array(data.generation)[kept].tolist())
    return replace(fitted, generations={g: 1.0 if g in absent else r for g, r in fitted.generations.items()})


def _least_squares() -> Any:
    """The solver, which only those who refit the model need."""
    try:
        from scipy.optimize import least_squares
    except ImportError as error:
        raise MissingExtra("scipy", "calibrate", "refitting the throughput model") from error
    return least_squares


def unseen_sources(
    data: Measured, catalog: Catalog, whole: Fit, found: Choices, told: Sequence[Choices]
) -> list[Array]:
    """Log of measured over predicted for each row, its source left out of the fit; one array for each of `told`."""
    residual = [np.empty(len(data.log_mfu)) for _ in told]
    for group in sorted(set(data.group)):
        others = data.without(group)
        fit = fit_steady(data, catalog, found, others, whole)
        for place, one in zip(residual, told, strict=True):
            place[~others] = (data.log_mfu - log_mfu(data, fit, one))[~others]
    return residual
