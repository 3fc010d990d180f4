"""The physical model of throughput beside regressions on the same rows and splits.

Run it: `python tests/benchmarks/throughput_models.py`. Every model predicts each source's rows fitted without them;
rows weigh 1/sqrt(the rows of their source).
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingRegressor

from footprint.catalog import open_catalog
from footprint.throughput.measured import Measured, measured
from footprint.throughput.whole_run import Errors, quantile

Array = NDArray[np.float64]
Fit = Callable[[Array, Array, Array], Callable[[Array], Array]]

DATA = Path(__file__).resolve().parents[2] / "data"


def features(data: Measured) -> Array:
    """Logs of size, length, count, batch a device, width, layers, peak, bandwidth; mixture, bits, generation, year."""
    shape, device = data.settings.shape, data.settings.hardware
    logs = [
        shape.matmul_params, shape.seq_len, data.settings.accelerator_count,
        data.settings.global_batch_tokens / data.settings.accelerator_count, shape.d_model, shape.n_layers,
        shape.n_experts, device.peak_flop_per_s, device.memory_bytes_per_s, device.link_bytes_per_s,
    ]  # fmt: skip
    plain = [data.settings.software_year, data.settings.is_vendor_stack, device.is_low_precision, data.is_moe * 1.0]
    generations = [np.array(data.generation) == g for g in sorted(set(data.generation))]
    return np.column_stack([*(np.log(x) for x in logs), *plain, *(g * 1.0 for g in generations)])


def six_features(data: Measured) -> Array:
    """Size, length, count, mixture, 8 bits or less, 4 bits."""
    shape = data.settings.shape
    low = data.settings.hardware.is_low_precision
    ratio = data.settings.hardware.peak_flop_per_s / data.settings.hardware.reference_flop_per_s
    logs = [np.log(x) for x in (shape.matmul_params, shape.seq_len, data.settings.accelerator_count)]
    return np.column_stack([*logs, data.is_moe * 1.0, low, (ratio > 2) * 1.0])


def ridge(design: Array, target: Array, weight: Array) -> Callable[[Array], Array]:
    """Weighted least squares on standardized features with a penalty of 0.3."""
    middle, spread = np.average(design, axis=0, weights=weight), design.std(0) + 1e-9
    scaled, level = (design - middle) / spread, float(np.average(target, weights=weight))
    square = scaled.T @ (scaled * weight[:, None]) + 0.3 * np.eye(design.shape[1])
    slopes = np.linalg.solve(square, scaled.T @ (weight * (target - level)))
    return lambda new: np.asarray((new - middle) / spread @ slopes + level)


def boosted(design: Array, target: Array, weight: Array) -> Callable[[Array], Array]:
    """Gradient-boosted trees of depth 3 with a Huber loss."""
    model = GradientBoostingRegressor(
        n_estimators=200, max_depth=3, learning_rate=0.05, subsample=0.7, loss="huber", random_state=0
    )
    model.fit(design, target, sample_weight=weight)
    return lambda new: np.asarray(model.predict(new))


def unseen(data: Measured, design: Array, target: Array, fit: Fit) -> Array:
    """Residuals of each source's rows under a fit without them."""
    residual = np.empty(len(target))
    for group in sorted(set(data.group)):
        others = data.without(group)
        predict = fit(design[others], target[others], data.weight[others])
        residual[~others] = target[~others] - predict(design[~others])
    return residual


def table() -> list[tuple[str, float, float]]:
    """Name, median error and 90th percentile of each model on unseen sources."""
    data = measured(open_catalog(None))
    with (DATA / "throughput_unseen.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    logs = {name: np.log([float(row[name]) for row in rows]) for name in ("measured_mfu", "stated_mfu", "searched_mfu")}
    reached, every = logs["measured_mfu"], features(data)
    physics = {
        "physics, layout as stated": reached - logs["stated_mfu"],
        "physics, layout searched": reached - logs["searched_mfu"],
    }
    trees = unseen(data, every, reached, boosted)
    searched = physics["physics, layout searched"]
    found = {
        "ridge, six features": unseen(data, six_features(data), reached, ridge),
        "ridge, all features": unseen(data, every, reached, ridge),
        "gradient-boosted trees, all features": trees,
        "trees on what physics leaves": unseen(data, every, searched, boosted),
        "half physics (searched), half trees": (searched + trees) / 2,
        **physics,
    }
    sources = np.array(data.group)
    level = np.array([np.median(physics["physics, layout as stated"][sources == s]) for s in sources])
    found["physics, as stated, with each source's own level known"] = physics["physics, layout as stated"] - level
    return [(name, _median(Errors(r, data.weight)), _p90(Errors(r, data.weight))) for name, r in found.items()]


def _median(errors: Errors) -> float:
    return float(np.exp(quantile(np.abs(errors.residual), errors.weight, 0.5)) - 1)


def _p90(errors: Errors) -> float:
    return float(np.exp(quantile(np.abs(errors.residual), errors.weight, 0.9)))


if __name__ == "__main__":
    print(f"{'model, unseen sources':<58} {'median':>7} {'90 %':>7}")
    for name, median, p90 in table():
        print(f"{name:<58} {median:>7.1%} {'x' + format(p90, '.2f'):>7}")
