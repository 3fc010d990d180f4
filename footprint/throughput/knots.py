"""A smooth function at a million points: taken at each distinct one, or on a grid and interpolated."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MOST_DISTINCT = 512
"""Points at which the function itself is taken."""
SAMPLED = 4
"""Times as many points tell whether there are more than that."""


def over_scenarios(function: Callable[[Mapping[str, Array]], Array], axes: Mapping[str, Array]) -> Array:
    """A smooth function of a few positive axes at many points: at each distinct point, or between knots.

    With more than `MOST_DISTINCT` distinct points the function is taken on a grid, evenly spread over the logs of
    each axis, and interpolated linearly in them.
    """
    names = list(axes)
    points = np.column_stack([axes[name] for name in names])
    some = points[:: max(len(points) // (SAMPLED * MOST_DISTINCT), 1)]
    if len(np.unique(some, axis=0)) <= MOST_DISTINCT:  # sorting all of them takes longer than all the rest
        distinct, place = np.unique(points, axis=0, return_inverse=True)
        if len(distinct) <= MOST_DISTINCT:
            found = function({name: distinct[:, i] for i, name in enumerate(names)})
            return found[place.reshape(-1)]
    per_axis = int(MOST_DISTINCT ** (1 / len(names)))
    knots = [np.geomspace(axes[name].min(), axes[name].max(), per_axis) for name in names]
    grid = np.meshgrid(*knots, indexing="ij")
    values = function({name: grid[i].ravel() for i, name in enumerate(names)}).reshape([per_axis] * len(names))
    return _between(np.log(values), [np.log(k) for k in knots], np.log(points))


def _between(values: Array, knots: list[Array], points: Array) -> Array:
    """Multilinear interpolation of logs on a grid, at points (rows) inside it; the exponential of it."""
    lower, part = [], []
    for axis, own in enumerate(knots):
        step = max(float(own[1] - own[0]), np.finfo(float).tiny)
        at = np.clip((points[:, axis] - own[0]) / step, 0, len(own) - 1)
        low = np.minimum(at.astype(int), len(own) - 2)
        lower.append(low)
        part.append(at - low)
    total = np.zeros(len(points))
    for corner in itertools.product((0, 1), repeat=len(knots)):
        weight = np.ones(len(points))
        for one, share in zip(corner, part, strict=True):
            weight = weight * (share if one else 1 - share)
        total += weight * values[tuple(low + one for low, one in zip(lower, corner, strict=True))]
    return np.asarray(np.exp(total))
