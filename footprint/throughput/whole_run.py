"""From steady throughput to the hours that people report: failures, and what published runs kept of the rest."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from footprint.catalog import Catalog
from footprint.formulas import reliability
from footprint.throughput.fitting import Fit, choices, log_mfu
from footprint.throughput.published import published
from footprint.throughput.setting import Setting
from footprint.throughput.steady import MATURE_SOFTWARE
from footprint.units import Quantity
from footprint.values import Range

Array = NDArray[np.float64]

RIDGE = 0.2
"""Penalty on every term but the base; from 0.15 to 0.3 unseen organizations are predicted equally well."""
REWEIGHTINGS = 30
SMALL_RESIDUAL = 0.05
REWEIGHTED = 5
"""A residual of one over this keeps its weight."""
SIZE_BOUNDARY = 8e9
"""Parameters between small and large runs, the active ones where errors are told apart: a third of the published runs
lie above.
"""
FEW_DEVICES, FEWEST_DEVICES = 128, 8
"""Counts below which a run keeps more of its throughput, and below which no more: sixteen nodes, and one."""
MOST_TENFOLDS = 2.0
"""Above `SIZE_BOUNDARY`: runs of a hundred times as many parameters were hardly published."""
KEPT_TERMS = ("software_before_2023", "few_devices", "large_model")
"""What the share that a run keeps depends on, in the order of `kept_exponents`."""
STATED_TIER = "A"
"""Runs whose hours their authors state; the others' follow from devices times rounded days."""


@dataclass(frozen=True, slots=True)
class Runs:
    """Published runs: what each kept of its steady throughput, beyond failures."""

    design: Array
    log_kept: Array
    weight: Array
    fit_weight: Array
    active_params: Array
    group: tuple[str, ...]
    labels: tuple[str, ...]

    def without(self, group: str) -> NDArray[np.bool_]:
        """Which runs belong to other organizations."""
        others: NDArray[np.bool_] = np.array(self.group) != group
        return others

    def only(self, keep: NDArray[np.bool_]) -> Runs:
        """The runs that are kept, as if there were no others."""
        group, labels = (tuple(np.array(names)[keep].tolist()) for names in (self.group, self.labels))
        return Runs(
            self.design[keep], self.log_kept[keep], self.weight[keep], self.fit_weight[keep],
            self.active_params[keep], group, labels,
        )  # fmt: skip


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


@dataclass(frozen=True, slots=True)
class SizedErrors:
    """Ends of the whole-run error for small and for large models, and the sizes to which they belong."""

    small: Range
    large: Range
    small_params: float
    large_params: float

    def at(self, active_params: float) -> Range:
        """The ends at a size: between those of small and of large models on the log scale, no further outside."""
        place = math.log(active_params / self.small_params) / math.log(self.large_params / self.small_params)
        place = min(max(place, 0.0), 1.0)
        ends = ((self.small.low, self.large.low), (self.small.high, self.large.high))
        low, high = (small ** (1 - place) * large**place for small, large in ends)
        return Range(low, 1.0, high)


@dataclass(frozen=True, slots=True)
class Unseen:
    """The whole-run layer as fitted without one organization, over the shipped one."""

    kept_log: Array  # of the base and of each term
    errors: SizedErrors

    def kept_ratio(self, setting: Setting) -> float:
        """Of one run."""
        return float(np.exp(_design(setting) @ self.kept_log)[0])


def quantile(values: Array, weight: Array, q: float) -> float:
    """Weighted quantile, interpolated between the middles of the weights."""
    order = np.argsort(values, kind="stable")
    middle = (np.cumsum(weight[order]) - weight[order] / 2) / weight.sum()
    return float(np.interp(q, middle, values[order]))


def failure_goodput(
    accelerator_count: Quantity, interruption_h: float, checkpoint_s: float, restart_s: float, evaluation: float
) -> Quantity:
    """Goodput of a run on so many devices with checkpoints at Daly's interval."""
    between_s = reliability.interruption_interval_s(interruption_h, accelerator_count)
    interval_s = reliability.checkpoint_interval_s(checkpoint_s, between_s)
    lost = reliability.lost_share(checkpoint_s, interval_s, restart_s, between_s)
    return reliability.goodput(np.clip(lost, 0.0, 1.0), evaluation)


def goodput_ends(accelerator_count: Quantity, catalog: Catalog) -> tuple[Quantity, Quantity, Quantity]:
    """Low, mid and high goodput: what each constant moves alone, in quadrature."""
    names = ("interruption_accelerator_h", "checkpoint_s", "restart_s", "evaluation_share")
    constants = [catalog.constant(name) for name in names]
    mids = [c.mid for c in constants]
    mid = failure_goodput(accelerator_count, *mids)
    below: Quantity = 0.0
    above: Quantity = 0.0
    for place, constant in enumerate(constants):
        ends = ([*mids[:place], end, *mids[place + 1 :]] for end in (constant.low, constant.high))
        one, other = (failure_goodput(accelerator_count, *values) for values in ends)
        below = below + (mid - np.minimum(one, other)) ** 2
        above = above + (np.maximum(one, other) - mid) ** 2
    return np.maximum(mid - below**0.5, 0.0), mid, np.minimum(mid + above**0.5, 1.0)


def kept_exponents(setting: Setting) -> Array:
    """How much of each term (`KEPT_TERMS`) applies to runs: shape (runs, terms).

    Whether software is of before 2023; tenfolds of devices below `FEW_DEVICES`: few wait for each other; tenfolds of
    parameters above `SIZE_BOUNDARY`: what costs more is tuned longer.
    """
    few = np.log10(FEW_DEVICES / np.maximum(setting.accelerator_count, FEWEST_DEVICES))
    large = np.log10(np.asarray(setting.shape.params, float) / SIZE_BOUNDARY)
    early = np.where(np.asarray(setting.software_year) < MATURE_SOFTWARE, 1.0, 0.0)
    columns = np.broadcast_arrays(early, np.maximum(few, 0.0), np.clip(large, 0.0, MOST_TENFOLDS))
    return np.column_stack([np.atleast_1d(column) for column in columns])


def _design(setting: Setting) -> Array:
    """A one, then the terms."""
    terms = kept_exponents(setting)
    return np.column_stack([np.ones(len(terms)), terms])


def run_layer(catalog: Catalog, steady: Fit, usable_share: float) -> Runs:
    """Published runs over their steady throughput and goodput, on what the share that they keep depends on."""
    data = published(catalog)
    reached = log_mfu(data, steady, choices(data, usable_share, stated=False))
    _, goodput, _ = goodput_ends(np.asarray(data.settings.accelerator_count), catalog)
    stated = np.array([row["tier"] == STATED_TIER for row in data.rows], float)
    return Runs(
        design=_design(data.settings),
        log_kept=data.log_mfu - reached - np.log(goodput),
        weight=data.weight,
        fit_weight=data.weight * stated,
        active_params=np.asarray(data.settings.shape.matmul_params),
        group=data.group,
        labels=data.labels,
    )


def fit_kept(runs: Runs, keep: NDArray[np.bool_] | None = None) -> Array:
    """Weighted least absolute deviations with a small ridge on all but the first term, by iterated reweighting."""
    kept = slice(None) if keep is None else keep
    design, target, base_weight = runs.design[kept], runs.log_kept[kept], runs.fit_weight[kept]
    penalty = np.eye(design.shape[1]) * RIDGE
    penalty[0, 0] = 0.0
    weight: Any = base_weight
    coefficients: Array = np.zeros(design.shape[1])
    for _ in range(REWEIGHTINGS):
        coefficients = np.linalg.solve(design.T @ (design * weight[:, None]) + penalty, design.T @ (weight * target))
        weight = base_weight / (REWEIGHTED * np.maximum(np.abs(target - design @ coefficients), SMALL_RESIDUAL))
    return coefficients


def unseen_organizations(runs: Runs) -> Errors:
    """Errors on each organization's runs, fitted without it."""
    residual = np.empty(len(runs.log_kept))
    for group in sorted(set(runs.group)):
        others = runs.without(group)
        residual[~others] = runs.log_kept[~others] - runs.design[~others] @ fit_kept(runs, others)
    return Errors(residual, runs.weight)


def interval(errors: Errors) -> Range:
    """5th and 95th percentile of reported over estimated MFU, on unseen groups."""
    ends = [float(np.exp(quantile(errors.residual, errors.weight, q))) for q in (0.05, 0.95)]
    return Range(min(ends[0], 1.0), 1.0, max(ends[1], 1.0))


def sized_errors(runs: Runs, errors: Errors) -> SizedErrors:
    """The interval of the small and of the large runs, each at the middle of its sizes."""
    found = []
    for which in (runs.active_params < SIZE_BOUNDARY, runs.active_params >= SIZE_BOUNDARY):
        own = Errors(errors.residual[which], errors.weight[which])
        middle = float(np.exp(quantile(np.log(runs.active_params[which]), runs.weight[which], 0.5)))
        found.append((interval(own), middle))
    (small, small_params), (large, large_params) = found
    return SizedErrors(small, large, small_params, large_params)


def without_each(runs: Runs) -> dict[str, Unseen]:
    """What the layer would be had each organization's runs not been known; '' for one that has none in the fit."""
    whole = fit_kept(runs)
    found = {"": Unseen(np.zeros_like(whole), sized_errors(runs, unseen_organizations(runs)))}
    for organization in sorted(set(runs.group)):
        others = runs.without(organization)
        rest, shift = runs.only(others), fit_kept(runs, others) - whole
        found[organization] = Unseen(shift, sized_errors(rest, unseen_organizations(rest)))
    return found


def centred(errors: Errors, shift: float) -> Errors:
    """Errors about a shifted prediction."""
    return replace(errors, residual=errors.residual - shift)
