"""Numbers that a sensor cannot have meant."""

from __future__ import annotations

import math
from dataclasses import replace

from footprint.values import Sample

__all__ = ["sound"]


def sound(sample: Sample) -> Sample:
    """The same, with numbers that cannot be taken for absent."""
    if _can_be(sample.energy_j) and _can_be(sample.power_w) and _can_be(sample.stale_s):
        return sample
    energy_j, power_w, stale_s = (n if _can_be(n) else None for n in (sample.energy_j, sample.power_w, sample.stale_s))
    return replace(sample, energy_j=energy_j, power_w=power_w, stale_s=stale_s)


def _can_be(number: float | None) -> bool:
    return number is None or 0 <= number < math.inf
