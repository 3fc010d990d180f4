"""Ends of the range of an unseen source, from how far sources that took no part were off.

Rows of one source err together, so they count for fewer than they are (Kish's design effect, from the share of the
variance that lies between sources); the fewer there are, the further out the ends are read (Student's t in place of
the normal, for one more source). A kind that counts for fewer than three takes the ends of all kinds' errors: so
little tells nothing of the spread.

References
----------
.. [1] Kish 1965, Survey Sampling, section 5.4 (design effect); Donner 1986, International Statistical Review 54(1)
   (intraclass correlation of groups of unequal size).
.. [2] Abramowitz, Stegun 1964, Handbook of Mathematical Functions, 26.7.5 (percentiles of Student's t).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from footprint.throughput.whole_run import Errors, quantile
from footprint.values import Range

TAIL = 1 / 20
FEWEST = 3.0
"""Independent rows that a kind must count for to have a range of its own."""


def independent_count(residual: NDArray[np.float64], sources: Sequence[str]) -> float:
    """For how many independent rows the rows of some sources count: between the sources and the rows."""
    names, place, sizes = np.unique(np.array(sources), return_inverse=True, return_counts=True)
    groups, rows = len(names), len(residual)
    if groups < 2:
        return float(groups)
    means = np.bincount(place, residual) / sizes
    between = float(sizes @ (means - residual.mean()) ** 2) / (groups - 1)
    within = float(np.sum((residual - means[place]) ** 2)) / max(rows - groups, 1)
    usual_size = (rows - float(sizes @ sizes) / rows) / (groups - 1)
    spread = between + (usual_size - 1) * within
    shared = min(max((between - within) / spread, 0.0), 1.0) if spread > 0 else 1.0
    return float(np.sum(sizes / (1 + (sizes - 1) * shared)))


def tail_of(count: float) -> float:
    """Which share of the errors to leave at either end, for 5 % of those of one more source: less, the fewer rows."""
    normal, freedom = NormalDist(), count - 1
    score = normal.inv_cdf(1 - TAIL)
    student = score + (score**3 + score) / (4 * freedom)
    student += (5 * score**5 + 16 * score**3 + 3 * score) / (96 * freedom**2)
    return normal.cdf(-student * math.sqrt(1 + 1 / count))


def unseen_range(errors: Errors, sources: Sequence[str], which: NDArray[np.bool_]) -> Range:
    """The range of a kind (`which` of the rows) for a source that is not among them."""
    own, names = np.flatnonzero(which), np.array(sources)
    count = independent_count(errors.residual[own], names[own].tolist())
    if count < FEWEST:
        ends = float(errors.residual.min()), float(errors.residual.max())
    else:
        tail = tail_of(count)
        low, high = (quantile(errors.residual[own], errors.weight[own], q) for q in (tail, 1 - tail))
        ends = low, high
    return Range(min(math.exp(ends[0]), 1.0), 1.0, max(math.exp(ends[1]), 1.0))
